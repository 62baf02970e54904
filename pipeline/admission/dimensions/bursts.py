"""How far above the refill a dimension may go for a while, found out by going a little faster each second. Pure."""

import math

from msgspec import Struct

GROW_S, GROW_CALLS, GROW_BY = 0.6, 3, 1.5
REST_S, REST_BY = 240.0, 3.0  # after a burst was refused; longer each time
LONG_AGO_S = -1e18
SHARE_STEP, SHARE_LEAST = 0.004, 0.9
CREDIT_S = 0.25  # how late the pacer may be and still catch up: a busy event loop must not cost throughput
CREDIT_EVEN_S = 0.05  # the same where bursts are not known to be taken


class Burst(Struct):
    """`gamma` times the refill, at the `most`. Whoever keeps a limit by the second refuses the first step up.

    Such a provider is given an even pace from then on, and `share` of it where that was refused as well.
    """

    most: float
    gamma: float = 1.0
    share: float = 1.0
    refused_s: float = -math.inf
    grow_at_s: float = -math.inf
    rest_s: float = REST_S

    @property
    def credit_s(self) -> float:
        return CREDIT_S if self.gamma > 1.0 else CREDIT_EVEN_S

    @property
    def spent(self) -> bool:
        """Whether slowing down any further has proved to be no use."""
        return self.gamma == 1.0 and self.share <= SHARE_LEAST

    def used(self, now_s: float, calls_per_s: float, *, busy: bool) -> None:
        """A call has gone out; `busy`: it had waited for the pace, so that this pace is tried."""
        if self.grow_at_s == math.inf:
            self.grow_at_s = now_s + self.rest_s
        if self.gamma >= self.most or (busy and now_s < self.grow_at_s):
            return
        if busy and self.grow_at_s > -math.inf:
            self.gamma = min(self.most, self.gamma * GROW_BY)
        self.grow_at_s = max(self.grow_at_s, now_s + max(GROW_S, GROW_CALLS / max(calls_per_s, 1e-9)))

    def start(self, share: float) -> None:
        """An earlier run has found that it is kept by the second."""
        self.refused_s, self.grow_at_s = LONG_AGO_S, math.inf
        self.share = min(1.0, max(SHARE_LEAST, share + SHARE_STEP))  # a little is tried again

    @property
    def even(self) -> bool:
        """Whether it is kept by the second, as far as is known."""
        return self.refused_s > -math.inf

    def refused(self, now_s: float) -> None:
        """A 429 although plenty remained."""
        self.refused_s, self.grow_at_s = now_s, now_s + self.rest_s
        if self.gamma > 1.0:
            self.gamma = 1.0
            self.rest_s *= REST_BY
        else:
            self.share = max(SHARE_LEAST, self.share - SHARE_STEP)
