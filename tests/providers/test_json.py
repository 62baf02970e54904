"""JSON as answers hold it: no digit is lost, and no wire raises anything but its own failures."""

import json

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.providers import wire_for
from pipeline.providers.json import count, dumped, encoded, items, mapping, parsed, string, told_count
from pipeline.types import AnswerShape, HttpAnswer

LONG = ["12345678901234567890123", "0.12345678901234567890123", "-1234567890123456789.5", "7"]
DEEP = b"[" * 600 + b"]" * 600  # can be read, and not be written
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
SHAPE = AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=True)
NOVA, CLAUDE = "amazon.nova-pro-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MODELS = {
    "openai": {"name": "gpt-4o-mini"},
    "openai responses": {"name": "gpt-4o-mini", "api": "responses"},
    "anthropic": {"name": "claude-haiku-4-5"},
    "bedrock": {"name": NOVA, "region": "us-east-1"},
    "bedrock invoke": {"name": CLAUDE, "region": "us-east-1", "api": "invoke"},
    "gemini": {"name": "gemini-2.5-flash"},
}
CALL = {"type": "tool_use", "name": "Thing", "input": "INPUT"}
FUNCTION = {"name": "Thing", "arguments": "INPUT"}
BODIES = {  # a call of the tool, as each tells it
    "openai": {"choices": [{"message": {"tool_calls": [{"function": FUNCTION}]}, "finish_reason": "stop"}]},
    "openai responses": {"output": [{"type": "function_call", **FUNCTION}], "status": "completed"},
    "anthropic": {"content": [CALL], "stop_reason": "tool_use"},
    "bedrock": {
        "output": {"message": {"content": [{"toolUse": {"name": "Thing", "input": "INPUT"}}]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1},
    },
    "bedrock invoke": {"content": [CALL], "stop_reason": "tool_use", "usage": {"input_tokens": 1}},
    "gemini": {
        "candidates": [
            {"content": {"parts": [{"functionCall": {"name": "Thing", "args": "INPUT"}}]}, "finishReason": "STOP"}
        ]
    },
}
STREAMS = {  # the same where a stream holds it as JSON
    "openai": ({"error": "INPUT"},),
    "openai responses": ({"type": "response.completed", "response": BODIES["openai responses"]},),
    "anthropic": (
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": CALL},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
    ),
    "gemini": (BODIES["gemini"],),
}


def wire(name):
    model = Model(provider=name.partition(" ")[0], max_output_tokens=10, **MODELS[name])
    return wire_for(model, SHAPE, {})


def filled(body, value):
    return json.dumps(body).encode().replace(b'"INPUT"', value)


def given_back(name, value):
    return wire(name).reply(HttpAnswer(200, {}, filled(BODIES[name], value))).text


@each_case("digits", LONG)
@each_case("name", BODIES)
def test_no_digit_of_an_answer_is_lost(name, digits):
    """Where the answer is JSON within the body, as it is where it is text: amounts are Decimal, and ids are long."""
    assert given_back(name, b'{"total": %s}' % digits.encode()) == f'{{"total":{digits}}}'


@pytest.mark.parametrize("name", BODIES)
def test_what_cannot_be_written_again_is_no_answer(name):
    """Nested more deeply than JSON is written: a failure of this attempt, and not of the run."""
    with pytest.raises(CallFailed) as failed:
        given_back(name, b'{"total": %s}' % DEEP)
    assert failed.value.kind is Kind.NO_ANSWER


@pytest.mark.parametrize("name", STREAMS)
def test_nor_is_it_one_at_the_end_of_a_stream(name):
    stream = wire(name).stream()
    for event in STREAMS[name]:
        stream.feed(b"data: " + filled(event, b'{"total": %s}' % DEEP) + b"\n\n")
    with pytest.raises(CallFailed) as failed:
        wire(name).reply(HttpAnswer(200, {}, stream.finish(200, {})))
    assert failed.value.kind is Kind.NO_ANSWER


def test_an_error_that_cannot_be_written_again_is_an_error_all_the_same():
    body = b'{"error": {"type": "server_error", "message": %s}}' % DEEP
    with pytest.raises(CallFailed) as failed:
        wire("openai").reply(HttpAnswer(500, {}, body))
    assert failed.value.kind is Kind.OVERLOADED


@given(ANY)
def test_what_is_not_of_the_right_type_is_missing(value):
    assert string(value) == (value if type(value) is str else "")
    assert mapping(value) == (value if type(value) is dict else {})
    assert all(type(one) is dict for one in items(value))
    digits = type(value) is str and value.isascii() and value.isdigit()
    number = int(value) if digits or (type(value) is float and value.is_integer()) else value
    assert count(value) == (number if type(number) is int and 0 <= number < 2**53 else 0)


@pytest.mark.parametrize("told", ["12", "12.0", '"12"', "12.0000000000000000000", "1.2e1"])
def test_a_whole_number_is_a_count_however_it_is_written(told):
    assert told_count(parsed(told.encode())) == count(parsed(told.encode())) == 12


@each_case(
    "told",
    ["null", "true", "-1", "-1.0", "1.5", '"1.5"', '"-1"', '" 1"', '"1e3"', '""', '"\u0661"', "[1]", "1e999"],
)
def test_all_else_is_no_count(told):
    assert (told_count(parsed(told.encode())), count(parsed(told.encode()))) == (None, 0)


@pytest.mark.parametrize(
    "told", ["9007199254740992", "1e300", '"1234567890123456"', "1234567890123456789012345e999999"]
)
def test_nor_is_what_no_answer_can_have_used(told):
    assert told_count(parsed(told.encode())) is None


def test_what_is_no_json_is_none():
    assert parsed(b"<html>") is parsed(b"{") is parsed(b"") is parsed(b"NaN") is None


def test_what_cannot_be_written_is_empty_or_null():
    assert (dumped(parsed(DEEP)), encoded(parsed(DEEP))) == ("", b"null")
