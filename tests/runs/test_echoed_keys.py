"""A server that says the key again, somewhere in its answers: it ends in no file, and nobody is told it."""

import json

from each_case import each_case
from raw_server import answering, ok
from scripted_server import GOOD, Scripted, completion, document_of
from spellings import SPELLINGS, tells

KEY = "sk-test/very+secret-key-0123456789"


def with_body(status, body, headers=b""):
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, headers, len(body)) + body


def refused(written):
    """An error's body whose message is written so, between the quotes."""
    return b'{"error": {"message": "no such key: ' + written + b'", "type": "invalid_request_error", "code": null}}'


def record(written, body):
    """A good record whose name is written so: in JSON that is within JSON."""
    inner = json.dumps({**GOOD, "name": "@@"}).replace("@@", written.decode())
    text = json.dumps("@@").replace("@@", inner.replace("\\", "\\\\").replace('"', '\\"'))
    whole = json.dumps(completion_with("@@", body))
    return whole.replace('"@@"', text).encode()


def completion_with(text, body):
    return completion(Scripted(text=text), body)


def named(name, written, body):
    """A completion with a field of its own written so."""
    whole = json.dumps({**completion_with(json.dumps(GOOD), body), name: "@@"})
    return whole.replace("@@", written.decode()).encode()


PLACES = {  # where it is → an answer
    "request-id": lambda written, body: ok(body, b"Content-Type: application/json\r\nx-request-id: r-%b\r\n" % written),
    "azure-id": lambda written, body: ok(body, b"Content-Type: application/json\r\napim-request-id: %b\r\n" % written),
    "location": lambda written, body: with_body(b"307 Go", b"", b"Location: http://127.0.0.1/?key=%b\r\n" % written),
    "encoding": lambda written, body: ok(body, b"Content-Encoding: %b\r\n" % written),
    "reason": lambda written, body: with_body(b"400 no " + written, b"no"),
    "header-name": lambda written, body: with_body(b"200 OK", b"no", b"Bad Name %b: 1\r\n" % written),
    "error": lambda written, body: with_body(b"400 No", refused(written)),
    "server-error": lambda written, body: with_body(b"500 No", refused(written)),
    "error-of-a-200": lambda written, body: with_body(b"200 OK", refused(written)),
    "page": lambda written, body: with_body(b"200 OK", b"<html>" + written + b"</html>"),
    "record": lambda written, body: with_body(b"200 OK", record(written, body)),
    "model": lambda written, body: with_body(b"200 OK", named("model", written, body)),
    "id": lambda written, body: with_body(b"200 OK", named("id", written, body)),
    "invalid": lambda written, body: with_body(b"200 OK", record(written, body).replace(b"1.50", b"x " + written)),
}
FEW = ("plain", "upper", "slashes", "json-twice", "unicode-twice", "percent-twice", "entities-twice", "base64")
ROWS = [{"id": f"{place}:{spelling}", "text": f"{place}:{spelling}"} for place in PLACES for spelling in FEW]


def echo(nth, of_connection, body, head):
    place, _, spelling = document_of(body).partition(":")
    written = SPELLINGS[spelling](KEY).encode()
    if b"\\" in written and place in {"record", "invalid"} and not spelling.startswith("unicode"):
        written = written.replace(b"\\", b"")  # would be no JSON
    return PLACES[place](written, body)


def test_a_key_that_comes_back_is_nowhere(job):
    """Not in a file, the ledger or the report, and not in what is shown, exported and said."""
    job.env["OPENAI_API_KEY"] = KEY
    with answering(echo) as far:
        more = {"limits": {"max_attempts": 1, "concurrency": 8}, "telemetry": {"prometheus_file": "metrics.prom"}}
        job.write(far.url, rows=ROWS, **more)
        ended = [job.run("--log-format", "json", code=None)]
    job.reconcile()
    assert job.manifest()["rows"]["pending"] == 0
    assert {row["status"] for row in job.results() if row["id"].startswith("record")} == {"ok"}
    ended += [job.pipeline("report", job.out), job.pipeline("export", job.out, "--format", "jsonl")]
    ended += [job.pipeline("show", job.file, row["id"]) for row in ROWS[:: len(FEW)]]
    said = "".join(one.out + one.err for one in ended)
    kept = {file.name: file.read_bytes() for file in job.folder.rglob("*") if file.is_file()}
    kept |= {"results": repr(job.results()).encode(), "calls": repr(job.calls()).encode(), "said": said.encode()}
    assert "ledger.sqlite" in kept
    assert "report.html" in kept
    assert [name for name, data in kept.items() if tells(data.decode("utf-8", "replace"), KEY)] == []


@each_case("spelling", SPELLINGS)
def test_a_text_that_tells_it_is_known_as_one(spelling):
    """Else the test above would see nothing."""
    assert tells(f"<{SPELLINGS[spelling](KEY)}>", KEY)
