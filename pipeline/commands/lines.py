"""What `show` says of a row's lines in batches: which batch, what became of each, and what it would have cost live."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import convert

from pipeline.catalog.prices import lane_share
from pipeline.job.settings import Model, Prices
from pipeline.ledger.batches import LINE_OPEN, BatchItem, BatchRecord
from pipeline.money import QUANTUM, from_units
from pipeline.output.manifest import Manifest


def add_lines(shown: dict[str, Any], lines: Sequence[tuple[BatchRecord, BatchItem]], manifest: Manifest | None) -> None:
    """Nothing for a row that has none. `manifest` says what the job's model costs by batch."""
    if not lines:
        return
    by_name = {item.name: batch for batch, item in lines}
    share = None if manifest is None else _share(manifest)
    for call in shown["calls"]:
        batch = by_name.get(call["request_id"])
        call["lane"] = "live" if batch is None else "batch"
        call["batch_id"] = None if batch is None else batch.remote_id
        if batch is not None and share and call["cost_usd"] is not None:
            call["cost_live_usd"] = str((Decimal(call["cost_usd"]) / share).quantize(QUANTUM))
    shown["batch_lines"] = [_line(batch, item) for batch, item in lines]


def _share(manifest: Manifest) -> Decimal:
    job = manifest.job
    return lane_share(convert(job["model"], Model, strict=False), convert(job.get("prices", {}), Prices, strict=False))


def _line(batch: BatchRecord, item: BatchItem) -> dict[str, Any]:
    """`fate` "out": it is not known yet, and so much is held for it."""
    held = item.at_risk_units if item.fate == LINE_OPEN else 0
    return {
        "line": item.name,
        "batch_id": batch.remote_id or batch.nonce,
        "batch_state": batch.state,
        "fate": item.fate,
        "chunk": item.chunk,
        "purpose": item.purpose,
        "attempt": item.attempt,
        "reserved_usd": f"{from_units(held):.10f}",
        "error_code": item.error_code,
        "error": item.error,
    }
