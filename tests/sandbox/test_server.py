"""The sandbox: answers by rules, faults as set, at once and as a stream."""

import asyncio
import json

import aiohttp
import pytest
from sandbox_client import FORCED, SCHEMA, STUB, TOOL, USER, Client, always, ask, posted, with_client

from pipeline.job.settings import Sandbox
from pipeline.sandbox.exchange import tokens_of
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.server import serve


def test_an_answer_is_the_rules_record_of_the_document():
    """The first user message is the document; the answer says that rules made it, and counts its tokens."""
    got = posted(ask("héllo wörld"))
    assert got.status == 200
    assert got.record == {"name": "héllo wörld", "note": None}
    assert got.body["model"] == "sandbox-rules-1"
    assert got.body["object"] == "chat.completion"
    assert got.choice["finish_reason"] == "stop"
    assert got.choice["message"]["refusal"] is None
    usage = got.body["usage"]
    assert usage["completion_tokens"] == tokens_of(got.choice["message"]["content"])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    assert not any(name.lower().startswith("x-ratelimit") for name in got.headers)


def test_a_repair_asks_the_rules_to_repair():
    """After an answer and a user's message about it, the record is repaired with that message."""
    turns = [USER, {"role": "assistant", "content": "{"}, {"role": "user", "content": "no JSON"}]
    assert posted(ask(messages=turns)).record == {"name": "x", "note": "no JSON"}


def test_text_parts_are_one_text():
    """A message's content may be a list of text parts."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert posted(ask(messages=[{"role": "user", "content": parts}])).record["name"] == "ab"


@pytest.mark.parametrize(("choice", "finish"), [(FORCED, "stop"), ("required", "tool_calls"), ("auto", "tool_calls")])
def test_functions_are_called(choice, finish):
    """With tools the record comes as arguments; a forced function ends with stop, as the provider's does."""
    got = posted(ask(response_format=..., tools=[TOOL], tool_choice=choice))
    call = got.choice["message"]["tool_calls"][0]
    assert (call["type"], call["function"]["name"]) == ("function", "Thing")
    assert json.loads(call["function"]["arguments"]) == {"name": "a document", "note": None}
    assert got.choice["message"]["content"] is None
    assert got.choice["finish_reason"] == finish


def test_json_mode_finds_the_schema_in_the_system_prompt():
    """In json_object mode the schema is what the system prompt holds; a brace before it does not matter."""
    system = {"role": "system", "content": f"JSON {{please}} of this schema: {json.dumps(SCHEMA)} and no more."}
    got = posted(ask(messages=[system, USER], response_format={"type": "json_object"}))
    assert got.record == {"name": "x", "note": None}
    bare = posted(ask(messages=[{"role": "user", "content": "JSON"}], response_format={"type": "json_object"}))
    assert bare.record == {}


def test_free_text_is_answered_by_the_rule_for_reading():
    """Without any schema the answer is text."""
    assert posted(ask("a document", response_format=...)).choice["message"]["content"] == "a document"


def test_a_long_answer_is_cut_at_the_cap():
    """An answer longer than the cap ends in the middle with length, and bills the cap."""
    got = posted(ask("x" * 400, max_completion_tokens=10))
    assert got.choice["finish_reason"] == "length"
    assert got.choice["message"]["content"] == '{"name":"' + "x" * 31
    assert got.body["usage"]["completion_tokens"] == 10


def test_throttled():
    """A 429 with a hint in both headers and in the text; nothing is billed."""

    async def use(client):
        got, counters = await client.post(ask()), await client.counters()
        assert (counters["throttled"], counters["rate_limited"], counters["answered"]) == (1, 0, 0)
        return got

    got = with_client(use, **always(Fault.THROTTLED))
    assert (got.status, got.error["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(got.headers["retry-after-ms"]) <= 1000
    assert got.headers["retry-after"] == "1"
    assert f"try again in {got.headers['retry-after-ms']}ms" in got.error["message"]


def test_server_errors_are_500_and_503():
    """Both statuses occur, in the provider's shape."""

    async def use(client):
        return [await client.post(ask(str(number))) for number in range(30)]

    answers = with_client(use, **always(Fault.SERVER_ERROR))
    assert {got.status for got in answers} == {500, 503}
    assert {got.error["type"] for got in answers} == {"server_error"}


def test_invalid_output_comes_in_several_ways():
    """Over some documents there are broken JSON, wrong types, missing fields and prose, all with a good ending."""

    async def use(client):
        return [await client.post(ask(f"document {number}")) for number in range(30)]

    kinds = set()
    for number, got in enumerate(with_client(use, **always(Fault.INVALID_OUTPUT))):
        assert (got.status, got.choice["finish_reason"]) == (200, "stop")
        content = got.choice["message"]["content"]
        try:
            record = json.loads(content)
        except json.JSONDecodeError:
            kinds.add("broken" if content.startswith("{") else "prose")
        else:
            assert record != {"name": f"document {number}", "note": None}
            kinds.add("missing" if "name" not in record else "wrong type")
    assert kinds == {"broken", "prose", "missing", "wrong type"}


def test_truncated():
    """A short answer is cut in the middle all the same, and bills the cap."""
    got = posted(ask(max_completion_tokens=123), **always(Fault.TRUNCATED))
    assert got.choice["finish_reason"] == "length"
    whole = '{"name":"a document","note":null}'
    assert whole.startswith(got.choice["message"]["content"])
    assert 0 < len(got.choice["message"]["content"]) < len(whole)
    assert got.body["usage"]["completion_tokens"] == 123


@pytest.mark.parametrize("tools", [{}, {"response_format": ..., "tools": [TOOL], "tool_choice": FORCED}])
def test_refused(tools):
    """A refusal has no content, ends with stop, and is billed."""

    async def use(client):
        got, counters = await client.post(ask(**tools)), await client.counters()
        assert counters["answered"] == counters["faults"]["refused"] == 1
        return got

    message = with_client(use, **always(Fault.REFUSED)).choice["message"]
    assert message["refusal"]
    assert message["content"] is None
    assert "tool_calls" not in message


def test_disconnect_is_billed_and_cut():
    """Half a body arrives, then the connection breaks; the provider has billed it, and logs nothing."""

    async def use(client):
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.post(ask())
        counters = await client.counters()
        assert counters["answered"] == counters["faults"]["disconnect"] == 1
        assert counters["in_flight"] == 0

    with_client(use, **always(Fault.DISCONNECT))


@pytest.mark.parametrize("stream", [False, True])
def test_timeout_holds_until_the_client_goes(stream, caplog):
    """No answer comes while the client waits (a stream stalls after its start); nothing is billed."""

    async def use(client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.post(ask(stream=stream))
        async with asyncio.timeout(5):
            while (counters := await client.counters())["in_flight"]:  # noqa: ASYNC110 (seen over HTTP)
                await asyncio.sleep(0.01)
        assert (counters["answered"], counters["unanswered"], counters["by_status"]) == (0, 1, {})

    with_client(use, **always(Fault.TIMEOUT))
    assert not caplog.records


def test_a_server_that_stops_does_not_wait_for_what_it_holds():
    """Stopping takes no longer than a moment, whatever is held."""

    async def main():
        runner, port = await serve(Sandbox(timeout=1.0), "127.0.0.1", 0, STUB)
        async with aiohttp.ClientSession() as session:
            client = Client(f"http://127.0.0.1:{port}", session)
            held = asyncio.create_task(client.post(ask()))
            while not (await client.counters())["unanswered"]:  # noqa: ASYNC110 (seen over HTTP)
                await asyncio.sleep(0.01)
            async with asyncio.timeout(3):
                await runner.cleanup()
                with pytest.raises(aiohttp.ClientConnectionError):
                    await held

    asyncio.run(main())


def streaming(**changes):
    return ask(stream=True, stream_options={"include_usage": True}, **changes)


def events_of(got):
    assert got.headers["Content-Type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in got.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def together(events, name):
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    return "".join(delta.get(name) or "" for delta in deltas)


def test_a_stream_puts_together_to_the_answer():
    """Deltas first, then the ending, then the usage without choices, then [DONE]; the same record as at once."""

    async def use(client):
        return await client.post(streaming(text="x" * 200)), await client.post(ask("x" * 200))

    got, whole = with_client(use)
    events = events_of(got)
    assert together(events, "content") == whole.choice["message"]["content"]
    assert len(events) > 5
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None] * (len(events) - 2) + ["stop"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole.body["usage"]
    assert all(event["usage"] is None for event in events[:-1])
    assert {event["object"] for event in events} == {"chat.completion.chunk"}


def test_a_stream_without_usage_has_none():
    """Usage is streamed only when asked for."""
    events = events_of(posted(ask(stream=True)))
    assert all("usage" not in event and event["choices"] for event in events)


def test_a_streamed_call_of_a_function():
    """Arguments come in pieces under one index, named by the first."""
    got = posted(streaming(response_format=..., tools=[TOOL], tool_choice=FORCED))
    calls = [
        call
        for event in events_of(got)
        if event["choices"]
        for call in event["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert calls[0]["function"]["name"] == "Thing"
    assert {call["index"] for call in calls} == {0}
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"name": "a document", "note": None}


@pytest.mark.parametrize(
    "fault", [Fault.REFUSED, Fault.TRUNCATED, Fault.THROTTLED, Fault.SERVER_ERROR, Fault.DISCONNECT]
)
def test_faults_play_in_streams(fault):
    """A fault of the answer is in the stream; one of the service comes instead of it, or breaks it."""
    if fault is Fault.DISCONNECT:
        with pytest.raises(aiohttp.ClientPayloadError):
            posted(streaming(), **always(fault))
        return
    got = posted(streaming(), **always(fault))
    if fault in {Fault.THROTTLED, Fault.SERVER_ERROR}:
        assert got.status in {429, 500, 503}
        assert got.error["message"]
        return
    events = events_of(got)
    if fault is Fault.REFUSED:
        assert together(events, "refusal")
        assert not together(events, "content")
    else:
        assert events[-2]["choices"][0]["finish_reason"] == "length"
        assert events[-1]["usage"]["completion_tokens"] == 1000
