"""Whether a run is leaving its estimate, by its first rows. Pure."""

import math
from decimal import Decimal

from pipeline.money import Band, dollars

WATCH_ROWS = 20  # before that a run says nothing about what it will come to
SPREAD = 1.0  # standard deviation of a row's cost over its mean, as a run's first rows are to be allowed


def drifted(band_usd: Band[Decimal], spent_usd: Decimal, done_rows: int, total_rows: int) -> str | None:
    """What to say when a run is leaving its estimate; None while it is not. All of the same rows, from 0.

    The first rows are few, and not quite like the others: they may be off by what chance allows so few.
    """
    if done_rows < WATCH_ROWS or total_rows <= 0:
        return None
    low, expected, high = band_usd
    projected = spent_usd * total_rows / done_rows
    unsure = Decimal(SPREAD * math.sqrt(max(0.0, 1 / done_rows - 1 / max(done_rows, total_rows)))).quantize(
        Decimal("0.0001")
    )
    if low * (1 - min(Decimal(1), unsure)) <= projected <= high * (1 + unsure):
        return None
    side = "more" if projected > high else "less"
    estimated = f"{dollars(expected)} ({dollars(low)} to {dollars(high)})"
    return (
        f"this run costs {side} than its estimate: {done_rows:,} of {total_rows:,} rows cost {dollars(spent_usd)}, "
        f"which comes to {dollars(projected, low, high)} for all; estimated were {estimated}"
    )
