"""What a run tells people: counters while it goes, and the summary at its end. Everything goes to standard error."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TextIO

from pipeline.ledger.records import Call
from pipeline.work import Outcome, Status

TTY_EVERY_S = 0.25
LOG_EVERY_S = 10.0


@dataclass(slots=True)
class Tally:
    """Running counts of one session; `total` is of the whole input."""

    total: int = 0
    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    calls: int = 0
    rate_limited: int = 0
    usd_units: int = 0  # 1e-10 USD
    on_call: Callable[[Call], None] | None = None  # who else is to be told
    on_outcome: Callable[[Outcome], None] | None = None

    def called(self, call: Call) -> None:
        if self.on_call is not None:
            self.on_call(call)
        self.calls += 1
        self.rate_limited += call.error_code == "rate_limited"
        self.usd_units += call.cost_units or 0

    def concluded(self, outcome: Outcome) -> None:
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        self.repaired += outcome.repaired
        if outcome.status is Status.OK:
            self.ok += 1
        else:
            self.failed[str(outcome.error_code)] += 1

    @property
    def done(self) -> int:
        return self.ok + self.failed.total()


class ProgressLine:
    """One line that is rewritten on a terminal, and written now and then elsewhere."""

    def __init__(self, tally: Tally, stream: TextIO | None = None) -> None:
        self._tally = tally
        self._stream = stream or sys.stderr
        self._tty = self._stream.isatty()
        self._began_s = time.monotonic()
        self._began_done = 0
        self.every_s = TTY_EVERY_S if self._tty else LOG_EVERY_S

    def begin(self) -> None:
        """Rows done before this moment came from earlier runs and don't count for the pace."""
        self._began_s, self._began_done = time.monotonic(), self._tally.done

    def show(self, in_flight: int, why_waiting: str) -> None:
        line = self.text(in_flight, why_waiting)
        self._stream.write(f"\r\x1b[2K{line}" if self._tty else f"{line}\n")
        self._stream.flush()

    def clear(self) -> None:
        if self._tty:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def text(self, in_flight: int, why_waiting: str) -> str:
        tally = self._tally
        elapsed_s = max(time.monotonic() - self._began_s, 1e-9)
        pace = (tally.done - self._began_done) / elapsed_s
        parts = [
            f"{tally.done:,}/{tally.total:,} rows",
            f"{tally.ok:,} ok",
            f"{tally.failed.total():,} failed",
            f"{in_flight} in flight",
            f"{pace:,.1f} rows/s",
            money(tally.usd_units),
        ]
        if pace > 0 and tally.done < tally.total:
            parts.append(f"about {duration((tally.total - tally.done) / pace)} left")
        if why_waiting:
            parts.append(f"waiting for {why_waiting}")
        return " · ".join(parts)


def money(units: int) -> str:
    """1e-10 USD as people read it: cents for dollars, more digits for less."""
    usd = Decimal(units).scaleb(-10)
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.6f}".rstrip("0").ljust(5, "0")


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 5400:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def summary(manifest: dict[str, Any], folder: str, next_step: str) -> str:
    """The end of a run, from its manifest: every figure in it can be found in run.json."""
    rows, tokens = manifest["rows"], manifest["tokens"]
    failed = ", ".join(
        f"{count} {code}" for code, count in sorted(manifest["failed_by_code"].items(), key=lambda i: -i[1])
    )
    cost = manifest["cost_usd"]
    lines = [
        ("rows", f"{rows['total']:,}   {rows['ok']:,} ok · {rows['failed']:,} failed · {rows['pending']:,} pending"),
        ("repaired", f"{manifest['repaired_rows']:,} rows, with {manifest['repairs']:,} repair calls"),
        ("failed", failed or "none"),
        ("calls", f"{manifest['calls']:,}   {manifest['rate_limited']:,} answered 429 and waited out"),
        ("tokens", _tokens(tokens)),
        ("cost", f"${cost} by {manifest['price_table']}" if cost is not None else "unknown: no price for this model"),
        ("time", duration(manifest["seconds"])),
        ("results", f"{folder}/results.parquet, calls.parquet, run.json"),
    ]
    if manifest.get("free_rows"):
        lines.insert(
            2, ("free", f"{manifest['free_rows']:,} rows answered by a duplicate or an earlier run, at no cost")
        )
    reason = f" ({manifest['reason']})" if manifest["reason"] else ""
    head = f"{manifest['job']['name']}: {manifest['state']}{reason}"
    body = "\n".join(f"  {name:<9} {text}" for name, text in lines)
    return f"{head}\n{body}" + (f"\n\n{next_step}" if next_step else "")


def _tokens(tokens: dict[str, int]) -> str:
    into = f"{tokens['input_tokens']:,} in ({tokens['cached_input_tokens']:,} cached)"
    return f"{into} · {tokens['output_tokens']:,} out ({tokens['reasoning_tokens']:,} reasoning)"


def status_text(found: dict[str, Any]) -> str:
    rows = found["rows"]
    failed = ", ".join(f"{count} {code}" for code, count in sorted(found["failed_by_code"].items()))
    lines = [
        f"{found['name']}: {found['state']}" + (f" ({found['reason']})" if found["reason"] else ""),
        f"  rows      {rows['total']:,}   {rows['ok']:,} ok · {rows['failed']:,} failed · {rows['pending']:,} pending",
        f"  failed    {failed or 'none'}",
        f"  calls     {found['calls']:,}   {found['rate_limited']:,} answered 429",
        f"  cost      {'unknown' if found['cost_usd'] is None else '$' + found['cost_usd']}",
        f"  started   {found['started_at']}",
    ]
    if found["held_by"]:
        lines.append(f"  held by   {found['held_by']}")
    return "\n".join(lines)


def estimate_text(report: dict[str, Any]) -> str:
    """The dry-run as people read it."""
    cost, seconds = report["cost_usd"], report["seconds"]
    money_line = "unknown: no price for this model"
    if cost is not None:
        money_line = f"${cost['low']} low · ${cost['expected']} expected · ${cost['high']} high"
    lines = [
        f"{report['name']}: {report['model']} ({report['provider']})",
        f"  rows      {report['rows']:,}",
        f"  requests  {report['requests']:,}, and {_expected(report['repair_requests'])} repairs",
        f"  input     {_expected(report['input_tokens'])} tokens",
        f"  output    {_expected(report['output_tokens'])} tokens",
        f"  cost      {money_line}",
        f"  time      about {duration(seconds['expected'])}, up to {duration(seconds['high'])}",
        "  because",
        *(f"    - {line}" for line in report["assumptions"]),
    ]
    return "\n".join(lines)


def _expected(band: dict[str, Any]) -> str:
    return f"{band['expected']:,} ({band['low']:,} to {band['high']:,})"


def costs_text(by: str, groups: Sequence[dict[str, Any]]) -> str:
    lines = [f"{by:<24} {'calls':>8} {'input tokens':>14} {'output tokens':>14} {'cost':>16}"]
    lines += [
        f"{group[by] or '-':<24} {group['calls']:>8,} {group['input_tokens']:>14,} {group['output_tokens']:>14,} "
        f"{'$' + group['cost_usd']:>16}"
        for group in groups
    ]
    return "\n".join(lines)
