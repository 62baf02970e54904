"""Batches as run.json has them, made up."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def told(batch_id="batch_1", **changes):
    values = {
        "batch_id": batch_id, "provider": "openai", "model": "gpt-4o-mini", "state": "out", "rows": 2500, "done": 620,
        "submitted_at": (NOW - timedelta(hours=1, minutes=50)).isoformat(),
        "deadline_at": (NOW + timedelta(hours=22, minutes=10)).isoformat(), "reserved_usd": "0.6000000000",
    }  # fmt: skip
    return {**values, **changes}
