"""All dimensions of one scope together: what fits them all, and what was charged. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from pipeline.admission.charges import INDEX, Amounts, Charges, Need, Used
from pipeline.admission.dimensions.dimension import DimensionState, DimensionView
from pipeline.admission.dimensions.mirrors import LEAST, MINUTE_S, sane
from pipeline.admission.dimensions.totals import AdmittedTotals, Held
from pipeline.admission.handover import DimensionLeft
from pipeline.admission.learning.inference import LimitInference, News
from pipeline.admission.learning.learner import Mode
from pipeline.admission.learning.memory import Memory, Remembered
from pipeline.admission.rules import LimitRules
from pipeline.types import Dimension, LimitSeen

UNSEEN = 0.5  # of output that is charged as produced, half is on average still to come


class DimensionSet:
    def __init__(self, rules: LimitRules, memory: Memory) -> None:
        self._rules = rules
        self.charges = Charges(rules.profile)
        given = (rules.requests_per_minute, rules.input_tokens_per_minute, rules.output_tokens_per_minute)
        pairs = zip((Dimension.REQUESTS, Dimension.INPUT_TOKENS, Dimension.OUTPUT_TOKENS), given, strict=True)
        self._memory = memory.dimensions
        self._own = {dimension: float(limit) for dimension, limit in pairs if limit}  # of this run's job
        self._dimensions = {dimension: self._new(dimension, limit) for dimension, limit in self._own.items()}
        self._totals = AdmittedTotals()
        self.silence = LimitInference(rules.profile, self._dimensions, self._totals, self._new)
        self.silence.start(memory)

    def _new(self, dimension: Dimension, given: float | None = None) -> DimensionState:
        counted = self._rules.profile.minute == "sliding"
        state = DimensionState(given, self._rules.count_gamma if counted else self._rules.gamma)
        state.counted = counted
        if dimension in self._memory and self._memory[dimension].even:
            state.burst.start(self._memory[dimension].share)
        return state

    def remember(self) -> dict[Dimension, Remembered]:
        """What the next run may start with."""
        learner, found = self.silence.learner, {}
        for dimension, state in self._dimensions.items():
            if state.learned and dimension in learner.rates:
                count = learner.count
                per_minute = MINUTE_S * learner.rates[dimension] if count is None else count.most[dimension]
                found[dimension] = Remembered(per_minute, counted=count is not None)
            elif state.burst.even:
                found[dimension] = Remembered(even=True, share=state.burst.share)
        return found

    @property
    def known(self) -> bool:
        """Whether anything is known of a limit."""
        return bool(self._dimensions) or self.silence.learner.mode in (Mode.SEARCH, Mode.CRUISE)

    def views(self, now_s: float) -> tuple[DimensionView, ...]:
        return tuple(state.view(dimension.value, now_s) for dimension, state in self._dimensions.items())

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, need: Need) -> str | None:
        """Why this can never be admitted by what its own job gives, or None."""
        reserved = self.charges.reserve(need)
        for dimension, limit in self._own.items():
            amount = reserved[INDEX[dimension]]
            if amount > limit:
                return (
                    f"the request needs {amount:,.0f} {dimension}, more than "
                    f"limits.{dimension}_per_minute = {limit:.0f} ever admits. "
                    "Raise that limit, or lower model.max_output_tokens or chunks.max_tokens"
                )
        return None

    def wait_s(self, reserved: Amounts, now_s: float) -> tuple[float, str, bool]:
        """The longest wait, the dimension it is for, and whether time alone decides."""
        longest_s, why, firm = 0.0, "", True
        trial = self.silence.learner.trial.left > 0
        for dimension, state in self._dimensions.items():
            seconds, paced = state.wait_s(reserved[INDEX[dimension]], now_s, trial=trial)
            if seconds > longest_s:
                longest_s, why, firm = seconds, dimension.value, paced
        return longest_s, why, firm

    def take(self, need: Need, now_s: float, most: float) -> tuple[Held, float | None]:
        """`most` caps the multiple of the refill that dimensions go at. Also: until when the next call has to wait."""
        reserved, expected = self.charges.reserve(need), self.charges.expected(need)
        self.silence.before(now_s)
        holds = {}
        for dimension, state in self._dimensions.items():
            number = INDEX[dimension]
            holds[dimension] = state.take(reserved[number], expected[number], now_s, most)
        self._totals.add(reserved, expected, now_s)
        return Held(now_s, reserved, holds, self._totals.admitted), self.silence.after(now_s)

    def taken_before(self, need: Need, now_s: float) -> Held:
        """Of a call that others have let out, and counted."""
        return Held(now_s, self.charges.reserve(need), {}, self._totals.admitted)

    def settle(self, held: Held, need: Need, used: Used | None, now_s: float) -> None:
        """None: the call's fate is not known, so that all of it counts."""
        final = held.reserved
        if used is not None:
            final = self.charges.final(need, used)
            self.charges.observe(need, used)
            self._totals.settle(held.reserved, final, used)
        for dimension, state in self._dimensions.items():
            hold, number = held.holds.get(dimension), INDEX[dimension]
            amount = held.reserved[number] if hold is None else hold.amount
            state.settle(hold, 0.0 if used is None else final[number] - amount, now_s)

    # ── other runs ──────────────────────────────────────────────────────────────────────────────────────────────

    def give(self, dimension: Dimension, per_minute: float) -> None:
        """A limit that another run's job gives."""
        if dimension not in self._dimensions:
            self._dimensions[dimension] = self._new(dimension)
        self._dimensions[dimension].give(per_minute)

    def left(self, now_s: float) -> dict[str, DimensionLeft]:
        return {dimension.value: state.left(now_s) for dimension, state in self._dimensions.items()}

    def resume(self, left: Mapping[str, DimensionLeft], now_s: float) -> None:
        """As another run has left them."""
        for dimension in Dimension:
            if (one := left.get(dimension.value)) is None:
                continue
            if dimension not in self._dimensions and one.told is not None:
                self._dimensions[dimension] = self._new(dimension)
            if dimension in self._dimensions:
                self._dimensions[dimension].resume(one, now_s)
                if one.told is not None:
                    self.silence.told(dimension)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def told(self, held: Held, seen: Sequence[LimitSeen], now_s: float, *, refused: bool = False) -> None:
        """Headers: a limit makes or moves a dimension; what remained at the send instant corrects its level.

        `refused`: the call that they came with was not let in, and so is in no count but where refusals are.
        """
        for one in seen:
            limit, remaining = sane(one.limit), sane(one.remaining)
            if limit is None or limit < LEAST:
                continue
            if (state := self._dimensions.get(one.dimension)) is None:
                state = self._dimensions[one.dimension] = self._new(one.dimension)
            if remaining is None:
                state.stated(limit)
                continue
            self.silence.told(one.dimension)
            if state.counted:
                hold = held.of(one.dimension)
                if refused and not (one.dimension is Dimension.REQUESTS and self._rules.profile.rejects_count):
                    hold = structs.replace(hold, used=hold.used - hold.amount)
                state.counts(limit, min(remaining, limit), hold, sane(one.reset_s), now_s)
            else:
                self._observe(state, one.dimension, (limit, min(remaining, limit)), held, now_s)

    def _observe(
        self, state: DimensionState, dimension: Dimension, told: tuple[float, float], held: Held, now_s: float
    ) -> None:
        limit, remaining = told
        refilled = max(0.0, now_s - held.taken_s) * limit / MINUTE_S
        bucket = state.holds(limit, remaining - self._totals.since(held, dimension) + refilled, now_s)
        unseen = UNSEEN if self._rules.profile.settle == "post" and dimension is Dimension.OUTPUT_TOKENS else 0.0
        bucket.observe(remaining, held.of(dimension), now_s, unseen)
        if bucket.jumped:
            state.no_bucket(bucket, now_s)

    def refused(self, held: Held, news: News, now_s: float) -> float | None:
        """A 429; until when nothing should be sent, where that is known here."""
        return self.silence.refused(held, news, now_s)
