"""Admission as values and functions of time: dimensions, a gate, slots, money and a circuit. Pure.

Requests, tokens, dollars and slots are the same thing: a budget with a level and a refill (dollars refill never). A
call is admitted when its worst case fits all of them at once, and settled to what it really used, exactly once.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pipeline.admission.brakes import HINT_MOST_S, Circuit, ThrottleGate
from pipeline.admission.budget import ZERO, Account, Alert, BudgetRoom, Spending
from pipeline.admission.charges import UNSENT, Amounts, Need, Used
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.dimensions.dimension_set import DimensionSet
from pipeline.admission.dimensions.mirrors import sane
from pipeline.admission.first_calls import Opening
from pipeline.admission.learning.climb import Climb
from pipeline.admission.learning.inference import News
from pipeline.admission.learning.memory import Memory, read, written
from pipeline.admission.report import CallEnd, Report
from pipeline.admission.rules import LimitRules, rules_of
from pipeline.admission.tickets import (
    FOR_BUDGET,
    FOR_FIRST,
    FOR_MARK,
    FOR_PROBES,
    FOR_SLOTS,
    GO,
    Snapshot,
    Ticket,
    Wait,
)
from pipeline.money import dollars
from pipeline.types import Dimension, LimitSeen

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
    """All limits of one scope. Every method takes the time, on one clock that never goes back; nothing here waits."""

    def __init__(self, rules: LimitRules, money: Spending | None = None) -> None:
        """`money`: of several scopes that spend from one budget; that of `rules` is then not looked at."""
        self.concurrency = rules.concurrency
        self.in_flight = 0
        if money is None:
            money = Spending(Account(rules.max_usd, rules.spent_usd), rules.tenant_max_usd_per_day, rules.alert_at)
            money.start_day(rules.spent_by_tenant)
        self.money = money
        self.waited_s: dict[str, float] = {}
        memory = read(rules.learned)
        self._dimensions = DimensionSet(rules, memory)
        self._gate = ThrottleGate()
        self._circuit = Circuit()
        self._climb = Climb(float(rules.first_window))
        if memory.slots is not None and memory.answers_per_s is not None:
            self._climb = Climb.resumed(memory.slots, memory.answers_per_s)
        self._probes = 0
        self._opening = Opening(rules.first)

    @property
    def gate_until_s(self) -> float:
        return self._gate.until_s

    @property
    def open_since_s(self) -> float | None:
        """Since when the circuit is open and nothing has succeeded."""
        return self._circuit.open_since_s

    @property
    def refused_alike(self) -> str | None:
        """What to say where the first requests were all refused, for what they are alike in."""
        return self._opening.parks

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted, or None."""
        return self._dimensions.refusal(need)

    def affords(self, usd: Decimal) -> bool:
        return self.money.run.affords(usd)

    def budget_spent(self, need: Need) -> bool:
        """Whether no settlement can make room for it any more."""
        return self.in_flight == 0 and not self.money.run.reserved_usd and not self.affords(need.usd)

    @property
    def budget_told(self) -> str:
        """What to say then."""
        told, run = "the next call could cost more than what is left of budget.max_usd", self.money.run
        if not run.assumed_usd:
            return told
        assumed = dollars(run.assumed_usd, run.most_usd or ZERO)
        return f"{told}, of which {assumed} are assumed spent by a machine that was lost"

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

    def _wait(self, need: Need, reserved: Amounts, now_s: float) -> Wait:
        """How long, and for what; a reading."""
        if not self.money.run.affords(need.usd):
            return FOR_BUDGET
        if self.full:
            return FOR_SLOTS
        if not self.money.run.within_mark(need.usd):
            return FOR_MARK
        if (first_s := self._opening.wait_s(self.in_flight, now_s)) > 0.0:
            return FOR_FIRST if first_s == math.inf else Wait(first_s, FOR_FIRST.why)
        if now_s < self._gate.until_s:
            return Wait(self._gate.until_s - now_s, "retry_after", firm=True)
        circuit_s = self._circuit.wait_s(self._probes, now_s)
        if circuit_s != 0.0:
            return FOR_PROBES if circuit_s is None else Wait(circuit_s, "circuit")
        ramp_s = 0.0 if self._dimensions.silence.at_once else self._gate.ramp_s(self.in_flight, self.concurrency, now_s)
        seconds, why, firm = self._dimensions.wait_s(reserved, now_s)
        if ramp_s > seconds:
            return Wait(ramp_s, "retry_after")
        return Wait(seconds, why, firm) if seconds > 0.0 else GO

    @property
    def full(self) -> bool:
        """Whether no call at all can be admitted before one is settled."""
        return self.in_flight >= self.slots

    @property
    def slots(self) -> int:
        """Calls at once: as many as give most answers, while no limit is known."""
        return self.concurrency if self._dimensions.known else min(self.concurrency, int(self._climb.slots))

    def offer(self, need: Need, now_s: float) -> Ticket | Wait:
        """Admit it, or say how long it has to wait."""
        reserved = self._dimensions.charges.reserve(need)
        wait = self._wait(need, reserved, now_s)
        if wait is not GO:
            return wait
        held, next_s = self._dimensions.take(need, reserved, now_s, self._gate.pace_most(now_s))
        if next_s is not None:
            self._gate.hold(next_s)
        self._opening.taken(now_s)
        probe = self._circuit.width is not None
        self.in_flight += 1
        self._probes += probe
        self.money.reserve(need.tenant, need.usd)
        return Ticket(need, held, probe)

    def finish(self, ticket: Ticket, report: Report, now_s: float) -> None:
        """All that the end of a call tells, in the one order that it may be told in.

        A refusal is told while its call still holds what it was refused with; an answer's headers speak of a level
        that has what it used, and not what it had reserved.
        """
        if report.end is CallEnd.ANSWERED:
            self.settle(ticket, report.used, now_s)
        if report.limits:
            self.on_limits(ticket, report.limits, now_s, refused=report.end is CallEnd.THROTTLED)
        match report.end:
            case CallEnd.ANSWERED:
                self.on_ok(now_s, ticket)
                self.hint(report.retry_after_s, now_s)
            case CallEnd.THROTTLED:
                self.on_throttled(ticket, report.retry_after_s, now_s, report.jitter, report.short)
            case CallEnd.OVERLOADED:
                self.hint(report.retry_after_s, now_s)
                self.on_overloaded(now_s, report.jitter)
            case CallEnd.OTHER if report.refusal is not None:
                self._opening.refused(report.refusal)
        if report.end is not CallEnd.ANSWERED:
            self.settle(ticket, report.used, now_s)

    def settle(self, ticket: Ticket, used: Used | None, now_s: float) -> None:
        """Give back what was not used. None: the call's fate is not known, so its worst case stays reserved.

        Raises:
            ValueError: it was settled before; nothing has changed.
        """
        if ticket.settled:
            raise ValueError("a ticket was settled twice")
        ticket.settled = True
        self.in_flight -= 1
        self._probes -= ticket.probe
        self.money.settle(ticket.need.tenant, ticket.need.usd, None if used is None else used.usd)
        self._dimensions.settle(ticket.held, ticket.need, used, now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def on_limits(self, ticket: Ticket, seen: Sequence[LimitSeen], now_s: float, *, refused: bool = False) -> None:
        """What headers say of limits, as of the moment that the provider let the call in, or refused it."""
        self._dimensions.told(ticket.held, seen, now_s, refused=refused)

    def on_throttled(
        self,
        ticket: Ticket,
        retry_after_s: float | None,
        now_s: float,
        jitter: float,
        dimension: Dimension | None = None,
    ) -> None:
        """A 429: close the gate for everybody. One that was sent before the last reaction brings only its hint.

        `dimension`: what was short, where the provider says it.
        """
        self._opening.let_in()
        self._circuit.succeeded(ticket.held.taken_s)  # whoever says 429 is not down
        hint_s = sane(retry_after_s, HINT_MOST_S)
        fresh = self._gate.news(ticket.held.taken_s, hint_s, now_s)
        until_s = self._dimensions.refused(ticket.held, News(fresh, hint_s or 0.0, dimension), now_s)
        if until_s is not None:
            self._gate.hold(until_s)
        elif hint_s is None:
            self._gate.back_off(now_s, jitter)

    def hint(self, retry_after_s: float | None, now_s: float) -> None:
        """A Retry-After seen on any answer."""
        hint_s = sane(retry_after_s, HINT_MOST_S)
        if hint_s:
            self._gate.hold(now_s + hint_s)

    def on_overloaded(self, now_s: float, jitter: float) -> None:
        self._circuit.failed(now_s, jitter)

    def on_ok(self, now_s: float, ticket: Ticket | None = None) -> None:
        """`ticket`: of the call that was answered: one sent before the last 429 or outage says nothing of its end."""
        self._opening.answered()
        sent_s = now_s if ticket is None else ticket.held.taken_s
        self._gate.succeeded(sent_s)
        self._circuit.succeeded(sent_s)
        self._dimensions.silence.answered()
        if not self._dimensions.known:
            self._climb.answered(now_s, busy=self.in_flight + 1 >= self.slots)

    # ── the run's side ──────────────────────────────────────────────────────────────────────────────────────────

    def set_concurrency(self, calls: int) -> None:
        if calls < 1:
            raise ValueError(f"concurrency = {calls!r} should be 1 or more")
        self.concurrency = calls

    def set_max_usd(self, usd: Decimal | None) -> None:
        self.money.run.most_usd = usd

    def waited(self, why: str, seconds: float) -> None:
        """The head of the queue was held this long by `why`."""
        self.waited_s[why] = self.waited_s.get(why, 0.0) + max(0.0, seconds)

    def learned(self) -> dict[str, Any]:
        """What was found out about limits, as plain JSON: `LimitRules.learned` of the next run."""
        best = None if self._dimensions.known else self._climb.settled
        slots, per_s = (None, None) if best is None else (best.slots, best.per_s)
        return written(Memory(slots, per_s, self._dimensions.silence.learner.burst_s, self._dimensions.remember()))

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
            dimensions=self._dimensions.views(now_s),
        )
