"""The provider's side of a limit: buckets and windows, and the other tenants who draw on them."""

import math
import random
from collections import deque
from dataclasses import dataclass

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Change:
    """From `from_s` to `to_s` others take this share, give or take a half; the limit is `factor` times."""

    from_s: float
    to_s: float = math.inf
    taken: float = 0.0
    factor: float = 1.0


class Flow:
    """Units per second that are ours, second by second."""

    def __init__(self, per_minute: float, changes: tuple[Change, ...], seed: int) -> None:
        self.per_s = per_minute / MINUTE_S
        self._changes = changes
        self._seed = seed
        self._noise: dict[int, float] = {}

    def full(self, at_s: float) -> float:
        """The whole refill, others included."""
        rate = self.per_s
        for change in self._changes:
            if change.from_s <= at_s < change.to_s:
                rate *= change.factor
        return rate

    def ours(self, at_s: float) -> float:
        rate = self.full(at_s)
        taken = sum(change.taken for change in self._changes if change.from_s <= at_s < change.to_s)
        return rate * (1.0 - taken * self._noisy(int(at_s))) if taken else rate

    def _noisy(self, second: int) -> float:
        if second not in self._noise:
            self._noise[second] = random.Random(self._seed * 1_000_003 + second).uniform(0.5, 1.5)
        return self._noise[second]

    @property
    def constant(self) -> bool:
        return not self._changes


class BucketMeter:
    """Refilled all the time, `burst_s` seconds' worth at the most, full at the start."""

    def __init__(self, flow: Flow, burst_s: float) -> None:
        self.flow = flow
        self._burst_s = burst_s
        self.level = flow.per_s * burst_s
        self._at_s = 0.0

    def capacity(self, now_s: float) -> float:
        return self.flow.full(now_s) * self._burst_s

    def advance(self, now_s: float) -> None:
        while self._at_s < now_s:
            end_s = now_s if self.flow.constant else min(now_s, math.floor(self._at_s) + 1.0)
            refilled = self.level + (end_s - self._at_s) * self.flow.ours(self._at_s)
            self.level = min(self.capacity(self._at_s), refilled)
            self._at_s = end_s

    def wait_s(self, cost: float, now_s: float) -> float:
        self.advance(now_s)
        short = min(cost, self.capacity(now_s)) - self.level
        return short / self.flow.ours(now_s) if short > 1e-9 else 0.0

    def take(self, cost: float, now_s: float) -> object:
        self.advance(now_s)
        self.level -= cost
        return None

    def settle(self, taken: object, change: float, now_s: float) -> None:  # noqa: ARG002 (a bucket forgets who took)
        self.advance(now_s)
        self.level = min(self.capacity(now_s), self.level - change)

    def remaining(self, now_s: float) -> float:
        self.advance(now_s)
        return max(0.0, self.level)

    def limit(self, now_s: float) -> float:
        return self.flow.full(now_s) * MINUTE_S


class WindowMeter:
    """A count per window of the clock, or in the last `span_s` seconds where it slides."""

    def __init__(self, flow: Flow, span_s: float, *, slides: bool) -> None:
        self.flow = flow
        self._span_s = span_s
        self._slides = slides
        self._uses: deque[list[float]] = deque()  # [time, amount]
        self._used = 0.0
        self._next_s = 0.0  # when others use it next

    def _most(self, now_s: float) -> float:
        return self.flow.full(now_s) * self._span_s

    def _advance(self, now_s: float) -> None:
        if not self.flow.constant:
            self._others_use(now_s)
        self._expire(now_s)

    def _others_use(self, now_s: float) -> None:
        while self._next_s <= now_s:
            amount = self.flow.full(self._next_s) - self.flow.ours(self._next_s)
            self._expire(self._next_s)
            if amount > 0.0 and self._used + amount <= self._most(self._next_s):
                self._uses.append([self._next_s, amount])
                self._used += amount
            self._next_s += 1.0

    def _expire(self, now_s: float) -> None:
        opened_s = math.floor(now_s / self._span_s) * self._span_s - 1e-9
        until_s = now_s - self._span_s if self._slides else opened_s
        while self._uses and self._uses[0][0] <= until_s:
            self._used -= self._uses.popleft()[1]

    def wait_s(self, cost: float, now_s: float) -> float:
        self._advance(now_s)
        short = self._used + min(cost, self._most(now_s)) - self._most(now_s)
        if short <= 1e-9:
            return 0.0
        if not self._slides:
            return (math.floor(now_s / self._span_s) + 1) * self._span_s - now_s
        for at_s, amount in self._uses:
            short -= amount
            if short <= 1e-9:
                return at_s + self._span_s - now_s
        return self._span_s

    def take(self, cost: float, now_s: float) -> list[float]:
        self._advance(now_s)
        use = [now_s, cost]
        self._uses.append(use)
        self._used += cost
        return use

    def settle(self, taken: list[float], change: float, now_s: float) -> None:
        self._advance(now_s)
        if self._uses and taken[0] >= self._uses[0][0]:
            taken[1] += change
            self._used += change

    def remaining(self, now_s: float) -> float:
        self._advance(now_s)
        return max(0.0, self._most(now_s) - self._used)

    def limit(self, now_s: float) -> float:
        return self.flow.full(now_s) * MINUTE_S
