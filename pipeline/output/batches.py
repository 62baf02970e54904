"""Batches at a provider as run.json, `status` and people see them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.ledger.batches import OPEN, BatchRecord, all_batches, reserved_units
from pipeline.ledger.files import reading
from pipeline.money import from_units


def batches_told(ledger: Path, run: int) -> Iterator[dict[str, Any]]:
    """Of a run, and whatever else is still out, in order."""
    with reading(ledger) as db:
        for batch in all_batches(db, run):
            yield _told(batch, reserved_units(db, batch.nonce) if batch.state in OPEN else 0)


def _told(batch: BatchRecord, reserved: int) -> dict[str, Any]:
    return {
        "batch_id": batch.remote_id or batch.nonce,
        "provider": batch.provider,
        "model": batch.model,
        "state": batch.state,
        "rows": batch.rows,
        "done": batch.done,
        "submitted_at": None if batch.submitted_us is None else _moment(batch.submitted_us),
        "deadline_at": _moment(batch.deadline_us),
        "reserved_usd": f"{from_units(reserved):.10f}",
    }


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")
