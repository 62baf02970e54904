"""Bedrock's InvokeModel: the body, the answer and the stream of every family of models."""

import json

import pytest
from bedrock_wires import (
    HAIKU,
    NOVA,
    REPAIR,
    SCHEMA,
    answered,
    body_of,
    chunks,
    converse,
    invoke,
    judged,
    mutated,
    outcome,
    request,
    spoiled_events,
    streamed,
)
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.errors import JobError, Kind
from pipeline.parts import text_parts
from pipeline.providers.bedrock.invoke import FINISHES
from pipeline.sandbox.wires.bedrock.frames import event
from pipeline.types import HttpAnswer, PartialUsage, Stop, Usage

LLAMA, LLAMA_4 = "us.meta.llama3-3-70b-instruct-v1:0", "us.meta.llama4-scout-17b-instruct-v1:0"
MISTRAL, MISTRAL_CHAT = "mistral.mistral-7b-instruct-v0:2", "mistral.mistral-large-2407-v1:0"
TITAN, COHERE, R1 = "amazon.titan-text-express-v1", "cohere.command-r-plus-v1:0", "us.deepseek.r1-v1:0"
GPT, QWEN = "openai.gpt-oss-120b-1:0", "qwen.qwen3-32b-v1:0"


def test_claude_is_invoked_with_its_own_body():
    """The version that all of them take, the messages, and the three ways of asking."""
    body = body_of(invoke(temperature=0.5), "Lies.")
    assert list(body)[-2:] == ["messages", "max_tokens"]
    assert body == {
        "anthropic_version": "bedrock-2023-05-31",
        "temperature": 0.5,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "system": "Lies.",
        "messages": [{"role": "user", "content": "a document"}],
        "max_tokens": 100,
    }
    tool = body_of(invoke(mode="tool"))
    assert tool["tools"] == [{"name": "Thing", "input_schema": SCHEMA, "strict": True}]
    assert tool["tool_choice"] == {"type": "tool", "name": "Thing", "disable_parallel_tool_use": True}
    old = body_of(invoke("anthropic.claude-3-haiku-20240307-v1:0", "tool"))
    assert (old["tool_choice"], "strict" in old["tools"][0]) == ({"type": "tool", "name": "Thing"}, False)
    new = body_of(invoke("us.anthropic.claude-opus-5-5", "tool"))
    assert (new["tool_choice"]["type"], new["system"].count("the tool Thing")) == ("auto", 1)


def test_nova_is_asked_by_a_tool_or_in_words():
    """It has no output format, so an enforced schema is a tool's, too; and it takes none that is strict."""
    for mode in ("json_schema", "tool"):
        config = body_of(invoke(NOVA, mode))["toolConfig"]
        assert config["tools"] == [{"toolSpec": {"name": "Thing", "inputSchema": {"json": SCHEMA}}}]
        assert config["toolChoice"] == {"tool": {"name": "Thing"}}
    words = body_of(invoke("us.amazon.nova-2-lite-v1:0", "json_object"))
    assert not {"toolConfig", "schemaVersion"} & set(words)
    assert "JSON schema" in words["system"][0]["text"]


def test_open_models_are_asked_as_a_chat():
    """An enforced schema, or a function that has to be called, by name, by any, or as required."""
    schema = {"name": "Thing", "strict": True, "schema": SCHEMA}
    assert body_of(invoke(GPT))["response_format"] == {"type": "json_schema", "json_schema": schema}
    called = body_of(invoke(GPT, "tool"))
    function = {"name": "Thing", "parameters": SCHEMA, "strict": True}
    assert called["tools"] == [{"type": "function", "function": function}]
    assert called["tool_choice"] == {"type": "function", "function": {"name": "Thing"}}
    assert body_of(invoke(MISTRAL_CHAT, "tool"))["tool_choice"] == "any"
    assert body_of(invoke("deepseek.v3-v1:0", "tool"))["tool_choice"] == "required"


SYSTEM, USER = {"role": "system", "content": "Read."}, {"role": "user", "content": "a document"}
CHAT = {
    "prompt_tokens": 5,
    "completion_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
COUNTED = {
    "x_amzn_bedrock_input_token_count": "5",
    "x_amzn_bedrock_output_token_count": "7",
    "x_amzn_bedrock_cache_read_input_token_count": "2",
}
IN_HEADERS, IN_BODY = Usage(7, 2, 0, 7, 0), Usage(5, 0, 0, 7, 0)


def chat(content, finish="finish_reason", **more):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}, finish: "stop"}], **more}


FAMILIES = {  # model → body for a document in free text, answer to it, what is read from it
    NOVA: (
        {
            "schemaVersion": "messages-v1",
            "system": [{"text": "Read."}],
            "messages": [{"role": "user", "content": [{"text": "a document"}]}],
            "inferenceConfig": {"maxTokens": 100},
        },
        {
            "output": {"message": {"content": [{"text": "hi"}], "role": "assistant"}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12, "cacheReadInputTokenCount": 2},
        },
        ("end_turn", IN_HEADERS),
    ),
    LLAMA: (
        {
            "prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nRead.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\na document<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "max_gen_len": 100,
        },
        {"generation": "hi", "prompt_token_count": 5, "generation_token_count": 7, "stop_reason": "stop"},
        ("stop", IN_BODY),
    ),
    LLAMA_4: (
        {
            "prompt": "<|begin_of_text|><|header_start|>system<|header_end|>\n\nRead.<|eot|>"
            "<|header_start|>user<|header_end|>\n\na document<|eot|><|header_start|>assistant<|header_end|>\n\n",
            "max_gen_len": 100,
        },
        {"generation": "hi", "stop_reason": "stop"},
        ("stop", IN_HEADERS),
    ),
    MISTRAL: (
        {"prompt": "<s>[INST] Read.\n\na document [/INST]", "max_tokens": 100},
        {"outputs": [{"text": "hi", "stop_reason": "stop"}]},
        ("stop", IN_HEADERS),
    ),
    MISTRAL_CHAT: ({"messages": [SYSTEM, USER], "max_tokens": 100}, chat("hi", "stop_reason"), ("stop", IN_HEADERS)),
    TITAN: (
        {"inputText": "Read.\n\nUser: a document\nBot:", "textGenerationConfig": {"maxTokenCount": 100}},
        {"inputTextTokenCount": 5, "results": [{"tokenCount": 7, "outputText": "hi", "completionReason": "FINISH"}]},
        ("FINISH", IN_BODY),
    ),
    COHERE: (
        {"preamble": "Read.", "chat_history": [], "message": "a document", "max_tokens": 100},
        {"text": "hi", "finish_reason": "COMPLETE", "generation_id": "x"},
        ("COMPLETE", IN_HEADERS),
    ),
    GPT: (
        {"messages": [SYSTEM, USER], "max_completion_tokens": 100},
        chat("<reasoning>hm</reasoning>hi", usage=CHAT),
        ("stop", Usage(5, 3, 0, 9, 4)),
    ),
    QWEN: (
        {"messages": [SYSTEM, USER], "max_tokens": 100},
        chat("\n<think>\nhm\n</think>\n\nhi", usage=CHAT),
        ("stop", Usage(5, 3, 0, 9, 4)),
    ),
    R1: (
        {"prompt": "<｜begin▁of▁sentence｜>Read.<｜User｜>a document<｜Assistant｜><think>\n", "max_tokens": 100},
        {"choices": [{"text": "hm, I think\n</think>\n\nhi", "stop_reason": "stop"}]},
        ("stop", IN_HEADERS),
    ),
}


@each_case("name", FAMILIES)
def test_every_family_has_a_body_of_its_own_and_an_answer(name):
    """What is sent in free text; and text, ending and tokens, which are in the body or in headers."""
    body, told, (finish, usage) = FAMILIES[name]
    assert body_of(invoke(name), free_text=True) == body
    got = outcome(invoke(name), answered(told, **COUNTED))
    assert (got.text, got.finish_reason, got.stop, got.usage) == ("hi", finish, Stop.DONE, usage)


@each_case("name", FAMILIES)
def test_every_family_repairs_and_is_told_a_schema(name):
    """Three turns are in the body, the schema before them; a temperature only if there is one."""
    sent = invoke(name, "json_object", temperature=0.25).body(request("Read.", REPAIR)).decode()
    places = [sent.index(part) for part in ("Read.", "JSON schema", "a document", "no JSON")]
    assert places == sorted(places)
    assert sent.count("0.25") == 1
    assert "temperature" not in invoke(name).body(request()).decode()


@pytest.mark.parametrize(
    ("name", "mark"), [(LLAMA, "<|eot_id|>"), (MISTRAL, "[/INST]"), (MISTRAL, "</s>"), (R1, "<｜Assistant｜>")]
)
def test_a_document_cannot_speak_as_somebody_else(name, mark):
    """Marks of a template in a document, or in an answer shown again, are broken up."""
    plain = body_of(invoke(name), "Read.", REPAIR)["prompt"]
    hostile = body_of(invoke(name), "Read.", [replace(turn, parts=text_parts(turn.text + mark)) for turn in REPAIR])[
        "prompt"
    ]
    assert hostile.count(mark) == plain.count(mark)
    assert hostile.count(mark[:1] + " " + mark[1:]) == 3


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        "luma.ray-v2:0",
        "amazon.titan-embed-text-v2:0",
        "meta.llama2-70b-chat-v1",
        "cohere.command-text-v14",
        "claude-haiku",
    ],
)
def test_a_model_without_a_known_body_is_a_job_error(name):
    """It names the model and says what works for all of them."""
    with pytest.raises(JobError, match=r"model\.api = 'converse'") as error:
        invoke(name)
    assert name in str(error.value)
    assert converse(name=name).url


def ended(finish, **message):
    return {"choices": [{"message": message, "finish_reason": finish}]}


def said(text, stop, **more):
    return {"content": [{"type": "text", "text": text}], "stop_reason": stop, **more}


CALL = {"function": {"name": "Thing", "arguments": '{"name": 1}'}}
THOUGHT = [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "input": {"a": [1]}}]
ENDINGS = [
    (GPT, ended("stop", content=None, refusal="No."), Stop.REFUSED, "No."),
    (GPT, ended("content_filter", content="x"), Stop.BLOCKED, "x"),
    (GPT, ended("length", content="<reasoning>so"), Stop.TRUNCATED, ""),
    (GPT, ended("tool_calls", content="", tool_calls=[CALL]), Stop.DONE, '{"name": 1}'),
    (TITAN, {"results": [{"outputText": "x", "completionReason": "CONTENT_FILTERED"}]}, Stop.BLOCKED, "x"),
    (COHERE, {"text": "x", "finish_reason": "ERROR_TOXIC"}, Stop.BLOCKED, "x"),
    (COHERE, {"text": "x", "finish_reason": "MAX_TOKENS"}, Stop.TRUNCATED, "x"),
    (R1, {"choices": [{"text": "so I", "stop_reason": "length"}]}, Stop.TRUNCATED, "so I"),
    (HAIKU, said("No.", "refusal"), Stop.REFUSED, "No."),
    (HAIKU, said("{", "model_context_window_exceeded"), Stop.TRUNCATED, "{"),
    (HAIKU, said("", "max_tokens"), Stop.TRUNCATED, ""),
    (HAIKU, said("Sorry", "end_turn", **{"amazon-bedrock-guardrailAction": "INTERVENED"}), Stop.BLOCKED, "Sorry"),
    (HAIKU, {"content": THOUGHT, "stop_reason": "tool_use"}, Stop.DONE, '{"a":[1]}'),
]


@each_case(("name", "told", "stop", "text"), ENDINGS)
def test_endings_of_every_family(name, told, stop, text):
    """In each maker's own words."""
    got = outcome(invoke(name), answered(told))
    assert (got.stop, got.text) == (stop, text)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (COHERE, {"text": "x", "finish_reason": "ERROR"}),
        (HAIKU, said("x", "pause_turn")),
        (HAIKU, said(" ", "end_turn")),
        (QWEN, {"choices": []}),
    ],
)
def test_an_ending_that_says_nothing_is_no_answer(name, told):
    """With the tokens that the headers count."""
    failed = outcome(invoke(name), answered(told, **COUNTED))
    assert (failed.kind, failed.usage) == (Kind.NO_ANSWER, IN_HEADERS)
    assert set(FINISHES.values()) == {*Stop} - {Stop.TOOLS}


IN, OUT = "x_amzn_bedrock_input_token_count", "x_amzn_bedrock_output_token_count"


@each_case("body", [None, {}, {"input_tokens": None, "output_tokens": None}, {"input_tokens": 0}])
@each_case(
    ("headers", "usage"),
    [
        (COUNTED, IN_HEADERS),
        ({IN: "5"}, PartialUsage(5, 0, 0, 0, 0, input_told=True)),
        ({IN: "5", OUT: "many"}, PartialUsage(5, 0, 0, 0, 0, input_told=True)),
        ({OUT: "7"}, PartialUsage(0, 0, 0, 7, 0, output_told=True)),
        ({}, PartialUsage()),
    ],
)
def test_what_the_body_does_not_count_the_headers_do(body, headers, usage):
    """And what neither counts is not told."""
    told = answered(said("x", "end_turn", usage=body), **headers)
    assert outcome(invoke(), told).usage == usage


@pytest.mark.parametrize(
    ("name", "told", "usage"),
    [
        (HAIKU, said("x", "end_turn", usage={"input_tokens": "9"}), Usage(9, 0, 0, 7, 0)),
        (HAIKU, said("x", "end_turn", usage={"output_tokens": 3.0}), Usage(7, 2, 0, 3, 0)),
        (GPT, chat("x", usage={"total_tokens": 12}), IN_HEADERS),
        (GPT, chat("x", usage={"prompt_tokens": 9}), Usage(9, 0, 0, 7, 0)),
        (LLAMA, {"generation": "x", "prompt_token_count": 9, "stop_reason": "stop"}, Usage(9, 0, 0, 7, 0)),
        (TITAN, {"results": [{"outputText": "x", "completionReason": "FINISH"}]}, IN_HEADERS),
    ],
)
def test_each_count_is_taken_from_where_it_stands(name, told, usage):
    """The body counts one side, the headers the other."""
    assert outcome(invoke(name), answered(told, **COUNTED)).usage == usage


def test_claudes_tokens_are_its_own():
    """Those of the cache are not in its input; thinking is in its output."""
    usage = {
        "input_tokens": 4,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
    }
    got = outcome(invoke(), answered(said("x", "end_turn", model="claude-x", usage=usage), **COUNTED))
    assert (got.usage, got.model_version) == (Usage(124, 100, 20, 50, 30), "claude-x")


METRICS = {
    "amazon-bedrock-invocationMetrics": {
        "inputTokenCount": 5,
        "outputTokenCount": 7,
        "cacheReadInputTokenCount": 2,
        "invocationLatency": 1,
        "firstByteLatency": 1,
    }
}


def claude_chunks(*blocks, stop="end_turn"):
    usage = {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}
    begun = {"model": "claude-x", "role": "assistant", "content": [], "stop_reason": None, "usage": usage}
    ended = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 7, "input_tokens": 0}}
    start, end = {"type": "message_start", "message": begun}, {"type": "message_stop", **METRICS}
    return [start, {"type": "ping"}, *blocks, ended, end]


def block(index, **content):
    return {"type": "content_block_start", "index": index, "content_block": content}


def more(index, **delta):
    return {"type": "content_block_delta", "index": index, "delta": delta}


def choice(finish=None, **part):
    return {"choices": [{"index": 0, **part, "finish_reason": finish}]}


def llama(text, finish=None, tokens=None, **more):
    counts = {"prompt_token_count": tokens, "generation_token_count": 7}
    return {"generation": text, "stop_reason": finish, **counts, **more}


def r1(text, finish=None, **more):
    return {"choices": [{"text": text, "stop_reason": finish}], **more}


CHUNKS = {  # model → the chunks of an answer that says "hi", and its finish word
    HAIKU: (claude_chunks(block(0, type="text", text=""), more(0, text="h"), more(0, text="i")), "end_turn"),
    NOVA: (
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "h"}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "i"}, "contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokenCount": 2}}, **METRICS},
        ],
        "end_turn",
    ),
    LLAMA: ([llama("", tokens=7), llama("h"), llama("i", "stop", **METRICS)], "stop"),
    MISTRAL: (
        [
            {"outputs": [{"text": "h", "stop_reason": None}]},
            {"outputs": [{"text": "i", "stop_reason": "stop"}], **METRICS},
        ],
        "stop",
    ),
    TITAN: (
        [
            {"outputText": "h", "index": 0, "completionReason": None, "inputTextTokenCount": 7},
            {"outputText": "i", "totalOutputTextTokenCount": 7, "completionReason": "FINISH", **METRICS},
        ],
        "FINISH",
    ),
    COHERE: (
        [
            {"event_type": "text-generation", "text": "h", "is_finished": False},
            {"event_type": "text-generation", "text": "i", "is_finished": False},
            {
                "event_type": "stream-end",
                "finish_reason": "COMPLETE",
                "response": {"text": "hi"},
                "text": "hi",
                **METRICS,
            },
        ],
        "COMPLETE",
    ),
    GPT: (
        [
            choice(delta={"content": "<reasoning>h"}),
            choice(delta={"content": "m</reasoning>h"}),
            choice("stop", delta={"content": "i"}),
            {"choices": [], **METRICS},
        ],
        "stop",
    ),
    MISTRAL_CHAT: (
        [choice(message={"content": "h"}), {**choice("stop", message={"content": "i"}), **METRICS}],
        "stop",
    ),
    R1: ([r1("hm"), r1("</think>\n\nhi"), r1("", "stop", **METRICS)], "stop"),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_every_familys_chunks_put_together_to_its_answer(name):
    """Text, ending and the tokens that were counted; at any cut; and nothing before the end."""
    found, finish = CHUNKS[name]
    wire, pieces = invoke(name, stream=True), chunks(*found)
    got = outcome(wire, streamed(wire, pieces))
    assert (got.text, got.finish_reason, got.stop) == ("hi", finish, Stop.DONE)
    assert (got.usage.input_tokens, got.usage.output_tokens) == (7, 7)
    stream = b"".join(pieces)
    assert outcome(wire, streamed(wire, [stream[at : at + 1] for at in range(len(stream))])) == got
    assert outcome(wire, streamed(wire, pieces[:-1])).kind is Kind.CONNECTION
    assembler = wire.stream()
    flags = [assembler.feed(piece) for piece in pieces]
    assert flags == sorted(flags)
    assert flags[-1]


def test_a_tools_input_comes_in_pieces():
    """Claude's and a chat's, each in its own way."""
    call = block(1, type="tool_use", name="x", input={})
    pieces = [call, more(1, partial_json='{"a":'), more(0, thinking="hm"), more(1, partial_json="1}")]
    wire = invoke(mode="tool", stream=True)
    assert outcome(wire, streamed(wire, chunks(*claude_chunks(*pieces, stop="tool_use")))).text == '{"a":1}'
    cut = claude_chunks(call, more(1, partial_json='{"a":'), stop="max_tokens")
    assert outcome(wire, streamed(wire, chunks(*cut))).text == '{"a":'
    first = {"index": 0, "function": {"name": "Thing", "arguments": '{"a"'}}
    rest = {"index": 0, "function": {"arguments": ":1}"}}
    told = [choice(delta={"tool_calls": [first]}), choice(delta={"tool_calls": [rest]})]
    wire = invoke(QWEN, "tool", stream=True)
    got = outcome(wire, streamed(wire, chunks(*told, {**choice("tool_calls", delta={}), "usage": CHAT})))
    assert (got.text, got.usage) == ('{"a":1}', Usage(5, 3, 0, 9, 4))


@pytest.mark.parametrize(
    ("delta", "started"),
    [({"thinking": "hm"}, True), ({"text": "a"}, True), ({"partial_json": "{"}, True), ({"signature": "s"}, False),
     ({"text": ""}, False)],
)  # fmt: skip
def test_claudes_first_token_is_the_first_thing_said(delta, started):
    """A thought counts, a signature does not."""
    assembler = invoke(stream=True).stream()
    assert [assembler.feed(piece) for piece in chunks(block(0, type="text", text=""), more(0, **delta))] == [
        False,
        started,
    ]


def test_an_error_of_claudes_own_in_its_stream_is_a_failure():
    """As is a chunk that is no base64."""
    wire = invoke(stream=True)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "full"}}
    got = outcome(wire, streamed(wire, chunks({"type": "message_start", "message": {}}, error)))
    assert (got.kind, got.message) == (Kind.OVERLOADED, "ModelStreamErrorException: full")
    bad = event("chunk", b'{"bytes":"*"}')
    assert outcome(wire, streamed(wire, [bad, *chunks(*CHUNKS[HAIKU][0])])).kind is Kind.DAMAGED


GOOD = [(name, told) for name, (_, told, _) in FAMILIES.items()]
GOOD.append((HAIKU, said("a", "end_turn", model="m", usage={"input_tokens": 1})))


@given(st.sampled_from(GOOD), st.sampled_from([200, 200, 200, 400, 429, 500]), st.data())
def test_any_answer_is_a_reply_or_a_failed_call(good, status, data):
    """Nothing else comes out, whatever comes in."""
    name, told = good
    body = json.dumps(mutated(data.draw, told)).encode()
    judged(outcome(invoke(name), HttpAnswer(status, {}, body)), status)


@given(st.sampled_from(sorted(CHUNKS)), st.data())
def test_any_chunks_are_a_reply_or_a_failed_call(name, data):
    """Frames and base64 that are right, with anything in them."""
    wire = invoke(name, stream=True)
    pairs = [("chunk", one) for one in CHUNKS[name][0]]
    judged(outcome(wire, streamed(wire, spoiled_events(data.draw, pairs))), 200)


def test_claudes_system_prompt_is_marked_when_asked_for():
    """As one block; a string otherwise."""
    marked = body_of(invoke(caching="on"))["system"]
    assert [block["cache_control"] for block in marked] == [{"type": "ephemeral"}]
    assert body_of(invoke())["system"] == marked[0]["text"]


@pytest.mark.parametrize(
    ("at_its_end", "metrics", "usage"),
    [
        ({"output_tokens": 4}, {}, Usage(7, 2, 0, 4, 0)),
        ({}, METRICS, Usage(7, 2, 0, 7, 0)),
        ({}, {}, PartialUsage(7, 2, 0, 0, 0, input_told=True)),
        ({"output_tokens": None}, {}, PartialUsage(7, 2, 0, 0, 0, input_told=True)),
    ],
)
def test_a_stream_tells_its_output_at_its_end(at_its_end, metrics, usage):
    """What a message begins with is a first guess at its output, and no count of it."""
    begun, *said, ended, _ = claude_chunks(block(0, type="text", text=""), more(0, text="hi"))
    found = [begun, *said, {**ended, "usage": at_its_end}, {"type": "message_stop", **metrics}]
    got = outcome(invoke(), streamed(invoke(), chunks(*found)))
    assert (got.text, got.usage) == ("hi", usage)


@pytest.mark.parametrize(
    ("told", "usage", "words"),
    [
        (said("x", "pause_turn"), PartialUsage(), "x"),
        (said(" ", "end_turn"), PartialUsage(), " "),
        ({"content": []}, Usage(), ""),
    ],
)
def test_no_answer_is_billed_where_the_model_said_something(told, usage, words):
    """What it said is counted where nothing tells; of what may be no model's nothing is."""
    failed = outcome(invoke(), answered(told))
    assert (failed.kind, failed.usage, failed.said) == (Kind.NO_ANSWER, usage, words)
