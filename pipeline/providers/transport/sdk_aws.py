"""AWS's SDK (aiobotocore, as aioboto3 brings it) for Bedrock. It finds the endpoint, signs and sends.

Its models of the operations are as old as its release: newer fields (outputConfig, serviceTier, strict tools) it
refuses in a body, and drops from an answer. So it is asked for a call with next to nothing in it; at two of its public
events the wire's bytes are put in before they are signed, and the answer is handed past its parser by raising it.
"""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any, NoReturn
from urllib.parse import unquote

import aiohttp
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from botocore import UNSIGNED, exceptions  # type: ignore[import-untyped]

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits, Model
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import LARGE_BYTES
from pipeline.providers.transport.http import CONNECT_TIMEOUT_S
from pipeline.providers.transport.pool import IDLE_MOST_S
from pipeline.providers.transport.sdk import Incoming, Outgoing

URL = re.compile(r"^(.+?)/model/([^/]+)/([a-z-]+)$")
SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
ANY_REGION = "us-east-1"  # where nothing is signed
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {  # end of the URL → method, and the least that it takes
    "converse": ("converse", {}),
    "converse-stream": ("converse_stream", {}),
    "invoke": ("invoke_model", {"body": b"{}"}),
    "invoke-with-response-stream": ("invoke_model_with_response_stream", {"body": b"{}"}),
}
BROKEN = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
PIECE_BYTES = 65_536
MOST_CONNECTIONS = 100_000  # slots are admission's business

current: ContextVar[Outgoing] = ContextVar("current")


class AwsAnswerCaught(Exception):
    """An answer, on its way past the SDK's parser."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


class AwsCarrier:
    def __init__(self, model: Model, limits: Limits) -> None:
        self._read_s = limits.idle_timeout_s if model.stream else limits.timeout_s
        self._connect_s = min(CONNECT_TIMEOUT_S, limits.timeout_s)
        self._session = get_session()
        self._clients: dict[tuple[str, str, Secret], Any] = {}
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def ready(self, outgoing: Outgoing) -> None:
        """One client for each secret; an older one stays open for the calls that it still carries."""
        key = _key(outgoing)
        async with self._opening:
            if key in self._clients:
                return
            try:
                client = await self._open.enter_async_context(self._opened(*key))
            except exceptions.BotoCoreError as error:
                raise _failed(error) from error
            client.meta.events.register("before-call.bedrock-runtime", _put_in)
            client.meta.events.register("before-parse.bedrock-runtime", _hand_past)
            self._clients[key] = client

    @asynccontextmanager
    async def exchange(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        try:
            answer = await self._answered(outgoing)
            body = answer["body"]
            try:
                yield Incoming(answer["status_code"], dict(answer["headers"]), _pieces(body))
            finally:
                if not isinstance(body, bytes):
                    body.close()
        except (exceptions.BotoCoreError, aiohttp.ClientError) as error:
            raise _failed(error) from error

    async def aclose(self) -> None:
        await self._open.aclose()

    async def _answered(self, outgoing: Outgoing) -> dict[str, Any]:
        _, _, model, operation, _ = URL.split(outgoing.url)
        method, least = OPERATIONS[operation]
        current.set(outgoing)
        try:
            await getattr(self._clients[_key(outgoing)], method)(modelId=unquote(model), **least)
        except AwsAnswerCaught as past:
            return past.answer
        raise RuntimeError("AWS's SDK has answered by other ways than its events")

    def _opened(self, base: str, region: str, secret: Secret) -> Any:  # noqa: ANN401 (the SDK has no types)
        config = AioConfig(
            retries={"total_max_attempts": 1},
            connect_timeout=self._connect_s,
            read_timeout=self._read_s,
            max_pool_connections=MOST_CONNECTIONS,
            connector_args={"keepalive_timeout": IDLE_MOST_S},
            signature_version=UNSIGNED if secret.bearer else None,
        )
        return self._session.create_client(
            "bedrock-runtime",
            region_name=region,
            endpoint_url=base,
            config=config,
            aws_access_key_id=secret.access_key_id or None,
            aws_secret_access_key=None if secret.bearer else secret.value,
            aws_session_token=secret.session_token or None,
        )


def carrier(model: Model, limits: Limits) -> AwsCarrier:
    return AwsCarrier(model, limits)


def _key(outgoing: Outgoing) -> tuple[str, str, Secret]:
    """What a client is of: where to, in which region (that the wire signs for), and with which secret."""
    found = SIGNED_FOR.search(outgoing.headers["Authorization"])
    return URL.split(outgoing.url)[1], found.group(1) if found else ANY_REGION, outgoing.secret


def _put_in(params: dict[str, Any], **_: object) -> None:
    """The wire's bytes for the SDK's, before they are signed; and the wire's key where nothing is."""
    outgoing = current.get()
    body = outgoing.body
    params["body"] = io.BytesIO(body) if len(body) >= LARGE_BYTES else body  # aiohttp warns of large ones in one piece
    for name, value in outgoing.headers.items():
        if outgoing.secret.bearer or name.lower() == "content-type" or name.startswith("x-amzn-"):
            params["headers"][name.title()] = value  # as the SDK spells them: two spellings would be two headers


def _hand_past(response_dict: dict[str, Any], **_: object) -> NoReturn:
    raise AwsAnswerCaught(response_dict)


def _pieces(body: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 (bytes, botocore's body, or aiohttp's answer)
    if isinstance(body, bytes):
        return _one(body)
    found: AsyncIterator[bytes] = (
        body.iter_chunks(PIECE_BYTES) if hasattr(body, "iter_chunks") else body.content.iter_any()
    )
    return found


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


def _failed(error: Exception) -> CallFailed:
    """By its type: what the SDK says beside it may hold anything."""
    of_sdk = isinstance(error, exceptions.BotoCoreError)
    inner = error.kwargs.get("error") if of_sdk else error  # type: ignore[attr-defined]
    names = " from ".join(type(one).__name__ for one in dict.fromkeys((error, inner)) if isinstance(one, Exception))
    if isinstance(error, (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError, TimeoutError)):
        sent = not isinstance(error, exceptions.ConnectTimeoutError)
        return CallFailed(Kind.TIMEOUT, f"no whole answer in time ({names})", sent=sent)
    if of_sdk and not isinstance(error, BROKEN):
        return CallFailed(Kind.AUTH, f"AWS's SDK cannot be used as it is set up ({names})", sent=False)
    sent = not isinstance(inner, aiohttp.ClientConnectorError)
    return CallFailed(Kind.CONNECTION, f"the connection broke ({names})", sent=sent)
