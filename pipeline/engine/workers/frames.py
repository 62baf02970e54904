"""How messages between a run and its workers get there: as MessagePack, those of one turn of the loop in one frame.

What text MessagePack cannot hold (a lone surrogate, which JSON can write as an escape) makes its frame one of JSON.
"""

import asyncio
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct, convert, msgpack, to_builtins

LENGTH = struct.Struct("!I")
PACKED, WRITTEN = b"\x00", b"\x01"  # what follows is MessagePack, or JSON

_PACK = msgpack.Encoder().encode
M = TypeVar("M")


class Frames(Generic[M]):
    """Frames of messages of one kind: `ToRun` or `ToWorker`.

    Example:
        >>> Frames[ToWorker](ToWorker).read(packed([Widen(3)]))  # of `messages`
        [Widen(calls=3)]
    """

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 (a union of structs is no type to mypy)
        self._kind = list[kind]
        self._unpack = msgpack.Decoder(self._kind).decode

    def read(self, frame: bytes | memoryview) -> list[M]:
        view = memoryview(frame)
        if view[:1] == PACKED:
            return cast("list[M]", self._unpack(view[1:]))
        return cast("list[M]", convert(json.loads(view[1:].tobytes()), self._kind))


def packed(messages: Sequence[Struct]) -> bytes:
    """These messages as one frame."""
    try:
        return PACKED + _PACK(messages)
    except UnicodeEncodeError:
        return WRITTEN + json.dumps(to_builtins(messages)).encode()


class _Attached:
    """As much of a transport as a channel asks for."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write

    def close(self) -> None:
        pass


class Channel(asyncio.Protocol, Generic[M]):
    """`on_message` is called with each message in order, `on_closed` once, when the other end is gone."""

    def __init__(
        self,
        frames: Frames[M],
        on_message: Callable[[M], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._on_message = on_message
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Struct] = []
        self._incoming = bytearray()

    def attach(self, write: Callable[[bytes], None]) -> None:
        """What is sent goes there: no socket is between the ends."""
        self._transport = cast("asyncio.Transport", _Attached(write))

    def send(self, message: Struct) -> None:
        """Send it soon, with what else is sent in this turn; nothing happens once the other end is gone."""
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(message)

    def flush(self) -> None:
        if self._outgoing and self._transport is not None:
            data = packed(self._outgoing)
            self._transport.write(LENGTH.pack(len(data)) + data)
        self._outgoing = []

    def close(self) -> None:
        """What was sent still gets there."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        incoming = self._incoming
        incoming += data
        while len(incoming) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(incoming)[0]
            if len(incoming) < end:
                return
            messages = self._frames.read(memoryview(incoming)[LENGTH.size : end].tobytes())
            del incoming[:end]
            for message in messages:
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()
