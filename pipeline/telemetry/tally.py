"""Running counts of a session, and amounts as people read them."""

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from msgspec import Struct, field

from pipeline.codes import AttemptCode, Status
from pipeline.ledger.records import Call
from pipeline.types import Outcome


class Tally(Struct):
    """Running counts of one session; `total` is of the whole input."""

    total: int = 0
    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    calls: int = 0
    rate_limited: int = 0
    usd_units: int = 0  # 1e-10 USD
    ended: int = 0  # rows that came to their end here; not those that had an outcome before
    on_call: Callable[[Call], None] | None = None  # who else is to be told
    on_outcome: Callable[[Outcome], None] | None = None

    def called(self, call: Call) -> None:
        if self.on_call is not None:
            self.on_call(call)
        self.calls += 1
        self.rate_limited += (
            call.error_code == AttemptCode.RATE_LIMITED or call.http_status == HTTPStatus.TOO_MANY_REQUESTS
        )
        self.usd_units += call.cost_units or 0

    def concluded(self, outcome: Outcome) -> None:
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        self.ended += 1
        self.repaired += outcome.repaired
        if outcome.status is Status.OK:
            self.ok += 1
        else:
            self.failed[str(outcome.error_code)] += 1

    def start_pass(self) -> None:
        """All rows are gone over again, and counted again where they ended."""
        self.ok = 0
        self.failed.clear()

    @property
    def done(self) -> int:
        return self.ok + self.failed.total()
