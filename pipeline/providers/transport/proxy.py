"""POST through a proxy, by aiohttp: with the answers and errors of `pool.Client`."""

import ssl

import aiohttp

from pipeline.providers.transport.connection import MOST_BYTES, BadAnswer, Raw, Receive, Times, TooLarge
from pipeline.providers.transport.pool import Unsent


class ProxiedClient:
    """All connections of a run, through whatever proxy."""

    def __init__(self, times: Times) -> None:
        connect_s = min(times.connect_timeout_s, times.timeout_s)
        self._timeout = aiohttp.ClientTimeout(
            total=times.timeout_s, sock_connect=connect_s, sock_read=times.idle_timeout_s
        )
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, headers: dict[str, str], body: bytes, proxy: str, receive: Receive | None = None
    ) -> Raw:
        """As `Client.post`."""
        try:
            async with self._opened().post(
                url, data=body, headers=headers, allow_redirects=False, proxy=proxy
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                take = None if receive is None else receive(response.status, found)
                pieces, size = [], 0
                async for piece in response.content.iter_any():
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise TooLarge(response.status)
                    if take is None:
                        pieces.append(piece)
                    else:
                        take(piece)
                return Raw(response.status, found, b"".join(pieces))
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, ssl.SSLError) as error:
            raise Unsent from error
        except aiohttp.ServerTimeoutError:
            raise
        except (aiohttp.ClientError, EOFError) as error:
            raise BadAnswer(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session
