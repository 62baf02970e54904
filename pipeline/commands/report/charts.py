"""Small charts as inline SVG with axes about them: bars over time, a distribution, shares.

Colours are the page's own, by class. The drawing is stretched to the room there is; words stand around it, in the size
of the page.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct

from pipeline.commands.report.figures import Slice, Spread
from pipeline.commands.report.words import escape, milliseconds, usd
from pipeline.text import duration

WIDTH, HEIGHT = 720, 130
STEPS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)  # of what stands at the top of an axis: its half is a round number as well


class _Axes(Struct, frozen=True):
    """`up`: at the top, in the middle and at the bottom; `along`: at the left, in the middle and at the right."""

    up: tuple[str, str, str]
    along: tuple[str, str, str]
    up_is: str
    along_is: str


def over_time(slices: Sequence[Slice], slice_s: float, limit_per_minute: float | None) -> str:
    """Calls sent in each part of the time, by how they ended; a line where the limit on requests is."""
    most = max((one.answered + one.limited + one.failed for one in slices), default=0) / slice_s
    limit = (limit_per_minute or 0.0) / 60
    top = rounded_up(max(most, limit if limit <= 10 * most else 0.0))
    step = WIDTH / max(1, len(slices))
    parts = []
    for number, one in enumerate(slices):
        above = 0.0
        for kind, count in (("ok", one.answered), ("bad", one.failed), ("limited", one.limited)):
            if count:
                height = HEIGHT * count / slice_s / top
                y = HEIGHT - above - height
                parts.append(_rect(number * step, y, step - 1, height, kind))
                above += height
    if 0 < limit <= top:
        y = HEIGHT * (1 - limit / top)
        parts.append(f'<line class="limit" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    told = f"{sum(one.answered for one in slices):,} calls answered over {slice_s * len(slices):,.0f} seconds"
    axes = _Axes(_up(top, _plain), _times(slices, slice_s), "calls per second", "since the first call")
    return _chart("Calls over time", told, parts, axes)


def spending(slices: Sequence[Slice], slice_s: float) -> str:
    """Cost so far, over time."""
    whole = sum((one.usd for one in slices), Decimal(0))
    top = rounded_up(float(whole))
    total, points = 0.0, []
    for number, one in enumerate(slices, start=1):
        total += float(one.usd)
        points.append(f"{WIDTH * number / len(slices):.1f},{HEIGHT * (1 - total / top):.1f}")
    base = HEIGHT
    area = f'<polygon class="area" points="0,{base} {" ".join(points)} {WIDTH},{base}"/>' if points else ""
    axes = _Axes(_up(top, _dollars), _times(slices, slice_s), "US dollars so far", "since the first call")
    return _chart("Cost over time", f"{usd(whole)} in all", [area], axes)


def distribution(spread: Spread, title: str) -> str:
    """How often each duration was seen, up to p99."""
    top = max(2.0, rounded_up(max(spread.bins, default=0)))  # a half is a whole call
    step = WIDTH / len(spread.bins)
    parts = [
        _rect(number * step, HEIGHT * (1 - count / top), step - 1, HEIGHT * count / top, "ok")
        for number, count in enumerate(spread.bins)
        if count
    ]
    most_ms = spread.quantiles[2]
    ends = ("0 ms", milliseconds(most_ms / 2), milliseconds(most_ms))
    each = milliseconds(most_ms / len(spread.bins))
    axes = _Axes(_up(top, _plain), ends, "calls", f"up to the 99th of 100; {each} a bar")
    return _chart(title, f"up to {most_ms:,.0f} ms (p99)", parts, axes)


def shares(parts: Sequence[tuple[str, int]], told: str) -> str:
    """One bar, each part (its class, how many) as wide as its share. As SVG: the page's policy has no inline style."""
    total, x, drawn = sum(count for _, count in parts) or 1, 0.0, []
    for kind, count in parts:
        width = 1000 * count / total
        drawn.append(f'<rect class="{kind}" x="{x:.2f}" y="0" width="{width:.2f}" height="14"/>' if count else "")
        x += width
    return (
        f'<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label="{escape(told)}">'
        f"<title>{escape(told)}</title>{''.join(drawn)}</svg>\n"
    )


def percent_axis(of: str) -> str:
    """Beneath bars of `shares`."""
    return f'<div class="axis quiet"><span>0 %</span><span>50 % of {escape(of)}</span><span>100 %</span></div>\n'


def rounded_up(most: float) -> float:
    """The next round number, for the top of an axis; 1 where there is nothing to show.

    >>> rounded_up(26), rounded_up(0.0076), rounded_up(0)
    (40.0, 0.01, 1.0)
    """
    if most <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return round(next((step for step in STEPS if most <= step * size * (1 + 1e-9)), 10.0) * size, 12)


def _up(top: float, words: Callable[[float], str]) -> tuple[str, str, str]:
    return words(top), words(top / 2), words(0)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def _dollars(value: float) -> str:
    return f"${value:,.0f}" if value >= 10 or not value else f"${value:.2g}" if value < 1 else f"${value:,.2f}"


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{height:.1f}"/>'


def _times(slices: Sequence[Slice], slice_s: float) -> tuple[str, str, str]:
    whole_s = slice_s * len(slices)
    return "0 s", duration(whole_s / 2), duration(whole_s)


def _spans(words: Sequence[str]) -> str:
    return "".join(f"<span>{escape(one)}</span>" for one in words)


def _chart(title: str, told: str, parts: Sequence[str], axes: _Axes) -> str:
    lines = "".join(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>' for y in (0, HEIGHT / 2, HEIGHT))
    return (
        f'<figure><figcaption class="quiet">{escape(axes.up_is)}</figcaption>'
        f'<div class="axis up quiet">{_spans(axes.up)}</div>'
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}: {escape(told)}"><title>{escape(title)}: {escape(told)}</title>'
        f'{lines}{"".join(parts)}</svg><div class="axis along quiet">{_spans(axes.along)}</div>'
        f'<p class="along quiet">{escape(axes.along_is)}</p></figure>'
    )
