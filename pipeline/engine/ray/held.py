"""Slots of calls that a lost worker had made: a provider works on them still, for as long as one may take."""

import asyncio
from collections.abc import Callable, Iterable

Act = Callable[[], None]


class HeldSlots:
    """`timeout_s`: the longest that a call takes."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._held: dict[Act, asyncio.TimerHandle] = {}

    def hold(self, slots: Iterable[Act]) -> None:
        """Each is what gives one slot back, and is called once: by then, or at the end of the run."""
        loop = asyncio.get_running_loop()
        for let_go in slots:
            self._held[let_go] = loop.call_later(self._timeout_s, self._let_go, let_go)

    def end(self) -> None:
        for let_go, timer in list(self._held.items()):
            timer.cancel()
            self._let_go(let_go)

    def _let_go(self, let_go: Act) -> None:
        del self._held[let_go]
        let_go()
