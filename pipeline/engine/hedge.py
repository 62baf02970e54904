"""A second call for one that seems stuck: when it is worth sending, and the first answer of both counts."""

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct, field

T = TypeVar("T")

SUPERSEDED = "another call has answered this request"  # how a call learns why it is cancelled
LOOK_S = 0.25
ENOUGH = 20  # answers before anything is said of the rest
KEPT = 1000  # of the last answers
FACTOR, LEAST_S = 1.5, 1.0  # over the quantile; a call that is out for less is never given up on


class Latencies(Struct):
    """Seconds from sent to answered, of the last calls that were answered."""

    _in_order: deque[float] = field(default_factory=deque)
    _sorted: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        if len(self._in_order) == KEPT:
            del self._sorted[bisect_left(self._sorted, self._in_order.popleft())]
        self._in_order.append(seconds)
        insort(self._sorted, seconds)

    def hedge_s(self, quantile: float) -> float | None:
        """How long a call may be out before a second one is sent; None while too little is known."""
        count = len(self._sorted)
        if count < ENOUGH:
            return None
        return max(LEAST_S, FACTOR * self._sorted[min(count - 1, int(quantile * count))])


async def first_answer(call: Callable[[], Coroutine[Any, Any, T]], overdue: Callable[[], bool]) -> T:
    """What `call` returns; a second one is begun once `overdue` says so.

    Raises:
        What the first of both raised, when none returned.
    """
    calls = [asyncio.create_task(call())]
    why: tuple[str, ...] = ()  # cancelled from outside, both are interrupted: nobody has overtaken anybody
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
                why = (SUPERSEDED,)
                return answered[0].result()
        return calls[0].result()
    finally:
        for task in calls:
            task.cancel(*why)
        await asyncio.gather(*calls, return_exceptions=True)
