"""What the governor gives out: a ticket, or how long to wait and for what; and a reading of where it stands. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from pipeline.admission.charges import Need
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.dimensions.totals import Held


class Wait(Struct, frozen=True):
    """`seconds`: 0 may go, None waits for a settlement. `why` names what is short.

    `firm`: nothing that is settled or answered makes it shorter, so that nobody needs to ask again before.
    """

    seconds: float | None
    why: str = ""
    firm: bool = False


GO = Wait(0.0)
FOR_BUDGET, FOR_SLOTS, FOR_PROBES = Wait(None, "budget"), Wait(None, "slots"), Wait(None, "circuit")
FOR_FIRST = Wait(None, "first_answer")
FOR_MARK = Wait(None, "watermark")


class Ticket(Struct):
    """One admission; to be settled once. `probe`: sent to see whether a provider that was down is up again.

    `held` None: its limits are kept by another run, where it goes by the name `place`; 0: they are not given yet.
    """

    need: Need
    held: Held | None = None
    probe: bool = False
    settled: bool = False
    place: int = 0

    @property
    def usd(self) -> Decimal:
        """The most that the call may cost."""
        return self.need.usd

    @property
    def taken(self) -> Held:
        """What it holds of limits that are kept here."""
        if self.held is None:
            raise ValueError("this ticket's limits are kept elsewhere")
        return self.held


class Snapshot(Struct, frozen=True):
    """`concurrency` is the ceiling, `slots` how many of them are open now."""

    in_flight: int
    concurrency: int
    slots: int
    gate_until_s: float
    cap_usd: Decimal | None
    spent_usd: Decimal
    reserved_usd: Decimal
    at_risk_usd: Decimal
    waited_s: Mapping[str, float]  # the head of the queue, by cause
    dimensions: tuple[DimensionView, ...]

    @property
    def waited_share(self) -> dict[str, float]:
        """Causes with their share of all waiting, the longest first."""
        total_s = sum(self.waited_s.values())
        by_time = sorted(self.waited_s.items(), key=lambda item: -item[1])
        return {why: seconds / total_s for why, seconds in by_time if seconds > 0.0}
