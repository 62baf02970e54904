"""What the tests of OpenAI's and Azure's wires share: requests, shapes, and rounds through the sandbox."""

import asyncio
import json
from datetime import UTC, datetime

from msgspec.structs import replace
from sandbox_client import SCHEMA, STUB

from pipeline.errors import CallFailed
from pipeline.job.settings import Limits, Model, Sandbox
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.sandbox.exchange import Answer, Ending, Received, tokens_of
from pipeline.sandbox.server import serve
from pipeline.types import AnswerShape, HttpAnswer, Purpose, Request, Turn

MODES = ("json_schema", "tool", "json_object")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
DOCUMENT = "a document, ünïcödé"
RECORD = {"name": DOCUMENT, "note": None}
KEY = "key-of-the-tests-123456"


GOOD = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": '{"a":1}'}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}


def body_of(**changes):
    """A good answer; `message` and `finish` are of its choice."""
    message = changes.pop("message", GOOD["choices"][0]["message"])
    choice = {"index": 0, "message": message, "finish_reason": changes.pop("finish", "stop")}
    return {**GOOD, "choices": [choice], **changes}


def error(message="", code=None, kind=None, **more):
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def model_of(provider="openai", **changes):
    values = {"provider": provider, "name": "gpt-4o-mini", "max_output_tokens": 500, "base_url": "https://api.test/v1"}
    return Model(**{**values, **changes})


def shape_of(mode="json_schema", **changes):
    return AnswerShape(**{"name": "Thing", "mode": mode, "schema": SCHEMA, "strict": mode != "json_object", **changes})


def asked(text=DOCUMENT, *more, system="Read.", cap=500, **changes):
    turns = tuple(
        Turn("assistant" if number % 2 else "user", text_parts(said)) for number, said in enumerate((text, *more))
    )
    purpose = Purpose.REPAIR if more else Purpose.EXTRACT
    return Request(b"k" * 16, 0, "a", 0, purpose, system, turns, cap, 10, 20, **changes)


def made(model, mode="json_schema"):
    return wire_for(model, shape_of(mode), {})


def replied(wire, body, status=200, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.reply(HttpAnswer(status, headers or {}, data))


def outcome(call):
    try:
        return call()
    except CallFailed as failure:
        return failure


def received(wire, body, secret=None):
    """What the server gets when `body` is sent."""
    path, _, query = wire.url.split("/", 3)[3].partition("?")
    headers = wire.headers(body, secret or Secret(KEY), NOW)
    return Received("POST", f"/{path}", query, {name.lower(): value for name, value in headers.items()}, body)


def round_in_memory(wire, sandbox, request, *, stream):
    """Request → the sandbox's wire → an answer by its rules → reply."""
    body = wire.body(request)
    got = received(wire, body)
    sandbox.authorise(got)
    question = sandbox.parse(got)
    assert question.stream == stream
    assert question.document == request.turns[0].text
    text = question.document if question.schema is None else json.dumps(RECORD, ensure_ascii=False)
    answer = Answer("abc", text, Ending.DONE, question.prompt_tokens, tokens_of(text), 1)
    if not stream:
        return question, wire.reply(HttpAnswer(200, {}, sandbox.whole(question, answer)))
    events = wire.stream()
    seen = [events.feed(event) for event in sandbox.events(question, answer)]
    assert seen[-1]
    return question, wire.reply(HttpAnswer(200, {}, events.finish(200, {})))


def over_http(model, mode="json_schema", request=None, *, secret=None, transport=None, **sandbox):
    """One call over real HTTP to a sandbox of one's own; `sandbox` are its settings. Raises what the call raises."""

    async def main():
        runner, port = await serve(Sandbox(**sandbox), "127.0.0.1", 0, STUB)
        host = f"http://127.0.0.1:{port}"
        used = replace(model, base_url=host + ("" if model.provider == "azure" else "/v1"))
        wire = made(used, mode)
        limits, credentials = Limits(timeout_s=1.0, idle_timeout_s=0.3), FixedKey(secret or Secret(KEY))
        carrier = (
            transport(used, limits, credentials)
            if transport
            else HttpTransport(limits, credentials, stream=model.stream)
        )
        try:
            answered = await carrier.send(wire, request or asked())
            return answered, wire.reply(answered)
        finally:
            await carrier.aclose()
            await runner.cleanup()

    return asyncio.run(main())
