"""The sandbox as a process: it says where it listens, and serves until it is told to stop.

Nothing of a run depends on how it ends: all that the sandbox knows is gone with it.
"""

import asyncio
import os
import signal
import sys
import threading

import orjson

from pipeline.job.settings import Sandbox
from pipeline.platforms import on_signal
from pipeline.sandbox.exchange import Rules
from pipeline.sandbox.rules.rules import extract, read, repair
from pipeline.sandbox.server import serve

HOST = "127.0.0.1"
STDIN = 0


def run(config: Sandbox, port: int, *, parent_pipe: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; with `parent_pipe` until standard input closes, whatever the signals.

    A terminal's Ctrl-C and a service's stop go to all processes at once. The parent must be able to drain its calls
    in flight, so it alone says when; its end, by kill -9 too, closes the pipe.

    Raises:
        JobError: the settings cannot be, or the port is taken.
    """
    asyncio.run(_until_stopped(config, port, parent_pipe=parent_pipe))


async def _until_stopped(config: Sandbox, port: int, *, parent_pipe: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        on_signal(loop, number, (lambda: None) if parent_pipe else stop.set)
    runner, taken = await serve(config, HOST, port, Rules(extract, repair, read))
    try:
        where = {"url": f"http://{HOST}:{taken}", "port": taken}
        sys.stdout.write(orjson.dumps(where).decode() + "\n")
        sys.stdout.flush()
        if parent_pipe:
            threading.Thread(target=_watch, args=(loop, stop), daemon=True).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def _watch(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when standard input is at its end. A thread: an event loop cannot watch every kind of file."""
    try:
        while os.read(STDIN, 65_536):
            pass
    except OSError:
        pass  # closed from the start
    loop.call_soon_threadsafe(stop.set)
