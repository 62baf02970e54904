"""The socket between a run and its bridge: bytes of many workers, by their numbers, and words of the bridge's own."""

import asyncio
import struct
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from msgspec import Struct

from pipeline.engine.frames import Frames, Pieces, packed

HEAD = struct.Struct("!II")  # bytes that follow, and whose they are
OWN = 0  # no worker's: messages of the bridge
M = TypeVar("M")


class Mux(asyncio.Protocol, Generic[M]):
    """`on_bytes` gets a worker's number and bytes, unread; `on_message` what the other end says itself."""

    def __init__(
        self,
        frames: Frames[M],
        on_bytes: Callable[[int, bytes], None],
        on_message: Callable[[M], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._on_bytes = on_bytes
        self._on_message = on_message
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._pieces = Pieces(HEAD)

    def write(self, seat: int, data: bytes) -> None:
        """Nothing happens once the other end is gone."""
        if self._transport is not None:
            self._transport.write(HEAD.pack(len(data), seat) + data)

    def send(self, message: Struct) -> None:
        self.write(OWN, packed([message]))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        for (_, seat), piece in self._pieces.of(data):
            if seat != OWN:
                self._on_bytes(seat, piece)
                continue
            for message in self._frames.read(piece):
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()
