"""Bedrock's two wires for tests, with answers and events for them."""

import base64
import json

import orjson
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from pipeline.errors import CallFailed
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers.bedrock.converse import ConverseWire
from pipeline.providers.bedrock.invoke import InvokeWire
from pipeline.sandbox.wires.bedrock.frames import event
from pipeline.types import Answer, AnswerShape, HttpAnswer, Purpose, Request, Stop, Turn

HAIKU, NOVA = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-lite-v1:0"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
MODES = ("json_schema", "tool", "json_object")


def made(kind, mode="json_schema", *, strict=True, **changes):
    settings = {"provider": "bedrock", "name": HAIKU, "max_output_tokens": 100, "region": "us-east-1", **changes}
    return kind(Model(**settings), AnswerShape("Thing", mode, SCHEMA, strict=strict))


def converse(mode="json_schema", **changes):
    return made(ConverseWire, mode, **changes)


def invoke(name=HAIKU, mode="json_schema", **changes):
    return made(InvokeWire, mode, name=name, api="invoke", **changes)


ASKED = (Turn("user", text_parts("a document")),)
REPAIR = (
    Turn("user", text_parts("a document")),
    Turn("assistant", text_parts("{")),
    Turn("user", text_parts("no JSON")),
)


def request(system="Read.", turns=ASKED, **changes):
    return replace(Request(b"k" * 16, 0, "r", 0, Purpose.EXTRACT, system, tuple(turns), 100, 10, 20), **changes)


def body_of(wire, *asked, **changes):
    return json.loads(wire.body(request(*asked, **changes)))


def outcome(wire, answer):
    """A Reply, or the CallFailed that came instead."""
    try:
        return wire.reply(answer)
    except CallFailed as failure:
        return failure


def answered(body, status=200, **headers):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def streamed(wire, pieces):
    assembler = wire.stream()
    for piece in pieces:
        assembler.feed(piece)
    return HttpAnswer(200, {}, assembler.finish(200, {}))


def refused(status, code, message="", where="header", **headers):
    """An error with the name of its exception in one of the places where it can be."""
    if where == "header":
        headers["x_amzn_errortype"] = f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
        return answered({"message": message}, status, **headers)
    body = {"__type": f"com.amazon.bedrock#{code}", "Message": message}
    return answered({"Output": body, "Version": "1.0"} if where == "coral" else body, status, **headers)


def chunks(*found):
    return [
        event("chunk", orjson.dumps({"bytes": base64.b64encode(orjson.dumps(one)).decode(), "p": "ab"}))
        for one in found
    ]


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def mutated(draw, node):
    """A good answer with parts of it replaced or left out."""
    if draw(st.integers(0, 7)) == 0:
        return draw(anything)
    if isinstance(node, dict):
        return {key: mutated(draw, value) for key, value in node.items() if draw(st.integers(0, 9))}
    if isinstance(node, list):
        return [mutated(draw, value) for value in node if draw(st.integers(0, 9))]
    return node


def spoiled_events(draw, pairs):
    """The frames of (event type, data) with parts of the data replaced; a chunk's is in base64."""
    pieces = []
    for kind, good in pairs:
        payload = json.dumps(mutated(draw, good)).encode()
        if kind == "chunk":
            payload = orjson.dumps({"bytes": base64.b64encode(payload).decode()})
        pieces.append(event(kind, payload))
    return pieces


def judged(got, status):
    """Assert that what came out of any answer is something the engine can go on with."""
    assert isinstance(got, Answer | CallFailed)
    if isinstance(got, Answer):
        assert status == 200
        assert got.text.strip() or got.stop is not Stop.DONE
        assert min(astuple(got.usage)) >= 0
