"""Admission as values and functions of time: lanes, a gate, slots, money and a circuit. Pure.

Requests, tokens, dollars and slots are the same thing: a budget with a level and a refill (dollars refill never). A
call is admitted when its worst case fits all of them at once, and settled to what it really used, exactly once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.brakes import HINT_MOST_S, Circuit, Gate
from pipeline.charging import UNSENT, Charges, Need, Settling, Used
from pipeline.job import Job
from pipeline.lanes import Hold, LaneState, LaneView, sane
from pipeline.work import Lane, LimitSeen

__all__ = [
    "GO",
    "UNSENT",
    "Governor",
    "LaneView",
    "LimitRules",
    "Need",
    "Snapshot",
    "Ticket",
    "Used",
    "Wait",
    "rules_of",
]

# A 429 may be a fault and no limit: a given limit is cut when there were this many, and this share of what was sent.
CUT_AFTER, CUT_SHARE, EVIDENCE_MOST = 8, 0.12, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    """What the job says; 0 is not known. `settle`: what the provider does with reserved output that was not used."""

    concurrency: int
    requests_per_minute: int = 0
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    max_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)  # by earlier sessions of this run
    settle: Settling = "refund"  # post: output counts as it is produced, and its maximum is not reserved
    gamma: float = 4.0
    first_window: int = 32  # calls at once until the first answer, while no limit is known

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.first_window < 1 or not 1.0 <= self.gamma < math.inf:
            raise ValueError(f"{self!r}: concurrency and first_window should be 1 or more, gamma from 1")


def rules_of(job: Job, spent_usd: Decimal) -> LimitRules:
    limits = job.limits
    return LimitRules(
        concurrency=limits.concurrency,
        requests_per_minute=limits.requests_per_minute,
        input_tokens_per_minute=limits.input_tokens_per_minute,
        output_tokens_per_minute=limits.output_tokens_per_minute,
        max_usd=job.budget.max_usd,
        spent_usd=spent_usd,
    )


@dataclass(frozen=True, slots=True)
class Wait:
    """`seconds`: 0 may go, None waits for a settlement. `why` names what is short."""

    seconds: float | None
    why: str = ""


GO = Wait(0.0)


@dataclass(slots=True)
class Ticket:
    """One admission; to be settled once."""

    need: Need
    taken_s: float
    holds: dict[Lane, Hold]
    admitted: dict[Lane, float]  # in all, itself included: for limits that become known while it is out
    probe: bool
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    in_flight: int
    concurrency: int
    gate_until_s: float
    spent_usd: Decimal
    reserved_usd: Decimal
    at_risk_usd: Decimal
    waited_s: dict[str, float]  # by cause
    lanes: tuple[LaneView, ...]


class Governor:
    """All limits of one scope. Every method takes the time, on one clock that never goes back; nothing here waits."""

    def __init__(self, rules: LimitRules) -> None:
        self._rules = rules
        self.concurrency = rules.concurrency
        self.max_usd = rules.max_usd
        self.in_flight = 0
        self.spent_usd = rules.spent_usd
        self.reserved_usd = Decimal(0)
        self.at_risk_usd = Decimal(0)
        self.waited_s: dict[str, float] = {}
        self._charges = Charges(rules.settle)
        self._gate = Gate()
        self._circuit = Circuit()
        self._probes = 0
        self._answered = False
        self._admitted = dict.fromkeys(Lane, 0.0)
        self._accepted = self._throttled = 0
        given = (rules.requests_per_minute, rules.input_tokens_per_minute, rules.output_tokens_per_minute)
        pairs = zip((Lane.REQUESTS, Lane.INPUT_TOKENS, Lane.OUTPUT_TOKENS), given, strict=True)
        self._lanes = {lane: LaneState(float(limit), rules.gamma) for lane, limit in pairs if limit}

    @property
    def gate_until_s(self) -> float:
        return self._gate.until_s

    @property
    def open_since_s(self) -> float | None:
        """Since when the circuit is open and nothing has succeeded."""
        return self._circuit.open_since_s

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted, or None."""
        for lane, state in self._lanes.items():
            amount, ceiling = self._charges.reserve(lane, need), state.ceiling
            if ceiling is not None and amount > ceiling.limit:
                return (
                    f"the request needs {amount:,.0f} {lane}, more than limits.{lane}_per_minute = {ceiling.limit:.0f} "
                    "ever admits. Raise that limit, or lower model.max_output_tokens or chunks.max_tokens"
                )
        return None

    def affords(self, usd: Decimal) -> bool:
        if self.max_usd is None:
            return True
        return self.spent_usd + self.reserved_usd + self.at_risk_usd + usd <= self.max_usd

    def budget_spent(self, need: Need) -> bool:
        """Whether no settlement can make room for it any more."""
        return self.in_flight == 0 and not self.affords(need.usd)

    def wait(self, need: Need, now_s: float) -> Wait:
        """How long, and for what; a reading."""
        if not self.affords(need.usd):
            return Wait(None, "budget")
        if self.in_flight >= self._window():
            return Wait(None, "slots")
        if now_s < self.gate_until_s:
            return Wait(self.gate_until_s - now_s, "retry_after")
        circuit_s = self._circuit.wait_s(self._probes, now_s)
        if circuit_s != 0.0:
            return Wait(circuit_s, "circuit")
        longest = Wait(self._gate.ramp_s(self.in_flight, self.concurrency, now_s), "pacing")
        for lane, state in self._lanes.items():
            seconds, paced = state.wait_s(self._charges.reserve(lane, need), now_s)
            if seconds > (longest.seconds or 0.0):
                longest = Wait(seconds, "pacing" if paced else str(lane))
        return longest if longest.seconds else GO

    def _window(self) -> int:
        """Calls at once. Before the first answer nothing is known of a limit that the job doesn't give."""
        unknown = not self._answered and not self._lanes
        return min(self.concurrency, self._rules.first_window) if unknown else self.concurrency

    def take(self, need: Need, now_s: float) -> Ticket:
        """Admit what `wait` let go.

        Raises:
            ValueError: it has to wait; nothing has changed.
        """
        if self.wait(need, now_s) != GO:
            raise ValueError(f"{need!r} was taken while it has to wait: {self.wait(need, now_s)!r}")
        most = self._gate.pace_most(now_s)
        holds = {}
        for lane, state in self._lanes.items():
            holds[lane] = state.take(self._charges.reserve(lane, need), self._charges.expected(lane, need), now_s, most)
        for lane in Lane:
            self._admitted[lane] += self._charges.reserve(lane, need)
        probe = self._circuit.width is not None
        self.in_flight += 1
        self._probes += probe
        self.reserved_usd += need.usd
        return Ticket(need, now_s, holds, dict(self._admitted), probe)

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
        self.reserved_usd -= ticket.need.usd
        if used is None:
            self.at_risk_usd += ticket.need.usd
            return
        self.spent_usd += used.usd
        self._charges.observe(ticket.need, used)
        for lane, hold in ticket.holds.items():
            self._lanes[lane].settle(hold, self._charges.final(lane, ticket.need, used), now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def on_limits(self, ticket: Ticket, seen: Sequence[LimitSeen], now_s: float) -> None:
        """Headers: a limit makes or moves a lane; what remained at the send instant corrects its level."""
        for one in seen:
            limit, remaining = sane(one.limit), sane(one.remaining)
            if not limit or remaining is None:
                continue
            remaining = min(remaining, limit)
            hold = ticket.holds.get(one.lane) or Hold(self._charges.reserve(one.lane, ticket.need), ticket.taken_s)
            if (state := self._lanes.get(one.lane)) is None:
                state = self._lanes[one.lane] = LaneState(None, self._rules.gamma)
            since = self._admitted[one.lane] - ticket.admitted[one.lane]
            refilled = max(0.0, now_s - ticket.taken_s) * limit / 60.0
            state.announced(limit, remaining - since + refilled, now_s).observe(remaining, hold, now_s)

    def on_throttled(self, ticket: Ticket, retry_after_s: float | None, now_s: float, jitter: float) -> None:
        """A 429: close the gate for everybody. One that was sent before the last reaction brings only its hint."""
        self._answered = True
        self._throttled += 1
        self._circuit.succeeded()  # whoever says 429 is not down
        if self._gate.throttled(ticket.taken_s, retry_after_s, now_s, jitter):
            self._learn(ticket, now_s)

    def _learn(self, ticket: Ticket, now_s: float) -> None:
        """Which lane the 429 is of: one that was said to be short, or else a span shorter than a minute."""
        observed = {lane: state.bucket for lane, state in self._lanes.items() if state.bucket is not None}
        holds = {lane: ticket.holds.get(lane) or Hold(0.0, ticket.taken_s) for lane in observed}
        short = {lane for lane, bucket in observed.items() if not bucket.plenty(holds[lane])}
        for lane, bucket in observed.items():
            if not short:
                bucket.kept_shorter()
            elif lane in short:
                bucket.emptied(holds[lane], now_s)
        share = self._throttled / max(1, self._throttled + self._accepted)
        if self._throttled >= CUT_AFTER and share >= CUT_SHARE:
            for lane in self._lanes.keys() - observed.keys():
                self._lanes[lane].cut(max(0.5, 1.0 - share), now_s)
            self._throttled = self._accepted = 0

    def hold(self, until_s: float) -> None:
        """Nothing is sent before this; never shortened."""
        self._gate.hold(until_s)

    def hint(self, retry_after_s: float | None, now_s: float) -> None:
        """A Retry-After seen on any answer."""
        hint_s = sane(retry_after_s, HINT_MOST_S)
        if hint_s:
            self._gate.hold(now_s + hint_s)

    def on_overloaded(self, now_s: float, jitter: float) -> None:
        self._circuit.failed(now_s, jitter)

    def on_ok(self, now_s: float) -> None:  # noqa: ARG002 (the clock is every event's argument; learning will need it)
        self._answered = True
        self._gate.succeeded()
        self._accepted += 1
        if self._accepted + self._throttled > EVIDENCE_MOST:
            self._accepted //= 2
            self._throttled //= 2
        self._circuit.succeeded()

    # ── the run's side ──────────────────────────────────────────────────────────────────────────────────────────

    def set_concurrency(self, calls: int) -> None:
        if calls < 1:
            raise ValueError(f"concurrency = {calls!r} should be 1 or more")
        self.concurrency = calls

    def set_max_usd(self, usd: Decimal | None) -> None:
        self.max_usd = usd

    def waited(self, why: str, seconds: float) -> None:
        """The head of the queue was held this long by `why`."""
        self.waited_s[why] = self.waited_s.get(why, 0.0) + max(0.0, seconds)

    def snapshot(self, now_s: float) -> Snapshot:
        views = [state.view(str(lane), now_s) for lane, state in self._lanes.items()]
        money = (self.spent_usd, self.reserved_usd, self.at_risk_usd)
        return Snapshot(self.in_flight, self.concurrency, self.gate_until_s, *money, dict(self.waited_s), tuple(views))
