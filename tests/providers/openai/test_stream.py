"""OpenAI's wire: streams, and anything at all that may come back."""

import json

import orjson
import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from openai_family import GOOD, body_of, error, made, model_of, outcome, replied

from pipeline.errors import CallFailed, Kind
from pipeline.types import Answer, HttpAnswer, PartialUsage, Stop, Usage

WIRE = made(model_of())
STREAMING = made(model_of(stream=True))


def streamed(*events, wire=STREAMING, cut=None):
    """(reply or failure, where the first token was seen) of a stream of events, fed in pieces of `cut` bytes."""
    data = b"".join(
        event if isinstance(event, bytes) else b"data: " + orjson.dumps(event) + b"\n\n" for event in events
    )
    assembler, first = wire.stream(), None
    pieces = [data[start : start + (cut or len(data) or 1)] for start in range(0, len(data), cut or len(data) or 1)]
    for piece in pieces:
        if assembler.feed(piece) and first is None:
            first = piece
    return outcome(lambda: replied(wire, assembler.finish(200, {}))), first


def delta(content=None, finish=None, **more):
    inner = {"content": content, **more} if content is not None else more
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": inner, "finish_reason": finish}], "usage": None}


USAGE = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
DONE = b"data: [DONE]\n\n"

# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cut", [None, 1, 7])
def test_a_stream_is_the_answer_that_it_would_have_been(cut):
    """Text, ending, usage and model are put together again, however the bytes are cut."""
    events = [
        delta("", role="assistant"),
        b": ping\r\n\r\n",
        delta('{"a"'),
        delta(":1}é"),
        delta(finish="stop"),
        USAGE,
        DONE,
    ]
    reply, first = streamed(*events, cut=cut)
    assert (reply.text, reply.stop, reply.usage) == ('{"a":1}é', Stop.DONE, Usage(10, 0, 0, 5, 0))
    assert (reply.model_version, reply.provider_request_id) == ("m", "c")
    assert first is not None


def test_the_first_token_is_the_first_of_substance():
    """A role, a comment or an empty piece is no token; text, arguments, a refusal or a thought is."""
    silent = [delta("", role="assistant"), b": OPENROUTER PROCESSING\n\n", delta(finish="stop")]
    assert streamed(*silent)[1] is None
    for speaking in (
        delta("x"),
        delta(refusal="No"),
        delta(tool_calls=[call(0, "Thing", "")]),
        delta(function_call={"arguments": "{"}),
        delta(reasoning_content="hm"),
        delta(reasoning="hm"),
    ):
        assert streamed(*silent[:2], speaking)[1] is not None


def call(which, name, arguments):
    """A piece of a function call, told apart by its index, by its id, or by nothing."""
    function = {"arguments": arguments, **({} if name is None else {"name": name})}
    return {"function": function, **({} if which is None else {"index" if isinstance(which, int) else "id": which})}


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ([call(0, "Thing", "{"), call(0, None, "}")], "{}"),
        ([call(0, "Other", "1"), call(1, "Thing", "2")], "2"),
        ([call("a", "Thing", "{"), call(None, None, "}"), call("b", "Other", "3")], "{}"),
        ([call(0, "Thing", "{"), call(0, "Thing", "}")], "{}"),
        ([{"index": 0, "custom": {"name": "x", "input": "4 "}}, {"index": 0, "custom": {"input": "+ 4"}}], "4 + 4"),
    ],
)
def test_streamed_calls(calls, text):
    """Arguments come in pieces, by index or by id, of several calls at once."""
    reply, _ = streamed(*(delta(tool_calls=[one]) for one in calls), delta(finish="tool_calls"), DONE)
    assert (reply.text, reply.stop, reply.usage) == (text, Stop.DONE, PartialUsage())


@pytest.mark.parametrize("ends", [[], [DONE], [{**USAGE, "usage": None}, DONE]])
def test_a_stream_that_ends_before_its_usage_does_not_tell_it(ends):
    """Cut between the finish word and the usage, or of a server that passes stream_options over.

    What was counted before the last of the answer is not all of it.
    """
    begun = {**delta("{"), "usage": {"prompt_tokens": 10, "completion_tokens": 1}}
    reply, _ = streamed(begun, delta("}"), delta(finish="stop"), *ends)
    assert (reply.text, reply.stop, reply.usage) == ("{}", Stop.DONE, PartialUsage())


def test_a_streamed_refusal_and_an_old_function_call():
    """Both are put together as text is."""
    reply, _ = streamed(delta(refusal="I can"), delta(refusal="not."), delta(finish="stop"), DONE)
    assert (reply.stop, reply.text) == (Stop.REFUSED, "I cannot.")
    pieces = [delta(function_call={"name": "x", "arguments": "{"}), delta(function_call={"arguments": "}"})]
    assert streamed(*pieces, delta(finish="function_call"), DONE)[0].text == "{}"


def test_other_choices_of_a_stream_are_left_out():
    """Only the first choice's pieces are put together."""
    other = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}
    reply, _ = streamed(delta("x"), other, delta(finish="length"), USAGE, DONE)
    assert (reply.text, reply.stop) == ("x", Stop.TRUNCATED)


@each_case(
    ("events", "kind"),
    [
        ([delta("x")], Kind.CONNECTION),
        ([delta("x"), b'data: {"id":"c","cho'], Kind.CONNECTION),
        ([], Kind.CONNECTION),
        ([b": ping\n\n"], Kind.CONNECTION),
        ([b"data"], Kind.CONNECTION),
        ([delta(""), DONE], Kind.NO_ANSWER),
        ([delta("x", "error"), DONE], Kind.NO_ANSWER),
        ([delta(finish="stop"), DONE], Kind.NO_ANSWER),
        ([delta("x"), error("Rate limit reached", "rate_limit_exceeded")], Kind.THROTTLED),
        ([delta("x"), {**delta("", "error"), "error": {"code": 502, "message": "x"}}], Kind.OVERLOADED),
        ([delta("x"), {"choices": [{"index": 0, "delta": {}, "error": {"code": 503}}]}], Kind.OVERLOADED),
        ([delta("x"), b'event: error\ndata: {"message":"x","code":"server_error"}\n\n'], Kind.OVERLOADED),
        ([{"type": "error", "code": "rate_limit_exceeded", "message": "x"}], Kind.THROTTLED),
        ([b"<html>\n\n<body>busy</body></html>"], Kind.NO_ANSWER),
        ([orjson.dumps(error("x", "server_error"))], Kind.OVERLOADED),
    ],
)
def test_a_stream_that_goes_wrong(events, kind):
    """Cut in the middle, an error on the way, an end without an ending, a page instead: never half an answer."""
    assert streamed(*events)[0].kind is kind


def test_an_end_without_a_word_is_judged_by_its_content():
    reply, _ = streamed(delta("x"), DONE)
    assert (reply.text, reply.stop, reply.finish_reason) == ("x", Stop.DONE, "")


def test_a_server_that_does_not_stream_is_understood():
    """The whole answer at once, though a stream was asked for."""
    assert streamed(orjson.dumps(GOOD))[0].text == '{"a":1}'


def test_a_responses_stream_is_its_last_event():
    """The whole answer comes with the end; an error in it is an error."""
    begun = {"type": "response.created", "response": {"status": "in_progress"}}
    piece = {"type": "response.output_text.delta", "delta": "x"}
    whole = {"object": "response", "status": "completed", "output": [{"content": [{"text": "xy"}]}]}
    reply, first = streamed(begun, piece, {"type": "response.completed", "response": whole}, cut=1)
    assert (reply.text, reply.stop) == ("xy", Stop.DONE)
    assert first is not None
    bad = {**whole, "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "try again in 11.054s"}}
    failure, _ = streamed(begun, {"type": "response.failed", "response": bad})
    assert (failure.kind, failure.retry_after_s) == (Kind.THROTTLED, 11.054)
    assert streamed(begun, piece)[0].kind is Kind.CONNECTION


# ── anything at all ─────────────────────────────────────────────────────────────────────────────────────────────────

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WELL_FORMED = [
    body_of(message={"content": "x", "refusal": None, "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}),
    {"output": [{"type": "message", "content": [{"text": "x"}]}], "status": "completed", "usage": GOOD["usage"]},
    {**error("x", "rate_limit_exceeded", innererror={"code": "x"}, metadata={"raw": "x"}), "usage": {}},
    delta(tool_calls=[{"index": 0, "function": {"name": "a", "arguments": "{}"}}]),
]


@st.composite
def mutated(draw):
    """A good body with one value, anywhere in it, replaced or taken away."""
    body = json.loads(json.dumps(draw(st.sampled_from(WELL_FORMED))))
    places, queue = [], [body]
    while queue:
        inner = queue.pop()
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                queue.append(inner[key])
    inner, key = draw(st.sampled_from(places))
    if draw(st.booleans()):
        del inner[key]
    else:
        inner[key] = draw(JUNK)
    return json.dumps(body).encode()


@given(
    mutated() | st.binary() | JUNK.map(lambda value: json.dumps(value).encode()), st.sampled_from([200, 400, 429, 503])
)
def test_any_body_is_a_reply_or_a_failure(data, status):
    """Whatever comes back, whole or as a stream: a Reply or a CallFailed, and nothing else."""
    headers = {"retry-after": data.decode("latin-1"), "x-request-id": data.decode("utf-8", "surrogateescape")}
    events = STREAMING.stream()
    events.feed(b"data: " + data + b"\n\n")
    events.feed(data)
    for body in (data, events.finish(status, headers)):
        found = outcome(lambda body=body: WIRE.reply(HttpAnswer(status, headers, body)))
        assert isinstance(found, Answer | CallFailed)
        if isinstance(found, CallFailed):
            assert 0 < len(found.message) <= 500
