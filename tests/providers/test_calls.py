"""Several calls of the tool in one answer: on every wire, whole and streamed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import chunk, sse

from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.providers.json import called_with
from pipeline.sandbox.wires.bedrock.frames import event as frame
from pipeline.types import AnswerShape, HttpAnswer, Purpose, Request, Stop, Turn

ANNA, BERT = {"name": "Anna", "count": 3}, {"name": "Bert", "count": 3}
SAME = {"count": 3, "name": "Anna"}  # in another order: the same record
SHAPE = AnswerShape("Item", "tool", {"type": "object", "properties": {}}, strict=True)
REQUEST = Request(b"k" * 16, 0, "a", 0, Purpose.EXTRACT, "", (Turn("user", text_parts("a")),), 100, 10, 20)
HAIKU, QWEN = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "qwen.qwen3-32b-v1:0"
AT = {"region": "us-east-1", "project": "p", "base_url": "http://127.0.0.1:9"}


def openai_whole(*calls):
    told = [{"function": {"name": "Item", "arguments": json.dumps(one)}} for one in calls]
    choice = {"message": {"content": None, "tool_calls": told}, "finish_reason": "tool_calls"}
    return {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


def openai_events(*calls):
    for number, one in enumerate(calls):
        told = {"index": number, "function": {"name": "Item", "arguments": json.dumps(one)}}
        yield {"choices": [{"index": 0, "delta": {"tool_calls": [told]}}]}
    yield {
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }


def responses_whole(*calls):
    told = [{"type": "function_call", "name": "Item", "arguments": json.dumps(one)} for one in calls]
    return {"output": told, "status": "completed", "usage": {"input_tokens": 1, "output_tokens": 1}}


def responses_events(*calls):
    for number, one in enumerate(calls):
        place = {"output_index": number, "item_id": str(number)}
        yield {"type": "response.function_call_arguments.delta", "delta": json.dumps(one), **place}
    yield {"type": "response.completed", "response": responses_whole(*calls)}


def claude_whole(*calls):
    content = [{"type": "tool_use", "name": "Item", "input": one} for one in calls]
    return {"content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}}


def claude_events(*calls):
    yield {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}
    for number, one in enumerate(calls):
        yield {
            "type": "content_block_start",
            "index": number,
            "content_block": {"type": "tool_use", "name": "Item", "input": {}},
        }
        delta = {"type": "input_json_delta", "partial_json": json.dumps(one)}
        yield {"type": "content_block_delta", "index": number, "delta": delta}
    yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


def converse_whole(*calls):
    content = [{"toolUse": {"name": "Item", "input": one}} for one in calls]
    usage = {"inputTokens": 1, "outputTokens": 1}
    return {"output": {"message": {"content": content}}, "stopReason": "tool_use", "usage": usage}


def converse_events(*calls):
    for number, one in enumerate(calls):
        yield "contentBlockStart", {"contentBlockIndex": number, "start": {"toolUse": {"name": "Item"}}}
        yield "contentBlockDelta", {"contentBlockIndex": number, "delta": {"toolUse": {"input": json.dumps(one)}}}
    yield "messageStop", {"stopReason": "tool_use"}
    yield "metadata", {"usage": {"inputTokens": 1, "outputTokens": 1}}


def gemini_whole(*calls):
    parts = [{"functionCall": {"name": "Item", "args": one}} for one in calls]
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1}
    return {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage}


def sse_of(events):
    return lambda *calls: [sse(one) for one in events(*calls)]


def gemini_events(*calls):
    return [sse(gemini_whole(one)) for one in calls]


FORMS = {
    "openai": ("openai", "m", "", openai_whole, sse_of(openai_events)),
    "responses in place of a completion": ("openai", "m", "", responses_whole, None),
    "openai responses": ("openai", "m", "responses", responses_whole, sse_of(responses_events)),
    "azure responses": ("azure", "m", "responses", responses_whole, sse_of(responses_events)),
    "azure": ("azure", "m", "", openai_whole, sse_of(openai_events)),
    "anthropic": ("anthropic", "m", "", claude_whole, sse_of(claude_events)),
    "gemini": ("gemini", "m", "", gemini_whole, gemini_events),
    "vertex": ("vertex", "m", "", gemini_whole, gemini_events),
    "converse": ("bedrock", HAIKU, "", converse_whole,
                 lambda *calls: [frame(kind, json.dumps(data).encode()) for kind, data in converse_events(*calls)]),
    "claude invoked": ("bedrock", HAIKU, "invoke", claude_whole, lambda *calls: [*map(chunk, claude_events(*calls))]),
    "chat invoked": ("bedrock", QWEN, "invoke", openai_whole, lambda *calls: [*map(chunk, openai_events(*calls))]),
}  # fmt: skip


def wire_of(name, *, stream):
    provider, model, api, _, _ = FORMS[name]
    more = {"api": api} if api else {}
    return wire_for(Model(provider=provider, name=model, max_output_tokens=100, stream=stream, **AT, **more), SHAPE, {})


def replied(name, *calls, stream):
    wire, (*_, whole, events) = wire_of(name, stream=stream), FORMS[name]
    if not stream:
        return wire.reply(HttpAnswer(200, {}, json.dumps(whole(*calls)).encode()))
    assembler = wire.stream()
    for piece in events(*calls):
        assembler.feed(piece)
    return wire.reply(HttpAnswer(200, {}, assembler.finish(200, {})))


EVERY_FORM = pytest.mark.parametrize(
    ("name", "stream"),
    [(name, stream) for name, form in FORMS.items() for stream in (False, True) if form[4] or not stream],
)


@EVERY_FORM
def test_two_calls_that_differ_are_no_one_record(name, stream):
    """Both are there, so that no reader takes them for one and none is lost without a word."""
    reply = replied(name, ANNA, BERT, stream=stream)
    assert reply.stop is Stop.DONE
    assert [json.loads(line) for line in reply.text.split("\n")] == [ANNA, BERT]


@EVERY_FORM
def test_the_same_call_twice_is_one(name, stream):
    assert json.loads(replied(name, ANNA, SAME, ANNA, stream=stream).text) == ANNA


@pytest.mark.parametrize("name", ["openai", "azure", "openai responses", "azure responses"])
def test_one_call_is_asked_for(name):
    assert json.loads(wire_of(name, stream=False).body(REQUEST))["parallel_tool_calls"] is False


def test_reasoning_models_are_not_sent_what_they_refuse():
    wire = wire_for(Model(provider="openai", name="o4-mini", max_output_tokens=100), SHAPE, {})
    assert "parallel_tool_calls" not in json.loads(wire.body(REQUEST))


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("mode", ["json_schema", "json_object"])
def test_without_a_tool_it_is_not_sent(mode, free):
    wire = wire_for(
        Model(provider="openai", name="m", max_output_tokens=100), AnswerShape("I", mode, {}, strict=True), {}
    )
    assert "parallel_tool_calls" not in json.loads(wire.body(REQUEST))


WORD = st.text(max_size=8)
ANY = st.recursive(
    st.none() | st.integers() | WORD,
    lambda one: st.lists(one, max_size=3) | st.dictionaries(WORD, one, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(WORD, ANY, max_size=3), min_size=1, max_size=3), st.integers(0, 4))
def test_calls_are_one_text_exactly_when_they_are_equal(records, indent):
    texts = [("t", json.dumps(one, indent=indent or None)) for one in records]
    text = called_with(texts, "t")
    if all(one == records[0] for one in records):
        assert json.loads(text) == records[0]
    else:
        with pytest.raises(ValueError, match="Extra data"):
            json.loads(text)
