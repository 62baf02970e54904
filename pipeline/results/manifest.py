"""run.json: the job as resolved, and the sums of both published files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.catalog.prices import price_table_name
from pipeline.extraction.prepare import Prepared
from pipeline.money import from_units
from pipeline.results.write import RUN, TOKENS, Totals


def manifest_of(
    prepared: Prepared, totals: Totals, state: str, reason: str | None, started: datetime
) -> dict[str, Any]:
    """What run.json says of a session that began at `started` and, unless `state` is running, ends now."""
    ended = datetime.now(UTC) if state != "running" else None
    return {
        "state": state,
        "reason": reason,
        "rows": {
            "total": totals.total,
            "ok": totals.ok,
            "failed": totals.failed,
            "pending": totals.pending,
        },
        "failed_by_code": dict(sorted(totals.failed_by_code.items())),
        "tokens": {name: totals.tokens[name] for name in TOKENS},
        "cost_usd": f"{from_units(totals.usd_units):.10f}" if prepared.rate is not None else None,
        "calls": totals.calls,
        "repairs": totals.repairs,
        "repaired_rows": totals.repaired,
        "free_rows": totals.answer_from["duplicate"] + totals.answer_from["ledger"],
        "rate_limited": totals.rate_limited,
        "started_at": started.isoformat(timespec="milliseconds"),
        "ended_at": ended.isoformat(timespec="milliseconds") if ended else None,
        "seconds": round((ended - started).total_seconds(), 3) if ended else None,
        "job": prepared.job.as_dict(),
        "schema_hash": prepared.schema_hash,
        "input_fingerprint": prepared.source.fingerprint(),
        "price_table": prepared.rate.source if prepared.rate is not None else price_table_name(),
    }


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """run.json, or None when there is none that can be read."""
    try:
        manifest = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None
