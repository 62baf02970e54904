"""POST, and GET, over connections that are kept: as many as there are calls, for that is admission's business.

Written for what a call costs: aiohttp's client takes three times the CPU. What it does not do (proxies, redirects,
cookies) is not needed on the hot path, or done by `proxied`.
"""

import asyncio
import ssl
from collections import deque
from functools import cache
from socket import SOCK_STREAM
from typing import Any
from urllib.parse import quote, urlsplit

from aiohappyeyeballs import start_connection
from msgspec import Struct, field

from pipeline.providers.files import Body, Pieces, is_large, upload_s
from pipeline.providers.transport.connection import Connection, Raw, Receive, Times
from pipeline.providers.transport.trust import Trust

IDLE_MOST_S = 4.0  # an unused connection is not trusted for longer: many servers close theirs after 5 s
ADDRESSES_S = 60.0  # before a name is looked up again: its TTL is not told
EYEBALLS_S = 0.25  # before the next address is tried beside one that does not answer (RFC 8305)
AGENT = "ledger-pipeline"
PORTS = {"http": 80, "https": 443}

Asked = tuple[Connection, asyncio.Future[Raw]]  # a request has gone out on it


class Unsent(Exception):
    """Nothing has left this machine; its cause is what went wrong."""


class CutOff(Unsent):
    """Some of the request has left, and not all: nobody can have answered it."""


class Stale(Exception):
    """A kept connection ended before one byte of an answer. `whole`: the request may have been taken all the same."""

    def __init__(self, *, whole: bool = True) -> None:
        super().__init__()
        self.whole = whole


class Server(Struct):
    """Where requests go, and the connections to there that are free."""

    scheme: str
    host: str
    port: int
    free: deque[Connection] = field(default_factory=deque)
    trust: Trust = field(default_factory=Trust)


class Client:
    """All connections of a run."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: dict[tuple[str, str, int], Server] = {}
        self._routes: dict[str, tuple[Server, bytes]] = {}
        self._lookups: dict[tuple[str, int], tuple[float, asyncio.Task[Any]]] = {}

    async def post(
        self,
        url: str,
        headers: dict[str, str],
        body: Body | None,
        receive: Receive | None = None,
        *,
        fresh: bool = False,
    ) -> Raw:
        """One request and its answer, whatever its status; never sent twice. `fresh`: on no kept connection.

        Without a body it is a GET.

        Raises:
            Unsent, CutOff: from an OSError, ssl.SSLError, ValueError or TimeoutError. TimeoutError, OSError, BadAnswer,
            TooLarge, Stale: it had left. What `receive` raises.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # asked once: until Python 3.12 each asking is a system call
        loop = self._loop
        ends_s, large = loop.time() + self._times.timeout_s, is_large(body)
        if large:
            ends_s += upload_s(body)
        try:
            server, start = self._route(url)
            request = _request(start, headers, body)
            kept = None if fresh or large else self._asked(server, request, receive, loop.time())
            connection, asked = kept or await self._asked_anew(server, request, receive)
        except (OSError, ValueError) as error:  # ssl's errors and TimeoutError are OSErrors
            raise Unsent from error
        timer = loop.call_at(ends_s, connection.fail, TimeoutError("not whole in time"))
        try:
            answer = await _answered(connection, asked, body)
        except OSError as error:
            if not kept or connection.heard or isinstance(error, TimeoutError):
                if connection.poured:
                    raise
                raise CutOff from error
            self._stale(server)
            raise Stale(whole=connection.poured) from error
        finally:
            timer.cancel()
        if kept:
            server.trust.answered()
        if connection.usable and not large and not server.trust.lost:
            connection.idle_since_s = loop.time()
            server.free.append(connection)
        else:
            connection.close()
        return answer

    async def aclose(self) -> None:
        for server in self._servers.values():
            _close_all(server)
        for _, lookup in self._lookups.values():
            lookup.cancel()

    # ── where to ────────────────────────────────────────────────────────────────────────────────────────────────

    def _route(self, url: str) -> tuple[Server, bytes]:
        """The server, and how every request to this URL begins, behind its method."""
        found = self._routes.get(url)
        if found is None:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
            if not parts.hostname or not port:
                raise ValueError(f"{url!r} is no http or https URL")
            key = (parts.scheme, parts.hostname, port)
            server = self._servers.setdefault(key, Server(*key))
            path = quote(parts.path or "/", safe="/%!$&'()*+,;=:@~") + (f"?{parts.query}" if parts.query else "")
            start = f" {path} HTTP/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: {AGENT}\r\n"
            found = self._routes[url] = (server, f"{start}Host: {_host(server)}\r\n".encode("ascii"))
        return found

    # ── kept connections ────────────────────────────────────────────────────────────────────────────────────────

    def _asked(self, server: Server, request: bytes, receive: Receive | None, now_s: float) -> Asked | None:
        """One that took the request. Others that turn out to be closed as it is written have cost nothing."""
        while (connection := self._free(server, now_s)) is not None:
            asked = connection.ask(request, receive, self._times.idle_timeout_s)
            if connection.open:
                return connection, asked
            connection.close()
        return None

    def _free(self, server: Server, now_s: float) -> Connection | None:
        """The one used last; the others grow old and are closed."""
        free = server.free
        while free and now_s - free[0].idle_since_s > IDLE_MOST_S:
            free.popleft().close()
        while free:
            connection = free.pop()
            if connection.usable and connection.quiet:
                return connection
            connection.close()
        return None

    def _stale(self, server: Server) -> None:
        """Who has closed one has probably closed them all."""
        server.trust.ended()
        _close_all(server)

    # ── new ones ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _asked_anew(self, server: Server, request: bytes, receive: Receive | None) -> Asked:
        connection = await self._connected(server)
        return connection, connection.ask(request, receive, self._times.idle_timeout_s)

    async def _connected(self, server: Server) -> Connection:
        loop = asyncio.get_running_loop()
        context = _context() if server.scheme == "https" else None
        name = server.host if context else None
        async with asyncio.timeout(min(self._times.connect_timeout_s, self._times.timeout_s)):
            addresses = await self._addresses(server)
            try:
                line = await start_connection(addresses, happy_eyeballs_delay=EYEBALLS_S, interleave=1)
            except OSError:
                self._lookups.pop((server.host, server.port), None)  # the name may have moved
                raise
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(line), sock=line, ssl=context, server_hostname=name
                )
            except BaseException:
                line.close()
                raise
        return connection

    async def _addresses(self, server: Server) -> Any:  # noqa: ANN401 (as getaddrinfo gives them)
        """Looked up once for all who want them at the same time."""
        loop = asyncio.get_running_loop()
        key = (server.host, server.port)
        until_s, lookup = self._lookups.get(key, (0.0, None))
        if lookup is None or loop.time() > until_s or (lookup.done() and (lookup.cancelled() or lookup.exception())):
            lookup = asyncio.ensure_future(loop.getaddrinfo(*key, type=SOCK_STREAM))
            self._lookups[key] = (loop.time() + ADDRESSES_S, lookup)
        return await asyncio.shield(lookup)


async def _answered(connection: Connection, asked: "asyncio.Future[Raw]", body: Body | None) -> Raw:
    """Pours what has not yet left."""
    try:
        if isinstance(body, Pieces):
            await connection.pour(body)
            body.sent()
        return await asked
    except asyncio.CancelledError:
        connection.close()
        raise


def _request(start: bytes, headers: dict[str, str], body: Body | None) -> bytes:
    """All of it, but for a body in pieces."""
    if body is None:
        return b"".join((b"GET", start, head_of(headers, 0)))
    return b"".join((b"POST", start, head_of(headers, len(body)), b"" if isinstance(body, Pieces) else body))


def _close_all(server: Server) -> None:
    while server.free:
        server.free.pop().close()


def head_of(headers: dict[str, str], body_bytes: int) -> bytes:
    """A request's own headers, after those that all have.

    Raises:
        ValueError: a line break in one would start another.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() != "host"]
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise ValueError("a header has a line break in it; look for one in the API key")
    return f"{text}Content-Length: {body_bytes}\r\n\r\n".encode()


def _host(server: Server) -> str:
    name = f"[{server.host}]" if ":" in server.host else server.host.encode("idna").decode()
    return name if server.port == PORTS[server.scheme] else f"{name}:{server.port}"


@cache
def _context() -> ssl.SSLContext:
    """The machine's own authorities, or those of SSL_CERT_FILE; made when first needed, for it takes some time."""
    return ssl.create_default_context()
