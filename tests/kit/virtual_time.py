"""An event loop whose clock jumps to the next timer when everybody waits: a day of back-off takes milliseconds.

When everybody waits and no timer is set, that is a deadlock, and an error at once. For code that is all timers and
futures: no sockets and no threads, whose events this clock can't foresee.
"""

import asyncio
import math
import selectors


class Deadlock(Exception):
    """Everybody waits, and no timer will ever wake anybody."""


class _Jumping(selectors.DefaultSelector):
    loop = None

    def select(self, timeout=None):
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise Deadlock("everybody waits and no timer is set")
        now_s = self.loop.now_s
        self.loop.now_s = max(now_s + timeout, math.nextafter(now_s, math.inf))
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.now_s = 1000.0  # not 0: code that takes 0 for "never" should be seen to fail
        selector = _Jumping()
        super().__init__(selector)
        selector.loop = self

    def time(self):
        return self.now_s


class TickingLoop(VirtualLoop):
    """Whose clock is a nanosecond later at each look: for code that looks again until a rounding error has passed."""

    def time(self):
        self.now_s += 1e-9
        return self.now_s


def run(coro, loop=VirtualLoop):
    """The coroutine's result, in virtual time."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(coro)
