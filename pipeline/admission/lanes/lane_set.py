"""All dimensions of one scope together: what fits them all, and what was charged. Pure."""

from collections.abc import Sequence

from pipeline.admission.charging import INDEX, Amounts, Charges, Need, Used
from pipeline.admission.lanes.lane import LaneState, LaneView
from pipeline.admission.lanes.mirrors import LEAST, MINUTE_S, sane
from pipeline.admission.lanes.totals import Held, Totals
from pipeline.admission.learning.learner import Mode
from pipeline.admission.learning.memory import Memory, Remembered
from pipeline.admission.learning.silence import News, Silence
from pipeline.admission.rules import LimitRules
from pipeline.types import Lane, LimitSeen

UNSEEN = 0.5  # of output that is charged as produced, half is on average still to come


class LaneSet:
    def __init__(self, rules: LimitRules, memory: Memory) -> None:
        self._rules = rules
        self.charges = Charges(rules.profile)
        given = (rules.requests_per_minute, rules.input_tokens_per_minute, rules.output_tokens_per_minute)
        pairs = zip((Lane.REQUESTS, Lane.INPUT_TOKENS, Lane.OUTPUT_TOKENS), given, strict=True)
        self._memory = memory.lanes
        self._lanes = {lane: self._new(lane, float(limit)) for lane, limit in pairs if limit}
        self._totals = Totals()
        self.silence = Silence(rules.profile, self._lanes, self._totals, self._new)
        self.silence.start(memory)

    def _new(self, lane: Lane, given: float | None = None) -> LaneState:
        counted = self._rules.profile.minute == "sliding"
        state = LaneState(given, self._rules.count_gamma if counted else self._rules.gamma)
        state.counted = counted
        if lane in self._memory and self._memory[lane].even:
            state.burst.start(self._memory[lane].share)
        return state

    def remember(self) -> dict[Lane, Remembered]:
        """What the next run may start with."""
        learner, found = self.silence.learner, {}
        for lane, state in self._lanes.items():
            if state.learned and lane in learner.rates:
                count = learner.count
                per_minute = MINUTE_S * learner.rates[lane] if count is None else count.most[lane]
                found[lane] = Remembered(per_minute, counted=count is not None)
            elif state.burst.even:
                found[lane] = Remembered(even=True, share=state.burst.share)
        return found

    @property
    def known(self) -> bool:
        """Whether anything is known of a limit."""
        return bool(self._lanes) or self.silence.learner.mode in (Mode.SEARCH, Mode.CRUISE)

    def views(self, now_s: float) -> tuple[LaneView, ...]:
        return tuple(state.view(lane.value, now_s) for lane, state in self._lanes.items())

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted, or None."""
        reserved = self.charges.reserve(need)
        for lane, state in self._lanes.items():
            amount = reserved[INDEX[lane]]
            if state.given and amount > state.given:
                return (
                    f"the request needs {amount:,.0f} {lane}, more than limits.{lane}_per_minute = {state.given:.0f} "
                    "ever admits. Raise that limit, or lower model.max_output_tokens or chunks.max_tokens"
                )
        return None

    def wait_s(self, reserved: Amounts, now_s: float) -> tuple[float, str, bool]:
        """The longest wait, the lane it is for, and whether time alone decides."""
        longest_s, why, firm = 0.0, "", True
        trial = self.silence.learner.trial.left > 0
        for lane, state in self._lanes.items():
            seconds, paced = state.wait_s(reserved[INDEX[lane]], now_s, trial=trial)
            if seconds > longest_s:
                longest_s, why, firm = seconds, lane.value, paced
        return longest_s, why, firm

    def take(self, need: Need, reserved: Amounts, now_s: float, most: float) -> tuple[Held, float | None]:
        """`most` caps the multiple of the refill that lanes go at. Also: until when the next call has to wait."""
        expected = self.charges.expected(need)
        self.silence.before(now_s)
        holds = {}
        for lane, state in self._lanes.items():
            number = INDEX[lane]
            holds[lane] = state.take(reserved[number], expected[number], now_s, most)
        self._totals.add(reserved, expected, now_s)
        return Held(now_s, reserved, holds, self._totals.admitted), self.silence.after(now_s)

    def settle(self, held: Held, need: Need, used: Used | None, now_s: float) -> None:
        """None: the call's fate is not known, so that all of it counts."""
        final = held.reserved
        if used is not None:
            final = self.charges.final(need, used)
            self.charges.observe(need, used)
            self._totals.settle(held.reserved, final, used)
        for lane, state in self._lanes.items():
            hold, number = held.holds.get(lane), INDEX[lane]
            amount = held.reserved[number] if hold is None else hold.amount
            state.settle(hold, 0.0 if used is None else final[number] - amount, now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def told(self, held: Held, seen: Sequence[LimitSeen], now_s: float) -> None:
        """Headers: a limit makes or moves a lane; what remained at the send instant corrects its level."""
        for one in seen:
            limit, remaining = sane(one.limit), sane(one.remaining)
            if limit is None or limit < LEAST:
                continue
            if (state := self._lanes.get(one.lane)) is None:
                state = self._lanes[one.lane] = self._new(one.lane)
            if remaining is None:
                state.stated(limit)
                continue
            self.silence.told(one.lane)
            if state.counted:
                state.counts(limit, min(remaining, limit), held.of(one.lane), sane(one.reset_s))
            else:
                self._observe(state, one.lane, (limit, min(remaining, limit)), held, now_s)

    def _observe(self, state: LaneState, lane: Lane, told: tuple[float, float], held: Held, now_s: float) -> None:
        limit, remaining = told
        refilled = max(0.0, now_s - held.taken_s) * limit / MINUTE_S
        bucket = state.holds(limit, remaining - self._totals.since(held, lane) + refilled, now_s)
        unseen = UNSEEN if self._rules.profile.settle == "post" and lane is Lane.OUTPUT_TOKENS else 0.0
        bucket.observe(remaining, held.of(lane), now_s, unseen)
        if bucket.jumped:
            state.no_bucket(bucket, now_s)

    def refused(self, held: Held, news: News, now_s: float) -> float | None:
        """A 429; until when nothing should be sent, where that is known here."""
        return self.silence.refused(held, news, now_s)
