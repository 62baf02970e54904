"""What has been let in of each dimension, in all and of late. Pure."""

import math

from msgspec import Struct, field

from pipeline.admission.charges import INDEX, Amounts, Used
from pipeline.admission.dimensions.mirrors import Hold
from pipeline.types import Dimension

PACE_S = 1.0  # over how long the pace of late is averaged
NOTHING: Amounts = (0.0, 0.0, 0.0, 0.0)


class Held(Struct, frozen=True):
    """What one call holds of all dimensions. `admitted`: in all with itself, for limits that become known later."""

    taken_s: float
    reserved: Amounts
    holds: dict[Dimension, Hold]
    admitted: Amounts

    def of(self, dimension: Dimension) -> Hold:
        return self.holds.get(dimension) or Hold(self.reserved[INDEX[dimension]], self.taken_s)


class AdmittedTotals(Struct):
    """`admitted` as it was reserved, `net` as it was charged in the end as far as is known, `pace` per second."""

    admitted: Amounts = NOTHING
    net: list[float] = field(default_factory=lambda: [0.0] * 4)
    pace: list[float] = field(default_factory=lambda: [0.0] * 4)
    rejected: int = 0  # calls answered 429
    first_s: float = -math.inf
    last_s: float = -math.inf

    def add(self, reserved: Amounts, expected: Amounts, now_s: float) -> None:
        a, b, c, d = self.admitted
        self.admitted = (a + reserved[0], b + reserved[1], c + reserved[2], d + reserved[3])
        if self.first_s == -math.inf:
            self.first_s = now_s
        fade = math.exp((self.last_s - now_s) / PACE_S)
        self.last_s = now_s
        net, pace = self.net, self.pace
        for number in range(4):
            net[number] += reserved[number]
            pace[number] = pace[number] * fade + expected[number] / PACE_S

    def settle(self, reserved: Amounts, final: Amounts, used: Used) -> None:
        """What was refused was not let in, even where it is charged."""
        if used.rejected:
            self.rejected += 1
            final = NOTHING
        for number in range(4):
            self.net[number] += final[number] - reserved[number]

    def since(self, held: Held, dimension: Dimension) -> float:
        """Reserved after a call was."""
        return self.admitted[INDEX[dimension]] - held.admitted[INDEX[dimension]]

    def net_before(self, held: Held, dimension: Dimension) -> float:
        """Charged before a call that was refused."""
        return self.net[INDEX[dimension]] - self.since(held, dimension) - held.reserved[INDEX[dimension]]
