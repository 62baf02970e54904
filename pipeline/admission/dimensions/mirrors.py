"""The two ways a provider keeps a limit, mirrored: a count per minute, and a bucket that refills all the time. Pure.

The sliding minute is the one that every kind of server grants, so a limit that the job gives is kept so: no 60 seconds
ever admit more. The bucket is corrected by what `remaining` says; it finds small bursts and other clients on the key.
"""

import math
from collections import deque

from msgspec import Struct, field

MINUTE_S = 60.0
WINDOW_S = 60.2  # a minute, and a little for the jitter between our clock and the provider's
SOON_S = 0.001  # the least that is waited for something to be forgotten: what has to wait never waits for nothing
SLOT_S = 0.1  # uses this close together are forgotten together: 600 slots whatever the rate
CUSHION_S = 0.5  # seconds of refill that stay in an observed bucket: its figures are as old as a generation
GAIN = 0.5  # of a difference that one sample may correct
LEAK_S = 5.0  # over how long a lasting difference is taken for somebody else's use
LEAK_MOST = 0.95  # of the refill
STALE_S = 0.25
FULL = 0.95  # of a bucket: what others take from it nobody misses
JUMP = 0.25  # of a limit that comes back at once
PLENTY = 1.3  # times what we think a call costs
DOUBT, DOUBT_MOST, DOUBT_OPEN = (
    0.25,
    0.02,
    0.02,
)  # of a call's tokens, but of the limit; of those in flight: may be more
NEARLY = 0.9  # of a minute's limit: a 429 there means that the provider counts a little more than we do
LEAST_OURS, NOISE = 0.05, 0.01
COUNTS_MORE, FORGIVEN_PER_S = 0.002, 0.00002
LEAST, LARGEST = 1e-3, 1e12  # a limit below could never be kept, one above is none


class Slot(Struct):
    first_s: float
    last_s: float
    amount: float = 0.0


class Hold(Struct):
    """What one ticket holds of one dimension, and how that dimension stood just after."""

    amount: float
    taken_s: float
    owner: object = None  # the dimension, which may have been made anew since
    total: float = 0.0  # taken of the dimension in all
    open: float = 0.0  # reserved and not yet settled
    used: float = 0.0  # in the last minute
    slot: Slot | None = None
    bucket: "Bucket | None" = None
    level: float = 0.0
    corrected: float = 0.0


class SlidingMinute(Struct):
    """What was admitted in the last minute. `less`: the share by which the provider seemed to count more, at `less_s`.

    `others`: what somebody else used, as far as it was told in the last minute: when, and how much; falling amounts.
    """

    limit: float
    used: float = 0.0
    slots: deque[Slot] = field(default_factory=deque)
    less: float = 0.0
    less_s: float = -math.inf
    others: deque[tuple[float, float]] = field(default_factory=deque)

    def advance(self, now_s: float) -> None:
        while self.others and self.others[0][0] <= now_s - WINDOW_S:
            self.others.popleft()
        while self.slots and self.slots[0].last_s <= now_s - WINDOW_S:
            self.used -= self.slots.popleft().amount
        if not self.slots:
            self.used = 0.0  # no rounding error outlives an idle minute

    def granted(self, now_s: float) -> float:
        """What may be used: the limit, or a little less for some time after it was refused."""
        self.advance(now_s)
        others = self.others[0][1] if self.others else 0.0
        return max(LEAST_OURS * self.limit, self.limit - others) - self._taken_off(now_s)

    def _taken_off(self, now_s: float) -> float:
        if self.less <= 0.0:
            return 0.0
        return self.limit * max(0.0, self.less - (now_s - self.less_s) * FORGIVEN_PER_S)

    def left(self, now_s: float) -> tuple[tuple[float, float], ...]:
        """What is used, by the second: (seconds ago, amount), the oldest first."""
        self.advance(now_s)
        by_second: dict[int, float] = {}
        for slot in self.slots:
            age_s = max(0, int(now_s - slot.last_s))
            by_second[age_s] = by_second.get(age_s, 0.0) + slot.amount
        return tuple((float(age_s), amount) for age_s, amount in by_second.items())

    def observe(self, remaining: float, hold: Hold, now_s: float) -> None:
        """What was used when the call of `hold` was sent and not by us, was used by others.

        It is forgotten a minute after it was told, unless it is told again: a count has nothing older in it.
        """
        amount = self.limit * (1.0 - NOISE) - remaining - hold.used
        while self.others and (self.others[-1][1] <= amount or self.others[-1][0] > now_s - SLOT_S):
            amount = max(amount, self.others.pop()[1])
        if amount > 0.0:
            self.others.append((now_s, amount))

    def nearly_full(self, now_s: float) -> bool:
        """Whether a 429 of now came when the minute was almost used up; then it counts for what is granted."""
        self.advance(now_s)
        if self.used < NEARLY * self.limit:
            return False
        self.less = 1.0 - min(self.used, self.limit - self._taken_off(now_s)) / self.limit + COUNTS_MORE
        self.less_s = now_s
        return True

    def wait_s(self, amount: float, open_: float, now_s: float) -> float:
        """Until `amount`, at most the limit, fits. Tokens, also those in flight, may turn out to be a few more."""
        self.advance(now_s)
        limit = max(amount, self.granted(now_s))
        if amount > 1.0:
            amount = min(amount + min(DOUBT * amount, DOUBT_MOST * limit) + DOUBT_OPEN * open_, limit)
        short = self.used + amount - limit
        if short <= dust(self.limit) or not self.slots:
            return 0.0
        forgotten_s = self.others[0][0] + WINDOW_S if self.others else math.inf
        for slot in self.slots:
            short -= slot.amount
            if short <= dust(self.limit):
                break
        return max(SOON_S, min(slot.last_s + WINDOW_S, forgotten_s) - now_s)

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


class Bucket(Struct):
    """The provider's side of a limit: a minute's worth at the most, refilling all the time, less what others take.

    What they take is forgotten a minute after anything was last said of what remains, and believed again if within
    another minute nothing remains.
    """

    limit: float
    level: float
    at_s: float
    cushion_s: float = CUSHION_S
    share: float = 1.0  # of the refill that we go at
    leak: float = 0.0  # units per second that others take
    forgotten: float = 0.0  # what that was
    corrected: float = 0.0  # all corrections so far, so that no sample counts one twice
    remaining: float = math.inf  # as last said
    sent_s: float = -math.inf  # the send instant that this was said of
    told_s: float = -math.inf  # and when it was said
    jumped: bool = False  # it is no bucket: what remains starts again now and then

    @property
    def rate(self) -> float:
        """Units per second that are ours."""
        refill = self.limit / MINUTE_S
        return max(0.02 * refill, (refill - self.leak) * self.share)

    def advance(self, now_s: float) -> None:
        if now_s > self.at_s:
            self.level = min(self.limit, self.level + (now_s - self.at_s) * self.rate)
            self.at_s = now_s
            if self.leak > 0.0 and now_s - self.told_s > WINDOW_S:
                self.leak, self.forgotten = 0.0, self.leak

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until `amount`, at most the limit, fits with a cushion left where it can be."""
        self.advance(now_s)
        rate = self.rate
        short = min(amount + self.cushion_s * rate, max(amount, 0.98 * self.limit)) - self.level
        if short <= dust(self.limit):
            return 0.0
        if self.leak <= 0.0:
            return short / rate
        return min(short / rate, max(SOON_S, self.told_s + WINDOW_S - now_s))

    def take(self, hold: Hold, now_s: float) -> None:
        self.advance(now_s)
        self.level -= hold.amount
        hold.bucket, hold.level, hold.corrected = self, self.level, self.corrected

    def settle(self, change: float, now_s: float) -> None:
        self.advance(now_s)
        self.level = min(self.limit, self.level - change)

    def relimit(self, limit: float) -> None:
        self.limit = limit
        self.level = min(self.level, limit)
        self.leak, self.forgotten = min(self.leak, LEAK_MOST * limit / MINUTE_S), 0.0

    def observe(self, remaining: float, hold: Hold, now_s: float, unseen: float = 0.0) -> None:
        """Compare with our own level at the send instant: the answer is as old as a whole generation.

        `unseen`: how much of what was reserved and not yet settled then the provider has not yet charged.
        """
        if hold.taken_s < self.sent_s - STALE_S:
            return
        self.advance(now_s)
        if remaining <= 0.0 < self.forgotten and now_s - self.told_s <= 2.0 * WINDOW_S:
            self.leak = max(self.leak, self.forgotten)
        self.forgotten = 0.0
        since_s = max(0.0, hold.taken_s - self.sent_s) if self.sent_s > -math.inf else 0.0
        most = self.remaining + JUMP * self.limit + 2.0 * since_s * self.limit / MINUTE_S
        self.jumped |= since_s > 0.0 and remaining > most
        self.remaining, self.sent_s, self.told_s = remaining, max(self.sent_s, hold.taken_s), now_s
        if hold.bucket is self:  # else sent before this bucket was known
            error = GAIN * (remaining - unseen * hold.open - (hold.level + self.corrected - hold.corrected))
            if error > 0.0 or min(remaining, self.level) < FULL * self.limit:
                self._correct(error, since_s)

    def _correct(self, error: float, since_s: float) -> None:
        self.level = min(self.limit, self.level + error)
        self.corrected += error
        credible = min(max(error, -self.rate), self.rate)  # one wild sample is nobody's lasting use
        self.leak -= credible / LEAK_S * min(1.0, since_s)
        self.leak = min(max(self.leak, 0.0), LEAK_MOST * self.limit / MINUTE_S)

    def plenty(self, hold: Hold) -> bool:
        """Whether the provider said of this very call that more than enough remained."""
        return self.sent_s == hold.taken_s and self.remaining > PLENTY * hold.amount

    def emptied(self, hold: Hold, now_s: float) -> None:
        """A 429 of this limit: there is no more than was said, or nothing."""
        self.advance(now_s)
        said = self.remaining if self.sent_s == hold.taken_s else 0.0
        before, self.level = self.level, min(self.level, said)
        self.corrected += self.level - before


def sane(value: float | None, most: float = LARGEST) -> float | None:
    """A number that somebody else sent, from 0 to `most`; None for what is no number. Negative is 0."""
    if value is None or math.isnan(value):
        return None
    return min(max(value, 0.0), most)


def dust(limit: float) -> float:
    """What floating point may lose."""
    return 1e-9 * max(1.0, limit)
