"""Our books against a provider's usage export: the same days and models, requests, tokens and cost side by side.

Exports differ by provider and by year, so that columns are found by name, whichever of them a file has: OpenAI's usage
and cost exports, Anthropic's, and any CSV with a day, a model, tokens or a cost. What an export does not tell is not
compared.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct, field

from pipeline.errors import JobError
from pipeline.job.folder import CALLS, LEDGER
from pipeline.ledger.files import reading
from pipeline.ledger.run_calls import calls_at_risk
from pipeline.money import from_units

MEASURES = ("requests", "input_tokens", "output_tokens", "cost_usd")
TOLERANCE = Decimal("0.01")  # USD or share: exports are rounded
NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {  # alternatives, the best first; several columns of one are summed
    "day": (("usage_date_utc",), ("start_time_iso",), ("start_time",), ("date",), ("day",), ("timestamp",)),
    "model": (("model_version",), ("model",), ("model_name",), ("snapshot_id",), ("line_item",)),
    "requests": (("num_model_requests",), ("n_requests",), ("requests",), ("num_requests",), ("calls",)),
    "input_tokens": (
        ("input_tokens",),
        (
            "usage_input_tokens_no_cache",
            "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h",
            "usage_input_tokens_cache_read",
        ),
        ("n_context_tokens_total",),
        ("prompt_tokens",),
    ),
    "output_tokens": (
        ("output_tokens",),
        ("usage_output_tokens",),
        ("n_generated_tokens_total",),
        ("completion_tokens",),
    ),
    "cost_usd": (("cost_usd",), ("amount_value",), ("cost",), ("amount",), ("cost_in_usd",)),
}


class Amounts(Struct):
    """Sums of one side; a measure that is not there was never told."""

    of: dict[str, Decimal] = field(default_factory=dict)

    def add(self, measure: str, amount: Decimal) -> None:
        self.of[measure] = self.of.get(measure, Decimal(0)) + amount


Key = tuple[str, str]  # (day or "", model or "")


def reconcile(folder: Path, export: Path) -> dict[str, Any]:
    """`groups`: per day and model, as far as the export tells them apart: ours, theirs, and theirs less ours.

    Raises:
        JobError: the export cannot be read, or lacks every column that could be compared.
    """
    columns, theirs = _read(export)
    ours = _ours(folder, theirs, by_day="day" in columns, by_model="model" in columns)
    measures = [name for name in MEASURES if name in columns]
    groups = [
        _group(key, ours.get(key, Amounts()), theirs.get(key, Amounts()), measures) for key in sorted({*ours, *theirs})
    ]
    unknown, at_risk_usd = _unknown(folder)
    return {
        "export": str(export),
        "compared": measures,
        "groups": groups,
        "agrees": all(group["agrees"] for group in groups),
        "unknown_calls": unknown,
        "at_risk_usd": str(at_risk_usd),
    }


def _group(key: Key, ours: Amounts, theirs: Amounts, measures: Sequence[str]) -> dict[str, Any]:
    compared = {}
    for name in measures:
        left, right = ours.of.get(name, Decimal(0)), theirs.of.get(name, Decimal(0))
        compared[name] = {"ours": str(left), "theirs": str(right), "difference": str(right - left)}
    agrees = all(_near(Decimal(one["ours"]), Decimal(one["theirs"]), name) for name, one in compared.items())
    return {"day": key[0] or None, "model": key[1] or None, **compared, "agrees": agrees}


def _near(ours: Decimal, theirs: Decimal, measure: str) -> bool:
    if measure != "cost_usd":
        return ours == theirs
    return abs(theirs - ours) <= max(TOLERANCE, TOLERANCE * max(ours, theirs))


# ── the export ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(export: Path) -> tuple[dict[str, tuple[str, ...]], dict[Key, Amounts]]:
    """Which columns tell what, and the sums by day and model."""
    try:
        with export.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns = _columns(export, lines.fieldnames or [])
            return columns, _sums(export, lines, columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise JobError(f"{export}: cannot be read as CSV: {error}") from None


def _columns(export: Path, header: Sequence[str]) -> dict[str, tuple[str, ...]]:
    here = {name.strip().lower().replace(" ", "_"): name for name in header}
    found = {}
    for what, alternatives in NAMES.items():
        for names in alternatives:
            if names[0] in here:
                found[what] = tuple(here[name] for name in names if name in here)
                break
    if not any(measure in found for measure in MEASURES):
        known = ", ".join(sorted({names[0] for measure in MEASURES for names in NAMES[measure]}))
        raise JobError(
            f"{export}: none of its columns can be compared ({', '.join(header) or 'it has no header'}). "
            f"Give a usage or cost export with at least one of: {known}"
        )
    return found


def _sums(
    export: Path, lines: Iterable[Mapping[str, str]], columns: Mapping[str, tuple[str, ...]]
) -> dict[Key, Amounts]:
    sums: dict[Key, Amounts] = {}
    for number, line in enumerate(lines, start=2):
        day = _day(line[columns["day"][0]]) if "day" in columns else ""
        if day is None:
            raise JobError(f"{export}: line {number}: {line[columns['day'][0]]!r} is no day")
        model = (line[columns["model"][0]] or "").partition(",")[0].strip() if "model" in columns else ""
        amounts = sums.setdefault((day, model), Amounts())
        for measure in MEASURES:
            for column in columns.get(measure, ()):
                amounts.add(measure, _amount(export, number, column, line[column]))
    return sums


def _day(text: str | None) -> str | None:
    """The UTC day of a date, a time or seconds since the epoch."""
    text = (text or "").strip()
    if text.isdigit() and len(text) >= 9:
        return datetime.fromtimestamp(int(text[:10]), UTC).date().isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()


def _amount(export: Path, number: int, column: str, text: str | None) -> Decimal:
    cleaned = (text or "").strip().lstrip("$").replace(",", "") or "0"
    try:
        amount = Decimal(cleaned)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise JobError(f"{export}: line {number}: {column} = {text!r} is no amount")
    return amount


# ── our side ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _ours(folder: Path, theirs: Mapping[Key, Amounts], *, by_day: bool, by_model: bool) -> dict[Key, Amounts]:
    """Our calls under the export's own names of models."""
    path = folder / CALLS
    if not path.is_file():
        raise JobError(f"{folder}: no {CALLS} here. Run a job with this output first")
    table = pq.read_table(path, columns=["sent_at", "model", "model_version", "http_status", *MEASURES[1:]])
    table = table.append_column("day", pc.strftime(table["sent_at"], format="%Y-%m-%d"))
    table = table.append_column("requests", pc.cast(pc.less(table["http_status"], 400), pa.int64()))
    by_kind = table.group_by(["day", "model", "model_version"]).aggregate([(name, "sum") for name in MEASURES])
    names = {model for _, model in theirs}
    sums: dict[Key, Amounts] = {}
    for kind in by_kind.to_pylist():
        named = _named(kind["model"], kind["model_version"], names) if by_model else ""
        amounts = sums.setdefault((kind["day"] if by_day else "", named), Amounts())
        for measure in MEASURES:
            amounts.add(measure, Decimal(kind[f"{measure}_sum"] or 0))
    return sums


def _named(model: str, version: str | None, names: set[str]) -> str:
    """What the export calls the model of one of our calls: the version that answered, the name, or one like it."""
    for ours in (version, model):
        if ours in names:
            return ours or ""
    return next((name for name in sorted(names) if name.startswith(model) or model.startswith(name or " ")), model)


def _unknown(folder: Path) -> tuple[int, Decimal]:
    """Calls whose fate is not known, and what they may have cost at the most."""
    path = folder / LEDGER
    if not path.exists():
        return 0, Decimal(0)
    with reading(path) as db:
        count, units = calls_at_risk(db)
    return count, from_units(units)
