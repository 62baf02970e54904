"""The promises of the contract, through the command line, against a real server that counts what is sent and paid."""

import json
import time
from decimal import Decimal

import pytest
from scripted_server import Scripted, serving

QUOTA = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}
BAD_KEY = {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"}
NO_MODEL = {"message": "The model does not exist", "type": "invalid_request_error", "code": "model_not_found"}
TOO_LONG = {
    "message": "This model's maximum context length is 8192 tokens.",
    "type": "invalid_request_error",
    "code": "context_length_exceeded",
}


def rows(count, text="document {n}"):
    return [{"id": f"r{n}", "text": text.format(n=n)} for n in range(count)]


def by_id(job):
    return {line["id"]: line for line in job.results()}


def test_a_run_ends_with_typed_rows_that_reconcile_and_a_second_run_sends_nothing(job, server):
    """The first promise a newcomer sees."""
    job.write(server.url, rows=rows(30)).run()
    manifest = job.reconcile()
    assert manifest["state"] == "finished"
    assert manifest["rows"] == {"total": 30, "ok": 30, "failed": 0, "pending": 0}
    line = job.results()[7]
    assert (line["row"], line["id"], line["answer_from"], line["calls"]) == (7, "r7", "call", 1)
    assert line["record"] == {"name": "ok", "total": Decimal("1.50")}
    assert line["cost_usd"] == Decimal("0.0000270000")  # 100 × 0.15 + 20 × 0.60 USD per million
    assert line["model_version"] == "gpt-4o-mini-2026-01-01"
    before = [(job.out / name).read_bytes() for name in ("results.parquet", "calls.parquet")]
    job.run()
    assert server.sent == 30
    assert [(job.out / name).read_bytes() for name in ("results.parquet", "calls.parquet")] == before


def test_a_429_loses_no_row_and_everybody_waits_it_out(job, server):
    """Retry-After is honoured by the call that got it and by all others."""
    server.script = lambda document, nth, body: (
        Scripted(
            429,
            headers={"retry-after": "1"},
            error={"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"},
        )
        if document == "document 3" and nth == 1
        else Scripted(delay_s=0.05)
    )
    job.write(server.url, rows=rows(40), limits={"concurrency": 4}).run()
    manifest = job.reconcile()
    assert (manifest["rows"]["ok"], manifest["rate_limited"], manifest["calls"]) == (40, 1, 41)
    refused = next(when for document, _, when in server.requests if document == "document 3")
    later = [when for _, _, when in server.requests if when > refused + 0.06]
    assert min(later) >= refused + 1.0


def test_a_429_is_not_a_failed_attempt(job, server):
    """More 429s than max_attempts still end in an answer."""
    server.script = lambda document, nth, body: Scripted(429, headers={"retry-after-ms": "20"}) if nth <= 5 else None
    job.write(server.url, rows=rows(1), limits={"max_attempts": 2}).run()
    assert job.reconcile()["rows"]["ok"] == 1


def test_server_errors_are_tried_again_and_end_as_provider_error_after_max_attempts(job, server):
    """5xx: a transient one costs nothing but time, a lasting one ends its own row only."""
    server.script = lambda document, nth, body: (
        Scripted(500) if document == "document 1" or (document == "document 2" and nth < 3) else None
    )
    job.write(server.url, rows=rows(4), limits={"max_attempts": 3}).run(code=1)
    job.reconcile()
    ended = by_id(job)
    assert ended["r1"]["error_code"] == "provider_error"
    assert ended["r1"]["calls"] == 3
    assert (ended["r2"]["status"], ended["r2"]["calls"]) == ("ok", 3)


def test_an_invalid_answer_is_repaired_once_with_its_errors(job, server):
    """The repair carries what was wrong; a second bad answer is invalid_output, and both are paid for on the row."""
    server.script = lambda document, nth, body: (
        Scripted(text='{"name": "x"}') if nth == 1 or document == "document 1" else None
    )
    job.write(server.url, rows=rows(2)).run(code=1)
    manifest = job.reconcile()
    ended = by_id(job)
    assert (ended["r0"]["status"], ended["r0"]["repaired"], ended["r0"]["calls"]) == ("ok", True, 2)
    assert (ended["r1"]["error_code"], ended["r1"]["calls"], ended["r1"]["input_tokens"]) == ("invalid_output", 2, 200)
    assert "total" in ended["r1"]["error"]
    assert manifest["repairs"] == 2
    repair = next(body for document, body, _ in server.requests if len(body["messages"]) > 2)
    assert "total" in repair["messages"][-1]["content"]
    assert [line["purpose"] for line in job.calls()].count("repair") == 2


def test_a_truncated_answer_is_never_ok_and_never_sent_again_unchanged(job, server):
    """Once more with a higher cap, then `truncated`."""
    whole = Scripted(text='{"name": "cut", "total": "1"}', finish="length")
    server.script = lambda document, nth, body: whole if nth == 1 or document == "document 1" else None
    job.write(server.url, rows=rows(2)).run(code=1)
    job.reconcile()
    ended = by_id(job)
    assert ended["r0"]["status"] == "ok"
    assert (ended["r1"]["error_code"], ended["r1"]["calls"], ended["r1"]["finish_reason"]) == ("truncated", 2, "length")
    caps = [
        body.get("max_completion_tokens", body.get("max_tokens"))
        for document, body, _ in server.requests
        if document == "document 1"
    ]
    assert caps == [100, 200]


def test_refusals_and_filters_are_outcomes_of_their_own(job, server):
    """Neither is repaired nor sent again."""
    answers = {
        "document 0": Scripted(refusal="I cannot help with that"),
        "document 1": Scripted(text="", finish="content_filter"),
    }
    server.script = lambda document, nth, body: answers.get(document)
    job.write(server.url, rows=rows(3)).run(code=1)
    job.reconcile()
    ended = by_id(job)
    assert (ended["r0"]["error_code"], ended["r0"]["calls"]) == ("refused", 1)
    assert (ended["r1"]["error_code"], ended["r1"]["calls"]) == ("blocked", 1)
    assert "I cannot help" in ended["r0"]["error"]


def test_a_bad_request_fails_its_row_at_once(job, server):
    """Hopeless requests are sent once."""
    error = {"message": "bad", "type": "invalid_request_error", "code": None}
    server.script = lambda document, nth, body: Scripted(400, error=error) if document == "document 0" else None
    job.write(server.url, rows=rows(2)).run(code=1)
    assert by_id(job)["r0"]["error_code"] == "invalid_request"
    assert server.seen["document 0"] == 1


def test_a_length_refusal_is_cut_smaller_once(job, server):
    """context_exceeded: one retry with smaller chunks, merged into one record."""
    text = " ".join(f"word{n}" for n in range(200))
    server.script = lambda document, nth, body: (
        Scripted(400, error=TOO_LONG) if len(document) > 1000 or "hopeless" in document else None
    )
    job.write(server.url, rows=[{"id": "long", "text": text}, {"id": "never", "text": "hopeless " * 40}]).run(code=1)
    job.reconcile()
    ended = by_id(job)
    assert (ended["long"]["status"], ended["long"]["chunks"]) == ("ok", 2)
    assert ended["never"]["error_code"] == "context_exceeded"


def test_a_length_refusal_that_tells_its_numbers_is_cut_as_small_as_they_say(job, server):
    """Halves would be refused again; so would the row be, that has its one retry behind it."""

    def script(document, nth, body):
        tokens, most = len(document.split()) + 90, 500
        told = {**TOO_LONG, "message": f"prompt is too long: {tokens} tokens > {most} maximum"}
        return Scripted(400, error=told) if tokens > most else None

    server.script = script
    text = " ".join(f"word {n}" for n in range(1_250))
    job.write(server.url, rows=[{"id": "long", "text": text}]).run(code=0)
    job.reconcile()
    ended = by_id(job)["long"]
    assert (ended["status"], ended["calls"]) == ("ok", ended["chunks"] + 1)
    assert 6 <= ended["chunks"] <= 9


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [(401, BAD_KEY, "auth"), (429, QUOTA, "quota"), (404, NO_MODEL, "model_unavailable")],
)
def test_hopeless_causes_park_within_a_handful_of_calls_and_resume(job, server, status, error, reason):
    """auth, quota, model_unavailable: exit 4, rows pending, the command that resumes, and then everything is done."""
    server.script = lambda document, nth, body: Scripted(status, error=error) if server.sent > 5 else None
    job.write(server.url, rows=rows(50), limits={"concurrency": 2})
    process = job.run(code=4)
    assert server.sent <= 10
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", reason)
    assert manifest["rows"]["pending"] >= 40
    assert manifest["rate_limited"] == (manifest["calls"] - manifest["rows"]["ok"] if status == 429 else 0)
    assert f"pipeline run {job.file}" in process.err
    server.script = None
    job.run()
    assert job.reconcile()["rows"]["ok"] == 50
    assert sum(server.paid.values()) == 50


def test_a_bad_key_costs_no_more_than_the_first_few_calls(job, server):
    """However many slots there are, and whatever limits the job gives: the others wait for the first answer."""
    server.script = lambda document, nth, body: Scripted(401, error=BAD_KEY, delay_s=0.1)
    job.write(server.url, rows=rows(300), limits={"concurrency": 200, "requests_per_minute": 100_000}).run(code=4)
    assert server.sent <= 10  # five at once, and one for each that ended before it was known why
    assert job.reconcile()["rows"]["pending"] == 300


def test_a_days_allowance_that_is_used_up_parks_and_says_when_it_ends(job, server):
    """No slot is held for the hours that the hint asks for."""
    error = {
        "message": "Rate limit reached on tokens per day (TPD): Limit 1000, Used 990",
        "code": "rate_limit_exceeded",
    }
    server.script = lambda document, nth, body: Scripted(429, error=error, headers={"retry-after": "36000"})
    ended = job.write(server.url, rows=rows(30)).run(code=4)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "quota")
    assert "By the provider's own word that ends at 20" in ended.err
    assert "in 10 h 0 min" in ended.err


def test_max_usd_is_never_exceeded_and_the_run_can_go_on_with_more(job, server):
    """Promise 3, with many calls in flight; every answer costs 27 millionths of a dollar."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.01)
    job.write(server.url, rows=rows(200), limits={"concurrency": 50}, budget={"max_usd": 0.002})
    process = job.run(code=3)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert Decimal("0.0018") <= Decimal(manifest["cost_usd"]) <= Decimal("0.002")
    assert "--max-usd" in process.err
    job.run(code=3)
    assert Decimal(job.reconcile()["cost_usd"]) <= Decimal("0.002")
    job.run("--max-usd", "1")
    assert job.reconcile()["rows"]["ok"] == 200
    assert sum(server.paid.values()) == 200


def test_retry_runs_only_the_failed_rows_and_keeps_the_others_bytes(job, server):
    """Failed rows are asked again, the rest is not touched, cost adds up over all attempts."""
    server.script = lambda document, nth, body: (
        Scripted(text="{}")
        if document == "document 2"
        else Scripted(refusal="no")
        if document == "document 4"
        else None
    )
    job.write(server.url, rows=rows(6)).run(code=1)
    before = by_id(job)
    server.script = None
    job.pipeline("retry", job.file, "--where", "error_code=refused", code=1)
    assert server.sent == 6 + 1 + 1  # six rows and a repair, then the refused one
    assert by_id(job)["r4"]["status"] == "ok"
    job.pipeline("retry", job.file, code=0)
    after = by_id(job)
    job.reconcile()
    assert after["r2"]["status"] == "ok"
    assert after["r2"]["calls"] == 3
    assert {key: line for key, line in after.items() if key not in {"r2", "r4"}} == {
        key: line for key, line in before.items() if key not in {"r2", "r4"}
    }
    job.pipeline("retry", job.file, code=0)
    assert server.sent == 9


def test_equal_documents_are_paid_once(job, server):
    """Duplicates in one run, and again in another one with more rows."""
    job.write(server.url, rows=[{"id": f"r{n}", "text": f"document {n % 3}"} for n in range(12)]).run()
    manifest = job.reconcile()
    assert (manifest["rows"]["ok"], manifest["calls"], server.sent) == (12, 3, 3)
    answered = [line["answer_from"] for line in job.results()]
    assert (answered.count("call"), answered.count("duplicate")) == (3, 9)
    job.write(server.url, rows=[{"id": f"n{n}", "text": f"document {n}"} for n in range(5)]).run()
    manifest = job.reconcile()
    assert server.sent == 5
    assert [line["answer_from"] for line in job.results()] == ["ledger"] * 3 + ["call"] * 2
    assert manifest["calls"] == 2


def test_chunks_of_a_document_become_one_row(job, server):
    """Lists and scalars merge; disagreements are listed."""
    (job.folder / "thing.py").write_text(
        "from pydantic import BaseModel\n"
        "class Thing(BaseModel):\n    name: str | None = None\n    items: list[str] = []\n"
    )

    def script(document, nth, body):
        number = document.split()[0]
        return Scripted(text=json.dumps({"name": number, "items": [number]}))

    server.script = script
    text = "\n\n".join(f"part{n} " + "lorem ipsum dolor " * 30 for n in range(5))
    job.write(server.url, rows=[{"id": "a", "text": text}], chunks={"max_tokens": 130}).run()
    job.reconcile()
    (line,) = job.results()
    assert line["chunks"] == server.sent >= 5
    assert line["record"]["name"] == "part0"
    assert "name" in line["conflicts"]
    assert line["record"]["items"][0] == "part0"
    job.write(server.url, chunks={"max_tokens": 130}, extract={"merge": "none"}).run()
    job.reconcile()
    assert [one["chunk"] for one in job.results()] == list(range(line["chunks"]))
    assert server.sent == line["chunks"], "the answers already paid for serve the new merge rule"


def test_an_outage_parks_after_outage_s(job):
    """A provider that is down for good: exit 4, nothing lost."""
    with serving() as server:
        url = server.url
    job.write(url, rows=rows(30), limits={"concurrency": 8, "outage_s": 1.5, "max_attempts": 50})
    job.run(code=4)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"], manifest["rows"]["pending"]) == ("parked", "outage", 30)


def test_a_cut_connection_is_tried_again(job, server):
    """Half an answer is no answer; after max_attempts the row ends as timeout."""
    server.script = lambda document, nth, body: Scripted(cut=True) if nth == 1 or document == "document 1" else None
    job.write(server.url, rows=rows(2), limits={"max_attempts": 2}).run(code=1)
    job.reconcile()
    ended = by_id(job)
    assert ended["r0"]["status"] == "ok"
    assert ended["r1"]["error_code"] == "timeout"


def test_silence_is_a_timeout(job, server):
    """limits.timeout_s bounds one call."""
    server.script = lambda document, nth, body: Scripted(delay_s=5) if document == "document 0" else None
    job.write(server.url, rows=rows(2), limits={"max_attempts": 1, "timeout_s": 0.5}).run(code=1)
    assert by_id(job)["r0"]["error_code"] == "timeout"


def test_an_answer_that_is_no_answer_is_a_provider_error(job, server):
    """HTML from a proxy with status 200."""
    server.script = lambda document, nth, body: Scripted(raw=b"<html>busy</html>")
    job.write(server.url, rows=rows(1), limits={"max_attempts": 2}).run(code=1)
    assert by_id(job)["r0"]["error_code"] == "provider_error"


def test_max_failed_share_decides_between_0_and_1(job, server):
    """The share is of all rows."""
    server.script = lambda document, nth, body: Scripted(refusal="no") if document == "document 0" else None
    job.write(server.url, rows=rows(4), limits={"max_failed_share": 0.25}).run(code=0)


def test_concurrency_is_a_ceiling(job, server):
    """Never more calls in flight than limits.concurrency."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.02)
    job.write(server.url, rows=rows(60), limits={"concurrency": 7}).run()
    assert server.most_at_once == 7


def test_secrets_are_in_no_file_and_no_output(job, server):
    """Promise 6, also when the provider echoes the key."""
    secret = job.env["OPENAI_API_KEY"]
    error = {
        "message": f"Incorrect API key provided: {secret}",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
    }
    server.script = lambda document, nth, body: Scripted(401, error=error)
    job.write(server.url, rows=rows(3))
    process = job.run(code=4)
    assert secret not in process.out + process.err
    assert not [path for path in job.out.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_the_documents_bytes_never_act(job, server):
    """Braces, formats, paths and markup are data."""
    texts = ["{braces} {0.__class__} {text}", "<script>alert(1)</script>", "'; DROP TABLE rows; --", "<|endoftext|> x"]
    job.write(server.url, rows=[{"id": f"../../../{n}/'\";--", "text": text} for n, text in enumerate(texts)]).run()
    assert {document for document, _, _ in server.requests} == set(texts)
    job.reconcile()


def test_status_show_and_json(job, server):
    """--json prints one object on standard output and nothing else there."""
    server.script = lambda document, nth, body: Scripted(refusal="no") if document == "document 1" else None
    job.write(server.url, rows=rows(3))
    job.pipeline("status", job.file, code=2)
    manifest = json.loads(job.pipeline("run", job.file, "--json", code=1).out)
    assert manifest == job.manifest()
    status = json.loads(job.pipeline("status", job.file, "--json", code=0).out)
    assert (status["state"], status["rows"]["failed"]) == ("finished", 1)
    shown = json.loads(job.pipeline("show", job.file, "r1", "--json", code=0).out)
    assert shown["rows"][0]["error_code"] == "refused"
    assert len(shown["rows"][0]["calls"]) == 1
    missing = job.pipeline("show", job.file, "nobody", code=2)
    assert "'r0'" in missing.err


def test_status_of_a_running_run_comes_from_its_ledger(job, server):
    """Counts while it runs; after a kill -9 it says that the process died."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.1)
    job.write(server.url, rows=rows(2000), limits={"concurrency": 4})
    process = job.start("run", job.file)
    try:
        _until(lambda: server.sent >= 12)
        status = json.loads(job.pipeline("status", job.file, "--json", code=0).out)
    finally:
        process.kill()
        process.communicate()
    assert status["state"] == "running"
    assert status["rows"]["total"] == 2000
    assert status["rows"]["ok"] >= 4
    assert json.loads(job.pipeline("status", job.file, "--json", code=0).out)["state"] == "interrupted"


def test_limit_input_output_and_set_override_the_job(job, server):
    """Paths given on the command line are relative to the current folder."""
    job.write(server.url, rows=rows(9))
    (job.folder / "other.jsonl").write_text('{"id": "z", "text": "another"}\n')
    job.run("--limit", "4", "--set", "limits.concurrency=1", "--set", "model.name=gpt-4o")
    assert job.reconcile()["rows"]["total"] == 4
    assert job.results()[0]["model"] == "gpt-4o"
    job.run("--input", "other.jsonl", "--output", "elsewhere")
    assert (job.folder / "elsewhere" / "results.parquet").exists()
    job.run("--set", "model.name=gpt-4o")
    assert job.reconcile()["rows"]["ok"] == 9
    assert server.sent == 4 + 1 + 5


def test_fresh_starts_over(job, server):
    """A new ledger; the old one is kept beside it."""
    job.write(server.url, rows=rows(3)).run()
    job.run("--fresh")
    assert server.sent == 6
    assert len(list(job.out.glob("ledger*.sqlite"))) == 2


def test_estimate_sends_nothing_and_knows_what_is_done(job, server):
    """The dry-run; after half the work it speaks of the other half."""
    job.write(server.url, rows=rows(10))
    first = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    assert first["rows"] == 10
    cost = first["cost_usd"]
    assert 0 < Decimal(cost["low"]) <= Decimal(cost["expected"]) <= Decimal(cost["high"])
    assert server.sent == 0
    del job.env["OPENAI_API_KEY"]
    job.pipeline("estimate", job.file, code=0)


def test_check_finds_everything_before_a_cent_is_spent(job, server):
    """A missing key is named with the variable to set; a right job exits 0."""
    job.write(server.url, rows=rows(3))
    assert json.loads(job.pipeline("check", job.file, "--json", code=0).out)["ok"] is True
    del job.env["OPENAI_API_KEY"]
    process = job.pipeline("check", job.file, code=2)
    assert "OPENAI_API_KEY" in process.out
    process = job.run(code=2)
    assert "OPENAI_API_KEY" in process.err
    assert server.sent == 0


def _until(true, timeout_s=20):
    """Wait for what another process does; polling, because that process cannot call us."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)
