"""POST, and GET, through a proxy, by aiohttp: with the answers and errors of `pool.Client`."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from msgspec import Struct

from pipeline.providers.files import Body, Pieces, is_large, upload_s
from pipeline.providers.transport.connection import MOST_BYTES, BadAnswer, Raw, Receive, Take, Times, TooLarge
from pipeline.providers.transport.pool import ADDRESSES_S, IDLE_MOST_S, Stale, Unsent
from pipeline.providers.transport.trust import Trust


class ProxiedClient:
    """All connections of a run, through whatever proxy."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._timeout = _timeout(times)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}  # with connections that are kept, and without
        self._trust = Trust()

    async def post(
        self,
        url: str,
        headers: dict[str, str],
        body: Body | None,
        proxy: str,
        receive: Receive | None = None,
        *,
        fresh: bool = False,
    ) -> Raw:
        """As `Client.post`."""
        sent, data, timeout = _Sent(), body if isinstance(body, bytes) else None, self._timeout
        turns = _in_turn(body) if isinstance(body, Pieces) else None
        if isinstance(body, Pieces):  # aiohttp would send one of unknown length in chunks, which not all servers take
            headers = {**headers, "Content-Length": str(len(body))}
            timeout = _timeout(self._times, upload_s(body))
        session = self._opened(kept=not fresh and not is_large(body) and not self._trust.lost)
        ask = session.get if body is None else session.post
        try:
            async with ask(
                url,
                data=data or turns,
                headers=headers,
                allow_redirects=False,
                proxy=proxy,
                timeout=timeout,
                trace_request_ctx=sent,
            ) as response:
                if sent.reused:
                    self._trust.answered()
                    sent.reused = False  # it has been heard
                found = {name.lower(): value for name, value in response.headers.items()}
                told = await _read(response, None if receive is None else receive(response.status, found))
                return Raw(response.status, found, told)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, ssl.SSLError) as error:
            raise Unsent from error
        except aiohttp.ServerTimeoutError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not sent.reused:
                raise ConnectionError(f"{type(error).__name__}: {error}") from error
            self._trust.ended()
            raise Stale from error
        except (aiohttp.ClientPayloadError, EOFError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        except aiohttp.ClientError as error:
            raise BadAnswer(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].close()

    def _opened(self, *, kept: bool) -> aiohttp.ClientSession:
        if kept not in self._sessions:
            keeping: dict[str, Any] = {"keepalive_timeout": IDLE_MOST_S} if kept else {"force_close": True}
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=round(ADDRESSES_S), **keeping)
            self._sessions[kept] = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[_told()]
            )
        return self._sessions[kept]


async def _read(response: aiohttp.ClientResponse, take: Take | None) -> bytes:
    """The body, where nobody takes it."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLarge(response.status)
        if take is None:
            pieces.append(piece)
        else:
            take(piece)
    return b"".join(pieces)


def _timeout(times: Times, more_s: float = 0.0) -> aiohttp.ClientTimeout:
    connect_s = min(times.connect_timeout_s, times.timeout_s)
    return aiohttp.ClientTimeout(total=times.timeout_s + more_s, sock_connect=connect_s, sock_read=times.idle_timeout_s)


async def _in_turn(body: Pieces) -> AsyncIterator[memoryview]:
    for piece in body:
        yield piece
    body.sent()


class _Sent(Struct):
    """One request; `reused`: it went out on a kept connection."""

    reused: bool = False


def _told() -> aiohttp.TraceConfig:
    """Has aiohttp tell each request which connection it goes out on."""
    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(_reused)
    return config


async def _reused(_session: aiohttp.ClientSession, context: Any, _told: object) -> None:  # noqa: ANN401 (aiohttp's own)
    context.trace_request_ctx.reused = True
