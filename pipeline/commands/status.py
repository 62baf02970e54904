"""What an output folder says about its run: state and counts, and everything known of one row. Reads only."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from pipeline.errors import JobError
from pipeline.job.folder import LEDGER
from pipeline.ledger import nights, queries
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.lock import held
from pipeline.ledger.records import CALL_COLUMNS, RowEntry
from pipeline.money import from_units
from pipeline.output.manifest import Manifest, read_manifest
from pipeline.telemetry.snapshot import read_live
from pipeline.types import ErrorCode, tenant_hash


def status(folder: Path) -> dict[str, Any]:
    """Counts, cost and state of the last run in `folder`, as fresh as its ledger.

    Raises:
        JobError: the folder holds no run.
    """
    manifest = read_manifest(folder)
    path = folder / LEDGER
    if manifest is None or not path.exists():
        raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")
    holder = held(folder)
    if manifest.state != "running":
        return {**_brief(manifest), "held_by": holder, "now": None}
    with reading(path) as db:
        live = _live(db, manifest.rows.total)
    state, reason = ("running", None) if holder else ("interrupted", "the process died; run the same command again")
    now = read_live(folder) if holder else None
    return {**_brief(manifest), **live, "state": state, "reason": reason, "held_by": holder, "now": now}


def watched(folder: Path, every_s: float) -> Iterator[dict[str, Any]]:
    """What `status` says whenever it has changed, the end included.

    Raises:
        JobError: as `status`.
    """
    last: dict[str, Any] = {}
    while True:
        found = status(folder)
        if found != last:
            yield found
        if found["state"] != "running":
            return
        last = found
        time.sleep(every_s)


def _brief(manifest: Manifest) -> dict[str, Any]:
    names = ("state", "reason", "rows", "failed_by_code", "tokens", "cost_usd", "calls", "repairs", "rate_limited")
    plain = manifest.as_json()
    return {
        "name": manifest.job["name"],
        **{name: plain[name] for name in (*names, "started_at", "ended_at", "seconds")},
        "session": plain.get("session"),
    }


def _live(db: Connection, total: int) -> dict[str, Any]:
    rows, calls = queries.rows_by_end(db), queries.call_sums(db, _last_run(db))
    failed = rows.failed.total()
    done = rows.ok + failed
    return {
        "rows": {"total": max(total, done), "ok": rows.ok, "failed": failed, "pending": max(total, done) - done},
        "failed_by_code": dict(sorted(rows.failed.items())),
        "tokens": asdict(calls.usage),
        "cost_usd": f"{from_units(calls.cost_units):.10f}",
        "calls": calls.calls,
        "repairs": calls.repairs,
        "rate_limited": calls.rate_limited,
    }


def _last_run(db: Connection) -> int:
    last = queries.last_run(db)
    return last[0] if last else 0


def show(folder: Path, row_id: str) -> dict[str, Any]:
    """Everything on record about one row: its outcome, its record and every call.

    Raises:
        JobError: the folder holds no run, or the run no such row.
    """
    path = folder / LEDGER
    if not path.exists():
        raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")
    with reading(path) as db:
        found = queries.rows_with_id(db, row_id)
        if not found:
            some = ", ".join(map(repr, queries.first_ids(db, 3)))
            raise JobError(f"{folder}: no row has the id {row_id!r}. Ids here look like {some}")
        run = _last_run(db)
        return {"id": row_id, "rows": [_row(db, run, entry) for entry in found]}


def _row(db: Connection, run: int, entry: RowEntry) -> dict[str, Any]:
    shown: dict[str, Any] = {"row": entry.row, "tenant_hash": tenant_hash(entry.tenant)}
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
            "chunks": outcome.chunks,
            "finish_reason": outcome.finish_reason,
            "model_version": outcome.model_version,
            "latency_ms": outcome.latency_ms,
        }
    calls = nights.calls_of_row(db, run, entry.row, entry.id, entry.doc)
    shown["calls"] = [_call(dict(zip(CALL_COLUMNS, call, strict=True)), run, began) for began, *call in calls]
    return shown


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")


def _call(call: dict[str, Any], run: int, began_us: int) -> dict[str, Any]:
    """`earlier_run`: when that began, of a call that is not of the last."""
    hidden = {"run", "session", "row", "id", "tenant", "cost_units", "at_risk_units", "sent_us"}
    sent, began = map(_moment, (call["sent_us"], began_us))
    money = {
        "cost_usd": None if call["cost_units"] is None else f"{from_units(call['cost_units']):.10f}",
        "at_risk_usd": f"{from_units(call['at_risk_units']):.10f}",
    }
    earlier = {"earlier_run": began if call["run"] != run else None}
    return {"sent_at": sent, **earlier, **{name: value for name, value in call.items() if name not in hidden}, **money}
