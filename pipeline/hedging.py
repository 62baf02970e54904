"""A second call for one that seems stuck: the first answer of both counts, and the other is called off."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SUPERSEDED = "another call has answered this request"  # how a call learns why it is cancelled
LOOK_S = 0.25


async def first_answer(call: Callable[[], Coroutine[Any, Any, T]], overdue: Callable[[], bool]) -> T:
    """What `call` returns; a second one is begun once `overdue` says so.

    Raises:
        What the first of both raised, when none returned.
    """
    calls = [asyncio.create_task(call())]
    try:
        while not calls[0].done():
            await asyncio.wait(calls, timeout=LOOK_S)
            if not calls[0].done() and overdue():
                calls.append(asyncio.create_task(call()))
                break
        pending: set[asyncio.Task[T]] = set(calls)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            answered = [task for task in calls if task in done and not task.cancelled() and task.exception() is None]
            if answered:
                return answered[0].result()
        return calls[0].result()
    finally:
        for task in calls:
            task.cancel(SUPERSEDED)
        await asyncio.gather(*calls, return_exceptions=True)
