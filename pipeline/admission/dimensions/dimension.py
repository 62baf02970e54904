"""One dimension of a limit: its mirrors, and the pace that calls are let out at. Pure."""

import math

from msgspec import Struct

from pipeline.admission.dimensions.bursts import Burst
from pipeline.admission.dimensions.mirrors import LARGEST, MINUTE_S, PLENTY, Bucket, Hold, SlidingMinute
from pipeline.admission.handover import DimensionLeft

ASK_S = 2.0  # where nothing is left, one call in this time asks whether there is


class DimensionView(Struct, frozen=True):
    """`level` could be admitted now; `others` is the share of the refill that somebody else takes."""

    name: str
    limit_per_minute: float
    level: float
    in_flight: float  # reserved and not yet settled
    source: str  # job, headers, learned, or two of them
    others: float = 0.0


class ReportedCount(Struct, frozen=True):
    """What was left of a count when the provider let a call in, which had made it `total` for us."""

    remaining: float
    total: float
    sent_s: float
    until_s: float  # it starts again by then

    def wait_s(self, amount: float, total: float, now_s: float) -> float:
        if self.remaining - (total - self.total) >= amount:
            return 0.0
        return max(0.0, min(self.until_s, self.sent_s + ASK_S) - now_s)


class DimensionState:
    """The mirrors of one dimension and its pace; at least one mirror is there.

    `ceiling`: a count per minute, given by the job or told by the provider. `bucket`: told, or learned from refusals.
    """

    def __init__(self, given: float | None, gamma: float) -> None:
        self.given = given
        self.ceiling = SlidingMinute(given) if given else None
        self.bucket: Bucket | None = None
        self.learned = False  # the bucket
        self.counted = False  # told limits are counts per minute
        self.burst = Burst(gamma)
        self._told: ReportedCount | None = None
        self._next_s = -math.inf
        self._open = self._total = 0.0

    @property
    def limit(self) -> float:
        """Per minute, the lower of both."""
        return min(side.limit for side in (self.ceiling, self.bucket) if side is not None)

    @property
    def observed(self) -> bool:
        """Whether headers tell what is left."""
        return self._told is not None or (self.bucket is not None and not self.learned)

    def view(self, name: str, now_s: float) -> DimensionView:
        levels, sources, others = [], [], 0.0
        if self.ceiling is not None:
            self.ceiling.advance(now_s)
            levels.append(self.ceiling.granted(now_s) - self.ceiling.used)
        if self.given:
            sources.append("job")
        if self.observed or (self.ceiling is not None and not self.given):
            sources.append("headers")
        if self.bucket is not None:
            self.bucket.advance(now_s)
            levels.append(self.bucket.level)
            others = self.bucket.leak * MINUTE_S / self.bucket.limit
            if self.learned:
                sources.append("learned")
        return DimensionView(name, self.limit, min(levels), self._open, " and ".join(sources), others)

    # ── may it go? ──────────────────────────────────────────────────────────────────────────────────────────────

    def pace(self, most: float) -> float:
        """Units per second. `most` caps the multiple of the refill."""
        burst = self.burst
        multiple = min(burst.gamma, most) * burst.share
        rate = math.inf if self.ceiling is None else self.ceiling.limit / MINUTE_S * multiple
        if self.bucket is None:
            return rate
        return min(rate, self.bucket.rate if self.learned else self.bucket.rate * multiple)

    def wait_s(self, amount: float, now_s: float, *, trial: bool = False) -> tuple[float, bool]:
        """Seconds until `amount` may go, and whether time alone decides: no settlement makes the pace faster.

        `trial`: what was learned, and the pace, are not minded for once.
        """
        ceiling, bucket, told = self.ceiling, self.bucket, self._told
        free = trial and not self.observed
        pace_s = 0.0 if free else self._next_s - now_s
        level_s = 0.0
        if bucket is not None and not free:
            amount = min(amount, bucket.limit)
            level_s = bucket.wait_s(amount, now_s)
        if ceiling is not None:
            amount = min(amount, ceiling.limit)
            level_s = max(level_s, ceiling.wait_s(amount, self._open, now_s))
        if told is not None:
            level_s = max(level_s, told.wait_s(amount, self._total, now_s))
        if pace_s >= level_s:
            return (pace_s, True) if pace_s > 1e-9 else (0.0, True)
        return (level_s, False) if level_s > 1e-9 else (0.0, True)

    def take(self, amount: float, net: float, now_s: float, most: float) -> Hold:
        """`amount` is reserved, `net` is what it will probably come to; `most` caps the multiple of the refill."""
        limit = self.limit
        amount, net = min(amount, limit), min(net, limit)
        pace, burst = self.pace(most), self.burst
        busy = now_s - self._next_s < burst.credit_s
        self._next_s = (self._next_s if busy else now_s - burst.credit_s) + net / pace
        burst.used(now_s, pace / max(net, 1e-9), busy=busy)
        self._open += amount
        self._total += amount
        hold = Hold(amount, now_s, self, self._total, self._open)
        if self.ceiling is not None:
            hold.slot = self.ceiling.take(amount, now_s)
            hold.used = self.ceiling.used
        if self.bucket is not None:
            self.bucket.take(hold, now_s)
        return hold

    def settle(self, hold: Hold | None, change: float, now_s: float) -> None:
        """`change` is what was charged over what was reserved; no hold: taken before this dimension was known."""
        if hold is not None and hold.owner is self:
            self._open -= hold.amount
            if hold.slot is not None and self.ceiling is not None:
                self.ceiling.settle(hold.slot, change, now_s)
        if self.bucket is not None and change:
            self.bucket.settle(change, now_s)

    # ── what the provider says ──────────────────────────────────────────────────────────────────────────────────

    def stated(self, limit: float) -> None:
        """The provider names its limit per minute, and not what is left of it."""
        if self.ceiling is None:
            self.ceiling = SlidingMinute(limit)
        else:
            self.ceiling.limit = min(limit, self.given or limit)

    def counts(self, limit: float, remaining: float, hold: Hold, reset_s: float | None, now_s: float) -> None:
        """A header of a limit that is a count per minute; `remaining` is as of the send instant."""
        self.counted = True
        self.stated(limit)
        if self._told is None or hold.taken_s >= self._told.sent_s:
            until_s = hold.taken_s + min(MINUTE_S, MINUTE_S if reset_s is None else reset_s)
            self._told = ReportedCount(remaining, hold.total, hold.taken_s, until_s)
            if hold.slot is not None and self.ceiling is not None:
                self.ceiling.observe(remaining, hold, now_s)

    def holds(self, limit: float, level: float, now_s: float) -> Bucket:
        """A header of a limit that is a bucket; `level` is what is left now, where this is the first time."""
        if self.bucket is None or self.learned:
            self.bucket, self.learned = Bucket(limit, min(limit, level), now_s), False
        elif self.bucket.limit != limit:
            self.bucket.relimit(limit)
        return self.bucket

    def no_bucket(self, bucket: Bucket, now_s: float) -> None:
        """What was taken for one is a count."""
        self.bucket, self.counted = None, True
        self.stated(bucket.limit)
        if not self.given and self.ceiling is not None:
            self.ceiling.take(max(0.0, bucket.limit - bucket.remaining), now_s)

    def short(self, hold: Hold) -> bool:
        """Whether a call was refused for want of what this dimension was said to have left."""
        if self._told is not None:
            return hold.taken_s != self._told.sent_s or self._told.remaining <= PLENTY * hold.amount
        return self.bucket is None or not self.bucket.plenty(hold)

    def refilling(self, per_s: float, now_s: float, *, empty: bool) -> None:
        """What was learned of a silent limit; `empty`: it has just refused a call."""
        limit = min(LARGEST, max(per_s * MINUTE_S, 1e-3))
        if self.bucket is None:
            self.bucket, self.learned = Bucket(limit, limit, now_s, cushion_s=0.0), True
        self.bucket.advance(now_s)
        self.bucket.relimit(limit)
        if empty:
            self.bucket.level = min(self.bucket.level, 0.0)

    def forget(self) -> None:
        """What was learned turned out to be no limit."""
        if self.learned:
            self.bucket, self.learned = None, False

    # ── other runs ──────────────────────────────────────────────────────────────────────────────────────────────

    def give(self, per_minute: float) -> None:
        """A limit that another run's job gives: the lower one counts."""
        self.given = min(self.given or math.inf, per_minute)
        if self.ceiling is None:
            self.ceiling = SlidingMinute(self.given)
        else:
            self.ceiling.limit = min(self.ceiling.limit, self.given)

    def left(self, now_s: float) -> DimensionLeft:
        """Where it stands, for who carries on."""
        used = () if self.ceiling is None else self.ceiling.left(now_s)
        told = level = None
        if self.ceiling is not None:
            told = None if self.ceiling.limit == self.given else self.ceiling.limit
        if self.bucket is not None and not self.learned:
            self.bucket.advance(now_s)
            told, level = self.bucket.limit, self.bucket.level
        return DimensionLeft(used, told, level)

    def resume(self, left: DimensionLeft, now_s: float) -> None:
        """As another run has left it."""
        if left.told is not None and left.level is None:
            self.counted = True
            self.stated(left.told)
        elif left.told is not None and left.level is not None:
            self.bucket, self.learned = Bucket(left.told, min(left.told, left.level), now_s), False
        if self.ceiling is not None:
            for age_s, amount in left.used:
                self.ceiling.take(amount, now_s - age_s)
