"""Every request is refused in the same words: the run parks after a handful of calls, and says what to mend."""

import json

import pytest
from scripted_server import Scripted

NO_FORM = {"message": "This response_format type is unavailable now", "type": "invalid_request_error", "code": None}
NO_HEAT = {
    "message": "Unsupported value: 'temperature' does not support 0.0 with this model.",
    "code": "unsupported_value",
}
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(60)]
PAGE = b"<!DOCTYPE html><html><body>Log in to the network</body></html>"
KINDS = {  # what is answered, and the words of the fix
    "response_format": (Scripted(400, error=NO_FORM), 'extract.mode = "tool"'),
    "temperature": (Scripted(400, error=NO_HEAT), "model.temperature"),
    "with-ids": (None, "Mend the job"),
    "not-found": (Scripted(404, raw=b"404 page not found"), "model.base_url"),
    "method": (Scripted(405, raw=b"<html>405 Not Allowed</html>"), "model.base_url"),
    "redirect": (Scripted(307, raw=b"", headers={"Location": "http://127.0.0.1:1/elsewhere"}), "model.base_url"),
    "page": (Scripted(raw=PAGE), "model.base_url"),
}


def with_ids(document, nth, body):
    message = f"Request 0a3f{nth:04x}-77 for field x is bad at 2026-11-30T10:{nth % 60:02}:00Z"
    return Scripted(422, error={"message": message, "type": "invalid_request_error"})


@pytest.mark.parametrize(
    ("kind", "workers"), [*((kind, 1) for kind in KINDS), ("response_format", 2), ("not-found", 2)]
)
def test_it_parks_with_the_provider_s_words_the_address_and_the_fix(job, server, kind, workers):
    """All rows are left for the run that follows the mending; nobody has to know which had been asked."""
    scripted, fix = KINDS[kind]
    server.script = with_ids if scripted is None else lambda document, nth, body: scripted
    job.write(server.url, rows=ROWS, limits={"concurrency": 32, "workers": workers})
    told = job.run(code=4).err
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "refused_by_provider")
    assert 0 < server.sent <= 20
    assert manifest["rows"] == {"total": 60, "ok": 0, "failed": 0, "pending": 60}
    assert fix in told
    assert f"{server.url}/chat/completions" in told
    job.pipeline("verify", job.out, code=0)
    server.script = None
    job.run(code=0)
    assert job.reconcile()["rows"]["ok"] == 60


def test_slow_refusals_are_no_more_than_twenty(job, server):
    """Though calls at once could be many more."""
    server.script = lambda document, nth, body: Scripted(400, error=NO_FORM, delay_s=0.8)
    job.write(server.url, rows=ROWS, limits={"concurrency": 50}).run(code=4)
    assert server.sent <= 20


def test_documents_that_are_refused_for_themselves_end_nothing(job, server):
    """A dozen at the start, each in words of its own; after an answer, any number in the same words."""

    def script(document, nth, body):
        number = int(document.split()[1])
        word = chr(ord("a") + number) if number < 12 else "all alike"
        return Scripted(400, error={**NO_FORM, "message": f"bad text: {word}"}) if number != 12 else None

    server.script = script
    job.write(server.url, rows=ROWS, limits={"concurrency": 1}).run(code=1)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["rows"]["failed"], manifest["rows"]["ok"]) == ("finished", 59, 1)


def test_a_few_rows_that_are_all_refused_have_failed(job, server):
    """Five say nothing of the sixth; none is lost on the way."""
    server.script = lambda document, nth, body: Scripted(400, error=NO_FORM)
    job.write(server.url, rows=ROWS[:5]).run(code=1)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["failed_by_code"]) == ("finished", {"invalid_request": 5})


def test_three_rows_are_enough_where_the_address_is_wrong(job, server):
    server.script = lambda document, nth, body: Scripted(404, raw=b"Not Found")
    job.write(server.url, rows=ROWS[:3]).run(code=4)
    assert job.reconcile()["reason"] == "refused_by_provider"
    assert json.loads(job.pipeline("status", job.file, "--json").out)["reason"] == "refused_by_provider"
