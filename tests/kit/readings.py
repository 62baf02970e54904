"""What is known of a run that goes on, made up."""

from decimal import Decimal

from pipeline.admission.governor import DimensionView, Snapshot
from pipeline.telemetry.snapshot import RunReading


def reading(**changes):
    dimensions = (
        DimensionView("requests", 3000, 2400, 12, "job"),
        DimensionView("input_tokens", 200_000, 12_345, 38_000, "headers"),
    )
    waited = {"input_tokens": 61.0, "slots": 39.0}
    limits = Snapshot(64, 128, 64, 0.0, None, Decimal(0), Decimal(0), Decimal(0), waited, dimensions)
    values = {
        "name": "invoices", "total": 2000, "ok": 1190, "repaired": 12, "failed": {"timeout": 9, "refused": 5},
        "begun_done": 0, "calls": 1300, "rate_limited": 3, "spent_units": 4_200_000_000, "cap_usd": Decimal(5),
        "limits": limits, "why_waiting": "input_tokens", "rows_per_s": 38.2,
    }  # fmt: skip
    return RunReading(**{**values, **changes})
