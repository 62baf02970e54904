"""What an output folder says about its run: state, counts, and why rows failed. Reads only."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from pipeline.errors import JobError, LedgerError, LedgerUnreadable
from pipeline.job.folder import LEDGER, RUN
from pipeline.ledger import queries, run_calls
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.lock import held
from pipeline.ledger.said import failed_rows
from pipeline.money import from_units
from pipeline.output.batches import batches_told
from pipeline.output.manifest import RUNNING, Manifest, read_run
from pipeline.telemetry.causes import Cause, causes_of
from pipeline.telemetry.snapshot import read_live


def status(folder: Path) -> dict[str, Any]:
    """Counts, cost and state of the last run in `folder`, as fresh as its ledger.

    Raises:
        JobError: the folder holds no run. LedgerError: its ledger is damaged, or gone.
    """
    manifest, path = _last_manifest(folder), folder / LEDGER
    holder = held(folder)
    with reading(path) as db:
        batches = list(batches_told(path, _last_run(db)))  # a damaged one says so, though run.json alone would do
        if manifest.state != RUNNING:
            causes = [cause.as_json() for cause in causes_in(folder)] if manifest.rows.failed else []
            return {**_brief(manifest), "batches": batches, "causes": causes, "held_by": holder, "now": None}
        live = _live(db, manifest.rows.total)
        live["batches"] = batches
    state, reason = ("running", None) if holder else ("interrupted", "the process died; run the same command again")
    now = read_live(folder) if holder else None
    return {**_brief(manifest), **live, "state": state, "reason": reason, "held_by": holder, "now": now}


def _last_manifest(folder: Path) -> Manifest:
    """Of the run in `folder`; JobError or LedgerError where there is none, or half of what one leaves is gone."""
    manifest, path = read_run(folder), folder / LEDGER
    if manifest is not None and path.exists():
        return manifest
    if manifest is not None:
        raise LedgerError(
            f"{path} is gone, and {RUN} tells of a run. Restore it from a copy, or start over: pipeline run JOB --fresh"
        )
    if os.path.lexists(folder / RUN):
        raise JobError(
            f"{folder / RUN} cannot be read, or is none of ours. `pipeline run JOB` writes it anew from the ledger and "
            "pays for nothing twice; `pipeline status JOB` knows more then"
        )
    raise JobError(f"{folder}: no run here yet. Start one with: pipeline run JOB")


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


def causes_in(folder: Path) -> list[Cause]:
    """Why rows of the last run failed, with an example each; nothing where there is no ledger that tells."""
    path = folder / LEDGER
    if not path.exists():
        return []
    try:
        with reading(path) as db:
            return causes_of(failed_rows(db))
    except LedgerUnreadable:
        return []  # `verify` says what is wrong with it


def _brief(manifest: Manifest) -> dict[str, Any]:
    names = ("state", "reason", "rows", "failed_by_code", "tokens", "cost_usd", "calls", "repairs", "rate_limited")
    plain = manifest.as_json()
    return {
        "name": manifest.job["name"],
        **{name: plain[name] for name in (*names, "started_at", "ended_at", "seconds")},
        "session": plain.get("session"),
        **({name: plain[name] for name in ("assumed_usd", "at_risk", "packs", "models", "workers") if name in plain}),
    }


def _live(db: Connection, total: int) -> dict[str, Any]:
    rows, calls = queries.rows_by_end(db), run_calls.call_sums(db, _last_run(db))
    failed = rows.failed.total()
    done = rows.ok + failed
    return {
        "rows": {"total": max(total, done), "ok": rows.ok, "failed": failed, "pending": max(total, done) - done},
        "failed_by_code": dict(sorted(rows.failed.items())),
        "causes": [cause.as_json() for cause in causes_of(failed_rows(db))] if failed else [],
        "tokens": asdict(calls.usage),
        "cost_usd": f"{from_units(calls.cost_units):.10f}",
        "calls": calls.calls,
        "repairs": calls.repairs,
        "rate_limited": calls.rate_limited,
    }


def _last_run(db: Connection) -> int:
    last = queries.last_run(db)
    return last[0] if last else 0
