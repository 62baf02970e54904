"""What the SDKs of OpenAI, Anthropic and Google have in common: the HTTP client beneath them, and how it fails."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
from msgspec import Struct

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits
from pipeline.providers.transport.http import CONNECT_TIMEOUT_S
from pipeline.providers.transport.pool import IDLE_MOST_S
from pipeline.providers.transport.sdk import Incoming, Outgoing

NO_LIMITS = httpx2.Limits(  # slots are admission's business
    max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_MOST_S
)
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


def timeout_of(limits: Limits, *, stream: bool) -> httpx2.Timeout:
    connect_s = min(CONNECT_TIMEOUT_S, limits.timeout_s)
    return httpx2.Timeout(
        limits.timeout_s, connect=connect_s, read=limits.idle_timeout_s if stream else limits.timeout_s
    )


@asynccontextmanager
async def opened(response: httpx2.Response) -> AsyncIterator[Incoming]:
    """The answer, read or not; closed with the block."""
    try:
        yield Incoming(response.status_code, lowered(response.headers), response.aiter_bytes())
    finally:
        await response.aclose()


@contextmanager
def failures(*of_sdk: type[Exception]) -> Iterator[None]:
    """The client's errors as CallFailed, and the SDK's own that are raised from them."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (httpx2.HTTPError, *of_sdk)):
            raise
        cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
        kind = Kind.TIMEOUT if isinstance(cause, httpx2.TimeoutException) else Kind.CONNECTION
        words = "no whole answer in time" if kind is Kind.TIMEOUT else "the connection broke"
        names = " from ".join(type(one).__name__ for one in dict.fromkeys((error, cause)) if one is not None)
        raise CallFailed(kind, f"{words} ({names})", sent=not isinstance(cause, UNSENT)) from error


class PostCarrier(Struct, frozen=True):
    """Carries by the SDK's own `post`: the clients of OpenAI and Anthropic are made by one generator.

    `error` is the SDK's base class of errors, `status_error` the one that holds an answer; `left_out` are headers that
    the client would add of its own.
    """

    client: Any
    error: type[Exception]
    status_error: Any
    stream_cls: Any
    left_out: Mapping[str, object]

    async def ready(self, outgoing: Outgoing) -> None:
        pass

    @asynccontextmanager
    async def exchange(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        headers = {**self.left_out, **lowered(outgoing.headers)}
        with failures(self.error):
            try:
                response = await self.client.post(
                    outgoing.url,
                    content=outgoing.body,
                    cast_to=httpx2.Response,
                    options={"headers": headers},
                    stream=True,
                    stream_cls=self.stream_cls,
                )
            except self.status_error as error:
                response = error.response
            async with opened(response) as incoming:
                yield incoming

    async def aclose(self) -> None:
        await self.client.close()


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
