"""The run that keeps an account's limits, as the others see it: a seat at its hub for each of them."""

import asyncio
from collections.abc import Callable

from pipeline.admission.governor import Governor
from pipeline.admission.hub import Hub, OwnSeat
from pipeline.admission.limits import AccountLimits
from pipeline.admission.queue import Admission
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT
from pipeline.admission.tickets import Ticket
from pipeline.engine.shared.messages import (
    Ask,
    Bye,
    Down,
    Finish,
    Granted,
    Hello,
    Line,
    State,
    Unlike,
    Up,
    Welcome,
    Widen,
    Withdraw,
)

STATE_EVERY_S = 0.25


class Keeping:
    """While nobody else is there, the run's own admission is as if there were no such thing.

    `on_joined` is told of each change in how many runs share them.
    """

    def __init__(
        self, admission: Admission, governor: Governor, version: str, on_joined: Callable[[int], None]
    ) -> None:
        self.version = version
        self.admission = admission
        self._on_joined = on_joined
        self._loop = asyncio.get_running_loop()
        self.hub = Hub(governor.limits, self._loop.time)
        self._own = OwnSeat(self.hub, admission)
        self._seats: set[Seat] = set()
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def limits(self) -> AccountLimits:
        return self.hub.limits

    @property
    def runs(self) -> int:
        return 1 + len(self._seats)

    def line(self) -> Line[Up]:
        """Of who has just connected."""
        return Seat(self).line

    def joined(self, seat: "Seat") -> None:
        self._seats.add(seat)
        if len(self._seats) == 1:
            self.admission.share(self._own)
            self._tick()
        self._on_joined(self.runs)

    def left(self, seat: "Seat") -> None:
        self._seats.discard(seat)
        if not self._seats:
            self._stop()

    def state(self) -> State:
        now_s, limits = self._loop.time(), self.limits
        return State(limits.handover(now_s), limits.views(now_s), self.hub.why, self.admission.in_flight, self.runs)

    def close(self) -> None:
        """Nothing is in flight: let another take over from where the limits stand now."""
        for seat in list(self._seats):
            seat.line.send(self.state())
            seat.line.send(Bye())
            seat.line.close()
        self._seats.clear()
        self._stop()

    def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self.admission.share(None)
        self.hub.close()

    def _tick(self) -> None:
        state = self.state()
        for seat in self._seats:
            seat.line.send(state)
        self._ticking = self._loop.call_later(STATE_EVERY_S, self._tick)


class Seat:
    """One of the others: a `Borrower`."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._hub = keeping.hub
        self._tickets: dict[int, Ticket] = {}
        self._concurrency = 0  # 0: it has not said what it is yet
        self.line: Line[Up] = Line(Up, self._heard, self._closed)

    def granted(self, key: int, ticket: Ticket) -> bool:
        self._tickets[key] = ticket
        self.send(Granted(key))
        return True

    def send(self, message: Down) -> None:
        self.line.send(message)

    def _heard(self, message: Up) -> None:
        if isinstance(message, Hello):
            self._hello(message)
        elif self._concurrency:
            self._asked(message)

    def _hello(self, hello: Hello) -> None:
        keeping, limits = self._keeping, self._hub.limits
        if self._concurrency or hello.version != keeping.version:
            self.send(Unlike(keeping.version))
            return
        self._concurrency = max(1, hello.concurrency)
        limits.concurrency += self._concurrency
        limits.give(hello.given)
        now_s = asyncio.get_running_loop().time()
        for number, need in hello.out:
            self._tickets[number] = limits.adopt(need, now_s)
        keeping.joined(self)
        self.send(Welcome(keeping.runs))
        self.send(keeping.state())

    def _asked(self, message: Up) -> None:
        match message:
            case Ask():
                self._hub.ask(self, message.number, message.need, retry=message.retry)
            case Withdraw(number=number):
                if not self._hub.withdraw(self, number) and (ticket := self._tickets.pop(number, None)) is not None:
                    self._hub.finish(ticket, NEVER_SENT)  # granted, and the word had not yet come
            case Finish(number=number):
                if (ticket := self._tickets.pop(number, None)) is not None:
                    self._hub.finish(ticket, message.report)
            case Widen():
                self._hub.limits.concurrency += max(1, message.concurrency) - self._concurrency
                self._concurrency = max(1, message.concurrency)
                self._hub.pump()

    def _closed(self) -> None:
        """It is gone: what becomes of its calls nobody will tell."""
        if not self._concurrency:
            return
        self._hub.leave(self)
        for ticket in self._tickets.values():
            self._hub.finish(ticket, FATE_UNKNOWN)
        self._tickets.clear()
        self._hub.limits.concurrency -= self._concurrency
        self._concurrency = 0
        self._keeping.left(self)
