"""One timer of an event loop, set again and again."""

import asyncio
from collections.abc import Callable

LEAST_S = 0.001  # some event loops count in milliseconds, and would spin on less


class Timer:
    """Calls `act` once it is time. `armed`: it will."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._handle: asyncio.TimerHandle | None = None

    @property
    def armed(self) -> bool:
        return self._handle is not None

    def set(self, now_s: float, seconds: float) -> None:
        """On the loop's clock."""
        self._handle = asyncio.get_running_loop().call_at(now_s + max(seconds, LEAST_S), self._act)

    def disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
