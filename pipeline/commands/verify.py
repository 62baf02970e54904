"""`pipeline verify`: every invariant of an output folder, worked out again from its files alone.

Each check is a generator of what is wrong; the first finding ends the command with exit code 1.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import asdict

from pipeline.codes import AnswerFrom, ErrorCode
from pipeline.columns import TOKENS
from pipeline.commands.published import Published
from pipeline.commands.same_value import same
from pipeline.commands.verify_chunks import chunks_unlike
from pipeline.commands.verify_documents import documents_unlike, strange_pages
from pipeline.commands.verify_evidence import evidence_unlike
from pipeline.commands.verify_packs import packs_in, rows_unlike, shares_unlike
from pipeline.commands.verify_prices import costs_unlike
from pipeline.errors import JobError, LedgerUnreadable
from pipeline.job.folder import CALLS, LEDGER, RESULTS, RUN
from pipeline.ledger import audit
from pipeline.ledger.batches import unsettled
from pipeline.ledger.files import reading
from pipeline.ledger.head import missing, missing_text
from pipeline.ledger.schema import knows_batches
from pipeline.money import from_units, to_units
from pipeline.output.manifest import read_run


class Check(Struct, frozen=True):
    """One invariant, and the first thing that breaks it, if any."""

    name: str
    problem: str | None


def verify(folder: Path) -> list[Check]:
    """All checks up to and including the first that fails.

    Raises:
        JobError: the folder holds no published run.
    """
    manifest = read_run(folder)
    absent = [name for name in (RUN, RESULTS, CALLS) if not (folder / name).is_file()]
    absent += [] if (folder / LEDGER).exists() else [LEDGER]
    if manifest is None or absent:
        raise JobError(f"{folder}: holds no published run ({', '.join(absent) or RUN + ' cannot be read'})")
    found = Published(folder, manifest)
    done: list[Check] = []
    for name, check in CHECKS.items():
        try:
            problem = next(check(found), None)
        except LedgerUnreadable as error:
            problem = str(error)
        except (OSError, pa.ArrowException, KeyError) as error:
            problem = f"cannot be read: {error!r}"
        done.append(Check(name, problem))
        if problem is not None:
            break
    return done


def _counts(found: Published) -> Iterator[str]:
    rows = found.manifest.rows
    if rows.total != rows.ok + rows.failed + rows.pending:
        yield f"run.json: {asdict(rows)}"
    if rows.failed != sum(found.manifest.failed_by_code.values()):
        yield f"run.json: {rows.failed} failed, but by code {found.manifest.failed_by_code}"
    states: Counter[str] = Counter()
    expected = 0
    for batch in found.batches(RESULTS, "row", "status"):
        for row, status in zip(batch["row"], batch["status"], strict=True):
            if row == expected - 1:
                continue  # a further chunk of the same row
            if row != expected:
                yield f"{RESULTS}: row {expected} is missing (found {row} in its place)"
            expected += 1
            states[status] += 1
    if states != Counter({name: getattr(rows, name) for name in ("ok", "failed", "pending")}):
        yield f"{RESULTS}: {dict(states)}, run.json: {asdict(rows)}"


def _one_place(found: Published) -> Iterator[str]:
    codes = {str(code) for code in ErrorCode}
    names = ("row", "status", "record", "error_code", "answer_from")
    for batch in found.batches(RESULTS, *names):
        for row, status, record, code, by in zip(*(batch[name] for name in names), strict=True):
            earlier = status == "pending" and by == AnswerFrom.PREVIOUS
            if (status == "ok" or earlier) != (record is not None):
                yield f"{RESULTS}: row {row} is {status} {'with' if record else 'without'} a record"
            if (status == "failed") != (code in codes):
                yield f"{RESULTS}: row {row} is {status} with error_code {code!r}"


def _sums(found: Published) -> Iterator[str]:
    manifest = found.manifest
    for name in (RESULTS, CALLS):
        table = found.column(name, *TOKENS, "cost_usd")
        for column in TOKENS:
            total = pc.sum(table[column]).as_py() or 0
            if total != (told := getattr(manifest.tokens, column)):
                yield f"{column}: {name} sums to {total}, run.json says {told}"
        cost = pc.sum(table["cost_usd"]).as_py() or Decimal(0)
        if manifest.cost_usd is not None and cost != manifest.cost_usd:
            yield f"cost_usd: {name} sums to {cost}, run.json says {manifest.cost_text}"


def _totals(found: Published) -> Iterator[str]:
    """Over all runs, by the ledger. A file of an older program has no such column."""
    if "cost_total_usd" not in pq.read_schema(found.path / RESULTS).names:
        return
    with reading(found.path / LEDGER) as db:
        kept = audit.row_totals(db)
        for row, by, told, tonight in _row_totals(found):
            place, units, earlier = next(kept, (row, 0, 0))
            units += earlier if by == AnswerFrom.PREVIOUS else 0
            if place != row or (told is not None and to_units(told) != units):
                yield f"{RESULTS}: row {row} cost {told} in all runs, the ledger says {from_units(units)}"
            if (told is None) != (found.manifest.cost_usd is None) or (told or 0) < (tonight or 0):
                yield f"{RESULTS}: row {row} cost {told} in all runs, and {tonight} in this one"


def _row_totals(found: Published) -> Iterator[tuple[int, str | None, Decimal | None, Decimal | None]]:
    """(row, answer_from, cost_total_usd, cost_usd), the lines of one row together."""
    names = ("row", "answer_from", "cost_total_usd", "cost_usd")
    lines = (line for batch in found.batches(RESULTS, *names) for line in zip(*batch.values(), strict=True))
    for row, group in groupby(lines, key=lambda line: line[0]):
        of_row = list(group)
        total, tonight = ([line[place] for line in of_row if line[place] is not None] for place in (2, 3))
        yield row, of_row[0][1], sum(total) if total else None, sum(tonight) if tonight else None


def _calls_of_rows(found: Published) -> Iterator[str]:
    calls = pq.read_metadata(found.path / CALLS).num_rows
    if calls != found.manifest.calls:
        yield f"{CALLS}: {calls} rows, run.json says {found.manifest.calls}"
    if packs_in(found):
        yield from rows_unlike(found)
        return
    for name in ("calls", *TOKENS, "cost_usd"):  # one after the other: of a million rows they are large
        ours = found.column(RESULTS, "row", "calls", *({name} - {"calls"}))
        ours = ours.group_by("row").aggregate(
            [("calls", "sum"), (name, "sum")] if name != "calls" else [("calls", "sum")]
        )
        ours = ours.filter(pc.field("calls_sum") > 0).sort_by("row")
        theirs = found.column(CALLS, "row", *({name} - {"calls"})).group_by("row")
        theirs = theirs.aggregate([("row", "count") if name == "calls" else (name, "sum")]).sort_by("row")
        left, right = ours[f"{name}_sum"], theirs["row_count" if name == "calls" else f"{name}_sum"]
        same_rows = len(left) == len(right) and pc.all(pc.equal(ours["row"], theirs["row"]), min_count=0).as_py()
        if not same_rows or not pc.all(pc.equal(*_known(left, right)), min_count=0).as_py():
            yield f"{name}: the calls of some row don't add up to what {RESULTS} says of it"


def _known(left: pa.ChunkedArray, right: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """A sum of nothing but unknown costs is null on one side, or 0."""
    if pa.types.is_decimal(left.type):
        return pc.fill_null(left, Decimal(0)), pc.fill_null(right, Decimal(0))
    return left, right


def _lines(found: Published) -> Iterator[str]:
    with reading(found.path / LEDGER) as db:
        if knows_batches(db):
            yield from (f"{LEDGER}: {wrong}" for wrong in unsettled(db))


def _end(found: Published) -> Iterator[str]:
    lost = missing(found.path / LEDGER)
    if lost is not None:
        yield missing_text(found.path / LEDGER, lost)


def _checksums(found: Published) -> Iterator[str]:
    with reading(found.path / LEDGER) as db:
        for table, key in audit.damaged(db):
            yield f"{LEDGER}: a record of {table} is damaged: {key!r}"


def _ledger(found: Published) -> Iterator[str]:
    with reading(found.path / LEDGER) as db:
        ledger = audit.row_ends(db)
        last = None
        for batch in found.batches(RESULTS, "row", "id", "status", "error_code"):
            columns = (batch[name] for name in ("row", "id", "status", "error_code"))
            for row, row_id, status, code in zip(*columns, strict=True):
                if row == last:
                    continue
                last = row
                kept_id, bad, kept_status, kept_code = next(ledger, ("", False, None, None))
                kept = (kept_id, "failed", "bad_row") if bad else (kept_id, kept_status or "pending", kept_code)
                if (row_id, status, code) != kept:
                    yield f"{RESULTS}: row {row} is {(row_id, status, code)}, the ledger says {kept}"


def _codes(found: Published) -> Iterator[str]:
    codes: Counter[str] = Counter()
    last = None
    for batch in found.batches(RESULTS, "row", "error_code"):
        for row, code in zip(batch["row"], batch["error_code"], strict=True):
            if row != last and code is not None:
                codes[code] += 1
            last = row
    if dict(codes) != found.manifest.failed_by_code:
        yield f"run.json: failed_by_code is {found.manifest.failed_by_code}, {RESULTS} has {dict(codes)}"


def _calls(found: Published) -> Iterator[str]:
    """Call by call, in the order of the ledger."""
    names = ("request_id", "row", "attempt", "error_code", *TOKENS)
    with reading(found.path / LEDGER) as db:
        if (twice := audit.call_twice(db)) is not None:
            yield f"{LEDGER}: call {twice} stands twice"
        ledger = audit.last_calls(db, names)
        for batch in found.batches(CALLS, *names, "cost_usd"):
            for *values, cost in zip(*(batch[name] for name in (*names, "cost_usd")), strict=True):
                kept = next(ledger, None)
                units = None if cost is None else to_units(cost)
                if kept != (*values, units):
                    yield f"{CALLS}: {tuple(values)} cost {cost}, the ledger says {kept}"
        if next(ledger, None) is not None:
            yield f"{CALLS}: the ledger has calls of this run that are not in it"


def _records(found: Published) -> Iterator[str]:
    """Each record is the ledger's: found by the row's content, turned into the column's type, and equal."""
    with reading(found.path / LEDGER) as db:
        kept = audit.row_records(db)
        numbers: Counter[int] = Counter()
        current: tuple[int, list[str]] = (-1, [])
        for batch in found.batches(RESULTS, "row", "record"):
            for row, record in zip(batch["row"], batch["record"], strict=True):
                if record is None:
                    continue
                if current[0] != row:
                    numbers.clear()
                while current[0] < row:
                    current = next(kept, (sys.maxsize, []))
                place = numbers[row]
                numbers[row] += 1
                if current[0] != row or place >= len(current[1]) or not same(record, json.loads(current[1][place])):
                    yield f"{RESULTS}: the record of row {row} is not the ledger's"


def _session(found: Published) -> Iterator[str]:
    manifest = found.manifest
    with reading(found.path / LEDGER) as db:
        last = audit.last_session(db)
    if last.state != "running" and (last.state, last.reason) != (manifest.state, manifest.reason):
        yield f"run.json: {manifest.state} ({manifest.reason}), the ledger says {last.state} ({last.reason})"
    if last.in_flight and manifest.state == "finished":
        yield f"{LEDGER}: {last.in_flight} calls are in flight, and the run has finished"
    if last.input_fingerprint != manifest.input_fingerprint:
        yield "run.json: the input's fingerprint is not that of the ledger's last run"


CHECKS: dict[str, Callable[[Published], Iterator[str]]] = {
    "every row is there once, in order, and counted": _counts,
    "every row ends in exactly one place": _one_place,
    "failures by code are counted right": _codes,
    "tokens and cost sum to run.json": _sums,
    "every row's figures are the sum of its calls": _calls_of_rows,
    "every call costs what its tokens cost": costs_unlike,
    "what rows have of a call adds up to it": shares_unlike,
    "every line of a batch is one call": _lines,
    "the ledger has all that was on record": _end,
    "every record of the ledger is whole": _checksums,
    "results.parquet says what the ledger says": _ledger,
    "every record is the ledger's": _records,
    "calls.parquet says what the ledger says": _calls,
    "what is said of documents is the ledger's": documents_unlike,
    "the chunks that were asked about are the ledger's": chunks_unlike,
    "values stand where results.parquet says": evidence_unlike,
    "every call's pages are of its row's file": strange_pages,
    "what rows cost in all runs is the ledger's": _totals,
    "run.json is of the ledger's last run": _session,
}
