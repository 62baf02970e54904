"""From a few answers to all of them: totals by regression, shares by counting, each as a band. Pure.

What is known of every request to come is its size by our own count. What is seen of a few is their size and what
came of them. A line through those few, taken to the size of the others, errs far less than a mean where sizes differ,
and needs to know nothing of how a provider counts.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean

from pipeline.money import Band

CONFIDENCE = 0.98  # of a band, on paper; answers are more skewed than the bell curve, so that it comes to 95 % or more
NORMAL = NormalDist()
PRIOR_SHARE, PRIOR_SEEN = 0.02, 5.0  # repairs, before any was seen: as if 5 answers had been
SHARE_Z = 1.96  # standard errors of a share on either side


NOTHING = Band(0.0, 0.0, 0.0)


def together(one: Band[float], other: Band[float]) -> Band[float]:
    """The sum of two that err apart from each other."""
    down = math.hypot(one.expected - one.low, other.expected - other.low)
    up = math.hypot(one.high - one.expected, other.high - other.expected)
    expected = one.expected + other.expected
    return Band(max(0.0, expected - down), expected, expected + up)


def times(band: Band[float], factor: float) -> Band[float]:
    return band.each(lambda amount: amount * factor)


def within(band: Band[float], share: float) -> Band[float]:
    """No narrower than `share` of what is expected on either side."""
    slack = share * band.expected
    return Band(max(0.0, min(band.low, band.expected - slack)), band.expected, max(band.high, band.expected + slack))


def total_of(sizes: Sequence[float], amounts: Sequence[float], count: int, mean_size: float) -> Band[float]:
    """The sum of `count` further amounts, whose sizes are `mean_size` on average, from those of the same sort seen.

    Least squares; the band is that of a prediction: the line's own error, and the scatter of those to come. Three
    points at least. Where all sizes are the same the mean stands for the line.
    """
    if count <= 0:
        return NOTHING
    seen, mean, amount = len(sizes), fmean(sizes), fmean(amounts)
    spread = sum((size - mean) ** 2 for size in sizes)
    flat = spread <= 1e-9 * max(1.0, mean * mean)
    slope = 0.0 if flat else sum((x - mean) * (y - amount) for x, y in zip(sizes, amounts, strict=True)) / spread
    away = mean_size - mean
    each = max(0.0, amount + slope * away)
    left = sum((y - amount - slope * (x - mean)) ** 2 for x, y in zip(sizes, amounts, strict=True))
    free = seen - (1 if flat else 2)
    lever = 1.0 / seen + (0.0 if flat else away * away / spread)
    error = math.sqrt(left / free * (count + count * count * lever))
    width = student_t((1.0 + CONFIDENCE) / 2.0, free) * error
    total = count * each
    return Band(max(0.0, total - width), total, total + width)


def share_of(hits: int, seen: int) -> Band[float]:
    """How often something happens that happened `hits` times of `seen`: Wilson's interval, drawn to what is usual."""
    n = seen + PRIOR_SEEN
    share = (hits + PRIOR_SHARE * PRIOR_SEEN) / n
    z2 = SHARE_Z * SHARE_Z
    middle, half = share + z2 / (2 * n), SHARE_Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return Band(max(0.0, min(low, share)), share, min(1.0, max(high, share)))


def hits_of(hits: int, seen: int, count: int) -> Band[float]:
    """How many of `count` more it will happen to: by what the share may be, and by chance at that share."""
    share = share_of(hits, seen)
    expected = count * share.expected
    chance = SHARE_Z * math.sqrt(count * share.high * (1 - share.high))
    down = min(expected, math.hypot(count * (share.expected - share.low), chance))
    up = math.hypot(count * (share.high - share.expected), chance)
    return Band(expected - down, expected, min(float(count), expected + up))


def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t; within 1 % from 3 degrees of freedom on (Cornish and Fisher's expansion)."""
    z = NORMAL.inv_cdf(probability)
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        return (2 * probability - 1) * math.sqrt(2 / (4 * probability * (1 - probability)))
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
