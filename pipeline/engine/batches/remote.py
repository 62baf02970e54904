"""What is asked of a provider's batch API, carried out: one attempt each, files streamed both ways."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import aiohttp
from msgspec import Struct

from pipeline.errors import CallFailed, Kind
from pipeline.providers import Credentials
from pipeline.providers.batches import BatchAsk, BatchWire, RemoteBatch, StoredBatchWire
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened
from pipeline.providers.transport.connection import Raw
from pipeline.providers.transport.received import told
from pipeline.types import HttpAnswer

CONNECT_S = 30.0
ANSWER_S = 120.0  # of silence
PIECE_BYTES = 256 * 1024
MOST_BYTES = 32 * 1024 * 1024  # of an answer that is no file


class Artifact(Struct, frozen=True):
    """The file of a batch's lines, each of which ends with a newline."""

    path: Path
    rows: int


class Remote:
    """One provider. Nothing is tried twice here: who asks knows whether that may cost."""

    def __init__(self, wire: BatchWire, credentials: Credentials) -> None:
        self.wire = wire
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, ask: BatchAsk, artifact: Artifact | None = None) -> HttpAnswer:
        """One request and its answer, whatever its status.

        Raises:
            CallFailed: no whole answer came.
        """
        secret = await self._credentials.secret()
        try:
            with contextlib.ExitStack() as closing:  # an upload that breaks off leaves its generator where it stands
                file = closing.enter_context(artifact.path.open("rb")) if ask.lines and artifact is not None else None
                rows = 0 if artifact is None else artifact.rows
                async with self._opened(ask, secret, file, rows) as response:
                    return self._told(response, await _whole(response), secret)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failed(error, secret) from error

    async def fetch(self, ask: BatchAsk, to: Path) -> HttpAnswer:
        """A file, written to `to`; the answer's body is empty where it is one.

        Raises:
            CallFailed: it did not come whole.
        """
        secret = await self._credentials.secret()
        try:
            async with self._opened(ask, secret) as response:
                if response.status != 200:
                    return self._told(response, await _whole(response), secret)
                with await asyncio.to_thread(to.open, "wb") as file:
                    async for piece in response.content.iter_chunked(PIECE_BYTES):
                        await asyncio.to_thread(file.write, piece)
                return self._told(response, b"", secret)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failed(error, secret) from error

    async def look(self, batch_id: str) -> RemoteBatch:
        """A batch as it stands, with what only its bucket tells.

        Raises:
            CallFailed: as `ask`, or the answer is no batch, or the bucket is shut.
        """
        seen = self.wire.looked(await self.ask(self.wire.look(batch_id)))
        more, page = bool(seen.inside), ""
        while more:
            wire = cast("StoredBatchWire", self.wire)
            seen, page = wire.filled(seen, await self.ask(wire.inside(seen, page)))
            more = bool(page)
        return seen

    async def secret(self) -> Secret:
        """What is to be taken out of lines."""
        return await self._credentials.secret()

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self._credentials.aclose()

    def _opened(
        self, ask: BatchAsk, secret: Secret, file: BinaryIO | None = None, rows: int = 0
    ) -> "aiohttp.client._RequestContextManager":
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        headers = {**self.wire.headers(ask, secret, datetime.now(UTC)), **ask.headers}
        if ask.content_type:
            headers["Content-Type"] = ask.content_type
        data: bytes | AsyncIterator[bytes] | None = ask.head or None
        if file is not None:
            headers["Content-Length"] = str(_size(ask, os.fstat(file.fileno()).st_size, rows))
            data = _body(ask, file)
        return self._session.request(ask.method, ask.url, headers=headers, data=data, allow_redirects=False)

    def _told(self, response: aiohttp.ClientResponse, body: bytes, secret: Secret) -> HttpAnswer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return told(Raw(response.status, headers, body), {}, secret, None)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """All of an answer that is no file; `read(n)` would give what has come by then.

    Raises:
        CallFailed: it is larger than any such answer.
    """
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise CallFailed(Kind.DAMAGED, f"the batch API's answer is larger than {MOST_BYTES:,} bytes")
    return b"".join(pieces)


async def _body(ask: BatchAsk, file: BinaryIO) -> AsyncIterator[bytes]:
    """The lines of the artifact with what the provider wants around and between them."""
    yield ask.head
    first = True
    while lines := await asyncio.to_thread(_some_lines, file):
        joined = ask.between.join(lines)
        yield joined if first else ask.between + joined
        first = False
    yield ask.tail


def _some_lines(file: BinaryIO) -> list[bytes]:
    return [line.rstrip(b"\n") for line in file.readlines(PIECE_BYTES)]


def _size(ask: BatchAsk, artifact_bytes: int, rows: int) -> int:
    """The artifact ends every line with a newline; the body has `between` only between lines."""
    return len(ask.head) + artifact_bytes - rows + max(0, rows - 1) * len(ask.between) + len(ask.tail)


def _failed(error: Exception, secret: Secret) -> CallFailed:
    words = shortened(secret.unsaid(f"{type(error).__name__}: {error}"))
    if isinstance(error, aiohttp.ClientConnectorError):
        return CallFailed(Kind.CONNECTION, f"no connection: {words}", sent=False)
    kind = Kind.TIMEOUT if isinstance(error, TimeoutError) else Kind.CONNECTION
    return CallFailed(kind, f"the batch API did not answer: {words}")
