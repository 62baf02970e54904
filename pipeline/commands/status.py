"""What an output folder says about its run: state and counts, and everything known of one row. Reads only."""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import JobError
from pipeline.ledger import records
from pipeline.ledger.ledger import FILE, connect
from pipeline.ledger.lock import held
from pipeline.money import from_units
from pipeline.results.manifest import read_manifest
from pipeline.results.write import TOKENS, tenant_hash
from pipeline.telemetry.snapshot import read_live
from pipeline.types import ErrorCode


def status(folder: Path) -> dict[str, Any]:
    """Counts, cost and state of the last run in `folder`, as fresh as its ledger.

    Raises:
        JobError: the folder holds no run.
    """
    manifest = read_manifest(folder)
    path = folder / FILE
    if manifest is None or not path.exists():
        raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")
    holder = held(folder)
    if manifest["state"] != "running":
        return {**_brief(manifest), "held_by": holder, "now": None}
    with closing(connect(path, read_only=True)) as db:
        live = _live(db, manifest["rows"]["total"])
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


def _brief(manifest: dict[str, Any]) -> dict[str, Any]:
    names = ("state", "reason", "rows", "failed_by_code", "tokens", "cost_usd", "calls", "repairs", "rate_limited")
    return {
        "name": manifest["job"]["name"],
        **{name: manifest[name] for name in (*names, "started_at", "ended_at", "seconds")},
    }


def _live(db: sqlite3.Connection, total: int) -> dict[str, Any]:
    run = db.execute("SELECT COALESCE(MAX(run), 0) FROM runs").fetchone()[0]
    bad = db.execute("SELECT COUNT(*) FROM rows WHERE doc IS NULL").fetchone()[0]
    sql = "SELECT o.status, o.error_code, COUNT(*) FROM rows r JOIN outcomes o ON o.doc = r.doc GROUP BY 1, 2"
    ok, failed = 0, Counter({str(ErrorCode.BAD_ROW): bad} if bad else {})
    for state, code, count in db.execute(sql):
        if state == "ok":
            ok += count
        else:
            failed[code] += count
    amounts = ("error_code = 'rate_limited'", "purpose = 'repair' AND attempt = 1", "cost_units", *TOKENS)
    sums = ", ".join(f"COALESCE(SUM({amount}), 0)" for amount in amounts)
    found = db.execute(f"SELECT COUNT(*), {sums} FROM calls WHERE run = ?", (run,)).fetchone()  # noqa: S608 (own names)
    calls, limited, repairs, units, *tokens = found
    done = ok + failed.total()
    return {
        "rows": {"total": max(total, done), "ok": ok, "failed": failed.total(), "pending": max(total, done) - done},
        "failed_by_code": dict(sorted(failed.items())),
        "tokens": dict(zip(TOKENS, tokens, strict=True)),
        "cost_usd": f"{from_units(units):.10f}",
        "calls": calls,
        "repairs": repairs,
        "rate_limited": limited,
    }


def show(folder: Path, row_id: str) -> dict[str, Any]:
    """Everything on record about one row: its outcome, its record and every call.

    Raises:
        JobError: the folder holds no run, or the run no such row.
    """
    path = folder / FILE
    if not path.exists():
        raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")
    with closing(connect(path, read_only=True)) as db:
        run = db.execute("SELECT COALESCE(MAX(run), 0) FROM runs").fetchone()[0]
        found = db.execute(
            "SELECT row, id, doc, problem, tenant FROM rows WHERE id = ? ORDER BY row", (row_id,)
        ).fetchall()
        if not found:
            some = [value for (value,) in db.execute("SELECT id FROM rows ORDER BY row LIMIT 3")]
            raise JobError(f"{folder}: no row has the id {row_id!r}. Ids here look like {', '.join(map(repr, some))}")
        return {"id": row_id, "rows": [_row(db, run, entry) for entry in found]}


def _row(
    db: sqlite3.Connection, run: int, entry: tuple[int, str, bytes | None, str | None, str | None]
) -> dict[str, Any]:
    row, _row_id, doc, problem, tenant = entry
    shown: dict[str, Any] = {"row": row, "tenant_hash": tenant_hash(tenant)}
    names = ", ".join(records.OUTCOME_COLUMNS)
    values = db.execute(f"SELECT {names} FROM outcomes WHERE doc = ?", (doc,)).fetchone()  # noqa: S608 (own names)
    if problem is not None:
        shown |= {"status": "failed", "error_code": str(ErrorCode.BAD_ROW), "error": problem}
    elif values is None:
        shown |= {"status": "pending"}
    else:
        outcome = records.outcome_from(values)
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
    sql = f"SELECT {', '.join(records.CALL_COLUMNS)} FROM calls WHERE run = ? AND row = ? ORDER BY call"  # noqa: S608 (own names)
    shown["calls"] = [_call(dict(zip(records.CALL_COLUMNS, call, strict=True))) for call in db.execute(sql, (run, row))]
    return shown


def _call(call: dict[str, Any]) -> dict[str, Any]:
    hidden = {"run", "session", "row", "id", "tenant", "cost_units", "at_risk_units", "sent_us"}
    sent = datetime.fromtimestamp(call["sent_us"] / 1e6, UTC).isoformat(timespec="milliseconds")
    money = {
        "cost_usd": None if call["cost_units"] is None else f"{from_units(call['cost_units']):.10f}",
        "at_risk_usd": f"{from_units(call['at_risk_units']):.10f}",
    }
    return {"sent_at": sent, **{name: value for name, value in call.items() if name not in hidden}, **money}
