"""The calls of this run whose limits are asked of a lender: their own part is reserved here, the rest is waited for."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipeline.admission.charges import Need
from pipeline.admission.lender import Lender, Turn
from pipeline.admission.report import Report
from pipeline.admission.tickets import Snapshot, Ticket
from pipeline.admission.token_scale import Sized


class Asked(NamedTuple):
    """A call whose limits are asked for; the run's own part is reserved."""

    turn: Turn
    request: Sized
    ticket: Ticket
    retry: bool


class Borrowed:
    """`lender` None: the limits are kept here, and nothing is asked for. `give_back`: a ticket's own part."""

    def __init__(self, give_back: Callable[[Ticket], None]) -> None:
        self.lender: Lender | None = None
        self._give_back = give_back
        self._asked: dict[Turn, Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def __iter__(self) -> Iterator[Turn]:
        return iter(self._asked)

    @property
    def why(self) -> str:
        """What calls that have their own part wait for; "" where none do."""
        return self.lender.why if self.lender is not None and self._asked else ""

    def ask(self, asked: Asked, need: Need, lender: Lender) -> None:
        """Get in line there; it may be granted before this returns."""
        self._asked[asked.turn] = asked
        lender.ask(asked.turn, need, retry=asked.retry)

    def leave(self, turn: Turn) -> None:
        """It is wanted no more, if it was asked for."""
        if (asked := self._asked.pop(turn, None)) is not None:
            self._take_back(asked)

    def leave_all(self) -> list[Asked]:
        """None is wanted any more; what they were, in order."""
        all_asked, self._asked = list(self._asked.values()), {}
        for asked in all_asked:
            self._take_back(asked)
        return all_asked

    def granted(self, turn: Turn, given: Ticket) -> Ticket | None:
        """The lender has limits for it: with `given.held`, or as `given.place` there. None: nobody wants them now."""
        asked = self._asked.pop(turn, None)
        if asked is None:
            return None
        ticket = asked.ticket
        if turn.done():  # cancelled, and not yet told
            self._give_back(ticket)
            return None
        ticket.held, ticket.probe, ticket.place = given.held, given.probe, given.place
        return ticket

    def finished(self, ticket: Ticket, report: Report) -> None:
        if self.lender is not None:
            self.lender.finished(ticket, report)

    def widened(self, calls: int) -> None:
        if self.lender is not None:
            self.lender.widened(calls)

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """With what is known of the limits there."""
        return snapshot if self.lender is None else self.lender.shown(snapshot)

    def _take_back(self, asked: Asked) -> None:
        if self.lender is not None:
            self.lender.withdraw(asked.turn)
        self._give_back(asked.ticket)
