"""What one run may do: its money, its calls at once, its first calls; and the limits of its account. Pure.

Requests, tokens, dollars and slots are the same thing: a budget with a level and a refill (dollars refill never). A
call is admitted when its worst case fits all of them at once, and settled to what it really used, exactly once.
"""

import math
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from pipeline.admission.budget import Account, Alert, BudgetRoom, Spending
from pipeline.admission.charges import UNSENT, Need, Used
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.first_calls import Opening
from pipeline.admission.handover import Handover
from pipeline.admission.limits import AccountLimits
from pipeline.admission.report import CallEnd, Report
from pipeline.admission.rules import LimitRules, rules_of
from pipeline.admission.tickets import FOR_BUDGET, FOR_FIRST, FOR_MARK, FOR_SLOTS, GO, Snapshot, Ticket, Wait
from pipeline.money import dollars

__all__ = [
    "FOR_SLOTS",
    "GO",
    "UNSENT",
    "Alert",
    "BudgetRoom",
    "DimensionView",
    "Governor",
    "LimitRules",
    "Need",
    "Snapshot",
    "Ticket",
    "Used",
    "Wait",
    "rules_of",
]


class Governor:
    """Every method takes the time, on one clock that never goes back; nothing here waits.

    `asks`: the limits are asked for elsewhere, together with other runs, and only the run's own part is decided here.
    """

    def __init__(self, rules: LimitRules, money: Spending | None = None) -> None:
        """`money`: of several scopes that spend from one budget; that of `rules` is then not looked at."""
        self.concurrency = rules.concurrency
        self.in_flight = 0
        self.asks = False
        if money is None:
            money = Spending(Account(rules.max_usd, rules.spent_usd), rules.tenant_max_usd_per_day, rules.alert_at)
            money.start_day(rules.spent_by_tenant)
        self.money = money
        self.waited_s: dict[str, float] = {}
        self.limits = AccountLimits(rules)
        self.rules = rules
        self._opening = Opening(rules.first)

    @property
    def gate_until_s(self) -> float:
        return self.limits.gate_until_s

    @property
    def open_since_s(self) -> float | None:
        """Since when the circuit is open and nothing has succeeded."""
        return self.limits.open_since_s

    @property
    def refused_alike(self) -> str | None:
        """What to say where the first requests were all refused, for what they are alike in."""
        return self._opening.parks

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted, or None."""
        return self.limits.refusal(need)

    def affords(self, usd: Decimal) -> bool:
        return self.money.run.affords(usd)

    def budget_spent(self, need: Need) -> bool:
        """Whether no settlement can make room for it any more."""
        return self.in_flight == 0 and not self.money.run.reserved_usd and not self.affords(need.usd)

    def out_of_budget(self, need: Need, again_usd: Decimal) -> str:
        """What to say then; as of `Account.out_of`."""
        return self.money.run.out_of(need.usd, again_usd)

    def tenant_room(self, need: Need) -> BudgetRoom:
        """Whether the call fits what its tenant may spend today."""
        if need.tenant is None or self.money.tenant_most_usd is None:
            return BudgetRoom.NOW
        return self.money.tenant(need.tenant).room(need.usd)

    def tenant_told(self, need: Need) -> str:
        """Why a tenant's calls are not admitted any more."""
        spent, most = self.money.tenant(need.tenant or "").spent_usd, self.money.tenant_most_usd or Decimal(0)
        return (
            f"tenant {need.tenant!r} has spent {dollars(spent, most)} of budget.tenant_max_usd_per_day = "
            f"${most:f} today, and the next call could cost {dollars(need.usd)}"
        )

    def alert(self) -> Alert | None:
        """The next alert that is due: the share of a cap that budget.alert_at names is spent."""
        return self.money.alert()

    @property
    def full(self) -> bool:
        """Whether no call at all can be admitted before one is settled."""
        return self.in_flight >= self.slots

    @property
    def slots(self) -> int:
        """Calls at once; where the limits are kept here, as many as these allow."""
        return self.concurrency if self.asks else min(self.concurrency, self.limits.slots)

    def wait(self, need: Need, now_s: float) -> Wait:
        """How long, and for what; a reading."""
        if not self.money.run.affords(need.usd):
            return FOR_BUDGET
        if self.full:
            return FOR_SLOTS
        if not self.money.run.within_mark(need.usd):
            return FOR_MARK
        if (first_s := self._opening.wait_s(self.in_flight, now_s)) > 0.0:
            return FOR_FIRST if first_s == math.inf else Wait(first_s, FOR_FIRST.why)
        return GO if self.asks else self.limits.wait(need, now_s)

    def offer(self, need: Need, now_s: float) -> Ticket | Wait:
        """Admit it, or say how long it has to wait. Where limits are asked for elsewhere, the ticket lacks them yet."""
        wait = self.wait(need, now_s)
        if wait is not GO:
            return wait
        found: Ticket | Wait = Ticket(need) if self.asks else self.limits.take(need, now_s)
        if not self.asks:
            self._opening.taken(now_s)
        self.in_flight += 1
        self.money.reserve(need.tenant, need.usd)
        return found

    def granted(self, now_s: float) -> None:
        """The limits have been given elsewhere: it leaves."""
        self._opening.taken(now_s)

    def give_back(self, ticket: Ticket) -> None:
        """One that was offered, and whose limits were not given."""
        self.in_flight -= 1
        self.money.settle(ticket.need.tenant, ticket.need.usd, Decimal(0))

    def finish(self, ticket: Ticket, report: Report, now_s: float) -> None:
        """All that the end of a call tells.

        Raises:
            ValueError: it was told before; nothing has changed.
        """
        if ticket.settled:
            raise ValueError("a ticket was settled twice")
        if ticket.held is not None:
            self.limits.finish(ticket, report, now_s)
        ticket.settled = True
        self.in_flight -= 1
        used = report.used
        self.money.settle(ticket.need.tenant, ticket.need.usd, None if used is None else used.usd)
        match report.end:
            case CallEnd.ANSWERED:
                self._opening.answered()
            case CallEnd.THROTTLED:
                self._opening.let_in()
            case CallEnd.OTHER if report.refusal is not None:
                self._opening.refused(report.refusal)

    # ── the run's side ──────────────────────────────────────────────────────────────────────────────────────────

    def set_concurrency(self, calls: int) -> None:
        if calls < 1:
            raise ValueError(f"concurrency = {calls!r} should be 1 or more")
        self.limits.concurrency += calls - self.concurrency
        self.concurrency = calls

    def set_max_usd(self, usd: Decimal | None) -> None:
        self.money.run.most_usd = usd

    def waited(self, why: str, seconds: float) -> None:
        """The head of the queue was held this long by `why`."""
        self.waited_s[why] = self.waited_s.get(why, 0.0) + max(0.0, seconds)

    def learned(self) -> dict[str, Any]:
        """As `AccountLimits.learned`."""
        return self.limits.learned()

    def take_over(self, handover: Handover, now_s: float) -> None:
        """The account's limits are kept here from now on, as another run has left them."""
        rules = replace(self.rules, concurrency=self.concurrency, learned=handover.learned)
        self.limits = AccountLimits(rules)
        self.limits.resume(handover, now_s)

    def snapshot(self, now_s: float) -> Snapshot:
        return Snapshot(
            in_flight=self.in_flight,
            concurrency=self.concurrency,
            slots=self.slots,
            gate_until_s=self.gate_until_s,
            cap_usd=self.money.run.most_usd,
            spent_usd=self.money.run.spent_usd,
            reserved_usd=self.money.run.reserved_usd,
            at_risk_usd=self.money.run.at_risk_usd,
            waited_s=dict(self.waited_s),
            dimensions=self.limits.views(now_s),
        )
