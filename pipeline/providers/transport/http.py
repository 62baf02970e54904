"""The hot path: one attempt per call over kept connections. Never retries, never waits for anything but the answer."""

from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits
from pipeline.providers import Asked, CountingWire, Credentials, Upload, Wire, loaded_body
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.hints import shortened
from pipeline.providers.transport.connection import BadAnswer, Raw, Receive, Times, TooLarge
from pipeline.providers.transport.pool import Client, CutOff, Stale, Unsent
from pipeline.providers.transport.received import Received, told
from pipeline.types import HttpAnswer, Request

if TYPE_CHECKING:
    from pipeline.providers.transport.proxy import ProxiedClient

CONNECT_TIMEOUT_S = 30.0
CLOSED = "the server closed a kept connection as the request went out on it; asked again on a new one"


class HttpTransport:
    """Slots are admission's business: there are as many connections as there are calls."""

    def __init__(self, limits: Limits, credentials: Credentials, *, stream: bool) -> None:
        self._credentials = credentials
        self._times = Times(limits.timeout_s, CONNECT_TIMEOUT_S, limits.idle_timeout_s if stream else None)
        self._stream = stream
        self._client = Client(self._times)

    async def send(
        self, wire: Wire, request: Request, *, fresh: bool = False, upload: Upload | None = None
    ) -> HttpAnswer:
        """One attempt.

        Raises:
            CallFailed: no whole answer came (TIMEOUT, CONNECTION), or more than 32 MB of it (NO_ANSWER).
        """
        secret = await self._credentials.secret()
        body = wire.body(request) if upload is None else loaded_body(wire, upload)
        headers = wire.headers(body, secret, datetime.now(UTC))
        return await self.post(wire.url, body, headers, secret, wire, fresh=fresh)

    async def post(
        self, url: str, body: Body, headers: dict[str, str], secret: Secret, wire: Wire, *, fresh: bool = False
    ) -> HttpAnswer:
        """One POST and its answer, without the secret."""
        received = Received(wire, secret, headers, stream=self._stream)
        try:
            raw = await self._post(url, headers, body, received, fresh=fresh)
        except BadAnswer as error:
            if error.status is None or error.headers is None or error.status < 300:
                return received.despite(failure(error, secret), error)
            raw = Raw(error.status, error.headers, b"")  # its status says enough
        except Unsent as unsent:
            raise failure(unsent, secret) from unsent.__cause__
        except (Stale, TooLarge) as error:
            raise failure(error, secret) from error
        except (OSError, ValueError) as error:
            return received.despite(failure(error, secret), error)
        return received.whole(raw)

    async def post_counting(self, wire: CountingWire, body: Body, now: datetime) -> HttpAnswer:
        """A question for the provider's counting endpoint.

        Raises:
            CallFailed: as `send`.
        """
        secret = await self._credentials.secret()
        return await self.post(wire.count_url, body, wire.headers(body, secret, now), secret, wire)

    async def get(self, asked: Asked) -> HttpAnswer:
        """A GET on a connection of its own, and its answer, without the secret.

        Raises:
            CallFailed: as `send`.
        """
        secret = await self._credentials.secret()
        headers = asked.headers(secret, datetime.now(UTC))
        try:
            raw = await self._post(asked.url, headers, None, None, fresh=True)
        except Unsent as unsent:
            raise failure(unsent, secret) from unsent.__cause__
        except (Stale, TooLarge, OSError, ValueError) as error:
            raise failure(error, secret) from error
        return told(raw, headers, secret, None)

    async def aclose(self) -> None:
        await self._client.aclose()
        if "_proxied" in self.__dict__:
            await self._proxied.aclose()
        await self._credentials.aclose()

    async def _post(
        self, url: str, headers: dict[str, str], body: Body | None, receive: Receive | None, *, fresh: bool
    ) -> Raw:
        proxy = proxy_of(url)
        if proxy is None:
            return await self._client.post(url, headers, body, receive, fresh=fresh)
        return await self._proxied.post(url, headers, body, proxy, receive, fresh=fresh)

    @cached_property
    def _proxied(self) -> "ProxiedClient":
        from pipeline.providers.transport.proxy import ProxiedClient  # noqa: PLC0415 (aiohttp takes a while, and few need it)

        return ProxiedClient(self._times)


def failure(error: Exception, secret: Secret) -> CallFailed:
    """What is told of an attempt that brought no whole answer, or none that can be read; without the secret."""
    failed = _failure(error)
    failed.message = shortened(secret.unsaid(failed.message))
    return failed


def _failure(error: Exception) -> CallFailed:
    match error:
        case CutOff(__cause__=cause):
            kind = Kind.TIMEOUT if isinstance(cause, TimeoutError) else Kind.CONNECTION
            return CallFailed(kind, f"the upload broke off: {type(cause).__name__}: {cause}", sent=False)
        case Unsent(__cause__=TimeoutError() as cause):
            return CallFailed(Kind.TIMEOUT, f"no connection in time ({type(cause).__name__})", sent=False)
        case Unsent(__cause__=cause):
            return CallFailed(Kind.CONNECTION, f"no connection: {type(cause).__name__}: {cause}", sent=False)
        case Stale():
            return CallFailed(Kind.CONNECTION, CLOSED, stale=True, sent=error.whole)
        case TimeoutError():
            return CallFailed(Kind.TIMEOUT, f"no whole answer in time ({type(error).__name__})")
        case TooLarge():
            return CallFailed(Kind.NO_ANSWER, str(error), status=error.status, unread=error.status < 300)
        case BadAnswer():
            text = f"what came cannot be read: {error}; look at what stands between here and the provider"
            return CallFailed(Kind.NO_ANSWER, text, status=error.status, unread=(error.status or 0) < 300)
    return CallFailed(Kind.CONNECTION, f"the connection broke: {type(error).__name__}: {error}")


@lru_cache(maxsize=64)
def proxy_of(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY …) names for this URL; looked up once."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
