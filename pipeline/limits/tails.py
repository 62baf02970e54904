"""When a call has been out for so long that a second one is worth sending: by this run's own latencies. Pure."""

from bisect import bisect_left, insort
from collections import deque

from msgspec import Struct, field

ENOUGH = 20  # answers before anything is said of the rest
KEPT = 1000  # of the last answers
FACTOR, LEAST_S = 1.5, 1.0  # over the quantile; a call that is out for less is never given up on


class Latencies(Struct):
    """Seconds from sent to answered, of the last calls that were answered."""

    _in_order: deque[float] = field(default_factory=deque)
    _sorted: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        if len(self._in_order) == KEPT:
            del self._sorted[bisect_left(self._sorted, self._in_order.popleft())]
        self._in_order.append(seconds)
        insort(self._sorted, seconds)

    def hedge_s(self, quantile: float) -> float | None:
        """How long a call may be out before a second one is sent; None while too little is known."""
        count = len(self._sorted)
        if count < ENOUGH:
            return None
        return max(LEAST_S, FACTOR * self._sorted[min(count - 1, int(quantile * count))])
