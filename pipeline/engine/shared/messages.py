"""What is said between the run that keeps an account's limits and one that asks for them, and the line it goes over.

Each message is a tagged MessagePack array; all of one turn of the event loop go in one frame: its length in four
bytes, then an array of them.
"""

import asyncio
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

from msgspec import DecodeError, Struct, msgpack
from msgspec.structs import replace

from pipeline.admission.charges import Need
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.handover import Handover
from pipeline.admission.report import Report
from pipeline.types import Dimension

LENGTH = struct.Struct("!I")
LONGEST_BYTES = 1 << 24
PROTOCOL = 1


class Hello(Struct, frozen=True, tag=True, array_like=True):
    """The first word of who asks. `given`: by its job, per minute; `out`: its calls that another has let out."""

    version: str
    concurrency: int
    given: dict[Dimension, float]
    out: list[tuple[int, Need]]


class Ask(Struct, frozen=True, tag=True, array_like=True):
    """For the limits of one call, by its number."""

    number: int
    need: Need
    retry: bool


class Withdraw(Struct, frozen=True, tag=True, array_like=True):
    """It is wanted no more."""

    number: int


class Finish(Struct, frozen=True, tag=True, array_like=True):
    """What a call's end tells of limits."""

    number: int
    report: Report


class Widen(Struct, frozen=True, tag=True, array_like=True):
    """It may have so many calls at once from now on."""

    concurrency: int


class Welcome(Struct, frozen=True, tag=True, array_like=True):
    """`runs` share the limits by now."""

    runs: int


class Unlike(Struct, frozen=True, tag=True, array_like=True):
    """Another version keeps the limits: with that one nothing is shared."""

    version: str


class Granted(Struct, frozen=True, tag=True, array_like=True):
    number: int


class State(Struct, frozen=True, tag=True, array_like=True):
    """Now and then. `why`: what the next call waits for; `in_flight`: of the run that keeps the limits itself."""

    handover: Handover
    views: tuple[DimensionView, ...]
    why: str
    in_flight: int
    runs: int


class Bye(Struct, frozen=True, tag=True, array_like=True):
    """It ends, with nothing in flight: another may keep the limits from here on."""


Up = Hello | Ask | Withdraw | Finish | Widen
Down = Welcome | Unlike | Granted | State | Bye
T = TypeVar("T")
FROM_ASKING: "msgpack.Decoder[list[Up]]" = msgpack.Decoder(list[Up])
FROM_KEEPING: "msgpack.Decoder[list[Down]]" = msgpack.Decoder(list[Down])


def bare(need: Need) -> Need:
    """Without what is the run's own: its money and its tenant."""
    return replace(need, usd=Decimal(0), tenant=None)


class Line(asyncio.Protocol, Generic[T]):
    """`on_message` is called with each message in order, `on_closed` once. What is no message ends the line."""

    def __init__(
        self, decoder: "msgpack.Decoder[list[T]]", on_message: Callable[[T], None], on_closed: Callable[[], None]
    ) -> None:
        self._decoder = decoder
        self._on_message = on_message
        self._on_closed = on_closed
        self._encoder = msgpack.Encoder()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Any] = []
        self._incoming = bytearray()

    def send(self, message: Struct) -> None:
        """Soon, with what else is sent in this turn; nothing happens once the other end is gone."""
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(message)

    def flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if outgoing and self._transport is not None:
            data = self._encoder.encode(outgoing)
            self._transport.write(LENGTH.pack(len(data)) + data)

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
            (length,) = LENGTH.unpack_from(incoming)
            if length > LONGEST_BYTES:
                self._break()
                return
            end = LENGTH.size + length
            if len(incoming) < end:
                return
            frame = bytes(memoryview(incoming)[LENGTH.size : end])
            del incoming[:end]
            try:
                messages = self._decoder.decode(frame)
            except (DecodeError, ValueError):
                self._break()
                return
            for message in messages:
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()

    def _break(self) -> None:
        self._incoming.clear()
        if self._transport is not None:
            self._transport.abort()
