"""The hot path's HTTP: connections kept, shared and not trusted too long."""

import asyncio
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from raw_server import answering

from pipeline.providers.files import Pieces
from pipeline.providers.transport import pool as client_module
from pipeline.providers.transport.connection import Connection, Raw, Times
from pipeline.providers.transport.pool import Client, Stale, Unsent, head_of
from pipeline.providers.transport.trust import MOST

TIMES = Times(5.0, 5.0)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\rb", "a\0b"])
def test_a_header_can_not_start_another(value):
    """A key that was pasted with its line break."""
    with pytest.raises(ValueError, match="line break"):
        head_of({"Authorization": value}, 1)


class Far:
    """A server that answers each request by the next of `answers`: bytes, None (closes at once), or "silent"."""

    def __init__(self, *answers, then_close=False):
        self.answers = list(answers)
        self.then_close = then_close
        self.connections = self.requests = 0
        self.heads = []
        self.taken, self.gone = asyncio.Event(), asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                self.heads.append(head)
                length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                self.taken.set()
                answer = self.answers.pop(0)
                if answer is None:
                    break
                if answer != "silent":
                    writer.write(answer)
                    if self.then_close:
                        break
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()
            self.gone.set()


FINE = OK + b"Content-Length: 2\r\n\r\nok"


async def with_server(far, use, *, times=TIMES, context=None, host="127.0.0.1"):
    server = await asyncio.start_server(far.serve, host, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    client = Client(times)
    name = "[::1]" if host == "::1" else "localhost" if context else host
    try:
        return await use(client, f"http{'s' if context else ''}://{name}:{port}/v1/a b?x=1")
    finally:
        await client.aclose()
        server.close()


def test_one_connection_serves_call_after_call():
    """With the head that a server needs."""
    far = Far(FINE, FINE, FINE)

    async def use(client, url):
        return [await client.post(url, {"X-Key": "1"}, b"body") for _ in range(3)]

    assert asyncio.run(with_server(far, use)) == [Raw(200, {"content-length": "2"}, b"ok")] * 3
    assert (far.connections, far.requests) == (1, 3)
    assert far.heads[0].startswith(b"POST /v1/a%20b?x=1 HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:" in far.heads[0]
    assert b"\r\nX-Key: 1\r\nContent-Length: 4\r\n\r\n" in far.heads[0]


def test_calls_side_by_side_have_a_connection_each():
    """And take them up again afterwards."""
    far = Far(*[FINE] * 20)

    async def use(client, url):
        for _ in range(2):
            await asyncio.gather(*(client.post(url, {}, b"") for _ in range(10)))

    asyncio.run(with_server(far, use))
    assert (far.connections, far.requests) == (10, 20)


def test_a_connection_that_the_server_has_closed_is_not_used():
    """Closed after its answer, as it was seen: the next call opens another."""
    far = Far(FINE, FINE, then_close=True)

    async def use(client, url):
        first = await client.post(url, {}, b"")
        await far.gone.wait()
        await asyncio.sleep(0)  # lets the loop see what has come
        return first, await client.post(url, {}, b"")

    first, second = asyncio.run(with_server(far, use))
    assert first == second
    assert far.connections == 2


def test_an_old_connection_is_not_trusted(monkeypatch):
    """Servers and what stands between forget connections that nobody uses."""
    monkeypatch.setattr(client_module, "IDLE_MOST_S", -1.0)
    far = Far(FINE, FINE)

    async def use(client, url):
        return [await client.post(url, {}, b"") for _ in range(2)]

    asyncio.run(with_server(far, use))
    assert far.connections == 2


@pytest.mark.parametrize(("before", "error"), [(0, ConnectionError), (1, Stale)])
def test_a_request_that_was_taken_and_not_answered_is_not_sent_again(before, error):
    """On a fresh connection and on a kept one: it may have been billed. Who asked is told which of them it was."""
    far = Far(*[FINE] * before, None, FINE)

    async def use(client, url):
        for _ in range(before):
            await client.post(url, {}, b"")
        with pytest.raises(error):
            await client.post(url, {}, b"")

    asyncio.run(with_server(far, use))
    assert far.requests == before + 1


@pytest.mark.parametrize("answer", [b"H", OK + b"Content-Length: 9\r\n\r\nabc"])
def test_a_kept_connection_of_which_a_byte_has_come_was_not_stale(answer):
    """Somebody had begun to answer: it broke."""
    far = Far(FINE, answer, then_close=False)

    async def use(client, url):
        await client.post(url, {}, b"")
        far.then_close = True
        with pytest.raises(ConnectionError):
            await client.post(url, {}, b"")

    asyncio.run(with_server(far, use))


def test_silence_on_a_kept_connection_is_a_timeout():
    """It has not ended."""
    far = Far(FINE, "silent")

    async def use(client, url):
        await client.post(url, {}, b"")
        with pytest.raises(TimeoutError):
            await client.post(url, {}, b"")

    asyncio.run(with_server(far, use, times=Times(0.05, 5.0)))


def test_a_fresh_connection_is_a_new_one_and_is_kept_afterwards():
    far = Far(*[FINE] * 3)

    async def use(client, url):
        await client.post(url, {}, b"")
        await client.post(url, {}, b"", fresh=True)
        await client.post(url, {}, b"")

    asyncio.run(with_server(far, use))
    assert (far.connections, far.requests) == (2, 3)


def test_a_server_that_refuses_kept_connections_gets_none_after_a_few():
    """Each refusal may cost a call: a handshake is cheaper."""
    with answering(lambda nth, of_connection, body, head: FINE if of_connection == 1 else None) as far:

        async def use():
            client, stale = Client(TIMES), 0
            for _ in range(40):
                try:
                    await client.post(far.url, {}, b"")
                except Stale:
                    stale += 1
            await client.aclose()
            return stale

        assert asyncio.run(use()) == MOST
    assert (far.requests.count(1), far.requests.count(2)) == (40 - MOST, MOST)


def test_one_stale_connection_closes_those_that_are_free_beside_it():
    """Who has closed one has probably closed them all; and one in a while is no reason to keep none."""
    far = Far(*[FINE] * 5, None, *[FINE] * 2)

    async def use(client, url):
        await asyncio.gather(*(client.post(url, {}, b"") for _ in range(5)))
        with pytest.raises(Stale):
            await client.post(url, {}, b"")
        return [await client.post(url, {}, b"") for _ in range(2)]

    asyncio.run(with_server(far, use))
    assert (far.connections, far.requests) == (6, 8)


def test_an_end_that_the_loop_has_not_seen_yet_costs_nothing():
    """Closed while this process was busy: it is seen on the line before a byte is written."""
    with answering(lambda nth, of_connection, body, head: FINE, closes=True) as far:

        async def use():
            client = Client(TIMES)
            for _ in range(10):
                await client.post(far.url, {}, b"")
                assert far.closed.acquire(timeout=10)  # without letting the loop look
            await client.aclose()

        asyncio.run(use())
    assert far.requests == [1] * 10


def test_an_address_that_refuses_is_followed_by_the_next():
    """Of those that a name has; and the name is asked once."""
    far, asked = Far(FINE, FINE), []

    async def use(client, url):
        port, loop = int(url.split(":")[2].split("/")[0]), asyncio.get_running_loop()

        async def getaddrinfo(host, its_port, **_):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, its_port)) for ip in ("127.0.0.2", "127.0.0.1")]

        loop.getaddrinfo = getaddrinfo
        for _ in range(2):
            await client.post(f"http://two.invalid:{port}/", {}, b"", fresh=True)

    asyncio.run(with_server(far, use))
    assert (far.requests, asked) == (2, ["two.invalid"])


def test_a_name_whose_addresses_all_refuse_is_looked_up_again():
    """It may have moved."""
    far, asked = Far(FINE), []

    async def use(client, url):
        port, loop = int(url.split(":")[2].split("/")[0]), asyncio.get_running_loop()

        async def getaddrinfo(host, its_port, **_):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{3 - len(asked)}", its_port))]

        loop.getaddrinfo = getaddrinfo
        with pytest.raises(Unsent):
            await client.post(f"http://moved.invalid:{port}/", {}, b"")
        await client.post(f"http://moved.invalid:{port}/", {}, b"")

    asyncio.run(with_server(far, use))
    assert (far.requests, len(asked)) == (1, 2)


def test_a_server_that_says_nothing_runs_into_the_timeout():
    """Of the whole call, and of the silence between two pieces."""
    for times in (Times(0.05, 5.0), Times(30.0, 5.0, 0.05)):
        far = Far(OK + b"Content-Length: 9\r\n\r\nabc")

        async def use(client, url):
            with pytest.raises(TimeoutError):
                await client.post(url, {}, b"")

        asyncio.run(asyncio.wait_for(with_server(far, use, times=times), 10))


def test_who_gives_up_closes_the_connection():
    """Nobody else is to get that answer."""
    far = Far("silent")

    async def use(client, url):
        task = asyncio.create_task(client.post(url, {}, b""))
        await asyncio.wait_for(far.taken.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(far.gone.wait(), 10)

    asyncio.run(with_server(far, use))


def unsent(url, times=TIMES):
    async def use():
        client = Client(times)
        try:
            await client.post(url, {}, b"")
        finally:
            await client.aclose()

    with pytest.raises(Unsent) as caught:
        asyncio.run(use())
    return caught.value.__cause__


def test_nothing_has_left_where_there_is_no_connection():
    """A port where nobody listens, a name that nobody has, no URL at all."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert isinstance(unsent(f"http://127.0.0.1:{taken.getsockname()[1]}/"), ConnectionRefusedError)
    assert isinstance(unsent("http://nobody.invalid/"), OSError)
    assert isinstance(unsent("ftp://127.0.0.1/"), ValueError)


def test_a_host_that_does_not_take_connections_runs_into_the_connect_timeout():
    """A listener whose queue is full."""
    with socket.socket() as busy, socket.socket() as waiting:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        waiting.connect(busy.getsockname())
        assert isinstance(unsent(f"http://127.0.0.1:{busy.getsockname()[1]}/", Times(5.0, 0.05)), TimeoutError)


def test_ipv6_addresses_are_hosts_too():
    """In brackets, in the URL and in the Host header."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    far = Far(FINE)

    async def use(client, url):
        return await client.post(url, {}, b"")

    assert asyncio.run(with_server(far, use, host="::1")).body == b"ok"
    assert b"\r\nHost: [::1]:" in far.heads[0]


@pytest.fixture
def certificate(tmp_path):
    """Of "localhost", signed by nobody; its path, with the key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    signed = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "localhost.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_has_to_prove_who_it_is(certificate, trusted, monkeypatch):
    """By an authority that SSL_CERT_FILE may name; nothing is sent to anybody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client_module._context.cache_clear()
    far = Far(FINE)

    async def use(client, url):
        return await client.post(url, {}, b"")

    try:
        if trusted:
            assert asyncio.run(with_server(far, use, context=context)).body == b"ok"
        else:
            with pytest.raises(Unsent) as caught:
                asyncio.run(with_server(far, use, context=context))
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
            assert far.requests == 0
    finally:
        client_module._context.cache_clear()


def test_a_large_body_goes_over_tls_no_faster_than_the_line_takes_it(certificate, monkeypatch):
    """Else all of it would be in memory twice: as it is, and encrypted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client_module._context.cache_clear()
    most, far, pour = [0], Far(FINE), Connection.pour

    async def noted(connection, pieces):
        def written():
            for piece in pieces:
                yield piece
                most[0] = max(most[0], connection._transport.get_write_buffer_size())

        await pour(connection, written())

    monkeypatch.setattr(Connection, "pour", noted)

    async def use(client, url):
        return await client.post(url, {}, Pieces([b"[", b"\xff" * 8_000_000, b"]"]))

    try:
        raw = asyncio.run(with_server(far, use, context=context))
    finally:
        client_module._context.cache_clear()
    assert (raw.body, far.requests) == (b"ok", 1)
    assert most[0] < 1_000_000
