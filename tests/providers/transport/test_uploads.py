"""Large bodies on their way out: whole, on their own line, no faster than is read; what breaks off costs nothing."""

import asyncio
import hashlib
import json
import socket
from types import SimpleNamespace

import pytest
from documents_sent import PDF, loaded, request_of
from every_wire import SHAPE, model, wire
from raw_server import answering
from virtual_time import run as in_virtual_time

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import PIECE_BYTES, Pieces
from pipeline.providers.transport import pool
from pipeline.providers.transport.connection import Connection, Times
from pipeline.providers.transport.http import HttpTransport
from pipeline.providers.transport.pool import Client, CutOff, Stale
from pipeline.providers.transport.proxy import ProxiedClient
from pipeline.providers.transport.sdk import SdkTransport

TIMES = Times(20.0, 20.0)
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FILE = b"\xfb\x00\xffpages" * 1_250_000
WINDOW = 16 * 1024


def body_of(size=10_000_000):
    body = wire("openai").body(request_of(loaded(PDF, FILE[:size])))
    assert isinstance(body, Pieces)
    return body


class Slow:
    """Reads by small windows. `answer(head) -> bytes | None` before the body, `end` behind it; None closes."""

    def __init__(self, end=FINE, before=None, most=None):
        self.end, self.before, self.most = end, before, most
        self.bodies, self.on, self.connections, self.peak = [], [], 0, 0
        self.looked = lambda: 0  # at how much waits on the client's side

    async def serve(self, reader, writer):
        self.connections += 1
        mine = self.connections
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if self.before is not None:
                    writer.write(self.before)
                    await reader.read(-1)
                    return
                length = int(next(line for line in head.split(b"\r\n") if b"ontent-Length" in line).split(b":")[1])
                taken = hashlib.sha256()
                for start in range(0, min(length, self.most or length), WINDOW):
                    taken.update(await reader.readexactly(min(WINDOW, length - start)))
                    self.peak = max(self.peak, self.looked())
                if self.most is not None or self.end is None:
                    return
                self.bodies.append(taken.hexdigest())
                self.on.append(mine)
                writer.write(self.end)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def served(far, use):
    async def main():
        server = await asyncio.start_server(far.serve, "127.0.0.1", 0, limit=WINDOW)
        try:
            return await use(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        finally:
            server.close()

    return asyncio.run(main())


def posted(far, *bodies, times=TIMES):
    """What came of each, one after the other."""

    async def use(url):
        client, found = Client(times), []
        far.looked = lambda: max((len_of(one) for one in connections), default=0)
        connections = []
        connected = client._connected

        async def noted(server):
            connections.append(await connected(server))
            return connections[-1]

        client._connected = noted
        for body in bodies:
            try:
                found.append(await client.post(url, {}, body))
            except (CutOff, Stale, OSError) as error:
                found.append(error)
        await client.aclose()
        return found

    return served(far, use)


def len_of(connection):
    return 0 if connection._transport is None else connection._transport.get_write_buffer_size()


def test_ten_megabytes_come_as_they_are_and_wait_for_whoever_reads():
    far, body, told = Slow(), body_of(), []
    whole = hashlib.sha256(bytes(body)).hexdigest()
    body.when_sent = lambda: told.append(True)
    (raw,) = posted(far, body)
    assert (raw.status, raw.body, far.bodies, told) == (200, b"ok", [whole], [True])
    assert 0 < far.peak <= 2 * PIECE_BYTES
    assert bytes(body) == b""


def test_a_large_body_has_a_connection_of_its_own_and_others_share_one():
    """A kept one may turn out to have ended only when all is written: the upload would be lost."""
    far = Slow()
    small, large = 200_000, 2_000_000
    posted(far, b"{}", body_of(small), body_of(large), body_of(large), body_of(small), b"{}")
    assert far.on == [1, 1, 2, 3, 1, 1]


def test_an_answer_before_the_end_is_an_answer():
    told = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    (raw,) = posted(Slow(before=told), body_of())
    assert (raw.status, raw.body) == (413, b"no")


def test_what_broke_off_on_its_way_has_cost_nothing():
    (error,) = posted(Slow(most=WINDOW), body_of())
    assert isinstance(error, CutOff)


def test_what_broke_off_behind_its_end_may_have_cost_something():
    (error,) = posted(Slow(end=None), body_of())
    assert isinstance(error, OSError)


def test_a_kept_connection_that_ends_on_the_way_has_cost_nothing_either(monkeypatch):
    """As smaller ones go out; this one is more than any buffer holds."""
    far = Slow()
    monkeypatch.setattr(pool, "is_large", lambda body: False)

    async def use(url):
        client = Client(TIMES)
        await client.post(url, {}, b"{}")
        far.most = WINDOW
        with pytest.raises(Stale) as stale:
            await client.post(url, {}, body_of())
        await client.aclose()
        return stale.value.whole

    assert served(far, use) is False


def test_a_call_that_broke_off_on_its_way_was_not_sent():
    async def use(url):
        transport = HttpTransport(Limits(), FixedKey(Secret("sk-abcdefgh")), stream=False)
        carrier = SimpleNamespace(url=url, body=lambda _: body_of(), headers=lambda *_: {})
        upload = SimpleNamespace(request=None, sent=lambda: None)
        with pytest.raises(CallFailed) as failed:
            await transport.send(carrier, None, upload=upload)
        await transport.aclose()
        return failed.value

    failure = served(Slow(most=WINDOW), use)
    assert (failure.kind, failure.sent, failure.fate_unknown) == (Kind.CONNECTION, False, False)
    assert failure.message.startswith("the upload broke off")


@pytest.mark.parametrize(("size", "more_s"), [(9_000_000, 6.0), (300_000, 0.0)])
def test_an_upload_has_its_own_time(size, more_s):
    async def use(url):
        loop, ends = asyncio.get_running_loop(), []
        call_at = loop.call_at
        loop.call_at = lambda at_s, *rest, **named: (ends.append(at_s - loop.time()), call_at(at_s, *rest, **named))[1]
        client = Client(Times(30.0, 7.0))
        await client.post(url, {}, body_of(size))
        await client.aclose()
        return max(ends)

    assert served(Slow(), use) == pytest.approx(30 + more_s, abs=0.9)


class Thin(asyncio.Transport):
    """A line that takes a piece in half a second."""

    def __init__(self, connection):
        super().__init__()
        self.connection, self.pieces = connection, 0

    def write(self, _piece):
        self.pieces += 1
        self.connection.pause_writing()
        asyncio.get_running_loop().call_later(0.5, self.connection.resume_writing)

    def is_closing(self):
        return False

    def abort(self):
        pass


def test_silence_while_it_goes_out_is_no_silence():
    """The far end of a stream says nothing before it has the request; then its time runs."""

    async def use():
        connection = Connection()
        connection.connection_made(line := Thin(connection))
        asked = connection.ask(b"head", None, 2.0)
        await connection.pour(body_of())
        assert line.pieces > 50
        assert not asked.done()
        with pytest.raises(TimeoutError):
            await asked

    in_virtual_time(use())


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_through_a_proxy_it_has_its_length_and_comes_whole(size):
    seen = []

    def script(nth, of_connection, body, head):
        seen.append((body["messages"][-1]["content"][0]["file"]["file_data"], head))
        return FINE

    body = body_of(size)
    length = len(body)
    with answering(script) as far:

        async def use():
            client, told = ProxiedClient(TIMES), []
            body.when_sent = lambda: told.append(True)
            await client.post("http://provider.invalid/v1", {"Content-Type": "application/json"}, body, far.url)
            await client.aclose()
            return told

        assert asyncio.run(use()) == [True]
    ((data, head),) = seen
    assert data.endswith(loaded(PDF, FILE[:size]).base64.decode())
    assert b"content-length: %d\r\n" % length in head.lower()
    assert b"transfer-encoding" not in head.lower()


AWS = Secret("secret-key-of-tests", "AKIASANDBOX1")
SDKS = {"openai": Secret("sk-abcdefgh"), "anthropic": Secret("sk-abcdefgh"), "gemini": Secret("sk-abcdefgh"),
        "vertex": Secret("a-token-of-tests", bearer=True), "converse": AWS, "claude": AWS}  # fmt: skip


@pytest.mark.parametrize("case", SDKS)
def test_an_sdk_carries_a_large_one_as_it_is(case):
    """It is one piece there, and held until the answer is in."""
    request, seen = request_of(loaded(PDF, FILE[:3_000_000])), []
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    def script(nth, of_connection, body, head):
        seen.append(body)
        return refusal

    with answering(script) as far:
        host = far.url if case == "openai" else far.url.removesuffix("/v1")
        asked = model(case, base_url=host)
        carried = wire_for(asked, SHAPE, {})

        async def use():
            transport = SdkTransport(asked, Limits(), FixedKey(SDKS[case]))
            upload = SimpleNamespace(request=request, sent=lambda: None)
            answered = await transport.send(carried, request, upload=upload)
            await transport.aclose()
            return answered

        assert asyncio.run(use()).status == 400
    assert seen == [json.loads(bytes(carried.body(request)))]
