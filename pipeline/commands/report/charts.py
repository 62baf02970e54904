"""Small charts as inline SVG: bars over time, and a distribution. Colours are the page's own, by class."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from msgspec import Struct

from pipeline.commands.report.figures import Slice, Spread
from pipeline.commands.report.words import milliseconds, usd
from pipeline.text import duration

WIDTH, HEIGHT = 720, 130  # stretched to the room there is; words stand around it, in the size of the page


def over_time(slices: Sequence[Slice], slice_s: float, limit_per_minute: float | None) -> str:
    """Calls sent in each part of the time, by how they ended; a line where the limit on requests is."""
    most = max((one.answered + one.limited + one.failed for one in slices), default=0)
    limit = None if not limit_per_minute else limit_per_minute * slice_s / 60
    top = max(1.0, most, limit or 0.0)
    step = WIDTH / max(1, len(slices))
    parts = []
    for number, one in enumerate(slices):
        above = 0.0
        for kind, count in (("ok", one.answered), ("bad", one.failed), ("limited", one.limited)):
            if count:
                height = HEIGHT * count / top
                y = HEIGHT - above - height
                parts.append(_rect(number * step, y, step - 1, height, kind))
                above += height
    if limit is not None and limit <= top:
        y = HEIGHT * (1 - limit / top)
        parts.append(f'<line class="limit" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    told = f"{sum(one.answered for one in slices):,} calls answered over {slice_s * len(slices):,.0f} seconds"
    return _chart(
        "Calls over time", told, parts, _Axes(f"{top:,.0f} calls in {slice_s:,.0f} s", _times(slices, slice_s))
    )


def spending(slices: Sequence[Slice], slice_s: float) -> str:
    """Cost so far, over time."""
    total, points = 0.0, []
    end = sum(float(one.usd) for one in slices) or 1.0
    for number, one in enumerate(slices, start=1):
        total += float(one.usd)
        points.append(f"{WIDTH * number / len(slices):.1f},{HEIGHT * (1 - total / end):.1f}")
    base = HEIGHT
    area = f'<polygon class="area" points="0,{base} {" ".join(points)} {WIDTH},{base}"/>' if points else ""
    whole = usd(sum((one.usd for one in slices), Decimal(0)))
    return _chart("Cost over time", f"{whole} in all", [area], _Axes(whole, _times(slices, slice_s)))


def distribution(spread: Spread, title: str) -> str:
    """How often each duration was seen, up to p99."""
    top = max(spread.bins, default=0) or 1
    step = WIDTH / len(spread.bins)
    parts = [
        _rect(number * step, HEIGHT * (1 - count / top), step - 1, HEIGHT * count / top, "ok")
        for number, count in enumerate(spread.bins)
        if count
    ]
    most_ms = spread.quantiles[2]
    ends = ("0 ms", milliseconds(most_ms / 2), milliseconds(most_ms))
    return _chart(title, f"up to {most_ms:,.0f} ms (p99)", parts, _Axes(f"{top:,} calls", ends))


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{height:.1f}"/>'


class _Axes(Struct, frozen=True):
    """What the highest point stands for; and the left end, the middle and the right end."""

    top: str
    along: tuple[str, str, str]


def _times(slices: Sequence[Slice], slice_s: float) -> tuple[str, str, str]:
    whole_s = slice_s * len(slices)
    return "0 s", duration(whole_s / 2), duration(whole_s)


def _chart(title: str, told: str, parts: Sequence[str], axes: _Axes) -> str:
    along = "".join(f"<span>{escape(one)}</span>" for one in axes.along)
    return (
        f'<div class="axis quiet"><span>{escape(axes.top)}</span></div>'
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}: {escape(told)}"><title>{escape(title)}: {escape(told)}</title>{"".join(parts)}'
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/></svg>'
        f'<div class="axis quiet">{along}</div>'
    )
