"""A picture of one run: what the provider let in and refused, against its limit. Plain SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, GAP, TOP = 960, 150, 20, 92, 26, 46
STEP_S = 2
IN, OUT, LIMIT, INK, FAINT = "#3b6ea5", "#c0392b", "#2b2b2b", "#222222", "#dddddd"


@dataclass(frozen=True, slots=True)
class Panel:
    """Units per second let in and refused, and how many there were to be had, one each STEP_S."""

    name: str
    note: str
    let_in: Sequence[float]
    refused: Sequence[float]
    limit: Sequence[float]


def bars(arrivals: Sequence[tuple[float, float, bool]], seconds: int) -> tuple[list[float], list[float]]:
    """Arrivals (time, amount, let in) as two rows of units per second, one bar each STEP_S."""
    let_in, refused = [0.0] * math.ceil(seconds / STEP_S), [0.0] * math.ceil(seconds / STEP_S)
    for at_s, amount, good in arrivals:
        (let_in if good else refused)[min(len(let_in) - 1, int(at_s / STEP_S))] += amount / STEP_S
    return let_in, refused


def svg(title: str, panels: Sequence[Panel], unit: str) -> str:
    """All panels over one axis of time; bars above four times the limit are cut off."""
    count = max(len(panel.let_in) for panel in panels)
    height = TOP + len(panels) * (ROW + GAP) + 30
    across = (WIDTH - LEFT - RIGHT) / count
    view = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{INK}"'
    key = f'<tspan fill="{IN}">let in</tspan>, <tspan fill="{OUT}">refused</tspan>; the line is what is refilled for us'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
        f'<text x="{LEFT}" y="34">{escape(unit)} a second: {key}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (ROW + GAP), across)
    parts += _axis(count * STEP_S, height - 14, across / STEP_S)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: float, across: float) -> list[str]:
    most = 4.0 * max(panel.limit)
    scale = ROW / most
    base = top + ROW
    parts = [
        f'<text x="8" y="{top + 34:.0f}">{escape(panel.name)}</text>',
        f'<text x="8" y="{top + 50:.0f}" font-size="10" fill="#666666">{escape(panel.note)}</text>',
        f'<line x1="{LEFT}" y1="{base}" x2="{WIDTH - RIGHT}" y2="{base}" stroke="{FAINT}"/>',
    ]
    for values, below, colour in ((panel.let_in, None, IN), (panel.refused, panel.let_in, OUT)):
        path = []
        for number, value in enumerate(values):
            foot = min(most, below[number]) if below is not None else 0.0
            tall = min(most, foot + value) - foot
            if tall * scale >= 0.3:
                x, y = LEFT + number * across, base - (foot + tall) * scale
                path.append(f"M{x:.1f} {y:.1f}h{across:.2f}v{tall * scale:.1f}h-{across:.2f}z")
        parts.append(f'<path d="{"".join(path)}" fill="{colour}"/>')
    points = " ".join(f"{LEFT + n * across:.1f},{base - v * scale:.1f}" for n, v in enumerate(panel.limit))
    parts.append(f'<polyline points="{points}" fill="none" stroke="{LIMIT}" stroke-width="1"/>')
    return parts


def _axis(seconds: int, y: float, across: float) -> list[str]:
    step = next(step for step in (10, 30, 60, 120, 300, 600, 3600) if seconds / step <= 12)
    marks = range(0, seconds + 1, step)
    return [f'<text x="{LEFT + mark * across:.0f}" y="{y:.0f}" text-anchor="middle">{mark} s</text>' for mark in marks]
