"""What a run sees of who keeps the limits that it shares with others."""

import asyncio
from typing import Protocol

from pipeline.admission.charges import Need
from pipeline.admission.report import Report
from pipeline.admission.tickets import Snapshot, Ticket

Turn = asyncio.Future[Ticket]


class Lender(Protocol):
    """Who keeps the limits that this run shares with others. `why`: what the next call of all waits for."""

    @property
    def why(self) -> str: ...

    def ask(self, turn: Turn, need: Need, *, retry: bool) -> None:
        """Get in line; `Admission.granted` is called when its turn has come, which may be at once."""
        ...

    def withdraw(self, turn: Turn) -> None:
        """It is wanted no more."""
        ...

    def finished(self, ticket: Ticket, report: Report) -> None:
        """The end of a call that was granted."""
        ...

    def widened(self, calls: int) -> None:
        """The run may have so many calls at once from now on."""
        ...

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """With what is known of the limits there."""
        ...
