"""The end of a run before its time: the first cause counts, and whoever sleeps is woken to hear of it."""

import asyncio

from pipeline.codes import ParkReason


class Stopped(Exception):
    """The run ends early; nothing more is admitted."""

    def __init__(self, reason: ParkReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StopSwitch:
    """Thrown once. `reason` is None until then."""

    def __init__(self) -> None:
        self.reason: ParkReason | None = None
        self.message = ""
        self._sleepers: set[asyncio.Future[None]] = set()

    def throw(self, reason: ParkReason, message: str) -> bool:
        """Whether this was the first cause; all who sleep are woken."""
        if self.reason is not None:
            return False
        self.reason, self.message = reason, message
        for sleeper in self._sleepers:
            wake(sleeper)
        return True

    def check(self) -> None:
        """Go on, or raise `Stopped`."""
        if self.reason is not None:
            raise self.error()

    def error(self) -> Stopped:
        """What those are told who wait when it is thrown."""
        assert self.reason is not None  # noqa: S101 (asked after `throw` only; tells mypy)
        return Stopped(self.reason, self.message)

    async def pause(self, seconds: float) -> None:
        """Sleep outside any slot; a stop cuts it short with `Stopped`."""
        self.check()
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, wake, woken)
        self._sleepers.add(woken)
        try:
            await woken
        finally:
            self._sleepers.discard(woken)
            timer.cancel()
        self.check()


def wake(woken: "asyncio.Future[None]") -> None:
    """Let go of whoever waits for it."""
    if not woken.done():
        woken.set_result(None)
