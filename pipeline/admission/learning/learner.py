"""A limit that nobody tells, learned from what is refused. Pure.

What was admitted between two instants at which the provider had nothing left, over the time between them, is what it
refills, however large a burst it takes. After that only a refusal can tell that there is more: probes go upward as
often as a budget of 429s allows.
"""

import math
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from pipeline.admission.dimensions.mirrors import WINDOW_S
from pipeline.admission.learning.minute_count import Count
from pipeline.admission.learning.strays import Trial
from pipeline.types import Dimension

BUDGET = 0.005  # 429s per call that probing may cost
SEARCH_S, SEARCH_CALLS, SEARCH_BY = 1.0, 2.0, 1.5  # looking for the first limit: faster by this, every so often
SURE_AT, SURE_DUE = 12.0, 6.0  # calls between two empty instants, or due by then, that make a rate certain
LEAST_PER_S = 1e-4
LEAST_SPAN_S = 0.8  # two refusals closer together are one
DRAIN, DRAIN_S = 0.95, 3.0  # a little under the rate after a refusal: what was in flight comes in too
PROBE = 0.05
LOST = 0.04  # of the time, in pauses that probes may cost
PERIOD_FIRST_S, PERIOD_CALLS, PERIOD_BY, PERIOD_LEAST_S, PERIOD_MOST_S = 2.0, 8.0, 1.6, 8.0, 40.0
FALLEN, RISEN = 0.8, 1.5  # a rate that has changed is looked for faster
SLACK = 1.25  # dimensions that do not look like the one that is short
CHOOSE_AFTER, CHOOSE_BY, TELLING_CALLS = 6, 0.6, 30
SHUT_CALLS, SHUT_DUE, SHUT_AFTER = 2, 4.0, 3
STRAY_FOUND, SURE_AFTER, SUSPECT_CALLS = 0.9, 3, 5


class Mode(StrEnum):
    FREE = "free"  # nothing was refused yet
    SEARCH = "search"  # once: somewhere below the pace of then
    CRUISE = "cruise"  # known, and probed
    STRAY = "stray"  # refusals that slowing down does not change: no limit of ours


class Refusal(Struct, frozen=True):
    """One 429 that is news. `net`, `calls`: all that was let in before the refused call, as settled by now."""

    sent_s: float
    now_s: float
    net: Mapping[Dimension, float]
    calls: float
    pace: Mapping[Dimension, float]  # units per second of late
    calls_per_s: float
    since_s: float  # of the first call of all
    dimension: Dimension | None = None  # where the provider says which
    given: Mapping[Dimension, float] = field(default_factory=dict)  # units per minute that the job gives
    closed_s: float = 0.0  # for how long nothing was sent after the last one
    on_way: int = 0  # calls sent since this one
    wait_s: float = 0.0  # from its being sent until calls can go again
    evident: bool = True  # it was not the only one of late

    @property
    def due(self) -> float:
        """Calls that can have been refilled by then, at the most."""
        return self.calls_per_s * self.wait_s


class Learner(Struct):
    """Rates in units per second. All dimensions are learned together; one of them is taken for the short one."""

    mode: Mode = Mode.FREE
    rates: dict[Dimension, float] = field(default_factory=dict)
    primary: Dimension | None = None
    count: Count | None = None  # it is no bucket
    trial: Trial = field(default_factory=Trial)
    burst_s: float | None = None
    empty_s: float = -math.inf  # the last instant at which nothing was left
    _measurable: bool = False  # whether that is an instant of this run
    _net: dict[Dimension, float] = field(default_factory=dict)  # what had been let in by then
    _calls: float = 0.0
    _applied: float = 1.0  # the multiple that is gone at
    _period_s: float = PERIOD_FIRST_S
    _news: int = 0  # since the rate moved
    _measured: int = 0
    _found: dict[Dimension, float] = field(default_factory=dict)
    _doubt: dict[Dimension, float] = field(default_factory=dict)
    _first_calls: float = 0.0
    _first_after_s: float = 0.0
    _shuts: int = 0
    _on_trial: Refusal | None = None

    # ── how fast ────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, now_s: float, most: float) -> float:
        """The multiple of the learned rates to go at; above 1 no more than `most`, which is what is made use of."""
        self._applied = min(self._multiple(now_s), max(1.0, most))
        return self._applied

    def _multiple(self, now_s: float) -> float:
        since_s = now_s - self.empty_s
        if self.mode is Mode.SEARCH:
            step_s = max(SEARCH_S, SEARCH_CALLS / max(1e-6, self.rates.get(Dimension.REQUESTS, math.inf)))
            return math.pow(SEARCH_BY, min(40.0, since_s // step_s))
        x = since_s / self._period_s - 1.0
        if x < 0.0:
            return DRAIN if since_s < min(DRAIN_S, self._period_s / 4) else 1.0
        return 1.0 + PROBE * (1.0 + 3.0 * x + 4.0 * x * x)

    def slack(self, dimension: Dimension) -> float:
        return 1.0 if self.primary is None or dimension is self.primary else SLACK

    # ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────

    def refused(self, news: Refusal) -> None:
        span_s = news.sent_s - self.empty_s
        if self.count is not None:
            self.count.refused(news.sent_s, news.now_s, news.net, news.calls - self._calls)
            self._calls = news.calls
            if self.count.doubtful:
                self.mode, self.count, self.rates = Mode.FREE, None, {}
        elif self.mode is Mode.STRAY or self.trial.begun_s is not None:
            return
        elif self.mode is Mode.FREE and not any(news.net.values()):
            return  # nothing was let in yet: there is nothing now, and no rate to tell by; pauses are for that
        elif self.mode is Mode.FREE:
            self._on_trial = news
            if not self.trial.begin(news.sent_s, news.now_s, news.on_way, news.due) and news.evident:
                self._first(news)
        elif not self._measurable:
            self._remember(news)
        elif span_s < LEAST_SPAN_S:
            self.rates = {dimension: max(LEAST_PER_S, 0.8 * rate) for dimension, rate in self.rates.items()}
        elif news.calls - self._calls < SHUT_CALLS and self._calls_per_s(news) * span_s >= SHUT_DUE:
            self._shut(news)
        else:
            self._measure(news, span_s)
            self._remember(news)

    def judge(self, now_s: float) -> None:
        """What has become of the calls that were watched."""
        stray = self.trial.verdict(now_s)
        if stray is False and self.mode is Mode.FREE and self._on_trial is not None:
            self._first(self._on_trial)
        elif stray and self.trial.thorough:
            self.mode, self.rates = Mode.STRAY, {}

    def start(self, rates: Mapping[Dimension, float], burst_s: float | None, *, counted: bool) -> None:
        """From what an earlier run has learned; nothing was refused yet in this one."""
        self.mode, self.rates, self.burst_s = Mode.CRUISE, dict(rates), burst_s
        if counted:
            most = {dimension: 60.0 * rate for dimension, rate in rates.items()}
            self.count = Count(-math.inf, dict.fromkeys(rates, 0.0), most, -math.inf)

    def drop(self, dimension: Dimension) -> None:
        """Its limit is told by now."""
        del self.rates[dimension]
        self._found.pop(dimension, None)
        if self.count is not None:
            self.count.most.pop(dimension, None)
        if self.primary is dimension:
            self.primary = None
        if not self.rates:
            self.mode, self.count = Mode.FREE, None

    def _remember(self, news: Refusal) -> None:
        self._net, self._calls, self.empty_s, self._measurable = dict(news.net), news.calls, news.sent_s, True
        self._news += 1
        calls_per_s = max(1e-6, self._calls_per_s(news))
        first_s = max(PERIOD_FIRST_S, PERIOD_CALLS / calls_per_s)
        burst_s = self._burst_s(news)
        longest_s = max(PERIOD_LEAST_S, 1.0 / (BUDGET * calls_per_s), min(PERIOD_MOST_S, burst_s / 2))
        if burst_s < 2.0 * news.wait_s:  # what is refilled during the pause that a refusal asks for is lost
            longest_s = max(longest_s, news.wait_s / LOST)
        self._period_s = min(longest_s, first_s * PERIOD_BY ** min(self._news, 40))

    def _calls_per_s(self, news: Refusal) -> float:
        return self.rates.get(Dimension.REQUESTS, news.calls_per_s)

    def _burst_s(self, news: Refusal) -> float:
        """Seconds of refill that the provider stores: a rise is not lost while it is stored.

        What the first calls had at once, over the rate.
        """
        rate = self._calls_per_s(news)
        if self._first_calls and rate > 0 and self._measured >= SURE_AFTER:
            self.burst_s = max(0.0, self._first_calls / rate - self._first_after_s)
        return self.burst_s or 0.0

    def _first(self, news: Refusal) -> None:
        """Between the pace of late and a minute's burst, all of it used up since the start; nearer to the latter."""
        elapsed_s = max(0.0, news.sent_s - news.since_s)
        self._first_calls, self._first_after_s = news.calls, elapsed_s
        for dimension, pace in news.pace.items():
            least = news.net[dimension] / (60.0 + elapsed_s)
            if dimension in news.given:
                self.rates[dimension] = max(least, news.given[dimension] / 120.0)
            else:
                self.rates[dimension] = max(LEAST_PER_S, least**0.75 * max(pace, least) ** 0.25)
        self.mode = Mode.SEARCH
        self._remember(news)

    def _measure(self, news: Refusal, span_s: float) -> None:
        calls = news.calls - self._calls
        sure = min(1.0, max(0.1, calls / SURE_AT, self._calls_per_s(news) * span_s / SURE_DUE))
        early = self.mode is Mode.SEARCH or self._applied <= 1.0  # it did not take a probe
        mix = 0.1 if self.mode is Mode.SEARCH or span_s > self._period_s / 2 else 0.3
        found = {dimension: max(0.0, news.net[dimension] - self._net[dimension]) / span_s for dimension in self.rates}
        moved, same = {}, early
        for dimension, rate in self.rates.items():
            pace = min(rate * self._applied * self.slack(dimension), news.given.get(dimension, math.inf) / 60.0)
            same &= found[dimension] * span_s > STRAY_FOUND * pace * (span_s - news.closed_s)
            if early:
                least = max(LEAST_PER_S, 0.3 * pace, sure * found[dimension] + (1.0 - sure) * pace)
                self.rates[dimension] = least + mix * max(0.0, pace - least)
                moved[dimension] = found[dimension] < FALLEN * pace
            elif pace > RISEN * found[dimension]:
                self.rates[dimension] = max(rate, math.sqrt(found[dimension] * pace))
                moved[dimension] = True
            else:
                self.rates[dimension] = min(max(found[dimension], rate), pace)
                moved[dimension] = False
        if calls >= TELLING_CALLS:
            self._judge(found)
        self._choose(news.dimension)
        if all(moved.values()) if self.primary is None else moved[self.primary]:
            self._news = min(self._news, 1)
        self.mode, self._shuts = Mode.CRUISE, 0
        self._measured += 1
        if self._measured > SURE_AFTER:
            due = self._calls_per_s(news) * news.wait_s
            self.trial.suspect(news.sent_s, news.now_s, due, granted=same and calls >= SUSPECT_CALLS, unasked=early)

    # ── which dimension is short ─────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, found: Mapping[Dimension, float]) -> None:
        """The one whose rate stays the same, from one measurement to the next."""
        for dimension, rate in found.items():
            before = self._found.get(dimension, 0.0)
            if before > 0.0 and rate > 0.0:
                wrong = min(1.0, abs(math.log(rate / before)))
                self._doubt[dimension] = 0.8 * self._doubt.get(dimension, 0.1) + 0.2 * wrong**2
        self._found = dict(found)

    def _choose(self, named: Dimension | None) -> None:
        if named in self.rates:
            self.primary = named
        elif self._measured >= CHOOSE_AFTER:
            doubt = sorted((self._doubt.get(dimension, 1.0), dimension) for dimension in self.rates)
            if len(doubt) == 1 or doubt[0][0] < CHOOSE_BY * doubt[1][0]:
                self.primary = doubt[0][1]

    # ── what is no bucket ───────────────────────────────────────────────────────────────────────────────────────

    def _shut(self, news: Refusal) -> None:
        """Nothing was refilled where something was due, twice in a row: a count, that starts again some time.

        It is what the first minute had, if this is the first; else what the rates make of it.
        """
        self._shuts += 1
        if self._shuts < SHUT_AFTER:
            return
        whole = self.empty_s - news.since_s < 60.0
        most = {
            dimension: max(1.0, self._net[dimension] if whole else 60.0 * rate)
            for dimension, rate in self.rates.items()
        }
        opened_s = news.since_s if whole else news.now_s - 60.0
        until_s = max(news.now_s, opened_s + WINDOW_S)
        self.count = Count(opened_s, dict.fromkeys(self.rates, 0.0), most, until_s)
