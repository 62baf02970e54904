"""The run's end of the bridge: starts it, lends each worker a line through it, and says when it is gone."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from msgspec import Struct

from pipeline.engine.ray.mux import Mux
from pipeline.engine.ray.places import FromBridge
from pipeline.engine.workers.frames import Channel, Frames, M

ROOT = Path(__file__).parents[3]  # the folder that holds the package
STOP_S = 5.0


class _Line:
    """Stands for a worker's socket."""

    def __init__(self, mux: "Mux[FromBridge]", seat: int) -> None:
        self._mux = mux
        self._seat = seat

    def write(self, data: bytes) -> None:
        self._mux.write(self._seat, data)

    def close(self) -> None:
        pass


class Link:
    """One bridge. `on_closed` is called once, when it is gone."""

    def __init__(self, on_message: Callable[[FromBridge], None], on_closed: Callable[[], None]) -> None:
        self._mux = Mux(Frames[FromBridge](FromBridge), self._on_bytes, on_message, on_closed)
        self._channels: dict[int, Channel[object]] = {}
        self._process: Process | None = None

    async def start(self, environ: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().create_connection(lambda: self._mux, sock=ours)
        path = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "pipeline.engine.ray", str(theirs.fileno())),
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,  # Ray's own notices; what matters is told by messages
                pass_fds=(theirs.fileno(),),
                env={**environ, "PYTHONPATH": path},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def send(self, message: Struct) -> None:
        self._mux.send(message)

    def channel(self, seat: int, frames: Frames[M], on_message: Callable[[M], None]) -> Channel[M]:
        """A worker's, from now on."""
        channel = Channel(frames, on_message, lambda: None)
        channel.connection_made(cast("asyncio.Transport", _Line(self._mux, seat)))
        self._channels[seat] = cast("Channel[object]", channel)
        return channel

    def forget(self, seat: int) -> None:
        self._channels.pop(seat, None)

    async def close(self) -> None:
        """End it, and with it all workers; by its own id, if it takes too long."""
        self._mux.close()
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _on_bytes(self, seat: int, data: bytes) -> None:
        if (channel := self._channels.get(seat)) is not None:
            channel.data_received(data)
