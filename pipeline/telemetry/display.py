"""How a run shows itself while it goes on: a panel on a terminal, plain lines elsewhere, JSON lines where asked for."""

import math
import shutil
from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING, Protocol, TextIO

from msgspec import Struct

from pipeline import console as saying
from pipeline.admission.governor import DimensionView
from pipeline.money import dollars, from_units, money
from pipeline.telemetry.snapshot import WORDS, RunReading, waited_for
from pipeline.telemetry.workers import workers_lines
from pipeline.text import duration, inert

if TYPE_CHECKING:  # 60 ms, for terminals only
    from rich.live import Live
    from rich.text import Text

PANEL_EVERY_S = 0.25
LINE_EVERY_S = 10.0
MOST_PASSED_OVER = 29  # looks at batches that have not moved: a line every 5 minutes
INDENT, MOST_LINES = " " * 10, 3  # of what does not fit on one line of the panel
BAR_CELLS = 30


class Progress(Struct, frozen=True):
    """How far a run is, for a program that wants to know. What is None is not known yet.

    `calls` have been answered, `in_flight` have not; `rows_per_s` and `seconds_left` go by the last minute.
    """

    total: int
    done: int
    ok: int
    failed: int
    calls: int
    in_flight: int
    cost_usd: Decimal
    rows_per_s: float | None
    seconds_left: float | None


class Display(Protocol):
    """`every_s`: how often it wants to be shown something; `to_the_end`: and what there is when all has been done."""

    every_s: float
    to_the_end: bool

    def show(self, reading: RunReading) -> None: ...

    def close(self) -> None: ...


def display_for(stream: TextIO | Callable[[Progress], None] | None) -> Display:
    """None: nobody looks."""
    if stream is None:
        return Nothing()
    if callable(stream):
        return Told(stream)
    if saying.in_json():
        return JsonLines()
    return Panel(stream) if stream.isatty() else PlainLines()


class Nothing:
    """For programs that run us, and did not ask to be shown anything."""

    every_s = math.inf
    to_the_end = False

    def show(self, reading: RunReading) -> None:
        """Not wanted."""

    def close(self) -> None:
        """Nothing stands on the screen."""


class Told:
    """A function of the program that runs us."""

    every_s = PANEL_EVERY_S
    to_the_end = True

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell

    def show(self, reading: RunReading) -> None:
        self._tell(
            Progress(
                total=reading.total,
                done=reading.done,
                ok=reading.ok,
                failed=reading.done - reading.ok,
                calls=reading.calls,
                in_flight=reading.limits.in_flight,
                cost_usd=from_units(reading.spent_units),
                rows_per_s=reading.rows_per_s,
                seconds_left=reading.left_s,
            )
        )

    def close(self) -> None:
        """Nothing stands on the screen."""


class PlainLines:
    """For logs. While nothing but batches is waited for, a line where something has changed, and now and then."""

    every_s = LINE_EVERY_S
    to_the_end = False

    def __init__(self) -> None:
        self._last: tuple[int, ...] = ()
        self._passed_over = 0

    def show(self, reading: RunReading) -> None:
        if self._says_something(reading):
            saying.write(line(reading) + "\n")

    def _says_something(self, reading: RunReading) -> bool:
        seen = _moved(reading)
        quiet = reading.out is not None and seen == self._last and self._passed_over < MOST_PASSED_OVER
        self._last, self._passed_over = seen, self._passed_over + 1 if quiet else 0
        return not quiet

    def close(self) -> None:
        """Nothing stands on the screen."""


class JsonLines:
    """For programs that read logs; `event` is `progress`."""

    every_s = LINE_EVERY_S
    to_the_end = False

    def show(self, reading: RunReading) -> None:
        saying.emit({"event": "progress", **reading.as_json()})

    def close(self) -> None:
        """Nothing stands on the screen."""


class Panel:
    """Some lines at the bottom of the terminal, drawn anew; whatever else is written goes above them."""

    every_s = PANEL_EVERY_S
    to_the_end = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: Live | None = None

    def show(self, reading: RunReading) -> None:
        from rich.console import Console  # noqa: PLC0415 (for terminals only)
        from rich.live import Live  # noqa: PLC0415

        if self._live is None:
            console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
            self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        width = shutil.get_terminal_size().columns
        self._live.update(panel(reading, width), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def line(reading: RunReading) -> str:
    """One line, the most important first."""
    limits, failed = reading.limits, sum(reading.failed.values())
    parts = [
        f"{reading.done:,}/{reading.total:,} rows",
        f"{reading.ok:,} ok",
        f"{failed:,} failed",
        f"{limits.in_flight}/{limits.slots} calls",
        _spent(reading),
    ]
    if reading.rows_per_s is not None:
        parts.append(f"{reading.rows_per_s:,.1f} rows/s")
    if reading.left_s is not None:
        parts.append(f"about {duration(reading.left_s)} left")
    if (dimension := reading.binding) is not None:
        parts.append(_lane(dimension))
    if reading.opens_at is not None:
        parts.append(f"closed until {reading.opens_at:%H:%M UTC}")
    if waited := waited_for(limits.waited_share):
        parts.append(f"waiting for {waited}")
    parts += map(str, reading.models)
    if out := reading.out_words:
        parts.append(out)
    return " · ".join(parts)


def panel(reading: RunReading, width: int) -> "Text":
    """The panel's lines, none longer than `width`."""
    from rich.text import Text  # noqa: PLC0415 (for terminals only)

    pieces = (
        wrap(text, width, subsequent_indent=INDENT, max_lines=MOST_LINES, placeholder=" …", break_on_hyphens=False)
        for text in panel_lines(reading, width)
    )
    return Text("\n".join(chain.from_iterable(pieces)), no_wrap=True)


def panel_lines(reading: RunReading, width: int) -> list[str]:
    limits = reading.limits
    share = reading.done / reading.total if reading.total else 1.0
    cells = min(BAR_CELLS, max(8, width // 4))
    full = round(share * cells)
    left = "" if reading.left_s is None else f"   about {duration(reading.left_s)} left"
    pace = "" if reading.rows_per_s is None else f"   {reading.rows_per_s:,.1f} rows/s"
    bar = "━" * full + "─" * (cells - full)
    causes = ", ".join(f"{count:,} {code}" for code, count in reading.failed.items())
    failed = f"{sum(reading.failed.values()):,} failed" + (f" ({causes})" if causes else "")
    slots = f"{limits.in_flight} in flight of {limits.slots} slots ({limits.concurrency} at most)"
    found = [
        f"{inert(reading.name)}  {bar}  {reading.done:,}/{reading.total:,} rows  {share:.0%}{left}",
        f"  rows    {reading.ok:,} ok · {reading.repaired:,} repaired · {failed}",
        f"  cost    {_cost(reading)}",
        f"  calls   {slots} · {reading.calls:,} answered · {reading.rate_limited:,} × 429{pace}",
        *(f"  limit   {_lane(dimension)}" for dimension in limits.dimensions if dimension.limit_per_minute > 0),
    ]
    if reading.opens_at is not None:
        found.append(f"  closed  until {reading.opens_at:%Y-%m-%d %H:%M UTC}: a Retry-After")
    if waited := waited_for(limits.waited_share):
        found.append(f"  waits   {waited}")
    found += [f"  model   {one}" for one in reading.models]
    found += [f"  node    {one}" for one in workers_lines(reading.workers)]
    if out := reading.out_words:
        found.append(f"  batches {out}")
    return found


def _moved(reading: RunReading) -> tuple[int, ...]:
    """What makes a line worth writing while batches are out."""
    out = reading.out
    return (reading.done, reading.calls, *((out.batches, out.done) if out is not None else ()))


def _spent(reading: RunReading) -> str:
    of = "" if reading.cap_usd is None else f" of ${reading.cap_usd:f}"
    return money(reading.spent_units, *_caps(reading)) + of


def _caps(reading: RunReading) -> tuple[Decimal, ...]:
    return () if reading.cap_usd is None else (reading.cap_usd,)


def _cost(reading: RunReading) -> str:
    parts = [f"{money(reading.spent_units, *_caps(reading))} spent"]
    if reading.expected_usd is not None:
        most = max(reading.expected_usd, from_units(reading.spent_units))
        parts.append(f"${most:.4f} expected" if 0.01 <= most < 1 else f"{dollars(most)} expected")
    parts.append("no cap" if reading.cap_usd is None else f"${reading.cap_usd:f} cap")
    return " · ".join(parts)


def _lane(dimension: DimensionView) -> str:
    """In use, left and limit: `input tokens 12k in use, 38k left of 200k a minute (headers)`."""
    name = WORDS.get(dimension.name, dimension.name).removesuffix(" per minute")
    others = f", {dimension.others:.0%} taken by others" if dimension.others >= 0.05 else ""
    left = max(0.0, dimension.level)
    return (
        f"{name} {_short(dimension.in_flight)} in use, {_short(left)} left of "
        f"{_short(dimension.limit_per_minute)} a minute ({dimension.source}{others})"
    )


def _short(amount: float) -> str:
    """Three digits or so: 950, 12k, 1.8M."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if amount >= 10 * size:
            return f"{amount / size:,.0f}{sign}"
        if amount >= size:
            return f"{amount / size:.1f}{sign}".replace(".0", "")
    return f"{amount:.0f}"
