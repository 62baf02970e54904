"""The limits of one account for all runs that share them, kept by one of these: each asks, and they take turns.

Every run decides for itself on its money and its own slots, and then asks here.
"""

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from pipeline.admission.charges import Need
from pipeline.admission.lender import Turn
from pipeline.admission.limits import AccountLimits
from pipeline.admission.lines import Lines
from pipeline.admission.queue import Admission
from pipeline.admission.report import NEVER_SENT, Report
from pipeline.admission.tickets import FOR_SLOTS, Snapshot, Ticket, Wait
from pipeline.admission.timer import Timer


class Borrower(Hashable, Protocol):
    """A run, as it is told of what it asked for."""

    def granted(self, key: Any, ticket: Ticket) -> bool:  # noqa: ANN401 (its own name for it)
        """Whether it still wants it."""
        ...


class Hub:
    """`clock` is the event loop's: timers are set on it. `why`: what the next call waits for."""

    def __init__(self, limits: AccountLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.why = ""
        self._clock = clock
        self._lines: Lines[Borrower, Any] = Lines()
        self._timer = Timer(self.pump)
        self._firm = False  # nothing but time lets the next call go
        self._pumping = False

    def ask(self, run: Borrower, key: Any, need: Need, *, retry: bool) -> None:  # noqa: ANN401 (its own name for it)
        """Get in line; `run.granted` is called when its turn has come, which may be at once."""
        alone = self._lines.head() is None
        self._lines.add(run, key, need, retry=retry)
        if alone:
            self.pump()  # behind somebody, nothing has changed

    def withdraw(self, run: Borrower, key: Any) -> bool:  # noqa: ANN401 (its own name for it)
        """Whether it was still in line."""
        found = self._lines.drop(run, key)
        self.pump()  # the next may be smaller
        return found

    def leave(self, run: Borrower) -> None:
        """The run asks for nothing more."""
        self._lines.leave(run)
        self.pump()

    def finish(self, ticket: Ticket, report: Report) -> None:
        """The end of a call that was granted to another process's run."""
        self.limits.finish(ticket, report, self._clock())
        self.settled()

    def settled(self) -> None:
        """A call has ended: others may go."""
        if not self._timer.armed or not self._firm:
            self.pump()

    def close(self) -> None:
        self._timer.disarm()

    def pump(self) -> None:
        """Admit whose turn it is while the limits say go; then wait for time or a settlement."""
        if self._pumping:
            return
        self._pumping = True
        try:
            self._timer.disarm()
            while (head := self._lines.head()) is not None:
                if self.limits.full:
                    self.why, self._firm = FOR_SLOTS.why, False
                    return
                now_s = self._clock()
                found = self.limits.offer(head.need, now_s)
                if isinstance(found, Wait):
                    self._wait(found, now_s)
                    return
                self._lines.served()
                if not head.run.granted(head.key, found):
                    self.limits.finish(found, NEVER_SENT, now_s)
            self.why = ""
        finally:
            self._pumping = False

    def _wait(self, wait: Wait, now_s: float) -> None:
        self.why, self._firm = wait.why, wait.firm
        if wait.seconds is not None:
            self._timer.set(now_s, wait.seconds)


class OwnSeat:
    """The run that keeps the limits, at its own hub: a `Lender` and a `Borrower`."""

    def __init__(self, hub: Hub, admission: Admission) -> None:
        self._hub = hub
        self._admission = admission

    @property
    def why(self) -> str:
        return self._hub.why

    def ask(self, turn: Turn, need: Need, *, retry: bool) -> None:
        self._hub.ask(self, turn, need, retry=retry)

    def withdraw(self, turn: Turn) -> None:
        self._hub.withdraw(self, turn)

    def finished(self, ticket: Ticket, report: Report) -> None:  # noqa: ARG002 (its own limits know it already)
        self._hub.settled()

    def widened(self, calls: int) -> None:  # noqa: ARG002 (the governor has told the limits)
        self._hub.pump()

    def shown(self, snapshot: Snapshot) -> Snapshot:
        return snapshot

    def granted(self, key: Turn, ticket: Ticket) -> bool:
        return self._admission.granted(key, ticket)
