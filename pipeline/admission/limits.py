"""The limits of one account at one endpoint: dimensions, a gate, a circuit and slots, for one run or for several. Pure.

A call is admitted when it fits all of them at once, and settled to what it really used, exactly once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.admission.brakes import HINT_MOST_S, Circuit, ThrottleGate
from pipeline.admission.charges import Need, Used
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.dimensions.dimension_set import DimensionSet
from pipeline.admission.dimensions.mirrors import sane
from pipeline.admission.handover import Handover
from pipeline.admission.learning.climb import Climb
from pipeline.admission.learning.inference import News
from pipeline.admission.learning.memory import Memory, read, written
from pipeline.admission.report import CallEnd, Report
from pipeline.admission.rules import LimitRules
from pipeline.admission.tickets import FOR_PROBES, FOR_SLOTS, GO, Ticket, Wait
from pipeline.types import Dimension, LimitSeen


class AccountLimits:
    """Every method takes the time, on one clock that never goes back; nothing here waits.

    `concurrency`: of all runs that share them. `gone`: calls of a run that has died, which may still hold slots.
    """

    def __init__(self, rules: LimitRules) -> None:
        self.concurrency = rules.concurrency
        self.in_flight = 0
        self.gone = 0
        memory = read(rules.learned)
        self._dimensions = DimensionSet(rules, memory)
        self._gate = ThrottleGate()
        self._circuit = Circuit()
        self._climb = Climb(float(rules.first_window))
        if memory.slots is not None and memory.answers_per_s is not None:
            self._climb = Climb.resumed(memory.slots, memory.answers_per_s)
        self._probes = 0

    @property
    def gate_until_s(self) -> float:
        return self._gate.until_s

    @property
    def open_since_s(self) -> float | None:
        """Since when the circuit is open and nothing has succeeded."""
        return self._circuit.open_since_s

    @property
    def full(self) -> bool:
        """Whether no call at all can be admitted before one is settled."""
        return self.in_flight >= self.slots

    @property
    def slots(self) -> int:
        """Calls at once: as many as give most answers, while no limit is known."""
        if self._dimensions.known:
            return self.concurrency
        return min(self.concurrency, max(1, int(self._climb.slots) - self.gone))

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted, or None."""
        return self._dimensions.refusal(need)

    def wait(self, need: Need, now_s: float) -> Wait:
        """How long, and for what; a reading."""
        if self.full:
            return FOR_SLOTS
        if now_s < self._gate.until_s:
            return Wait(self._gate.until_s - now_s, "retry_after", firm=True)
        circuit_s = self._circuit.wait_s(self._probes, now_s)
        if circuit_s != 0.0:
            return FOR_PROBES if circuit_s is None else Wait(circuit_s, "circuit")
        ramp_s = 0.0 if self._dimensions.silence.at_once else self._gate.ramp_s(self.in_flight, self.concurrency, now_s)
        seconds, why, firm = self._dimensions.wait_s(self._dimensions.charges.reserve(need), now_s)
        if ramp_s > seconds:
            return Wait(ramp_s, "retry_after")
        return Wait(seconds, why, firm) if seconds > 0.0 else GO

    def offer(self, need: Need, now_s: float) -> Ticket | Wait:
        """Admit it, or say how long it has to wait."""
        wait = self.wait(need, now_s)
        return self.take(need, now_s) if wait is GO else wait

    def take(self, need: Need, now_s: float) -> Ticket:
        """Admit it; `wait` has said that it may go."""
        held, next_s = self._dimensions.take(need, now_s, self._gate.pace_most(now_s))
        if next_s is not None:
            self._gate.hold(next_s)
        probe = self._circuit.width is not None
        self.in_flight += 1
        self._probes += probe
        return Ticket(need, held, probe)

    def adopt(self, need: Need, now_s: float) -> Ticket:
        """A call that is out by another run's leave, whose place is taken over: what it holds, `resume` has counted."""
        self.in_flight += 1
        return Ticket(need, self._dimensions.taken_before(need, now_s), probe=False)

    def give(self, per_minute: Mapping[Dimension, float]) -> None:
        """Limits that another run's job gives: the stricter ones count."""
        for dimension, limit in per_minute.items():
            self._dimensions.give(dimension, limit)

    # ── what became of it ───────────────────────────────────────────────────────────────────────────────────────

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
                self.on_overloaded(now_s, report.jitter, report.retry_after_s)
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
        self._dimensions.settle(ticket.taken, ticket.need, used, now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def on_limits(self, ticket: Ticket, seen: Sequence[LimitSeen], now_s: float, *, refused: bool = False) -> None:
        """What headers say of limits, as of the moment that the provider let the call in, or refused it."""
        self._dimensions.told(ticket.taken, seen, now_s, refused=refused)

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
        taken = ticket.taken
        self._circuit.throttled(taken.taken_s)
        hint_s = sane(retry_after_s, HINT_MOST_S)
        fresh = self._gate.news(taken.taken_s, hint_s, now_s)
        until_s = self._dimensions.refused(taken, News(fresh, hint_s or 0.0, dimension), now_s)
        if until_s is not None:
            self._gate.hold(until_s)
        elif hint_s is None:
            self._gate.back_off(now_s, jitter)

    def hint(self, retry_after_s: float | None, now_s: float) -> None:
        """A Retry-After seen on any answer."""
        hint_s = sane(retry_after_s, HINT_MOST_S)
        if hint_s:
            self._gate.hold(now_s + hint_s)

    def on_overloaded(self, now_s: float, jitter: float, retry_after_s: float | None = None) -> None:
        self._circuit.failed(now_s, jitter, sane(retry_after_s, HINT_MOST_S))

    def on_ok(self, now_s: float, ticket: Ticket | None = None) -> None:
        """`ticket`: of the call that was answered: one sent before the last 429 or outage says nothing of its end."""
        sent_s = now_s if ticket is None else ticket.taken.taken_s
        self._gate.succeeded(sent_s)
        self._circuit.succeeded(sent_s)
        self._dimensions.silence.answered()
        if not self._dimensions.known:
            self._climb.answered(now_s, busy=self.in_flight + 1 >= self.slots)

    # ── what is told of them ────────────────────────────────────────────────────────────────────────────────────

    def learned(self) -> dict[str, Any]:
        """What was found out about limits, as plain JSON: `LimitRules.learned` of the next run."""
        best = None if self._dimensions.known else self._climb.settled
        slots, per_s = (None, None) if best is None else (best.slots, best.per_s)
        return written(Memory(slots, per_s, self._dimensions.silence.learner.burst_s, self._dimensions.remember()))

    def views(self, now_s: float) -> tuple[DimensionView, ...]:
        return self._dimensions.views(now_s)

    def handover(self, now_s: float) -> Handover:
        """Where they stand, for the run that carries on with them."""
        since_s = self._circuit.open_since_s
        return Handover(
            learned=self.learned(),
            gate_s=max(0.0, self._gate.until_s - now_s),
            open_s=None if since_s is None else now_s - since_s,
            dimensions=self._dimensions.left(now_s),
        )

    def resume(self, handover: Handover, now_s: float) -> None:
        """Carry on from there; made with what it has learned. To be said once, before anything is admitted."""
        self.mirror(handover, now_s)
        self._dimensions.resume(handover.dimensions, now_s)

    def mirror(self, handover: Handover, now_s: float) -> None:
        """What another run that keeps the limits tells of the gate and the circuit."""
        self._gate.until_s = now_s + handover.gate_s
        self._circuit.open_since_s = None if handover.open_s is None else now_s - handover.open_s
