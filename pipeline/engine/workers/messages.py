"""Messages between a run and its workers: tuples, pickled, all of one turn of the event loop in one write.

Both ends are one program of one user, and the socket is a pair that nobody else can open.
"""

import asyncio
import pickle
import struct
from collections.abc import Callable
from typing import Any, cast

LENGTH = struct.Struct("!I")

Message = tuple[Any, ...]  # its name, and what goes with it


class Channel(asyncio.Protocol):
    """`on_message` is called with each message in order, `on_closed` once, when the other end is gone."""

    def __init__(self, on_message: Callable[[Message], None], on_closed: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Message] = []
        self._incoming = bytearray()

    def send(self, *message: Any) -> None:  # noqa: ANN401 (whatever can be pickled)
        """Send it soon, with what else is sent in this turn; nothing happens once the other end is gone."""
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(message)

    def flush(self) -> None:
        if self._outgoing and self._transport is not None:
            data = pickle.dumps(self._outgoing, pickle.HIGHEST_PROTOCOL)
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
            messages = pickle.loads(memoryview(incoming)[LENGTH.size : end].tobytes())  # noqa: S301 (our own end)
            del incoming[:end]
            for message in messages:
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()
