"""The sandbox for one run: a child process that lives exactly as long as the run does.

The child hears no signal of the terminal's; the pipe to its standard input is its life.
"""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import orjson
from msgspec.structs import asdict

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox

START_S = 30.0
STOP_S = 5.0
ROOT = Path(__file__).parents[2]  # the folder that holds the package
TOLD_BYTES = 2000  # of a child's last words


@asynccontextmanager
async def embedded(config: Sandbox) -> AsyncIterator[str]:
    """A sandbox of one's own; yields its base URL, without /v1.

    Raises:
        JobError: it did not start; the message holds what it said.
    """
    with tempfile.TemporaryFile() as said:
        process = await _started(config, said)
        try:
            yield await _url(process, said)
        finally:
            await _stopped(process)


async def _started(config: Sandbox, said: IO[bytes]) -> Process:
    settings = orjson.dumps(asdict(config)).decode()
    words = ["-m", "pipeline.sandbox", "--port", "0", "--config-json", settings, "--until-stdin-closes"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a folder called pipeline where the user stands is not ours
            *words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=said,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
    except OSError as error:
        raise JobError(f"the sandbox did not start: {sys.executable}: {error}") from None


async def _url(process: Process, said: IO[bytes]) -> str:
    """Where the child listens, from its first line."""
    assert process.stdout is not None  # noqa: S101 (asked for above; tells mypy)
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
            if line:
                return str(orjson.loads(line)["url"])
            await process.wait()
        problem = f"it ended with exit code {process.returncode}"
    except TimeoutError:
        problem = f"it said nothing for {START_S:g} s"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        problem = f"it said {line[:200]!r}"
    said.seek(0)
    words = said.read()[-TOLD_BYTES:].decode(errors="replace").strip()
    raise JobError(f"the sandbox did not start: {problem}. {words}".strip())


async def _stopped(process: Process) -> None:
    """Ask by closing its standard input; kill it, by its own id, if it does not leave."""
    try:
        async with asyncio.timeout(STOP_S):
            if process.returncode is None:
                await process.communicate(b"")  # without input it would leave the pipe open
    except (TimeoutError, RuntimeError, OSError):
        pass  # RuntimeError: uvloop's word for a pipe that is closed already
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
