"""One limit per minute, mirrored twice: as its user gave it, and as the provider's headers show it. Pure.

A user's limit is a ceiling, kept as a sliding minute: no 60 seconds ever admit more. A provider's is a bucket that
refills all the time, corrected by what `remaining` says; it finds small bursts and other clients on the same key.
"""

import math
from collections import deque
from dataclasses import dataclass, field

MINUTE_S = 60.0
WINDOW_S = 60.2  # a minute, and a little for the jitter between our clock and the provider's
SLOT_S = 0.1  # uses this close together are forgotten together: 600 slots whatever the rate
CREDIT_S = 0.25  # how late the pacer may be and still catch up: a busy event loop must not cost throughput
CUSHION_S = 0.5  # seconds of refill that stay in an observed bucket: its figures are as old as a generation
GAIN = 0.5
LEAK_S = 5.0  # over how long a lasting difference is taken for somebody else's use
STALE_S = 0.25
LEAST_SHARE = 0.25  # a limit that a user gave is believed within a factor of four
RECOVER_PER_S = 0.001
LARGEST = 1e12  # a limit above is no limit


@dataclass(slots=True)
class Slot:
    first_s: float
    last_s: float
    amount: float = 0.0


@dataclass(slots=True)
class SlidingMinute:
    """What was admitted in the last minute; the mirror that every kind of server grants."""

    limit: float
    used: float = 0.0
    slots: deque[Slot] = field(default_factory=deque)

    def advance(self, now_s: float) -> None:
        while self.slots and self.slots[0].last_s <= now_s - WINDOW_S:
            self.used -= self.slots.popleft().amount
        if not self.slots:
            self.used = 0.0  # no rounding error outlives an idle minute

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until `amount`, at most the limit, fits."""
        self.advance(now_s)
        short = self.used + amount - self.limit
        if short <= _dust(self.limit):
            return 0.0
        for slot in self.slots:
            short -= slot.amount
            if short <= _dust(self.limit):
                return max(0.0, slot.last_s + WINDOW_S - now_s)
        return max(0.0, self.slots[-1].last_s + WINDOW_S - now_s) if self.slots else 0.0

    def take(self, amount: float, now_s: float) -> Slot:
        self.advance(now_s)
        if not self.slots or now_s - self.slots[-1].first_s >= SLOT_S:
            self.slots.append(Slot(now_s, now_s))
        slot = self.slots[-1]
        slot.last_s = max(slot.last_s, now_s)
        slot.amount += amount
        self.used += amount
        return slot

    def settle(self, slot: Slot, change: float, now_s: float) -> None:
        self.advance(now_s)
        if self.slots and slot.last_s >= self.slots[0].last_s:
            slot.amount += change
            self.used += change


@dataclass(slots=True)
class Bucket:
    """The provider's side of a limit: a minute's worth at the most, refilling all the time, less what others take."""

    limit: float
    level: float
    at_s: float
    gamma: float  # never faster than this multiple of the refill; falls to 1 where limits are kept by the second
    share: float = 1.0  # of the refill, once gamma is 1 and that was still too fast
    leak: float = 0.0  # units per second that others take
    corrected: float = 0.0  # all corrections so far, so that no sample counts one twice
    remaining: float = math.inf  # as last said
    sent_s: float = -math.inf  # the send instant that this was said of

    @property
    def rate(self) -> float:
        """Units per second that are ours."""
        refill = self.limit / MINUTE_S
        return max(0.02 * refill, (refill - self.leak) * self.share)

    def advance(self, now_s: float) -> None:
        if now_s > self.at_s:
            self.level = min(self.limit, self.level + (now_s - self.at_s) * self.rate)
            self.at_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until `amount`, at most the limit, fits with a cushion left where it can be."""
        self.advance(now_s)
        cushioned = min(amount + CUSHION_S * self.rate, max(amount, 0.98 * self.limit))
        short = cushioned - self.level
        return short / self.rate if short > _dust(self.limit) else 0.0

    def relimit(self, limit: float) -> None:
        self.limit = limit
        self.level = min(self.level, limit)
        self.leak = min(self.leak, 0.95 * limit / MINUTE_S)

    def observe(self, remaining: float, hold: "Hold", now_s: float) -> None:
        """Compare with our own level at the send instant: the answer is as old as a whole generation."""
        if hold.taken_s < self.sent_s - STALE_S:
            return
        self.advance(now_s)
        since_s = max(0.0, hold.taken_s - self.sent_s) if self.sent_s > -math.inf else 0.0
        self.remaining, self.sent_s = remaining, max(self.sent_s, hold.taken_s)
        if hold.level is None:
            return  # sent before the bucket was known
        error = GAIN * (remaining - (hold.level + self.corrected - hold.corrected))
        self.level = min(self.limit, self.level + error)
        self.corrected += error
        credible = min(max(error, -self.rate), self.rate)  # one wild sample is nobody's lasting use
        self.leak -= credible / LEAK_S * min(1.0, since_s)
        self.leak = min(max(self.leak, 0.0), 0.95 * self.limit / MINUTE_S)

    def plenty(self, hold: "Hold") -> bool:
        """Whether the provider said of this very call that more than enough remained."""
        return self.sent_s == hold.taken_s and self.remaining > 1.05 * hold.amount

    def emptied(self, hold: "Hold", now_s: float) -> None:
        """A 429 of this limit: there is no more than was said, or nothing."""
        self.advance(now_s)
        said = self.remaining if self.sent_s == hold.taken_s else 0.0
        before, self.level = self.level, min(self.level, said)
        self.corrected += self.level - before

    def kept_shorter(self) -> None:
        """A 429 although plenty remained: the limit is kept over a span shorter than a minute."""
        if self.gamma > 1.0:
            slower = 1.0 + 0.3 * (self.gamma - 1.0)
            self.gamma = slower if slower >= 1.05 else 1.0
        else:
            self.share = max(0.9, self.share - 0.008)


@dataclass(slots=True)
class Hold:
    """What one ticket holds of one lane."""

    amount: float
    taken_s: float
    slot: Slot | None = None
    level: float | None = None  # the bucket's, just after
    corrected: float = 0.0


@dataclass(frozen=True, slots=True)
class LaneView:
    name: str
    limit_per_minute: float
    level: float
    source: str  # job, headers, or both


class LaneState:
    """Both mirrors of one dimension and its pace; at least one of them is there."""

    def __init__(self, given: float | None, gamma: float) -> None:
        self.ceiling = SlidingMinute(given) if given else None
        self.bucket: Bucket | None = None
        self._gamma = gamma
        self._share = 1.0  # of the ceiling that the provider turned out to grant, while it is silent
        self._share_s = -math.inf
        self._next_s = -math.inf

    @property
    def limit(self) -> float:
        """Per minute, the lower of both."""
        return min(side.limit for side in (self.ceiling, self.bucket) if side is not None)

    def view(self, name: str, now_s: float) -> LaneView:
        """`level` is what could be admitted now."""
        levels, sources = [], []
        if self.ceiling is not None:
            self.ceiling.advance(now_s)
            levels.append(self.ceiling.limit - self.ceiling.used)
            sources.append("job")
        if self.bucket is not None:
            self.bucket.advance(now_s)
            levels.append(self.bucket.level)
            sources.append("headers")
        return LaneView(name, self.limit, min(levels), " and ".join(sources))

    def pace(self, now_s: float, most: float) -> float:
        """Units per second. Evenly while nothing shows how large a burst the provider takes, else up to gamma."""
        rates = []
        if self.bucket is not None:
            rates.append(self.bucket.rate * min(self.bucket.gamma, most))
        if self.ceiling is not None:
            even = self.ceiling.limit / MINUTE_S
            rates.append(even * (min(self.bucket.gamma, most) if self.bucket is not None else self.share(now_s)))
        return min(rates)

    def share(self, now_s: float) -> float:
        return min(1.0, self._share + max(0.0, now_s - self._share_s) * RECOVER_PER_S) if self._share < 1 else 1.0

    def wait_s(self, amount: float, now_s: float) -> tuple[float, bool]:
        """Seconds until `amount` may go, and whether it is only the pace that holds it."""
        amount = min(amount, self.limit)
        waits = [side.wait_s(amount, now_s) for side in (self.ceiling, self.bucket) if side is not None]
        level_s, pace_s = max(waits), self._next_s - now_s
        if max(level_s, pace_s) <= 1e-9:
            return 0.0, False
        return max(level_s, pace_s), pace_s > level_s

    def take(self, amount: float, net: float, now_s: float, most: float) -> Hold:
        """`amount` is reserved, `net` is what it will probably come to; `most` caps the multiple of the refill."""
        amount = min(amount, self.limit)
        hold = Hold(amount, now_s)
        self._next_s = max(self._next_s, now_s - CREDIT_S) + min(net, amount) / self.pace(now_s, most)
        if self.ceiling is not None:
            hold.slot = self.ceiling.take(amount, now_s)
        if self.bucket is not None:
            self.bucket.advance(now_s)
            self.bucket.level -= amount
            hold.level, hold.corrected = self.bucket.level, self.bucket.corrected
        return hold

    def settle(self, hold: Hold, final: float, now_s: float) -> None:
        change = final - hold.amount
        if hold.slot is not None and self.ceiling is not None:
            self.ceiling.settle(hold.slot, change, now_s)
        if hold.level is not None and self.bucket is not None:
            self.bucket.advance(now_s)
            self.bucket.level = min(self.bucket.limit, self.bucket.level - change)

    def announced(self, limit: float, level: float, now_s: float) -> Bucket:
        """A header names the provider's limit; `level` is what is left now, where this is the first time."""
        if self.bucket is None:
            self.bucket = Bucket(limit, min(limit, level), now_s, self._gamma)
        elif self.bucket.limit != limit:
            self.bucket.relimit(limit)
        return self.bucket

    def cut(self, factor: float, now_s: float) -> None:
        """The provider grants less than the job says, and has no headers to say how much."""
        self._share = max(LEAST_SHARE, self.share(now_s) * factor)
        self._share_s = now_s


def sane(value: float | None, most: float = LARGEST) -> float | None:
    """A number that somebody else sent, from 0 to `most`; None for what is no number. Negative is 0."""
    if value is None or math.isnan(value):
        return None
    return min(max(value, 0.0), most)


def _dust(limit: float) -> float:
    """What floating point may lose."""
    return 1e-9 * max(1.0, limit)
