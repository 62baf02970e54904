"""What the tests of batch wires share: recorded exchanges, lines, and what may stand in a result file."""

import json

import pytest
from hypothesis import strategies as st
from places import RECORDINGS

from pipeline.errors import CallFailed
from pipeline.job.settings import Batch
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.providers.batches import batch_wire_for, line_model
from pipeline.types import AnswerShape, HttpAnswer, Purpose, Request, Turn

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def recording(vendor, name):
    """One recorded exchange; they are not part of the repository."""
    if not RECORDINGS.is_dir():
        pytest.skip("the recorded answers are not part of the repository")
    return json.loads((RECORDINGS / vendor / f"{name}.json").read_text())


def answered(told):
    """A recording's answer, as a transport hands it over."""
    body = told.get("body_raw")
    if body is None:
        body = told["body"] if isinstance(told["body"], str) else json.dumps(told["body"])
    return HttpAnswer(told["status"], {name.lower(): value for name, value in told["headers"].items()}, body.encode())


def http(body, status=200, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, headers or {}, data)


def made(model, mode="json_schema", batch=None, schema=None):
    """The live wire of a batch's lines, and the batch API's."""
    model = line_model(model)
    wire = wire_for(model, AnswerShape("Thing", mode, schema or SCHEMA, strict=True), {})
    return wire, batch_wire_for(model, wire, batch or Batch(), {})


def asked(text="a document", system="Read.", cap=50, **changes):
    turns = (Turn("user", text_parts(text)),)
    return Request(b"k" * 16, 0, "a", 0, Purpose.EXTRACT, system, turns, cap, 10, 20, **changes)


def whole(ask, lines):
    """The body that is sent for `ask`."""
    return ask.head + (ask.between.join(lines) if ask.lines else b"") + ask.tail


def failed(call, *arguments):
    """The failure that a call raises."""
    try:
        found = call(*arguments)
    except CallFailed as failure:
        return failure
    raise AssertionError(f"it gave {found!r}")


def lines_with(*keys):
    """Bytes that may be a line, from noise to one whose keys are right and whose values are anything."""
    near = st.fixed_dictionaries({}, optional=dict.fromkeys(keys, JSON))
    named = st.fixed_dictionaries({keys[0]: st.text(min_size=1)}, optional=dict.fromkeys(keys[1:], JSON))
    return st.binary() | (near | named | JSON).map(lambda value: json.dumps(value).encode())
