"""Small charts as inline SVG: bars over time, and a distribution. Colours are the page's own, by class."""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from pipeline.commands.report.figures import Slice, Spread
from pipeline.commands.report.words import usd

WIDTH, HEIGHT, BASE = 720, 150, 18  # BASE: room for the words below


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
                height = (HEIGHT - BASE) * count / top
                y = HEIGHT - BASE - above - height
                parts.append(_rect(number * step, y, step - 1, height, kind))
                above += height
    if limit is not None and limit <= top:
        y = (HEIGHT - BASE) * (1 - limit / top)
        parts.append(f'<line class="limit" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    told = f"{sum(one.answered for one in slices):,} calls answered over {slice_s * len(slices):,.0f} seconds"
    return _svg("Calls over time", told, parts, ("0 s", f"{slice_s * len(slices):,.0f} s"))


def spending(slices: Sequence[Slice], slice_s: float) -> str:
    """Cost so far, over time."""
    total, points = 0.0, []
    end = sum(float(one.usd) for one in slices) or 1.0
    for number, one in enumerate(slices, start=1):
        total += float(one.usd)
        points.append(f"{WIDTH * number / len(slices):.1f},{(HEIGHT - BASE) * (1 - total / end):.1f}")
    base = HEIGHT - BASE
    area = f'<polygon class="area" points="0,{base} {" ".join(points)} {WIDTH},{base}"/>' if points else ""
    told = f"{usd(sum((one.usd for one in slices), Decimal(0)))} in all"
    return _svg("Cost over time", told, [area], ("0 s", f"{slice_s * len(slices):,.0f} s"))


def distribution(spread: Spread, title: str) -> str:
    """How often each duration was seen, up to p99."""
    top = max(spread.bins, default=0) or 1
    step = WIDTH / len(spread.bins)
    parts = [
        _rect(number * step, (HEIGHT - BASE) * (1 - count / top), step - 1, (HEIGHT - BASE) * count / top, "ok")
        for number, count in enumerate(spread.bins)
        if count
    ]
    return _svg(title, f"up to {spread.quantiles[2]:,.0f} ms (p99)", parts, ("0", f"{spread.quantiles[2]:,.0f} ms"))


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{height:.1f}"/>'


def _svg(title: str, told: str, parts: Sequence[str], ends: tuple[str, str]) -> str:
    words = (
        f'<text x="0" y="{HEIGHT - 4}">{escape(ends[0])}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{escape(ends[1])}</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}: {escape(told)}">'
        f"<title>{escape(title)}: {escape(told)}</title>{''.join(parts)}"
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT - BASE}" y2="{HEIGHT - BASE}"/>{words}</svg>'
    )
