"""Which limit a 429 is of, and what to make of limits that nobody tells. Pure.

In this order: a dimension that the provider said was short; a minute that is full as we count; a burst, or a limit that
is kept by the second; and only then a limit that is silent, to be learned from what is refused.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field

from pipeline.admission.charges import INDEX
from pipeline.admission.dimensions.dimension import DimensionState
from pipeline.admission.dimensions.mirrors import MINUTE_S
from pipeline.admission.dimensions.totals import AdmittedTotals, Held
from pipeline.admission.learning.learner import Learner, Mode, Refusal
from pipeline.admission.learning.memory import Memory
from pipeline.admission.learning.minute_count import Count
from pipeline.catalog.limit_profiles import Profile
from pipeline.types import Dimension

FULL_AGAIN_S = 10.0
EVIDENCE_OF, EVIDENCE = 12, 5  # the last outcomes, and refusals among them: a limit with nothing left refuses many
GRANTED = 0.85  # of what the job gives was let in: the limit is right, and kept over less than a minute
GRANTED_SPAN_S, DOUBTS = 10.0, 3
STRAY_CALLS, STRAY_MOST = 100, 0.4
NO_LIMIT_S = 20.0  # without a 429, at what the job gives


class News(Struct, frozen=True):
    """What a 429 brings. `fresh`: its call was sent after the last reaction. `dimension`: which, where it is said."""

    fresh: bool
    hint_s: float = 0.0
    dimension: Dimension | None = None


class LimitInference(Struct):
    """`dimensions` are shared with who admits; `add` makes one."""

    profile: Profile
    dimensions: dict[Dimension, DimensionState]
    totals: AdmittedTotals
    add: Callable[[Dimension], DimensionState]
    learner: Learner = field(default_factory=Learner)
    _recent: tuple[bool, ...] = ()  # the last outcomes: refused or not
    _news_s: float = -math.inf
    _news_net: list[float] = field(default_factory=lambda: [0.0] * 4)
    _resumed_s: float = -math.inf  # first call after the last 429
    _full_s: float = -math.inf
    _doubts: int = 0
    _minded: tuple[float, int] = (0.0, 0)

    @property
    def at_once(self) -> bool:
        """Whether calls need not be let out one by one after a pause: a trial wants them so, strays don't mind."""
        trial = self.learner.trial
        return trial.left > 0 or trial.harmless or self.learner.mode is Mode.STRAY

    # ── whose 429 is it ─────────────────────────────────────────────────────────────────────────────────────────

    def refused(self, held: Held, news: News, now_s: float) -> float | None:
        """Until when nothing should be sent, where that is known here; None where it is not."""
        learner = self.learner
        self._recent = (*self._recent, True)[-EVIDENCE_OF:]
        learner.trial.refused(held.taken_s)
        if not news.fresh:
            return -math.inf
        observed = [dimension for dimension, state in self.dimensions.items() if state.observed]
        short = [dimension for dimension in observed if self.dimensions[dimension].short(held.of(dimension))]
        for dimension in short:
            if (bucket := self.dimensions[dimension].bucket) is not None:
                bucket.emptied(held.of(dimension), now_s)
        silent = [dimension for dimension in self.profile.learns if dimension not in observed]
        if not short and not self._explained(observed or silent, now_s) and silent:
            self._learn(held, news, silent, now_s)
        self._news_s, self._news_net = held.taken_s, list(self.totals.net)
        learner = self.learner
        if learner.count is not None:
            return learner.count.closed_until_s
        if learner.trial.begun_s is not None:
            return learner.trial.listening_until_s or -math.inf
        return -math.inf if learner.mode is Mode.STRAY else None

    def answered(self) -> None:
        """A call was let in."""
        self._recent = (*self._recent, False)[-EVIDENCE_OF:]

    def _explained(self, dimensions: Iterable[Dimension], now_s: float) -> bool:
        """Whether the dimensions that are known account for it: a full minute, a burst, or a limit kept by the second.

        An even pace keeps the minute full as well: fullness explains no two in a row, and nothing once that is known.
        """
        states = [
            self.dimensions[dimension]
            for dimension in dimensions
            if dimension in self.dimensions and not self.dimensions[dimension].learned
        ]
        full = [s for s in states if s.ceiling is not None and s.ceiling.nearly_full(now_s)]
        even_only = any(state.burst.even for state in states)
        if full and not even_only and now_s - self._full_s > FULL_AGAIN_S:
            self._full_s = now_s
            return True
        bursting = [s for s in states if s.burst.gamma > 1.0]
        even = [s for s in states if not s.burst.spent and (s.observed or self._granted(now_s))]
        for state in bursting or even:
            state.burst.refused(now_s)
        return bool(bursting or even)

    def _granted(self, now_s: float) -> bool:
        """Whether what the job gives was let in since the last 429; in doubt for a few times."""
        span_s = now_s - self._news_s
        if span_s < GRANTED_SPAN_S:
            self._doubts += 1
            return self._doubts < DOUBTS
        self._doubts = 0
        net = self.totals.net
        let_in = {
            dimension: (net[INDEX[dimension]] - self._news_net[INDEX[dimension]]) / span_s
            for dimension in self.dimensions
        }
        return any(
            s.given and let_in[dimension] > GRANTED * s.given / MINUTE_S for dimension, s in self.dimensions.items()
        )

    # ── learning ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, memory: Memory) -> None:
        """Go by what an earlier run has learned."""
        known = [(dimension, one) for dimension, one in memory.dimensions.items() if dimension in self.profile.learns]
        rates = {dimension: one.per_minute / MINUTE_S for dimension, one in known if one.per_minute is not None}
        if rates:
            self.learner.start(rates, memory.burst_s, counted=any(one.counted for _, one in known))
            self._mirror(-math.inf, empty=False)

    def told(self, dimension: Dimension) -> None:
        """Headers tell of a dimension: nothing is to be learned of it any more."""
        if dimension in self.learner.rates:
            self.learner.drop(dimension)

    def _learn(self, held: Held, news: News, silent: Sequence[Dimension], now_s: float) -> None:
        self._mind(held.admitted[0])
        totals = self.totals
        refusal = Refusal(
            sent_s=held.taken_s,
            now_s=now_s,
            net={dimension: totals.net_before(held, dimension) for dimension in silent},
            calls=held.admitted[0] - 1.0 - totals.rejected,
            pace={dimension: totals.pace[INDEX[dimension]] for dimension in silent},
            calls_per_s=totals.pace[0],
            since_s=totals.first_s,
            dimension=news.dimension,
            given={dimension: state.given for dimension, state in self.dimensions.items() if state.given},
            closed_s=max(0.0, self._resumed_s - self._news_s),
            on_way=round(totals.since(held, Dimension.REQUESTS)),
            wait_s=now_s - held.taken_s + news.hint_s,
            evident=sum(self._recent) >= EVIDENCE,
        )
        self.learner.refused(refusal)
        if self.learner.mode is Mode.FREE:
            self._forget(self.learner)
        self._mirror(now_s, empty=True)

    def _mirror(self, now_s: float, *, empty: bool) -> None:
        for dimension, rate in self.learner.rates.items():
            if dimension not in self.dimensions:
                self.dimensions[dimension] = self.add(dimension)
            if not self.dimensions[dimension].observed:
                self.dimensions[dimension].refilling(rate, now_s, empty=empty)

    def _mind(self, calls: float) -> None:
        """Refusals that slowing down does not change are let be, as long as they are few."""
        part = (self.totals.rejected - self._minded[1]) / max(1.0, calls - self._minded[0])
        if calls - self._minded[0] >= STRAY_CALLS:
            self._minded = (calls, self.totals.rejected)
            if self.learner.mode is Mode.STRAY and part > STRAY_MOST:
                self._forget(Learner())

    def _forget(self, learner: Learner) -> None:
        """What was learned was no limit, or is none any more."""
        for dimension, state in list(self.dimensions.items()):
            if state.learned:
                state.forget()
                if state.ceiling is None:
                    del self.dimensions[dimension]
        self.learner = learner

    # ── before and after each call ──────────────────────────────────────────────────────────────────────────────

    def before(self, now_s: float) -> None:
        """A call is about to go out: set the pace of dimensions that are learned."""
        if self._resumed_s < self._news_s:
            self._resumed_s = now_s
        if self.learner.trial.begun_s is not None:
            self._judge(now_s)
        if self.learner.count is not None:
            self._pace_count(self.learner.count, now_s)
        elif self.learner.rates:
            self._probe(now_s)

    def after(self, now_s: float) -> float | None:
        """A call has gone out: until when the next has to wait to see what becomes of it."""
        learner = self.learner
        if self.totals.first_s == now_s:
            learner.empty_s = max(learner.empty_s, now_s)
            self._news_s = max(self._news_s, now_s)
        if learner.count is None:
            return learner.trial.took(now_s)
        return learner.count.took(
            now_s, {dimension: self.totals.net[INDEX[dimension]] for dimension in learner.count.most}
        )

    def _judge(self, now_s: float) -> None:
        """What has become of a trial."""
        mode = self.learner.mode
        self.learner.judge(now_s)
        if self.learner.mode is Mode.STRAY:
            self._forget(Learner(Mode.STRAY))
        elif self.learner.mode is not mode:
            self._mirror(now_s, empty=True)

    def _probe(self, now_s: float) -> None:
        """Above the learned rates now and then, as far as they are made use of."""
        learner, pace = self.learner, self.totals.pace
        multiple = learner.apply(
            now_s, max(2.0 * pace[INDEX[dimension]] / rate for dimension, rate in learner.rates.items())
        )
        for dimension in learner.rates:
            state = self.dimensions[dimension]
            if state.learned and state.bucket is not None:
                state.bucket.advance(now_s)
                state.bucket.share = multiple * learner.slack(dimension)
                if state.given and now_s - learner.empty_s > NO_LIMIT_S and state.bucket.rate > state.given / MINUTE_S:
                    self._forget(Learner())
                    return

    def _pace_count(self, count: Count, now_s: float) -> None:
        for dimension in count.most:
            state = self.dimensions[dimension]
            if state.learned and state.bucket is not None:
                state.bucket.share = 1.0
                state.bucket.relimit(MINUTE_S * count.per_s(dimension, now_s))
                state.bucket.level = state.bucket.limit  # the pace alone counts
