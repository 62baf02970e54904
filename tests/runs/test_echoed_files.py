"""A server that says again what it was sent: no byte of a file ends in any file of the run, and nobody is told one."""

import json
from base64 import b64encode

import pytest
from documents_sent import PDF, part
from msgspec.structs import replace
from raw_server import answering

from pipeline.engine import endpoint
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import FileLoader
from pipeline.extraction import requests
from pipeline.types import Turn

FILE = b"%PDF-1.7 \xfb\xef\xff" * 400
RUN = b64encode(FILE)
PROVIDERS = {
    "openai": {"provider": "openai", "name": "gpt-4o-mini"},
    "responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "azure": {"provider": "azure", "name": "gpt-4o-mini", "api": "responses"},
    "anthropic": {"provider": "anthropic", "name": "claude-haiku-4-5"},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "p", "api_key_env": "OPENAI_API_KEY"},
    "converse": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "region": "us-east-1"},
    "claude": {"provider": "bedrock", "name": "anthropic.claude-haiku-4-5-20251001-v1:0", "api": "invoke",
               "region": "us-east-1"},
    "nova": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "api": "invoke", "region": "us-east-1"},
}  # fmt: skip
JSON = b"Content-Type: application/json\r\n"


def answer(status, body, headers=b""):
    return b"HTTP/1.1 %d x\r\n%b%bContent-Length: %d\r\n\r\n%b" % (status, JSON, headers, len(body), body)


def error(status, message):
    return answer(status, b'{"type":"error","message":"%b","error":{"type":"x","message":"%b"}}' % (message, message))


PLACES = {  # of what was sent
    "refused": lambda sent: error(400, b"bad value: " + RUN),
    "data-url": lambda sent: error(400, b"not a PDF: data:application/pdf;base64," + RUN + b" (1)"),
    "slashes": lambda sent: error(400, RUN.replace(b"/", b"\\/")),
    "server-error": lambda sent: error(500, RUN),
    "all-of-it": lambda sent: answer(400, json.dumps({"error": {"message": json.dumps(sent)}}).encode()),
    "as-it-came": lambda sent: answer(422, json.dumps(sent).encode()),
    "page": lambda sent: answer(200, b"<html>" + RUN),
    "error-of-a-200": lambda sent: error(200, RUN),
    "request-id": lambda sent: answer(400, b"{}", b"x-request-id: %b\r\nrequest-id: %b\r\nx-amzn-requestid: %b\r\n"
                                      % (RUN, RUN, RUN)),
    "location": lambda sent: answer(307, b"", b"Location: http://127.0.0.1/?%b\r\n" % RUN),
    "words-of-a-200": lambda sent: answer(200, json.dumps({
        "id": RUN.decode(), "model": RUN.decode(), "stop_reason": RUN.decode(), "stopReason": RUN.decode(),
        "choices": [{"finish_reason": RUN.decode(), "message": {"content": ""}}],
        "candidates": [{"finishReason": RUN.decode(), "content": {"parts": []}}],
        "modelVersion": RUN.decode(), "responseId": RUN.decode(), "content": [], "output": [],
    }).encode()),
}  # fmt: skip


@pytest.fixture
def native(monkeypatch):
    """Every request holds a file."""
    asked = requests.extract_request

    def with_file(*arguments):
        request = asked(*arguments)
        turn = Turn("user", (part(PDF), *request.turns[-1].parts))
        return replace(request, turns=(*request.turns[:-1], turn))

    monkeypatch.setattr(requests, "extract_request", with_file)
    monkeypatch.setattr(endpoint, "Carrier", lambda *parts: Carrier(*parts[:4], FileLoader(lambda _: FILE)))


def told(data):
    """Whether bytes of the file are in it: any stretch of its base64, or of its own."""
    return RUN[600:640] in data.replace(b"\\/", b"/") or FILE[:40] in data


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_bytes_of_a_file_are_nowhere(job, native, name):
    """Not in the ledger, calls.parquet, the report, what is shown, exported and said."""
    sent = []
    job.env |= {"ANTHROPIC_API_KEY": "sk-any-key-1", "GEMINI_API_KEY": "sk-any-key-2",
                "AWS_BEARER_TOKEN_BEDROCK": "sk-any-key-3", "AZURE_OPENAI_API_KEY": "sk-any-key-4"}  # fmt: skip

    def script(nth, of_connection, body, head):
        sent.append(json.dumps(body).encode())
        return next(script for place, script in PLACES.items() if f"<<{place}>>" in json.dumps(body))(body)

    with answering(script) as far:
        url = far.url if PROVIDERS[name]["provider"] == "openai" else far.url.removesuffix("/v1")
        rows = [{"id": place, "text": place} for place in PLACES]
        model = {**PROVIDERS[name], "base_url": url}
        job.write(far.url, rows=rows, model=model, limits={"max_attempts": 1, "concurrency": 1})
        ended = [job.run("--log-format", "json", code=None)]
    assert len(sent) >= 3
    assert all(told(body) for body in sent)
    ended += [job.pipeline("report", job.out), job.pipeline("export", job.out, "--format", "jsonl")]
    ended += [job.pipeline("show", job.file, place) for place in PLACES]
    kept = {file.name: file.read_bytes() for file in job.folder.rglob("*") if file.is_file()}
    kept |= {"results": repr(job.results()).encode(), "calls": repr(job.calls()).encode()}
    kept["said"] = "".join(one.out + one.err for one in ended).encode()
    assert {"ledger.sqlite", "report.html"} <= set(kept)
    assert [file for file, data in kept.items() if told(data)] == []
