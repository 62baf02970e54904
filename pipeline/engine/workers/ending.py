"""The end of a child process that was asked to end."""

import asyncio
from asyncio.subprocess import Process


async def wait_or_kill(process: Process, patience_s: float) -> None:
    """Wait for its end, and kill it, by its own id, if that takes longer."""
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
