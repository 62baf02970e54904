"""The end of a child process that was asked to end."""

import asyncio
from asyncio.subprocess import Process


async def ended(process: Process, patience_s: float) -> None:
    """Wait for it, and kill it, by its own id, if it takes longer."""
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
