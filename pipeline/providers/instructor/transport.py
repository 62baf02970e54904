"""A transport by instructor's client: one HTTP request a call, whose answer is handed on as it came."""

import asyncio
from collections.abc import Iterator

import orjson

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits, Model
from pipeline.providers import Credentials, Upload, Wire
from pipeline.providers.instructor.exchange import Caught, Exchange, SecondRequest, current
from pipeline.providers.instructor.installed import require_client
from pipeline.providers.transport.http import CONNECT_TIMEOUT_S
from pipeline.providers.transport.received import Received
from pipeline.types import HttpAnswer, Request

UNSENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}  # httpx's, of either generation
SHORT = 300  # characters of a client's own words


class InstructorTransport:
    def __init__(self, model: Model, limits: Limits, credentials: Credentials) -> None:
        """Raises JobError: instructor or the vendor's client is not installed, or does not know the provider."""
        require_client(model.provider)
        from pipeline.providers.instructor.client import InstructorClient  # noqa: PLC0415 (a second of imports)

        self._client = InstructorClient(model)
        self._credentials = credentials
        self._timeout_s = limits.timeout_s
        connect_s = min(CONNECT_TIMEOUT_S, limits.timeout_s)
        self._timeout = {
            "connect": connect_s,
            "pool": limits.timeout_s,
            "read": limits.timeout_s,
            "write": limits.timeout_s,
        }
        self._moved_to = "" if self._client.moves_by_itself else model.base_url

    async def send(
        self,
        wire: Wire,
        request: Request,
        *,
        fresh: bool = False,  # noqa: ARG002 (its own pool)
        upload: Upload | None = None,  # noqa: ARG002 (no file goes this way)
    ) -> HttpAnswer:
        """One attempt.

        Raises:
            CallFailed: no whole answer came (TIMEOUT, CONNECTION), or more than 32 MB of it (NO_ANSWER); or the client
                did not take the keywords (INVALID_REQUEST, not sent).
        """
        secret = await self._credentials.secret()
        exchange = Exchange(secret, self._timeout, self._moved_to)
        received = Received(wire, secret, {}, stream=False)
        failure, cause = await self._asked(exchange, bytes(wire.body(request)))
        if exchange.status is not None:
            received(exchange.status, exchange.headers)
        if exchange.raw is not None:
            return received.whole(exchange.raw)
        return received.despite(exchange.failure or failure, cause)

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._credentials.aclose()

    async def _asked(self, exchange: Exchange, body: bytes) -> tuple[CallFailed, BaseException | None]:
        """What it is called if the exchange then holds no answer."""
        token = current.set(exchange)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.ask(orjson.loads(body))
        except TimeoutError as error:
            return CallFailed(Kind.TIMEOUT, f"no whole answer in {self._timeout_s:g} s", sent=exchange.sent), error
        except (Caught, SecondRequest) as error:
            return CallFailed(Kind.CONNECTION, "the connection broke"), error
        except Exception as error:  # noqa: BLE001 (the vendors' clients have no common base)
            return failure_of(error, exchange), error
        finally:
            current.reset(token)
        return CallFailed(Kind.NO_ANSWER, "the client returned without an answer", unread=exchange.sent), None


def failure_of(error: Exception, exchange: Exchange) -> CallFailed:
    """What a client raised, by the error of its HTTP client that it came from."""
    names = [type(one).__name__ for one in _chain(error)]
    if not exchange.sent:
        words = exchange.secret.unsaid(f"the client did not take the request: {error}")[:SHORT]
        return CallFailed(Kind.INVALID_REQUEST, words, sent=False)
    kind = Kind.TIMEOUT if any("Timeout" in name for name in names) else Kind.CONNECTION
    words = "no whole answer in time" if kind is Kind.TIMEOUT else "the connection broke"
    told = " from ".join(dict.fromkeys(names))
    return CallFailed(kind, f"{words} ({told})"[:SHORT], sent=UNSENT.isdisjoint(names))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
