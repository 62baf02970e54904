"""The ledger's rows as results.parquet: one line per input row, in input order.

Every figure of a row is the sum of its calls, so the files cannot disagree with each other.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
from msgspec import Struct

from pipeline.codes import AnswerFrom, ErrorCode, Status
from pipeline.columns import RESULT_COLUMNS, TOKENS
from pipeline.extraction.cutting import SKIPPED
from pipeline.ledger import nights, records
from pipeline.ledger.files import Connection
from pipeline.output.evidence_columns import COLUMN_TYPES as EVIDENCE_TYPES
from pipeline.output.evidence_columns import evidence_columns
from pipeline.output.file_columns import of_files
from pipeline.output.keeper import Keeper
from pipeline.output.layout import COST, ROW_GROUP_ROWS, OutputTotals, View, batch_of, cost_column
from pipeline.output.previous import Previous, previous_of
from pipeline.output.spending import Spent, numbers_of, shares_of, spending, together
from pipeline.schema.arrow import CANNOT
from pipeline.types import Document, Outcome

COLUMN_TYPES = {
    "row": pa.int64(),
    "id": pa.string(),
    "chunk": pa.int32(),
    "status": pa.string(),
    "error_code": pa.string(),
    "error": pa.string(),
    "repaired": pa.bool_(),
    "conflicts": pa.list_(pa.string()),
    "chunks": pa.int32(),
    "calls": pa.int32(),
    "provider": pa.string(),
    "model": pa.string(),
    "model_version": pa.string(),
    **dict.fromkeys(TOKENS, pa.int64()),
    "cost_usd": COST,
    "finish_reason": pa.string(),
    "latency_ms": pa.int64(),
    "prompt_version": pa.string(),
    "answer_from": pa.string(),
    "cost_total_usd": COST,
    "document": pa.struct(
        [("media_type", pa.string()), ("pages", pa.int32()), ("mode", pa.string()), ("digest", pa.string())]
    ),
    "xml_conflicts": pa.list_(pa.string()),
    "models_tried": pa.list_(pa.string()),
}


DEFECT = (
    "internal error: row {row} is ok on the ledger, but {problem}. Nothing is lost: mend the schema, and run again; "
    "its answers are on the ledger, and are not asked for again unless the schema asks for something else"
)


class _Line(Struct):
    """One row of results.parquet, before it is turned into columns."""

    row: int
    id: str
    chunk: int | None
    status: Status
    record: str | None
    outcome: Outcome | None
    error_code: str | None
    error: str | None
    answer_from: AnswerFrom | None
    spent: Spent
    place: int = 0  # of its record in the outcome
    document: Document | None = None
    total_units: int = 0  # what its content has cost in all runs, in 1e-10 USD

    @property
    def answered(self) -> Outcome | None:
        """Its own outcome, not an earlier one whose record it shows meanwhile."""
        return None if self.answer_from is AnswerFrom.PREVIOUS else self.outcome


def results_schema(view: View) -> pa.Schema:
    """The columns of results.parquet: the same on every run of a schema."""
    types = {**COLUMN_TYPES, **EVIDENCE_TYPES, SKIPPED: pa.int32(), "record": view.record.type}
    left_out = {name for name, wanted in (("chunk", view.per_chunk),) if not wanted}
    ours = [(name, types[name]) for name in RESULT_COLUMNS if name not in left_out]
    more = {"document": view.documents, "xml_conflicts": view.compared}
    more |= dict.fromkeys(view.evidence, True) | {SKIPPED: view.selects, "models_tried": bool(view.models)}
    ours += [(name, types[name]) for name, wanted in more.items() if wanted]
    place = [name for name, _ in ours].index("status")
    return pa.schema([*ours[:place], *view.kept_schema, *ours[place:]])


def result_batches(
    db: Connection, run: int, view: View, kept: Iterator[pa.RecordBatch], totals: OutputTotals
) -> Iterator[pa.RecordBatch]:
    lines: list[_Line] = []
    keeper = Keeper(kept, view.kept_schema)
    for line in _lines(db, run, view, totals):
        lines.append(line)
        if len(lines) >= ROW_GROUP_ROWS:
            yield _columns(lines, view, keeper, totals)
            lines = []
    if lines:
        yield _columns(lines, view, keeper, totals)


def _lines(db: Connection, run: int, view: View, totals: OutputTotals) -> Iterator[_Line]:
    spent_by_row = spending(db, run)
    upcoming = next(spent_by_row, None)
    days = nights.session_days(db)
    for row, row_id, problem, file, *columns, before, shared, earlier in nights.rows_to_publish(db, run):
        while upcoming is not None and upcoming[0] < row:
            upcoming = next(spent_by_row, None)
        spent = upcoming[1] if upcoming is not None and upcoming[0] == row else {}
        outcome = records.outcome_from(columns) if columns[0] is not None else None
        by = _answer_from(row, run, columns[1], outcome, called=bool(spent))
        previous = None if earlier is None else previous_of(db, earlier, view, days)
        if previous is not None and previous.records:
            lines = list(_previous_lines((row, row_id), previous, spent, per_chunk=view.per_chunk))
            totals.previous[previous.day] += 1
        else:
            totals.previous_unfit += previous is not None
            lines = list(_row_lines((row, row_id, problem), outcome, spent, by, per_chunk=view.per_chunk))
        tonight = sum(line.spent.usd_units for line in lines) if shared is None else shared
        _share_total(lines, before + tonight + (previous.units if previous is not None and previous.records else 0))
        if file is not None:
            document = records.document_from(file)
            for line in lines:
                line.document = document
        if outcome is not None and columns[2] == totals.session:
            totals.session_ends[outcome.status] += 1
        _count(totals, lines)
        yield from lines


def _previous_lines(
    entry: tuple[int, str], previous: Previous, spent: dict[int, Spent], *, per_chunk: bool
) -> Iterator[_Line]:
    """The row is pending, and what it has used tonight stands on its first line."""
    row, row_id = entry
    for number, record in enumerate(previous.records):
        used = together(spent) if number == 0 else Spent()
        chunk = numbers_of(previous.outcome)[number] if per_chunk else None
        by = AnswerFrom.PREVIOUS
        yield _Line(row, row_id, chunk, Status.PENDING, record, previous.outcome, None, None, by, used, number)


def _share_total(lines: Sequence[_Line], total_units: int) -> None:
    """A row of several lines: each has cost what it cost tonight, and an equal part of what was paid before."""
    before = total_units - sum(line.spent.usd_units for line in lines)
    part, rest = divmod(max(0, before), len(lines))
    for number, line in enumerate(lines):
        line.total_units = line.spent.usd_units + part + (rest if number == 0 else 0)


def _answer_from(
    row: int, run: int, outcome_run: int | None, outcome: Outcome | None, *, called: bool
) -> AnswerFrom | None:
    if outcome is None:
        return None
    if called:
        return AnswerFrom.CALL
    if outcome_run != run:
        return AnswerFrom.LEDGER
    own = outcome.row == row and outcome.answer_from is not AnswerFrom.CALL
    return outcome.answer_from if own else AnswerFrom.DUPLICATE


def _row_lines(
    entry: tuple[int, str, str | None],
    outcome: Outcome | None,
    spent: dict[int, Spent],
    answer_from: AnswerFrom | None,
    *,
    per_chunk: bool,
) -> Iterator[_Line]:
    row, row_id, problem = entry
    if outcome is None:
        status, code = (Status.FAILED, str(ErrorCode.BAD_ROW)) if problem else (Status.PENDING, None)
        yield _Line(row, row_id, None, status, None, None, code, problem, None, together(spent))
    elif per_chunk and outcome.status is Status.OK:
        numbers = numbers_of(outcome)
        shares = shares_of(spent, numbers)
        cut = not spent.keys() <= set(numbers)  # whose calls are whose is then not told by numbers
        for place, (number, record) in enumerate(zip(numbers, outcome.records, strict=True)):
            free = answer_from is AnswerFrom.CALL and not shares[place].attempts and not cut
            by = AnswerFrom.DUPLICATE if free else answer_from
            yield _Line(row, row_id, number, Status.OK, record, outcome, None, None, by, shares[place], place)
    else:
        whole = outcome.records[0] if outcome.records else None
        code = str(outcome.error_code) if outcome.error_code else None
        yield _Line(
            row, row_id, None, outcome.status, whole, outcome, code, outcome.error, answer_from, together(spent)
        )


def _count(totals: OutputTotals, lines: Sequence[_Line]) -> None:
    first = lines[0]
    totals.total += 1
    totals.ok += first.status is Status.OK
    totals.failed += first.status is Status.FAILED
    totals.pending += first.status is Status.PENDING
    if first.error_code is not None:
        totals.failed_by_code[first.error_code] += 1
    totals.repaired += bool(first.answered and first.answered.repaired)
    if first.answered:
        totals.model_rows[first.answered.model or ""] += 1
    if first.answer_from is not None:
        totals.answer_from[first.answer_from] += 1


def _columns(lines: Sequence[_Line], view: View, keeper: Keeper, totals: OutputTotals) -> pa.RecordBatch:
    schema = results_schema(view)
    records = _records(lines, view, totals)
    done = [line.outcome for line in lines]
    own = view.provider, view.model
    asked = [view.models.get(line.answered.model or "", own) if line.answered else None for line in lines]
    cost = [line.spent.usd_units if view.priced else None for line in lines]
    values: dict[str, Any] = {
        "row": [line.row for line in lines],
        "id": [line.id for line in lines],
        "chunk": [line.chunk for line in lines],
        "status": [str(line.status) for line in lines],
        "record": records,
        "error_code": [line.error_code for line in lines],
        "error": [line.error for line in lines],
        "repaired": [bool(outcome and outcome.repaired) for outcome in done],
        "conflicts": [list(outcome.conflicts) if outcome else [] for outcome in done],
        "chunks": [outcome.chunks if outcome else 0 for outcome in done],
        "calls": [line.spent.calls for line in lines],
        "provider": [one and one[0] for one in asked],
        "model": [one and one[1] for one in asked],
        "model_version": [outcome.model_version if outcome else None for outcome in done],
        "cost_usd": cost_column(cost),
        "finish_reason": [outcome.finish_reason if outcome else None for outcome in done],
        "latency_ms": [line.answered.latency_ms if line.answered and line.spent.attempts else None for line in lines],
        "prompt_version": _prompt_versions(lines, view),
        "answer_from": [line.answer_from and str(line.answer_from) for line in lines],
        "cost_total_usd": cost_column([line.total_units if view.priced else None for line in lines]),
    }
    values.update(zip(TOKENS, zip(*(line.spent.tokens for line in lines), strict=True), strict=True))
    for name in TOKENS:
        totals.tokens[name] += sum(values[name])
    totals.usd_units += sum(line.spent.usd_units for line in lines)
    values.update(keeper.columns([line.row for line in lines]))
    if view.documents:
        values |= of_files([line.document for line in lines], schema, values)
        values["xml_conflicts"] = [list(outcome.xml_conflicts) if outcome else [] for outcome in done]
    if view.models:
        values["models_tried"] = [_tried(line, view) for line in lines]
    if view.evidence:
        values |= evidence_columns([(line.answered, line.place) for line in lines])
    if view.selects:
        values[SKIPPED] = [outcome.chunks_skipped if outcome else 0 for outcome in done]
    return batch_of(values, schema)


def _tried(line: _Line, view: View) -> list[str]:
    """All models that a row was at; [model] alone where its outcome does not say, as nothing was there to go on to."""
    return list(line.answered.models_tried) or [view.model] if line.answered else []


def _records(lines: Sequence[_Line], view: View, totals: OutputTotals) -> pa.StructArray:
    """The record column. A record that is not what the schema says, which no new one is, fails its row alone."""
    with suppress(*CANNOT):
        column = view.record.array([line.record for line in lines])
        if not view.record.lacks(column):
            return column
    for line in lines:
        problem = None if line.record is None else view.record.problem_of(line.record)
        if problem is not None:
            line.status, line.record, line.error_code = Status.FAILED, None, str(ErrorCode.INVALID_OUTPUT)
            line.error = DEFECT.format(row=line.row, problem=problem)
            if not line.place:  # a row is counted once
                totals.ok, totals.failed = totals.ok - 1, totals.failed + 1
                totals.failed_by_code[line.error_code] += 1
    return view.record.array([line.record for line in lines])


def _prompt_versions(lines: Sequence[_Line], view: View) -> pa.Array:
    """Of the job as it is; not known of records of before."""
    return pa.array([None if line.answer_from is AnswerFrom.PREVIOUS else view.prompt_version for line in lines])
