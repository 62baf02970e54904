"""Look-ups on every wire: an answer that asks for some goes back as it came, with what was found behind it."""

import json

import pytest

from pipeline.job.settings import Model
from pipeline.parts import ResultPart, SaidPart, text_parts
from pipeline.providers import wire_for
from pipeline.providers.tool_calls import asked_in
from pipeline.types import AnswerShape, HttpAnswer, Purpose, Request, Stop, Tool, Turn

FIND = Tool("find", "Finds it.", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
SHAPE = AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=False, lookups=(FIND,))
BEDROCK = {"provider": "bedrock", "region": "us-east-1"}
MODELS = {
    "chat": {"provider": "openai", "name": "gpt-4o-mini"},
    "responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "anthropic": {"provider": "anthropic", "name": "claude-sonnet-4-5"},
    "newest": {"provider": "anthropic", "name": "claude-sonnet-5-5"},
    "converse": {**BEDROCK, "name": "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    "nova": {**BEDROCK, "name": "us.amazon.nova-lite-v1:0"},
    "mistral": {**BEDROCK, "name": "mistral.mistral-large-2407-v1:0"},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
}
USAGE = {"usage": {"prompt_tokens": 9, "completion_tokens": 9}}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"name":"a"}'}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s1"}
ANSWERS = {  # wire: (a body that asks for one look-up, what of it goes back)
    "chat": (
        {
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {
                        "role": "assistant", "content": None, "refusal": None, "annotations": [],
                        "reasoning_content": "hm", "tool_calls": [{**CALL, "extra_content": {"signature": "s1"}}],
                    },
                }
            ],
            **USAGE,
        },
        {"role": "assistant", "content": None, "reasoning_content": "hm",
         "tool_calls": [{**CALL, "extra_content": {"signature": "s1"}}]},
    ),
    "responses": (
        {
            "status": "completed",
            "output": [
                {"id": "rs_1", "type": "reasoning", "summary": []},
                {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "e"},
                {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"name":"a"}',
                 "status": "completed"},
            ],
        },
        [{"type": "reasoning", "summary": [], "encrypted_content": "e"},
         {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"name":"a"}'}],
    ),
    "anthropic": (
        {
            "stop_reason": "tool_use",
            "content": [THOUGHT, {"type": "text", "text": " "},
                        {"type": "tool_use", "id": "c1", "name": "find", "input": {"name": "a"}}],
            "usage": {"input_tokens": 9, "output_tokens": 9},
        },
        {"role": "assistant",
         "content": [THOUGHT, {"type": "tool_use", "id": "c1", "name": "find", "input": {"name": "a"}}]},
    ),
    "converse": (
        {
            "stopReason": "tool_use",
            "output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s1"}}},
                {"toolUse": {"toolUseId": "c1", "name": "find", "input": {"name": "a"}}},
            ]}},
            "usage": {"inputTokens": 9, "outputTokens": 9},
        },
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s1"}}},
            {"toolUse": {"toolUseId": "c1", "name": "find", "input": {"name": "a"}}},
        ]},
    ),
    "gemini": (
        {
            "candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [
                {"functionCall": {"id": "c1", "name": "find", "args": {"name": "a"}}, "thoughtSignature": "s1"},
            ]}}],
            "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 9},
        },
        {"role": "model", "parts": [
            {"functionCall": {"id": "c1", "name": "find", "args": {"name": "a"}}, "thoughtSignature": "s1"},
        ]},
    ),
}  # fmt: skip
FOUND = {
    "chat": {"role": "tool", "tool_call_id": "c1", "content": '{"id": 7}'},
    "responses": {"type": "function_call_output", "call_id": "c1", "output": '{"id": 7}'},
    "anthropic": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": '{"id": 7}'}]},
    "converse": {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": '{"id": 7}'}]}}]},
    "gemini": {
        "role": "user",
        "parts": [{"functionResponse": {"id": "c1", "name": "find", "response": {"result": {"id": 7}}}}],
    },
}
FAILED = {
    "chat": {"role": "tool", "tool_call_id": "c1", "content": "error: raised"},
    "responses": {"type": "function_call_output", "call_id": "c1", "output": "error: raised"},
    "anthropic": {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "raised", "is_error": True}],
    },
    "converse": {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "error: raised"}]}}],
    },
    "gemini": {
        "role": "user",
        "parts": [{"functionResponse": {"id": "c1", "name": "find", "response": {"error": "raised"}}}],
    },
}


def wire(name, shape=SHAPE, **more):
    return wire_for(Model(max_output_tokens=9, **{**MODELS[name], **more}), shape, {})


def body(one, *turns, closed=False):
    asked = (Turn("user", text_parts("a bill")), *turns)
    return json.loads(bytes(one.body(Request(b"k", 0, "r", 0, Purpose.EXTRACT, "", asked, 9, 5, 99, closed=closed))))


def said(one, told):
    return one.reply(HttpAnswer(200, {}, json.dumps(told).encode()))


def turns_in(told):
    return next(told[name] for name in ("messages", "input", "contents") if name in told)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_asks_goes_back_as_it_came(name):
    one, (told, back) = wire(name), ANSWERS[name]
    answer = said(one, told)
    assert answer.stop is Stop.TOOLS
    (call,) = asked_in(answer).calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("c1", "find", {"name": "a"})
    asked = Turn("assistant", (SaidPart(asked_in(answer).own),))
    turns = turns_in(body(one, asked, Turn("user", (ResultPart("c1", "find", '{"id": 7}'),))))
    back = back if isinstance(back, list) else [back]
    assert turns[1:] == [*back, FOUND[name]]


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_is_told_as_one(name):
    one = wire(name)
    asked = Turn("assistant", (SaidPart(asked_in(said(one, ANSWERS[name][0])).own),))
    turns = turns_in(body(one, asked, Turn("user", (ResultPart("c1", "find", "raised", failed=True),))))
    assert turns[-1] == FAILED[name]


def offered(told):
    """The names on offer, and what the model may choose."""
    config = told.get("toolConfig", {})
    tools = told.get("tools") or config.get("tools") or []
    if "functionDeclarations" in (tools[0] if tools else {}):
        calling = config["functionCallingConfig"]
        return [one["name"] for one in tools[0]["functionDeclarations"]], (
            calling["mode"], calling.get("allowedFunctionNames"),
        )  # fmt: skip
    inner = [one.get("toolSpec") or one.get("function") or one for one in tools]
    return [one["name"] for one in inner], told.get("tool_choice", config.get("toolChoice"))


BOTH, RECORD = ["Thing", "find"], ["Thing"]


@pytest.mark.parametrize(
    ("name", "opened", "closed"),
    [
        ("chat", (BOTH, "required"), (BOTH, {"type": "function", "function": {"name": "Thing"}})),
        ("responses", (BOTH, "required"), (BOTH, {"type": "function", "name": "Thing"})),
        (
            "anthropic",
            (BOTH, {"type": "any"}),
            (BOTH, {"type": "tool", "name": "Thing", "disable_parallel_tool_use": True}),
        ),
        ("newest", (BOTH, {"type": "auto"}), (RECORD, {"type": "auto", "disable_parallel_tool_use": True})),
        ("converse", (BOTH, {"any": {}}), (BOTH, {"tool": {"name": "Thing"}})),
        ("nova", (BOTH, {"any": {}}), (BOTH, {"tool": {"name": "Thing"}})),
        ("mistral", (BOTH, {"any": {}}), (RECORD, {"any": {}})),
        ("gemini", (BOTH, ("ANY", BOTH)), (BOTH, ("ANY", RECORD))),
    ],
)
def test_the_record_is_one_more_function_and_the_last_that_may_be_called(name, opened, closed):
    one = wire(name)
    assert offered(body(one)) == opened
    assert offered(body(one, closed=True)) == closed


@pytest.mark.parametrize(
    ("name", "mode", "chosen"),
    [
        ("chat", "json_schema", ("auto", "none")),
        ("chat", "json_object", ("auto", "none")),
        ("responses", "json_schema", ("auto", "none")),
        ("anthropic", "json_schema", ({"type": "auto"}, {"type": "none"})),
        ("anthropic", "json_object", ({"type": "auto"}, {"type": "none"})),
        ("converse", "json_object", ({"auto": {}}, {"auto": {}})),
    ],
)
def test_beside_a_form_of_the_answer_look_ups_may_be_called_or_none(name, mode, chosen):
    shape = AnswerShape("Thing", mode, {"type": "object", "properties": {}}, strict=False, lookups=(FIND,))
    one = wire(name, shape)
    assert [offered(body(one, closed=closed)) for closed in (False, True)] == [(["find"], one) for one in chosen]


@pytest.mark.parametrize("name", MODELS)
def test_without_look_ups_nothing_is_asked_otherwise(name):
    shape = AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=False)
    plain = wire(name, shape)
    assert body(plain, closed=True) == body(plain)
    assert "find" not in json.dumps(body(plain))


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_the_record_alone_is_an_answer_and_beside_a_look_up_it_is_a_call_too_early(name):
    one, (told, _) = wire(name), json.loads(json.dumps(ANSWERS[name]))
    told = json.loads(json.dumps(told).replace('"find"', '"Thing"'))
    assert (said(one, told).stop, said(one, told).text) == (Stop.DONE, '{"name":"a"}')
    both = json.loads(json.dumps(ANSWERS[name][0]))
    if name == "chat":
        both["choices"][0]["message"]["tool_calls"].append(
            {"type": "function", "function": {"name": "Thing", "arguments": "{}"}}
        )
    else:
        both["output"].append({"type": "function_call", "name": "Thing", "arguments": "{}"})
    assert [(call.id, call.name) for call in asked_in(said(one, both)).calls] == [("c1", "find"), ("call_1", "Thing")]


@pytest.mark.parametrize("signed", [True, False])
def test_a_streamed_thought_keeps_its_signature(signed):
    from pipeline.providers.bedrock.stream import Message

    message = Message()
    message.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}})
    if signed:
        message.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}})
    message.event("messageStop", {"stopReason": "end_turn"})
    (block,) = message.whole(needs_usage=False)["output"]["message"]["content"]
    assert block["reasoningContent"]["reasoningText"] == {"text": "hm", **({"signature": "s"} if signed else {})}


def test_many_tools_have_one_mark_of_the_cache():
    told = body(wire("anthropic", caching="on"))
    assert ["cache_control" in one for one in told["tools"]] == [False, True]
