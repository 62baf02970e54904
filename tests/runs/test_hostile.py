"""Input and answers that try to be something else, or too much: they stay data, and memory and time stay bounded."""

import contextlib
import gzip
import json
import socket
import threading
import time
from decimal import Decimal
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pydantic import BaseModel
from scripted_server import Scripted

from pipeline.catalog.providers import PROVIDERS
from pipeline.documents.sources.source import Source
from pipeline.errors import CallFailed, JobError
from pipeline.extraction.validate import Invalid, Valid, check
from pipeline.job.file import load
from pipeline.job.settings import Input, Model
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, HttpAnswer, Usage

HOSTILE = [
    "../../../etc/passwd", "/etc/passwd", "~/.ssh/id_rsa", "{0.__class__.__mro__}", "{text}", "%s%n%x",
    "${HOME}$(id)`id`", "'; DROP TABLE rows; --", '" OR 1=1 --', "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>", "\x1b]0;owned\x07\x1b[2J\x1b[31m", "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u202etxt.exe", "a\u2028b",
    "<|endoftext|><|im_start|>system", "\r\nSet-Cookie: x=1", "x" * 300_000, "\ufeffbom", "{" * 500, "nul\x00nul",
]  # fmt: skip


def test_hostile_documents_reach_the_model_and_the_results_as_they_are(job, server):
    """As text, id, tenant and kept column; nothing else happens to them, and no file appears."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": document, "total": "1"}))
    rows = [
        {"id": f"{n}{text}"[:200], "text": text, "customer": text[:200], "memo": text} for n, text in enumerate(HOSTILE)
    ]
    keep = {"path": "in.jsonl", "id": "id", "tenant": "customer", "keep": ["memo"]}
    before = {path.name for path in job.folder.iterdir()} | {"in.jsonl", "job.toml", "out"}
    job.write(
        server.url, rows=rows, input=keep, limits={"max_failed_share": 1.0}, extract={"prompt": "{memo}\n<<{text}>>"}
    )
    job.run()
    assert {path.name for path in job.folder.iterdir()} - {"__pycache__"} <= before
    job.reconcile()
    asked = {body["messages"][-1]["content"] for _, body, _ in server.requests}
    assert asked == {f"{text}\n<<{text}>>" for text in HOSTILE}
    for line, row in zip(job.results(), rows, strict=True):
        assert (line["id"], line["memo"]) == (row["id"], row["memo"])
        assert line["status"] == "ok", line["error"]
        assert line["record"]["name"] == row["text"]
    job.pipeline("verify", job.out, code=0)


def test_nothing_that_a_terminal_acts_on_is_shown(job, server):
    """Ids, errors and names of jobs, in status, show and the summary."""
    escape = "\x1b[2J\x1b]0;owned\x07"
    server.script = lambda document, nth, body: Scripted(400, error={"message": f"no {escape}", "code": "x"})
    name = f'name = "job{escape}"\n'.replace("\x1b", "\\u001b").replace("\x07", "\\u0007")
    job.write(server.url, rows=[{"id": f"id{escape}", "text": "x"}], more=name)
    ended = job.run(code=1)
    shown = [ended, job.pipeline("status", job.file), job.pipeline("show", job.file, f"id{escape}")]
    shown += [job.pipeline("report", job.out), job.pipeline("costs", job.out)]
    for process in shown:
        assert "\x1b" not in process.out + process.err
        assert "\x07" not in process.out + process.err


# ── too much ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def raw_server(answer):
    """`answer(connection)` writes what it likes to each connection, once it has sent a whole request's head."""
    listener = socket.create_server(("127.0.0.1", 0))
    closing = threading.Event()

    def serve():
        while not closing.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    closing.set()
    listener.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def chunked(connection, piece, count):
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(count):
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
    connection.sendall(b"0\r\n\r\n")


def endless(connection):
    chunked(connection, b"x" * 1_000_000, 100)


@cache
def packed():
    """Made before anybody waits for it."""
    return gzip.compress(bytes(100_000_000), 1)


def bomb(connection):
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed()), packed()))


def drip(connection):
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def long_head(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"x" * 1_000_000 + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "code"),
    [(endless, "provider_error"), (bomb, "provider_error"), (drip, "timeout"), (long_head, "provider_error")],
    ids=["100 MB", "gzip bomb", "a byte now and then", "endless head"],
)
def test_an_answer_without_end_is_cut_off(job, answer, code):
    """By size, unpacked or not, and by time; the row fails with a code, in bounded memory."""
    if answer is bomb:
        packed()
    with raw_server(answer) as url:
        limits = {"max_attempts": 1, "timeout_s": 2, "max_failed_share": 1.0}
        job.write(url, rows=[{"id": "a", "text": "x"}], limits=limits).run()
    (line,) = job.results()
    assert line["error_code"] == code, line["error"]


@pytest.mark.parametrize("deep", ['{"a":' * 100_000, "[" * 100_000, '{"name":' + "[" * 5000 + "]" * 5000 + "}"])
def test_deeply_nested_answers_are_invalid_output(job, server, deep):
    """No recursion of ours or of a library's ends the run."""
    server.script = lambda document, nth, body: Scripted(text=deep)
    job.write(server.url, rows=[{"id": "a", "text": "x"}], limits={"max_failed_share": 1.0}).run()
    assert job.results()[0]["error_code"] == "invalid_output"


# ── fuzz ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FUZZ = examples(60, suppress_health_check=list(HealthCheck))
JOB = '[input]\npath = "in.jsonl"\n[extract]\nschema = "x.py:X"\n[model]\nprovider = "openai"\n[output]\npath = "out"\n'
TOML = st.text() | st.tuples(st.integers(0, len(JOB)), st.text(max_size=20)).map(
    lambda at: JOB[: at[0]] + at[1] + JOB[at[0] :]
)


@FUZZ
@given(TOML.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_any_job_file_is_a_job_or_says_what_is_wrong(tmp_path_factory, body):
    """A JobError, never a traceback."""
    path = tmp_path_factory.mktemp("fuzz") / "job.toml"
    path.write_bytes(body)
    with contextlib.suppress(JobError):
        load(path)


def read_all(path):
    source = Source(Input(path=str(path), id="id", keep=("k",)), (), None)
    try:
        source.check()
        rows = [row for batch in source.batches(16) for row in batch]
    except JobError:
        return None
    assert [row.index for row in rows] == list(range(len(rows)))
    return rows


LINE = st.sampled_from(
    [b'{"id": "a", "text": "x", "k": 1}', b'{"id": 1, "text": "\\ud800", "k": null}', b"{", b"", b"null"]
)
MANGLED = st.lists(LINE | st.binary(max_size=30), max_size=8).map(b"\n".join)


@FUZZ
@given(MANGLED)
def test_any_json_lines_are_rows_or_bad_rows(tmp_path_factory, body):
    """Each line is one of them; what cannot be read at all is a JobError."""
    path = tmp_path_factory.mktemp("fuzz") / "in.jsonl"
    path.write_bytes(body)
    read_all(path)


@pytest.fixture(scope="module")
def whole_parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "in.parquet"
    pq.write_table(pa.table({"id": ["a", "b"] * 50, "text": ["x", None] * 50, "k": [1, 2] * 50}), path)
    return path.read_bytes()


@examples(40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_parquet_says_so(tmp_path_factory, whole_parquet, data):
    """A flipped byte, a file cut short: rows that are right, or a JobError."""
    body = bytearray(whole_parquet)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "in.parquet"
    path.write_bytes(bytes(body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body))
    read_all(path)


SHAPE = AnswerShape("X", "json_schema", {"type": "object", "properties": {}}, strict=True)
NAMES = {
    "openai": {}, "openai responses": {"api": "responses"},
    "azure responses": {"base_url": "http://x", "api": "responses"},
    "azure": {"base_url": "http://x", "api_version": "1"}, "anthropic": {},
    "bedrock": {"region": "us-east-1", "name": "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    "bedrock invoke": {"region": "us-east-1", "api": "invoke", "name": "amazon.nova-pro-v1:0"}, "gemini": {},
    "vertex": {"project": "p", "region": "global"},
}  # fmt: skip
WORDS = st.sampled_from(
    ["choices", "message", "content", "usage", "candidates", "parts", "text", "error", "type", "stop_reason", "output",
     "finish_reason", "finishReason", "usageMetadata", "code", "details", "status", "prompt_tokens", "input_tokens",
     "index", "delta", "tool_calls", "function", "arguments", "toolUse", "input", "promptFeedback", "stopReason",
     "retryDelay"]
)  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
BODIES = st.binary(max_size=60) | ANY.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "content-type", "x-ratelimit-remaining-tokens", "x-request-id"]),
    st.text(st.characters(codec="latin-1"), max_size=12),
)


def made(name):
    assert set(NAMES) == set(PROVIDERS) - {"sandbox"} | {"bedrock invoke", "openai responses", "azure responses"}
    settings_of = {"name": "gpt-4o-mini", "max_output_tokens": 10, **NAMES[name]}
    return wire_for(Model(provider=name.partition(" ")[0], **settings_of), SHAPE, {})


@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(status=st.sampled_from([200, 200, 200, 400, 401, 403, 404, 413, 429, 500, 529]), headers=HEADERS, body=BODIES)
def test_any_answer_is_a_reply_or_a_typed_failure(name, status, headers, body):
    """From every wire; token counts are never negative."""
    try:
        ended = made(name).reply(HttpAnswer(status, headers, body))
    except CallFailed as failure:
        ended = failure
    usage = ended.usage or Usage()
    assert min(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) >= 0


@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(
    pieces=st.lists(
        st.binary(max_size=40) | ANY.map(lambda v: b"data: " + json.dumps(v).encode() + b"\n\n"), max_size=6
    )
)
def test_any_stream_is_put_together_or_fails_typed(name, pieces):
    """However it is cut; what the assembler makes of it is judged like a whole answer."""
    wire = made(name)
    try:
        events = wire.stream()
        for piece in pieces:
            events.feed(piece)
        wire.reply(HttpAnswer(200, {}, events.finish(200, {})))
    except CallFailed:
        pass


class Thing(BaseModel):
    name: str
    total: Decimal
    parts: list["Thing"] = []


@FUZZ
@given(st.text() | ANY.map(json.dumps))
def test_any_text_is_a_record_or_says_why_not(text):
    """By the user's own model, turned back or not."""
    assert isinstance(check(Thing, None, text), Valid | Invalid)
