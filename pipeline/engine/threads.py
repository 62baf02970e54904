"""Work over a text: where the text is long it would hold up all calls, and goes to a thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

THREAD_CHARS = 20_000  # some milliseconds of cutting or of aligning; a thread costs a tenth of one
T = TypeVar("T")


async def in_thread_if_long(text: str, work: Callable[[], T]) -> T:
    """What `work`, over this text, gives."""
    return await asyncio.to_thread(work) if len(text) > THREAD_CHARS else work()
