"""The run's end of the bridge: starts it, lends each worker a line through it, and says when it is gone."""

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

from msgspec import Struct

from pipeline.engine.frames import Channel, Frames, M
from pipeline.engine.ray.mux import Mux
from pipeline.engine.ray.places import FromBridge
from pipeline.engine.workers.ending import wait_or_kill

ROOT = Path(__file__).parents[3]  # the folder that holds the package
STOP_S = 5.0


class Link:
    """One bridge. `on_closed` is called once, when it is gone."""

    def __init__(self, on_message: Callable[[FromBridge], None], on_closed: Callable[[], None]) -> None:
        self._mux = Mux(Frames[FromBridge](FromBridge), self._on_bytes, on_message, on_closed)
        self._channels: dict[int, Channel[object]] = {}
        self._process: Process | None = None
        self._notices = tempfile.TemporaryFile()  # noqa: SIM115 (Ray's own, for as long as there is a bridge)

    async def start(self, environ: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().create_connection(lambda: self._mux, sock=ours)
        path = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "pipeline.engine.ray", str(theirs.fileno())),
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=self._notices,
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
        channel.attach(partial(self._mux.write, seat))
        self._channels[seat] = cast("Channel[object]", channel)
        return channel

    def forget(self, seat: int) -> None:
        self._channels.pop(seat, None)

    def last_words(self) -> str:
        """Of a bridge that has ended unasked."""
        self._notices.seek(0)
        lines = self._notices.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")[:500]

    async def close(self) -> None:
        """End it, and with it all workers; by its own id, if it takes too long."""
        self._mux.close()
        if self._process is not None:
            await wait_or_kill(self._process, STOP_S)
        self._notices.close()

    def _on_bytes(self, seat: int, data: bytes) -> None:
        if (channel := self._channels.get(seat)) is not None:
            channel.data_received(data)
