"""Ledger + input → results.parquet, calls.parquet and run.json: views, made anew and published atomically.

Every figure of a row is the sum of its calls in the ledger, so the files cannot disagree with each other. One pass in
input order, in batches: memory does not grow with the number of rows.
"""

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.columns import RecordColumn
from pipeline.ledger import connect, records
from pipeline.work import ErrorCode, Outcome, Status

ROW_GROUP_ROWS = 4096  # lines in memory at once
COST = pa.decimal128(20, 10)
TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
RESULTS, CALLS, RUN = "results.parquet", "calls.parquet", "run.json"

CALL_SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("provider_request_id", pa.string()),
        ("row", pa.int64()),
        ("id", pa.string()),
        ("chunk", pa.int32()),
        ("purpose", pa.string()),
        ("attempt", pa.int32()),
        ("retry_count", pa.int32()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("model_version", pa.string()),
        ("betas", pa.list_(pa.string())),
        ("http_status", pa.int32()),
        ("error_code", pa.string()),
        ("finish_reason", pa.string()),
        *((name, pa.int64()) for name in TOKENS),
        ("cost_usd", COST),
        ("wait_ms", pa.int64()),
        ("ttft_ms", pa.int64()),
        ("latency_ms", pa.int64()),
        ("stream", pa.bool_()),
        ("feature", pa.string()),
        ("tenant_hash", pa.string()),
        ("prompt_version", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class View:
    """What the views need beside the ledger: the job's constants, the typed record and the kept columns."""

    provider: str
    model: str
    prompt_version: str
    feature: str
    stream: bool
    betas: tuple[str, ...]
    priced: bool
    per_chunk: bool  # merge = "none"
    record: RecordColumn
    kept_schema: pa.Schema


@dataclass(slots=True)
class Totals:
    """Sums over the published files, for run.json. `usd_units` is in 1e-10 USD."""

    total: int = 0
    ok: int = 0
    failed: int = 0
    pending: int = 0
    failed_by_code: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    usd_units: int = 0
    calls: int = 0
    rate_limited: int = 0
    repairs: int = 0
    repaired: int = 0
    answer_from: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Spent:
    """What one row, or one of its chunks, has used."""

    calls: int = 0
    tokens: tuple[int, ...] = (0, 0, 0, 0, 0)
    usd_units: int = 0

    def add(self, calls: int, tokens: Sequence[int], usd_units: int) -> None:
        self.calls += calls
        self.tokens = tuple(map(sum, zip(self.tokens, tokens, strict=True)))
        self.usd_units += usd_units


@dataclass(slots=True)
class _Line:
    """One row of results.parquet, before it is turned into columns."""

    row: int
    id: str
    chunk: int | None
    status: Status
    record: str | None
    outcome: Outcome | None
    error_code: str | None
    error: str | None
    answer_from: str | None
    spent: _Spent


def results_schema(view: View) -> pa.Schema:
    """The columns of results.parquet: the same on every run of a schema."""
    chunk = [("chunk", pa.int32())] if view.per_chunk else []
    return pa.schema(
        [
            ("row", pa.int64()),
            ("id", pa.string()),
            *chunk,
            *view.kept_schema,
            ("status", pa.string()),
            ("record", view.record.type),
            ("error_code", pa.string()),
            ("error", pa.string()),
            ("repaired", pa.bool_()),
            ("conflicts", pa.list_(pa.string())),
            ("chunks", pa.int32()),
            ("calls", pa.int32()),
            ("provider", pa.string()),
            ("model", pa.string()),
            ("model_version", pa.string()),
            *((name, pa.int64()) for name in TOKENS),
            ("cost_usd", COST),
            ("finish_reason", pa.string()),
            ("latency_ms", pa.int64()),
            ("prompt_version", pa.string()),
            ("answer_from", pa.string()),
        ]
    )


def publish(folder: Path, ledger: Path, run: int, view: View, kept: Iterator[pa.RecordBatch]) -> Totals:
    """Write both Parquet files of `run` and return their sums. `kept` runs over the input's rows in order."""
    totals = Totals()
    for orphan in folder.glob("*.tmp"):
        orphan.unlink()
    with closing(connect(ledger, read_only=True)) as db:
        db.execute("BEGIN")  # one snapshot for both files
        batches = _result_batches(db, run, view, kept, totals)
        _write(folder / RESULTS, results_schema(view), batches)
        _write(folder / CALLS, CALL_SCHEMA, _call_batches(db, run, view, totals))
    return totals


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file atomically."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    _settle(temporary, path)


def usd(units: int) -> Decimal:
    """1e-10 USD as Decimal USD."""
    return Decimal(units).scaleb(-10)


# ── results.parquet ─────────────────────────────────────────────────────────────────────────────────────────────────


def _result_batches(
    db: sqlite3.Connection, run: int, view: View, kept: Iterator[pa.RecordBatch], totals: Totals
) -> Iterator[pa.RecordBatch]:
    lines: list[_Line] = []
    keeper = _Keeper(kept, view.kept_schema)
    for line in _lines(db, run, view, totals):
        lines.append(line)
        if len(lines) >= ROW_GROUP_ROWS:
            yield _columns(lines, view, keeper)
            lines = []
    if lines:
        yield _columns(lines, view, keeper)


def _lines(db: sqlite3.Connection, run: int, view: View, totals: Totals) -> Iterator[_Line]:
    names = ", ".join(f"o.{name}" for name in records.OUTCOME_COLUMNS)
    rows = db.execute(
        f"SELECT r.row, r.id, r.problem, {names} FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row"  # noqa: S608 (own names)
    )
    spent_by_row = _spending(db, run)
    upcoming = next(spent_by_row, None)
    for row, row_id, problem, *columns in rows:
        while upcoming is not None and upcoming[0] < row:
            upcoming = next(spent_by_row, None)
        spent = upcoming[1] if upcoming is not None and upcoming[0] == row else {}
        outcome = records.outcome_from(columns) if columns[0] is not None else None
        by = _answer_from(row, run, columns[1], outcome, called=bool(spent))
        lines = list(_row_lines((row, row_id, problem), outcome, spent, by, per_chunk=view.per_chunk))
        _count(totals, lines)
        yield from lines


def _spending(db: sqlite3.Connection, run: int) -> Iterator[tuple[int, dict[int, _Spent]]]:
    """(row, {chunk: what it used}) in the order of rows, over all attempts of this run."""
    sums = ", ".join(f"SUM({name})" for name in TOKENS)
    cursor = db.execute(
        f"SELECT row, chunk, COUNT(*), {sums}, SUM(COALESCE(cost_units, 0)) FROM calls WHERE run = ? "  # noqa: S608 (own names)
        "GROUP BY row, chunk ORDER BY row, chunk",
        (run,),
    )
    for row, group in groupby(cursor, key=lambda values: values[0]):
        yield row, {chunk: _Spent(calls, tuple(tokens), cost) for _, chunk, calls, *tokens, cost in group}


def _answer_from(row: int, run: int, outcome_run: int | None, outcome: Outcome | None, *, called: bool) -> str | None:
    if outcome is None:
        return None
    if called:
        return "call"
    if outcome_run != run:
        return "ledger"
    return outcome.answer_from if outcome.row == row and outcome.answer_from != "call" else "duplicate"


def _row_lines(
    entry: tuple[int, str, str | None],
    outcome: Outcome | None,
    spent: dict[int, _Spent],
    answer_from: str | None,
    *,
    per_chunk: bool,
) -> Iterator[_Line]:
    row, row_id, problem = entry
    if outcome is None:
        status, code = (Status.FAILED, str(ErrorCode.BAD_ROW)) if problem else (Status.PENDING, None)
        yield _Line(row, row_id, None, status, None, None, code, problem, None, _together(spent))
    elif per_chunk and outcome.status is Status.OK:
        shares = _shares(spent, len(outcome.records))
        for number, record in enumerate(outcome.records):
            yield _Line(row, row_id, number, Status.OK, record, outcome, None, None, answer_from, shares[number])
    else:
        whole = outcome.records[0] if outcome.records else None
        code = str(outcome.error_code) if outcome.error_code else None
        yield _Line(
            row, row_id, None, outcome.status, whole, outcome, code, outcome.error, answer_from, _together(spent)
        )


def _together(spent: dict[int, _Spent]) -> _Spent:
    whole = _Spent()
    for part in spent.values():
        whole.add(part.calls, part.tokens, part.usd_units)
    return whole


def _shares(spent: dict[int, _Spent], chunks: int) -> list[_Spent]:
    """What each chunk used; calls for chunks that were cut smaller on the way count with the last."""
    shares = [_Spent() for _ in range(chunks)]
    for chunk, part in spent.items():
        shares[min(chunk, chunks - 1)].add(part.calls, part.tokens, part.usd_units)
    return shares


def _count(totals: Totals, lines: Sequence[_Line]) -> None:
    first = lines[0]
    totals.total += 1
    totals.ok += first.status is Status.OK
    totals.failed += first.status is Status.FAILED
    totals.pending += first.status is Status.PENDING
    if first.error_code is not None:
        totals.failed_by_code[first.error_code] += 1
    totals.repaired += bool(first.outcome and first.outcome.repaired)
    if first.answer_from is not None:
        totals.answer_from[first.answer_from] += 1
    for line in lines:
        totals.usd_units += line.spent.usd_units
        for name, count in zip(TOKENS, line.spent.tokens, strict=True):
            totals.tokens[name] += count


def _columns(lines: Sequence[_Line], view: View, keeper: "_Keeper") -> pa.RecordBatch:
    schema = results_schema(view)
    done = [line.outcome for line in lines]
    known = [view.provider if line.outcome else None for line in lines]
    cost = [usd(line.spent.usd_units) if view.priced else None for line in lines]
    values: dict[str, Any] = {
        "row": [line.row for line in lines],
        "id": [line.id for line in lines],
        "chunk": [line.chunk for line in lines],
        "status": [str(line.status) for line in lines],
        "record": view.record.array([line.record for line in lines]),
        "error_code": [line.error_code for line in lines],
        "error": [line.error for line in lines],
        "repaired": [bool(outcome and outcome.repaired) for outcome in done],
        "conflicts": [list(outcome.conflicts) if outcome else [] for outcome in done],
        "chunks": [outcome.chunks if outcome else 0 for outcome in done],
        "calls": [line.spent.calls for line in lines],
        "provider": known,
        "model": [view.model if provider else None for provider in known],
        "model_version": [outcome.model_version if outcome else None for outcome in done],
        "cost_usd": cost,
        "finish_reason": [outcome.finish_reason if outcome else None for outcome in done],
        "latency_ms": [line.outcome.latency_ms if line.outcome and line.spent.calls else None for line in lines],
        "prompt_version": [view.prompt_version] * len(lines),
        "answer_from": [line.answer_from for line in lines],
    }
    for position, name in enumerate(TOKENS):
        values[name] = [line.spent.tokens[position] for line in lines]
    values.update(keeper.columns([line.row for line in lines]))
    arrays = [
        values[name.name] if isinstance(values[name.name], pa.Array) else pa.array(values[name.name], name.type)
        for name in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Keeper:
    """The kept columns, read beside the ledger's rows; every row is asked for in order, some more than once."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = batches
        self._schema = schema
        self._held = pa.Table.from_batches([], schema)
        self._first = 0  # the row that the held table begins with

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        if not self._schema.names:
            return {}
        self._held = self._held.slice(rows[0] - self._first)
        self._first = rows[0]
        while self._first + self._held.num_rows <= rows[-1]:
            batch = next(self._batches)
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch], self._schema)])
        taken = self._held.take(pa.array([row - self._first for row in rows], pa.int64()))
        return {name: taken.column(name).combine_chunks() for name in self._schema.names}


# ── calls.parquet ───────────────────────────────────────────────────────────────────────────────────────────────────


def _call_batches(db: sqlite3.Connection, run: int, view: View, totals: Totals) -> Iterator[pa.RecordBatch]:
    names = records.CALL_COLUMNS
    # Only rows that the input still has: the others' calls stay in the ledger.
    cursor = db.execute(
        f"SELECT {', '.join(names)} FROM calls WHERE run = ? AND row <= (SELECT MAX(row) FROM rows) ORDER BY call",  # noqa: S608 (own names)
        (run,),
    )
    while fetched := cursor.fetchmany(ROW_GROUP_ROWS):
        columns = dict(zip(names, zip(*fetched, strict=True), strict=True))
        totals.calls += len(fetched)
        totals.repairs += sum(
            purpose == "repair" and attempt == 1
            for purpose, attempt in zip(columns["purpose"], columns["attempt"], strict=True)
        )
        totals.rate_limited += columns["error_code"].count("rate_limited")
        constant = {"provider": view.provider, "model": view.model, "stream": view.stream, "feature": view.feature}
        constant["prompt_version"] = view.prompt_version
        values = {
            **columns,
            **{name: [value] * len(fetched) for name, value in constant.items()},
            "retry_count": [attempt - 1 for attempt in columns["attempt"]],
            "sent_at": columns["sent_us"],
            "betas": [list(view.betas)] * len(fetched),
            "cost_usd": [None if units is None else usd(units) for units in columns["cost_units"]],
            "tenant_hash": [tenant_hash(tenant) for tenant in columns["tenant"]],
        }
        arrays = [pa.array(values[column.name], column.type) for column in CALL_SCHEMA]
        yield pa.RecordBatch.from_arrays(arrays, schema=CALL_SCHEMA)


def tenant_hash(tenant: str | None) -> str | None:
    return None if tenant is None else hashlib.sha256(tenant.encode("utf-8", "replace")).hexdigest()[:16]


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write beside, check the footer, sync, replace. A writer left by an exception would leave a valid, short file."""
    temporary = path.with_name(path.name + ".tmp")
    written = 0
    writer = pq.ParquetWriter(
        temporary, schema, compression="zstd", compression_level=3, write_page_checksum=True, store_schema=True
    )
    try:
        for batch in batches:
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
            written += batch.num_rows
        writer.close()
    except BaseException:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise
    found = pq.read_metadata(temporary).num_rows
    if found != written:
        raise OSError(f"{temporary}: {found} rows in the file, {written} written")
    _settle(temporary, path)


def _settle(temporary: Path, path: Path) -> None:
    for target in (temporary, path.parent):
        if target == path.parent:
            temporary.replace(path)
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
