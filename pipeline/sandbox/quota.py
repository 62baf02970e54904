"""Requests and tokens per minute, as a provider keeps them: buckets of one minute's worth that refill all the time.

Pure: the time is an argument, in seconds on any clock that does not go back. A denied request is not charged.
"""

from msgspec import Struct

WINDOW_S = 60.0
DUST = 1e-9  # of a bucket: what floating point may lose while it refills


class Level(Struct, frozen=True):
    """One bucket as of one instant."""

    lane: str  # requests or tokens
    limit: int  # per minute
    remaining: int
    reset_s: float  # until full


class Denial(Struct, frozen=True):
    lane: str
    limit: int
    used: int
    requested: int
    retry_after_s: float | None  # None: it can never fit


class Bucket(Struct):
    lane: str
    limit: int  # per minute
    capacity: float
    level: float
    updated_s: float

    def refill(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self.updated_s)
        self.level = min(self.capacity, self.level + passed_s * self.limit / WINDOW_S)
        self.updated_s = now_s

    def wait_s(self, amount: int) -> float:
        """How long until `amount` is there, from the last refill."""
        missing = amount - self.level
        return missing * WINDOW_S / self.limit if missing > DUST * self.limit else 0.0

    def seen(self) -> Level:
        remaining = max(0.0, self.level)
        return Level(self.lane, self.limit, int(remaining), (self.capacity - remaining) * WINDOW_S / self.limit)


class Quota:
    """Both buckets, full at first; a limit of 0 is none. `burst_s`: how long a refill they hold."""

    def __init__(
        self, requests_per_minute: int, tokens_per_minute: int, now_s: float, burst_s: float = WINDOW_S
    ) -> None:
        limits = (("requests", requests_per_minute), ("tokens", tokens_per_minute))
        self._buckets = [
            Bucket(lane, limit, full, full, now_s)
            for lane, limit in limits
            if limit > 0 and (full := max(1.0, limit * burst_s / WINDOW_S))
        ]

    def admit(self, tokens: int, now_s: float) -> Denial | None:
        """Charge one request of `tokens` to every bucket, or to none and say which one holds it up the longest."""
        worst: Denial | None = None
        for bucket, amount in self._amounts(1, tokens):
            bucket.refill(now_s)
            wait_s = bucket.wait_s(amount)
            never = amount > bucket.capacity
            if wait_s <= 0 and not never:
                continue
            used = int(bucket.capacity) - int(max(0.0, bucket.level))
            denial = Denial(bucket.lane, bucket.limit, used, amount, None if never else wait_s)
            if worst is None or never or (worst.retry_after_s is not None and wait_s > worst.retry_after_s):
                worst = denial
        if worst is None:
            for bucket, amount in self._amounts(1, tokens):
                bucket.level -= amount
        return worst

    def settle(self, charged_tokens: int, used_tokens: int, now_s: float) -> None:
        """Give back what was charged at admission and not used; the request itself stays spent."""
        for bucket, amount in self._amounts(0, charged_tokens - used_tokens):
            bucket.refill(now_s)
            bucket.level += amount  # the next refill cuts what is over the limit

    def levels(self, now_s: float) -> tuple[Level, ...]:
        for bucket in self._buckets:
            bucket.refill(now_s)
        return tuple(bucket.seen() for bucket in self._buckets)

    def _amounts(self, requests: int, tokens: int) -> list[tuple[Bucket, int]]:
        return [(bucket, requests if bucket.lane == "requests" else tokens) for bucket in self._buckets]
