"""The provider's official SDK as a transport: proxies, certificates and endpoints as the SDK's users have set them up.

It carries the bytes of our own wire, and its answer is judged by our own wire: the SDK's models, parsers and error
texts are passed by, and so are its retries, for there is one owner of retries. One file per SDK, imported when used.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Protocol

from pipeline.catalog.providers import PROVIDERS
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Limits, Model
from pipeline.providers import Credentials, Upload, Wire, loaded_body
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import upload_s
from pipeline.providers.transport.connection import MOST_BYTES, Raw
from pipeline.providers.transport.received import Received
from pipeline.types import HttpAnswer, Request


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt, as the wire wants it sent."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)
    secret: Secret


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer whose body is still to be read. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class SdkClient(Protocol):
    """One SDK's client."""

    async def ready(self, outgoing: Outgoing) -> None:
        """What has to be made before a call like this can be sent. Takes its time, which is not the call's."""
        ...

    def exchange(self, outgoing: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send once; the answer is open while the block lasts.

        Raises:
            CallFailed: TIMEOUT or CONNECTION, also while the answer is read within the block.
        """
        ...

    async def aclose(self) -> None: ...


class SdkTransport:
    """Where to, with what key and which bytes is the wire's to say; how they get there is the SDK's."""

    def __init__(self, model: Model, limits: Limits, credentials: Credentials) -> None:
        """Raises JobError: the SDK is not installed; prints the command that installs it."""
        entry = PROVIDERS[model.provider]
        try:
            self._carrier: SdkClient = import_module(entry.carrier).carrier(model, limits)
        except ImportError as error:
            raise JobError(
                f'model.transport = "sdk" needs the official SDK of {model.provider} ({error}). '
                f"Install it:  pip install 'ledger-pipeline[{entry.extra}]'"
            ) from None
        self._timeout_s = limits.timeout_s
        self._stream = model.stream
        self._credentials = credentials

    async def send(
        self,
        wire: Wire,
        request: Request,
        *,
        fresh: bool = False,  # noqa: ARG002 (the SDK's own pool)
        upload: Upload | None = None,
    ) -> HttpAnswer:
        """One attempt.

        Raises:
            CallFailed: no whole answer came (TIMEOUT, CONNECTION), or more than 32 MB of it (NO_ANSWER).
        """
        secret = await self._credentials.secret()
        body = wire.body(request) if upload is None else loaded_body(wire, upload)
        headers, timeout_s = wire.headers(body, secret, datetime.now(UTC)), self._timeout_s + upload_s(body)
        outgoing = Outgoing(wire.url, bytes(body), headers, secret)
        await self._carrier.ready(outgoing)
        received = Received(wire, secret, outgoing.headers, stream=self._stream)
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(timeout_s), self._carrier.exchange(outgoing) as incoming:
                take = received(incoming.status, dict(incoming.headers)) or pieces.append
                async for piece in _bounded(incoming):
                    take(piece)
        except TimeoutError as error:
            failure = CallFailed(Kind.TIMEOUT, f"no whole answer in {timeout_s:g} s")
            return received.despite(failure, error)
        except CallFailed as failure:
            if failure.kind not in {Kind.TIMEOUT, Kind.CONNECTION} or not failure.sent:
                raise
            return received.despite(failure, failure.__cause__)
        return received.whole(Raw(incoming.status, dict(incoming.headers), b"".join(pieces)))

    async def aclose(self) -> None:
        await self._carrier.aclose()
        await self._credentials.aclose()


async def _bounded(incoming: Incoming) -> AsyncIterator[bytes]:
    size = 0
    async for piece in incoming.pieces:
        size += len(piece)
        if size > MOST_BYTES:
            words = f"an answer of more than {MOST_BYTES // 2**20} MB"
            raise CallFailed(Kind.NO_ANSWER, words, status=incoming.status, unread=incoming.status < 300)
        yield piece
