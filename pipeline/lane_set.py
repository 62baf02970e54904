"""All dimensions of one scope together: what fits them all, what was charged, and which of them a 429 is of. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.charging import INDEX, Amounts, Charges, Need, Used
from pipeline.counting import Count
from pipeline.lanes import LaneState, LaneView
from pipeline.learning import Learner, Mode, Refusal
from pipeline.mirrors import MINUTE_S, Hold, sane
from pipeline.rules import LimitRules
from pipeline.work import Lane, LimitSeen

PACE_S = 1.0  # over how long the pace of late is averaged
UNSEEN = 0.5  # of output that is charged as produced, half is on average still to come
GRANTED = 0.85  # of what the job gives was let in: the limit is right, and kept over less than a minute
FULL_AGAIN_S = 10.0
GRANTED_SPAN_S, DOUBTS = 10.0, 3
STRAY_CALLS, STRAY_MOST = 100, 0.4
NO_LIMIT = 1.1  # times what the job gives


@dataclass(frozen=True, slots=True)
class Held:
    """What one call holds of all lanes. `admitted`: in all and itself included, for limits that become known later."""

    taken_s: float
    reserved: Amounts
    holds: dict[Lane, Hold]
    admitted: Amounts

    def of(self, lane: Lane) -> Hold:
        return self.holds.get(lane) or Hold(self.reserved[INDEX[lane]], self.taken_s)


@dataclass(frozen=True, slots=True)
class News:
    """What a 429 brings. `fresh`: its call was sent after the last reaction. `lane`: where the provider says which."""

    fresh: bool
    hint_s: float = 0.0
    lane: Lane | None = None


class LaneSet:
    def __init__(self, rules: LimitRules) -> None:
        self._rules = rules
        self.charges = Charges(rules.profile)
        self.learner = Learner()
        given = (rules.requests_per_minute, rules.input_tokens_per_minute, rules.output_tokens_per_minute)
        pairs = zip((Lane.REQUESTS, Lane.INPUT_TOKENS, Lane.OUTPUT_TOKENS), given, strict=True)
        self._lanes = {lane: self._new(lane, float(limit)) for lane, limit in pairs if limit}
        self._admitted: Amounts = (0.0, 0.0, 0.0, 0.0)
        self._net = [0.0, 0.0, 0.0, 0.0]  # of it, what was charged in the end, as far as is known
        self._pace = [0.0, 0.0, 0.0, 0.0]  # per second, of late
        self._first_s = self._last_s = -math.inf
        self._rejected = 0
        self._minded = (0.0, 0)
        self._resumed_s = -math.inf  # first call after the last 429
        self._full_s = -math.inf
        self._news_s, self._news_net, self._doubts = -math.inf, [0.0, 0.0, 0.0, 0.0], 0

    def _new(self, lane: Lane, given: float | None = None) -> LaneState:
        del lane
        counts = self._rules.profile.minute == "sliding"
        state = LaneState(given, self._rules.count_gamma if counts else self._rules.gamma)
        state.counted = counts
        return state

    @property
    def known(self) -> bool:
        """Whether anything is known of a limit."""
        return bool(self._lanes) or self.learner.mode in (Mode.SEARCH, Mode.CRUISE)

    def views(self, now_s: float) -> tuple[LaneView, ...]:
        return tuple(state.view(str(lane), now_s) for lane, state in self._lanes.items())

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
        trial = self.learner.trial.left > 0
        for lane, state in self._lanes.items():
            if trial and state.learned and state.ceiling is None:
                continue
            seconds, paced = state.wait_s(reserved[INDEX[lane]], now_s)
            if seconds > longest_s:
                longest_s, why, firm = seconds, lane.value, paced
        return longest_s, why, firm

    def take(self, need: Need, reserved: Amounts, now_s: float, most: float) -> Held:
        """`most` caps the multiple of the refill that lanes go at."""
        expected = self.charges.expected(need)
        if self.learner.trial.begun_s is not None:
            self._judge(now_s)
        if self.learner.rates:
            self._tune(now_s)
        holds = {}
        for lane, state in self._lanes.items():
            number = INDEX[lane]
            holds[lane] = state.take(reserved[number], expected[number], now_s, most)
        self._count(reserved, expected, now_s)
        return Held(now_s, reserved, holds, self._admitted)

    def _count(self, reserved: Amounts, expected: Amounts, now_s: float) -> None:
        a, b, c, d = self._admitted
        self._admitted = (a + reserved[0], b + reserved[1], c + reserved[2], d + reserved[3])
        if self._first_s == -math.inf:
            self._first_s = self._news_s = now_s
        if self._resumed_s < self._news_s:
            self._resumed_s = now_s
        fade = math.exp((self._last_s - now_s) / PACE_S)
        self._last_s = now_s
        for number in range(4):
            self._net[number] += reserved[number]
            self._pace[number] = self._pace[number] * fade + expected[number] / PACE_S

    def settle(self, held: Held, need: Need, used: Used | None, now_s: float) -> None:
        """None: the call's fate is not known, so that all of it counts."""
        final = held.reserved
        if used is not None:
            self._rejected += used.rejected
            final = self.charges.final(need, used)
            self.charges.observe(need, used)
            for number in range(4):
                self._net[number] += final[number] - held.reserved[number]
        for lane, state in self._lanes.items():
            hold, number = held.holds.get(lane), INDEX[lane]
            amount = held.reserved[number] if hold is None else hold.amount
            state.settle(hold, 0.0 if used is None else final[number] - amount, now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def told(self, held: Held, seen: Sequence[LimitSeen], now_s: float) -> None:
        """Headers: a limit makes or moves a lane; what remained at the send instant corrects its level."""
        for one in seen:
            limit, remaining = sane(one.limit), sane(one.remaining)
            if not limit:
                continue
            if (state := self._lanes.get(one.lane)) is None:
                state = self._lanes[one.lane] = self._new(one.lane)
            if remaining is None:
                state.stated(limit)
            elif state.counted:
                state.counts(limit, min(remaining, limit), held.of(one.lane), sane(one.reset_s))
            else:
                self._observe(state, one.lane, limit, min(remaining, limit), held, now_s)

    def _observe(self, state: LaneState, lane: Lane, limit: float, remaining: float, held: Held, now_s: float) -> None:
        number = INDEX[lane]
        since = self._admitted[number] - held.admitted[number]
        refilled = max(0.0, now_s - held.taken_s) * limit / MINUTE_S
        bucket = state.holds(limit, remaining - since + refilled, now_s)
        unseen = UNSEEN if self._rules.profile.settle == "post" and lane is Lane.OUTPUT_TOKENS else 0.0
        bucket.observe(remaining, held.of(lane), now_s, unseen)
        if bucket.jumped:
            state.no_bucket(bucket, now_s)

    def refused(self, held: Held, news: News, now_s: float) -> float | None:
        """A 429: of a lane that was said to be short, or of a span shorter than a minute, or of a silent limit.

        Returns until when nothing should be sent, where that is known here; None where it is not.
        """
        learner = self.learner
        learner.trial.refused(held.taken_s)
        if not news.fresh:
            return -math.inf
        observed = [lane for lane, state in self._lanes.items() if state.observed]
        short = [lane for lane in observed if self._lanes[lane].short(held.of(lane))]
        for lane in short:
            if (bucket := self._lanes[lane].bucket) is not None:
                bucket.emptied(held.of(lane), now_s)
        silent = [lane for lane in self._rules.profile.learns if lane not in observed]
        if not short and not self._explained(observed or silent, now_s):
            self._learn(held, news, silent, now_s)
        self._news_s, self._news_net = held.taken_s, list(self._net)
        if learner.count is not None:
            return learner.count.closed_until_s
        if learner.trial.begun_s is not None:
            return learner.trial.listening_until_s or -math.inf
        return -math.inf if learner.mode is Mode.STRAY else None

    def _explained(self, lanes: Iterable[Lane], now_s: float) -> bool:
        """Whether the lanes that are known account for it: a full minute, a burst, or a limit kept by the second.

        An even pace keeps the minute full as well: fullness explains no two in a row, and nothing once that is known.
        """
        states = [self._lanes[lane] for lane in lanes if lane in self._lanes and not self._lanes[lane].learned]
        full = [s for s in states if s.ceiling is not None and s.ceiling.nearly_full(now_s)]
        even_only = any(state.burst.refused_s > -math.inf for state in states)
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
        let_in = {lane: (self._net[INDEX[lane]] - self._news_net[INDEX[lane]]) / span_s for lane in self._lanes}
        return any(s.given and let_in[lane] > GRANTED * s.given / MINUTE_S for lane, s in self._lanes.items())

    # ── what it does not say ────────────────────────────────────────────────────────────────────────────────────

    def _learn(self, held: Held, news: News, silent: Sequence[Lane], now_s: float) -> None:
        if not silent:
            return
        self._mind(held.admitted[0])
        before = [own - total - held_ for own, total, held_ in zip(held.admitted, self._admitted, held.reserved, strict=True)]
        self.learner.refused(
            Refusal(
                sent_s=held.taken_s,
                now_s=now_s,
                net={lane: self._net[INDEX[lane]] + before[INDEX[lane]] for lane in silent},
                calls=held.admitted[0] - 1.0 - self._rejected,
                pace={lane: self._pace[INDEX[lane]] for lane in silent},
                since_s=self._first_s,
                lane=news.lane,
                given={lane: s.given for lane, s in self._lanes.items() if s.given},
                closed_s=max(0.0, self._resumed_s - self._news_s),
                on_way=round(self._admitted[0] - held.admitted[0]),
                wait_s=now_s - held.taken_s + news.hint_s,
            )
        )
        if self.learner.mode is Mode.FREE and not self.learner.rates:
            self._forget(self.learner)
        self._mirror(now_s)

    def _mirror(self, now_s: float) -> None:
        for lane, rate in self.learner.rates.items():
            if lane not in self._lanes:
                self._lanes[lane] = self._new(lane)
            if not self._lanes[lane].observed:
                self._lanes[lane].refilling(rate, now_s, empty=True)

    def _judge(self, now_s: float) -> None:
        mode = self.learner.mode
        self.learner.judge(now_s)
        if self.learner.mode is Mode.STRAY:
            self._forget(Learner(Mode.STRAY))
        elif self.learner.mode is not mode:
            self._mirror(now_s)

    def _tune(self, now_s: float) -> None:
        """Probe, as far as what is allowed is made use of."""
        learner = self.learner
        if learner.count is not None:
            self._tune_count(learner.count, now_s)
            return
        multiple = learner.apply(now_s, max(2.0 * self._pace[INDEX[ln]] / rate for ln, rate in learner.rates.items()))
        for lane in learner.rates:
            state = self._lanes[lane]
            if state.learned and state.bucket is not None:
                state.bucket.advance(now_s)
                state.bucket.share = multiple * learner.slack(lane)
                if state.given and state.bucket.rate > NO_LIMIT * state.given / MINUTE_S:
                    self._forget(Learner())
                    return

    def _tune_count(self, count: Count, now_s: float) -> None:
        for lane in count.most:
            state = self._lanes[lane]
            if state.learned and state.bucket is not None:
                state.bucket.share = 1.0
                state.bucket.relimit(MINUTE_S * count.per_s(lane, now_s))
                state.bucket.level = state.bucket.limit  # the pace alone counts

    def opening_s(self, now_s: float) -> float | None:
        """After a call has gone out: until when the next has to wait to see what becomes of it."""
        count = self.learner.count
        if count is None:
            return self.learner.trial.took(now_s)
        return count.took(now_s, {lane: self._net[INDEX[lane]] for lane in count.most})

    def _forget(self, learner: Learner) -> None:
        """What was learned was no limit, or is none any more."""
        for lane, state in list(self._lanes.items()):
            if state.learned:
                state.forget()
                if state.ceiling is None:
                    del self._lanes[lane]
        self.learner = learner

    def _mind(self, calls: float) -> None:
        """Refusals that slowing down does not change are let be, as long as they are few."""
        part = (self._rejected - self._minded[1]) / max(1.0, calls - self._minded[0])
        if calls - self._minded[0] >= STRAY_CALLS:
            self._minded = (calls, self._rejected)
            if self.learner.mode is Mode.STRAY and part > STRAY_MOST:
                self._forget(Learner())

    @property
    def at_once(self) -> bool:
        """Whether calls need not be let out one by one after a pause: a trial wants them so, strays don't mind."""
        return self.learner.trial.left > 0 or self.learner.mode is Mode.STRAY
