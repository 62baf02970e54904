"""A stream that cannot be read in one place, or that is cut off: on every wire, and over a real connection."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from streams import STREAMS, TEXT, chunk, sse

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits
from pipeline.parts import text_parts
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.sse import EventStream
from pipeline.providers.transport.http import HttpTransport
from pipeline.providers.transport.sdk import SdkTransport
from pipeline.sandbox.wires.bedrock.frames import event as frame
from pipeline.types import Purpose, Request, Turn, Usage

USED = Usage(10, 0, 0, 5, 0)
REQUEST = Request(b"k" * 16, 0, "a", 0, Purpose.EXTRACT, "", (Turn("user", text_parts("a")),), 100, 10, 20)
SPOILED = {
    "no JSON": lambda event: event[:-6] + b"\n\n",
    "no object": lambda _: sse('"' + TEXT.replace('"', "") + '"'),
    "null": lambda _: sse("null"),
    "no field": lambda event: (
        b"d" + event if event.startswith(b"data") else b"event: x\nata: " + event.split(b"data: ")[1]
    ),
    "no UTF-8": lambda event: event.replace(b'"', b'"\xff', 1),
}
SSE = [name for name, one in STREAMS.items() if one.media_type == "text/event-stream"]
BINARY = sorted(STREAMS.keys() - set(SSE))
WITH_END = pytest.mark.parametrize("name", STREAMS)


def replied(name, *events):
    try:
        return STREAMS[name].wire().reply(STREAMS[name].answered(*events))
    except CallFailed as failure:
        return failure


def with_one_spoiled(name, at, how):
    events = STREAMS[name].events
    return (*events[:at], how(events[at]), *events[at + 1 :])


@WITH_END
def test_a_whole_stream_is_its_answer(name):
    reply = replied(name, *STREAMS[name].events)
    assert (reply.text, reply.usage) == (TEXT, USED)


@each_case("which", [0, 1], ids=["first", "second"])
@each_case("how", SPOILED)
@each_case("name", SSE)
def test_a_piece_that_cannot_be_read_fails_its_answer(name, how, which):
    """It is billed as its end says, where there is one; else all that it may have cost is at risk."""
    failed = replied(name, *with_one_spoiled(name, STREAMS[name].said[which], SPOILED[how]))
    assert (failed.kind, failed.status) == (Kind.DAMAGED, 200)
    if name not in {"gemini", "vertex"} or which == 0:
        assert (failed.usage, failed.fate_unknown) == (USED, False)
    else:  # its end was in the piece
        assert (failed.usage, failed.fate_unknown) == (None, True)


@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("name", BINARY)
def test_so_does_a_message_whose_payload_is_no_object(name, which):
    for payload in (b"{", b"[]", b"", b'{"bytes": "e30"}' if name == "invoke" else b'"x"'):
        kind = "chunk" if name == "invoke" else "contentBlockDelta"
        failed = replied(name, *with_one_spoiled(name, STREAMS[name].said[which], lambda _: frame(kind, payload)))  # noqa: B023
        assert (failed.kind, failed.status, failed.usage) == (Kind.DAMAGED, 200, USED)


def test_so_does_a_chunk_that_holds_no_object():
    failed = replied("invoke", *with_one_spoiled("invoke", 2, lambda _: chunk(["x"])))
    assert (failed.kind, failed.usage) == (Kind.DAMAGED, USED)


@WITH_END
def test_what_cannot_be_read_after_the_end_is_not_missing(name):
    stream = STREAMS[name]
    noise = b"data: {\n\n" if name in SSE else b"\xff" * 64
    reply = replied(name, *stream.events[: stream.end + 1], noise)
    assert (reply.text, reply.usage) == (TEXT, USED)


@pytest.mark.parametrize("name", SSE)
def test_comments_blanks_and_marks_are_no_damage(name):
    stream = STREAMS[name]
    noise = (b"\xef\xbb\xbf: hello {\n\n", b"\n\n", b"id: 7\nretry: 10\n\n", b": keep-alive\r\n\r\n")
    assert replied(name, *noise, *stream.events, *noise[1:]).text == TEXT


@given(
    st.lists(st.sampled_from([b'data: {"a": 1}', b"data: {", b": x", b"\r", b"\n", b"[DONE]", b"{", b"data: "])),
    st.data(),
)
def test_events_are_the_same_however_the_bytes_are_cut(pieces, data):
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    once, cut = EventStream(), EventStream()
    expected = once.feed(whole) + once.rest()[0]
    found = [
        one for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) for one in cut.feed(whole[start:end])
    ]
    assert (found + cut.rest()[0], cut.damage, cut.done) == (expected, once.damage, once.done)


# ── over a connection ───────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def answering(head, pieces, *, reset=False):
    """A server that sends what it is told, and then closes."""

    async def serve(reader, writer):
        length = 0
        while (line := await reader.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
        writer.write(head)
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def sent(name, pieces, transport="http", **how):
    stream = STREAMS[name]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n\r\n" % stream.media_type.encode()

    async def main():
        async with answering(head, pieces, **how) as base_url:
            wire = stream.wire(base_url=base_url + ("/v1" if stream.model.provider == "openai" else ""))
            limits, credentials = Limits(timeout_s=5.0), FixedKey(Secret("key-of-the-tests", bearer=name in BINARY))
            if transport == "http":
                carrier = HttpTransport(limits, credentials, stream=True)
            else:
                carrier = SdkTransport(stream.model, limits, credentials)
            try:
                answer = await carrier.send(wire, REQUEST)
                return wire.reply(answer), answer
            except CallFailed as failure:
                return failure, None
            finally:
                await carrier.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("transport", ["http", "sdk"])
@WITH_END
def test_an_answer_that_said_it_is_complete_is_complete(name, transport):
    """However its connection ends: here without the last chunk."""
    stream = STREAMS[name]
    reply, answer = sent(name, stream.events[: stream.end + 1], transport)
    assert (reply.text, reply.usage) == (TEXT, USED)
    assert answer.ttft_ms is not None


def test_also_where_its_connection_is_reset():
    """As far as it has come: a reset may overtake what was sent."""
    got, _ = sent("openai", STREAMS["openai"].events, reset=True)
    assert getattr(got, "text", TEXT) == TEXT


@pytest.mark.parametrize("transport", ["http", "sdk"])
@WITH_END
def test_one_that_was_cut_off_tells_what_was_seen(name, transport):
    """Its status, and when its first token came; what it cost nobody says."""
    failed, _ = sent(name, STREAMS[name].events[: STREAMS[name].said[0] + 1], transport)
    assert (failed.kind, failed.status, failed.fate_unknown) == (Kind.CONNECTION, 200, True)
    assert failed.ttft_ms is not None
    assert "HTTP 200" in str(failed)


def test_so_does_one_that_is_no_stream():
    async def main():
        head = b"HTTP/1.1 503 No\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n"
        async with answering(head, [json.dumps({"id": 1}).encode()]) as base_url:
            carrier = HttpTransport(Limits(timeout_s=5.0), FixedKey(Secret("k")), stream=False)
            try:
                await carrier.send(STREAMS["openai"].wire(base_url=base_url), REQUEST)
            finally:
                await carrier.aclose()

    with pytest.raises(CallFailed) as failed:
        asyncio.run(main())
    assert (failed.value.kind, failed.value.status) == (Kind.CONNECTION, 503)
