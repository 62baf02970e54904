"""How messages between processes get there: as MessagePack, those of one turn of the loop in one frame.

A frame is its length in four bytes, a byte that says how it is written, and a list of messages, which are tagged
structs. What text MessagePack cannot hold (a lone surrogate, which JSON can write as an escape) makes it one of JSON.
"""

import asyncio
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct, convert, msgpack, to_builtins

LENGTH = struct.Struct("!I")
PACKED, WRITTEN = b"\x00", b"\x01"  # what follows is MessagePack, or JSON

_PACK = msgpack.Encoder().encode
M = TypeVar("M")


class Pieces:
    """A stream of bytes, cut where its senders ended: each piece has a head, whose first number is its length."""

    def __init__(self, head: struct.Struct, most_bytes: int | None = None) -> None:
        self._head, self._most_bytes = head, most_bytes
        self._incoming = bytearray()

    def of(self, data: bytes) -> Iterator[tuple[tuple[int, ...], bytes]]:
        """The pieces that are whole by now, each with its head.

        Raises:
            ValueError: one would have more than `most_bytes`.
        """
        incoming, start = self._incoming, self._head.size
        incoming += data
        while len(incoming) >= start:
            head = self._head.unpack_from(incoming)
            if self._most_bytes is not None and head[0] > self._most_bytes:
                raise ValueError(f"a frame of {head[0]} bytes")
            end = start + head[0]
            if len(incoming) < end:
                return
            piece = memoryview(incoming)[start:end].tobytes()
            del incoming[:end]
            yield head, piece


class Frames(Generic[M]):
    """Frames of messages of one kind, as `ToRun` or `ToWorker`.

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
        most_bytes: int | None = None,
    ) -> None:
        self._frames = frames
        self._pieces = Pieces(LENGTH, most_bytes)
        self._on_message = on_message
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Struct] = []

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
        for message in self._messages(data):
            self._on_message(message)

    def _messages(self, data: bytes) -> Iterator[M]:
        for _, frame in self._pieces.of(data):
            yield from self._frames.read(frame)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()
