"""A silent limit that is a count and no bucket: it refuses everything until a minute is over. Pure.

What was let in between its opening and its first refusal is the count. It is used up at some speed each minute; then a
little more is tried, so that a count that has grown is found; then nothing is sent until the minute is over.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from pipeline.admission.dimensions.mirrors import WINDOW_S
from pipeline.types import Dimension

FASTER = 8.0  # than evenly, up to the known count
GROW_S, GROW_BY = 1.0, 1.5  # beyond it, from evenly on
TRY_S = 0.5  # one call goes ahead to see whether it is open again
AGAIN_S, AGAIN_MOST_S = 1.0, 60.0  # before the next one; doubles
SHRUNK, DOUBTFUL = 0.5, 2
FEW = 3.0  # calls since the opening that make it no opening at all


class Count(Struct):
    """`most`: units per minute, by dimension. `opened`: what had been let in in all when it opened."""

    opened_s: float
    opened: Mapping[Dimension, float]
    most: dict[Dimension, float]
    closed_until_s: float
    trying: bool = True  # whether it is open is not known yet
    _over_s: float = math.inf  # since when more than `most` is tried
    _again_s: float = AGAIN_S
    _shrunk: int = 0

    @property
    def doubtful(self) -> bool:
        """Whether it behaves like no count."""
        return self._shrunk >= DOUBTFUL

    def took(self, now_s: float, net: Mapping[Dimension, float]) -> float | None:
        """A call goes out; until when the others have to wait, if they have to."""
        if now_s >= max(self.opened_s + WINDOW_S, self.closed_until_s):
            if self._over_s < math.inf:  # nobody objected to all of it
                self.most = {
                    dimension: max(most, net[dimension] - self.opened[dimension])
                    for dimension, most in self.most.items()
                }
            self.opened_s, self.opened, self._over_s = now_s, dict(net), math.inf
            if self.trying:
                return now_s + TRY_S
        self.trying = False
        if self._over_s == math.inf and all(
            net[dimension] - self.opened[dimension] >= most for dimension, most in self.most.items()
        ):
            self._over_s = now_s
        return None

    def per_s(self, dimension: Dimension, now_s: float) -> float:
        faster = FASTER
        if self._over_s < math.inf:
            faster = min(FASTER, GROW_BY ** min(40.0, (now_s - self._over_s) // GROW_S))
        return self.most[dimension] / 60.0 * faster

    def refused(self, sent_s: float, now_s: float, net: Mapping[Dimension, float], calls: float) -> None:
        """It is used up; or not open yet, where next to nothing was let in since."""
        if calls < FEW:
            self.trying = True
            self.closed_until_s = now_s + self._again_s
            self._again_s = min(AGAIN_MOST_S, 2.0 * self._again_s)
            self.opened_s = min(self.opened_s, now_s - WINDOW_S)
            return
        self._again_s = AGAIN_S
        before, self.most = (
            self.most,
            {dimension: max(1.0, net[dimension] - self.opened[dimension]) for dimension in self.most},
        )
        shrunk = all(self.most[dimension] < SHRUNK * before[dimension] for dimension in before)
        self._shrunk = self._shrunk + 1 if shrunk else max(0, self._shrunk - 1)
        self.closed_until_s = max(sent_s, self.opened_s + WINDOW_S)
