"""Everything known of one row: its outcome, its record, every call and, where asked for, every answer. Reads only."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from pipeline.codes import ErrorCode
from pipeline.commands.answers import Heard, judge_of_run, judged
from pipeline.commands.lines import add_lines
from pipeline.commands.show_evidence import evidence_shown
from pipeline.errors import JobError
from pipeline.extraction.judge import Judge
from pipeline.job.folder import LEDGER
from pipeline.ledger import nights, queries
from pipeline.ledger.batches import lines_of_row
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.records import CALL_COLUMNS, RowEntry
from pipeline.ledger.said import answers_of, linked
from pipeline.money import from_units
from pipeline.output.manifest import read_run
from pipeline.text import did_you_mean, inert
from pipeline.types import tenant_hash

MOST_IDS = 10_000  # among which the nearest is looked for
NOT_LINKED = "not on record: written by a version that did not keep which call an answer came by"


def show(folder: Path, row_id: str, *, answers: bool = False) -> dict[str, Any]:
    """Everything on record about one row: its outcome, its record and every call; with the `answers`, whole.

    Raises:
        JobError: the folder holds no run, or the run no such row.
    """
    path = folder / LEDGER
    if not path.exists():
        raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")
    with reading(path) as db:
        found = queries.rows_with_id(db, row_id)
        if not found:
            some = queries.first_ids(db, MOST_IDS)
            looks = ", ".join(map(repr, some[:3]))
            meant = did_you_mean(row_id, some)
            raise JobError(f"{folder}: no row has the id {row_id!r}. Ids here look like {looks}.{meant}")
        last = queries.last_run(db)
        said = {entry.row: list(answers_of(db, [entry.row])) for entry in found}
        judge = _judge(folder) if any(said.values()) else None
        run = last[0] if last else 0
        rows = [_row(db, run, entry) for entry in found]
        for row in rows:
            add_lines(row, lines_of_row(db, run, row["row"], row_id), read_run(folder))
        for row in rows:
            _add_answers(row, [judged(one, judge) for one in said[row["row"]]], whole=answers)
        shown = {"id": row_id, "rows": rows}
        return shown if not answers or linked(db) else {**shown, "answers": NOT_LINKED}


def _judge(folder: Path) -> Judge | None:
    manifest = read_run(folder)
    return None if manifest is None else judge_of_run(manifest.job)


def _add_answers(shown: dict[str, Any], heard: Sequence[Heard], *, whole: bool) -> None:
    """Each call with what was wrong with its answer, and with its text; those of a row's twin stand beside them."""
    by_call = {one.said.request_id: one for one in heard}
    for call in shown["calls"]:
        one = by_call.pop(call["request_id"], None)
        if one is not None and call["error"] is None and one.errors:
            call["error"] = "; ".join(one.errors)
        if whole:
            call["answer"] = None if one is None else one.said.text
    if whole and by_call:  # this row was not asked for itself
        shown["answers"] = [
            {"request_id": one.said.request_id, "chunk": one.said.chunk, "purpose": one.said.purpose,
             "error": "; ".join(one.errors) or None, "answer": one.said.text}
            for one in by_call.values()
        ]  # fmt: skip


def answers_text(found: dict[str, Any]) -> str:
    """The texts of the answers as they came, one after the other."""
    if "answers" in found:
        return f"answers: {found['answers']}"
    told = []
    for row in found["rows"]:
        told += [_answer_text(row["row"], one) for one in (*row["calls"], *row.get("answers", ())) if "answer" in one]
    return "\n\n".join(told) or "no call was made for this row"


def _answer_text(row: int, one: dict[str, Any]) -> str:
    head = f"── row {row}, chunk {one['chunk']}, {one['purpose']}, call {one['request_id']}"
    wrong = f"\n   error: {inert(one['error'])}" if one["error"] else ""
    if one["answer"] is None:
        return f"{head}: no answer on record{wrong}"
    return f"{head}: {len(one['answer']):,} characters{wrong}\n{inert(one['answer'])}"


def without_answers(found: dict[str, Any]) -> dict[str, Any]:
    """The same without what `answers_text` and `evidence_text` tell."""
    rows = [
        {**{name: value for name, value in row.items() if name not in {"answers", "evidence", "text"}},
         "calls": [{name: value for name, value in call.items() if name != "answer"} for call in row["calls"]]}
        for row in found["rows"]
    ]  # fmt: skip
    return {"id": found["id"], "rows": rows}


def _row(db: Connection, run: int, entry: RowEntry) -> dict[str, Any]:
    shown: dict[str, Any] = {"row": entry.row, "tenant": entry.tenant, "tenant_hash": tenant_hash(entry.tenant)}
    if entry.problem is not None:
        shown |= {"status": "failed", "error_code": str(ErrorCode.BAD_ROW), "error": entry.problem}
    elif (outcome := queries.outcome_of(db, entry.doc)) is None:
        shown |= {"status": "pending"}
    else:
        made = [json.loads(record) for record in outcome.records]
        shown |= {
            "status": str(outcome.status),
            "error_code": outcome.error_code and str(outcome.error_code),
            "error": outcome.error,
            "record": made[0] if len(made) == 1 else made or None,
            "repaired": outcome.repaired,
            "conflicts": list(outcome.conflicts),
            **({"xml_conflicts": list(outcome.xml_conflicts)} if entry.document is not None else {}),
            **evidence_shown(outcome),
            "chunks": outcome.chunks,
            **({"chunks_skipped": outcome.chunks_skipped} if outcome.chunks_skipped else {}),
            "finish_reason": outcome.finish_reason,
            "model_version": outcome.model_version,
            "latency_ms": outcome.latency_ms,
        }
    calls = nights.calls_of_row(db, run, entry.row, entry.id, entry.doc)
    if entry.document is not None:
        shown["document"] = asdict(entry.document)
    shown["calls"] = [
        _call(dict(zip(CALL_COLUMNS, call, strict=True)), run, began, pages) for began, pages, *call in calls
    ]
    return shown


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")


def _call(call: dict[str, Any], run: int, began_us: int, pages: str | None) -> dict[str, Any]:
    """`earlier_run`: when that began, of a call that is not of the last. `pages`: of a file, that went along."""
    hidden = {"run", "session", "row", "id", "tenant", "cost_units", "at_risk_units", "sent_us"}
    sent, began = map(_moment, (call["sent_us"], began_us))
    money = {
        "cost_usd": None if call["cost_units"] is None else f"{from_units(call['cost_units']):.10f}",
        "at_risk_usd": f"{from_units(call['at_risk_units']):.10f}",
    }
    earlier = {"earlier_run": began if call["run"] != run else None}
    went = {} if pages is None else {"pages": pages}
    return {
        "sent_at": sent,
        **earlier,
        **went,
        **{name: value for name, value in call.items() if name not in hidden},
        **money,
    }
