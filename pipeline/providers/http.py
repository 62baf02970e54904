"""The hot path: one aiohttp session, one attempt per call. Never retries, never waits for anything but the answer."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from pipeline.errors import CallFailed, Kind
from pipeline.job import Limits
from pipeline.providers import CountingWire, Credentials, Wire
from pipeline.providers.secrets import Secret
from pipeline.work import Answered, Request

CONNECT_TIMEOUT_S = 30.0
MOST_BYTES = 32 * 1024 * 1024


class HttpTransport:
    """Slots are admission's business: the session opens as many connections as there are calls."""

    def __init__(self, limits: Limits, credentials: Credentials, *, stream: bool) -> None:
        self._credentials = credentials
        self._timeout = aiohttp.ClientTimeout(
            total=limits.timeout_s,
            sock_connect=min(CONNECT_TIMEOUT_S, limits.timeout_s),
            sock_read=limits.idle_timeout_s if stream else None,
        )
        self._stream = stream
        self._session: aiohttp.ClientSession | None = None

    async def send(self, wire: Wire, request: Request) -> Answered:
        """One attempt.

        Raises:
            CallFailed: no whole answer came (TIMEOUT, CONNECTION), or more than 32 MB of it (NO_ANSWER).
        """
        secret = await self._credentials.secret()
        body = wire.body(request)
        return await self.post(wire.url, body, wire.headers(body, secret, datetime.now(UTC)), secret, wire)

    async def post(self, url: str, body: bytes, headers: dict[str, str], secret: Secret, wire: Wire) -> Answered:
        """One POST and its answer, without the secret."""
        began_s = asyncio.get_running_loop().time()
        try:
            async with self._opened().post(
                url, data=body, headers=headers, allow_redirects=False, proxy=proxy_of(url)
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                if self._stream and response.status == 200 and "json" not in response.content_type:
                    return await _streamed(wire, response, _Start(began_s, found), secret)
                return Answered(response.status, found, secret.redacted(await _bounded(response)))
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            sent = not isinstance(error, aiohttp.ConnectionTimeoutError)
            raise CallFailed(Kind.TIMEOUT, f"no whole answer in time ({type(error).__name__})", sent=sent) from error
        except (aiohttp.ClientConnectorError, ssl.SSLError) as error:
            raise CallFailed(
                Kind.CONNECTION, f"no connection: {type(error).__name__}: {error}"[:500], sent=False
            ) from error
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise CallFailed(Kind.CONNECTION, f"the connection broke: {type(error).__name__}: {error}"[:500]) from error

    async def post_counting(self, wire: CountingWire, body: bytes, now: datetime) -> Answered:
        """A question for the provider's counting endpoint.

        Raises:
            CallFailed: as `send`.
        """
        secret = await self._credentials.secret()
        return await self.post(wire.count_url, body, wire.headers(body, secret, now), secret, wire)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._credentials.aclose()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


@lru_cache(maxsize=64)
def proxy_of(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY …) names for this URL.

    Looked up once: aiohttp's own `trust_env` reads the environment and ~/.netrc for every request, a tenth of its CPU.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


@dataclass(frozen=True, slots=True)
class _Start:
    """When a request was sent, and the headers that came back."""

    began_s: float
    headers: dict[str, str]


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise CallFailed(Kind.NO_ANSWER, f"an answer of more than {MOST_BYTES // 2**20} MB", status=response.status)
    return bytes(body)


async def _streamed(wire: Wire, response: aiohttp.ClientResponse, start: _Start, secret: Secret) -> Answered:
    clock = asyncio.get_running_loop().time
    first_s, size = None, 0
    events = wire.stream()
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MOST_BYTES:
            raise CallFailed(Kind.NO_ANSWER, f"an answer of more than {MOST_BYTES // 2**20} MB", status=response.status)
        if events.feed(piece) and first_s is None:
            first_s = clock() - start.began_s
    ttft_ms = None if first_s is None else round(first_s * 1000)
    body = secret.redacted(events.finish(response.status, start.headers))
    return Answered(response.status, start.headers, body, ttft_ms)
