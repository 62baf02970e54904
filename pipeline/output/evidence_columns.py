"""What results say of where the values of a record stand, and which rows a person should look at. Pure."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from msgspec.structs import asdict

from pipeline.extraction.evidence.share import grounded_share, ungrounded
from pipeline.extraction.review import needs_review
from pipeline.types import Evidence, Outcome

COLUMN_TYPES = {
    "evidence": pa.list_(
        pa.struct(
            [
                ("path", pa.string()),
                ("status", pa.string()),
                ("quote", pa.string()),
                ("start", pa.int32()),
                ("end", pa.int32()),
                ("page", pa.int16()),
                ("chunk", pa.int16()),
                ("places", pa.int16()),
                ("source", pa.string()),
            ]
        )
    ),
    "grounded_share": pa.float32(),
    "ungrounded": pa.list_(pa.string()),
    "needs_review": pa.bool_(),
    "text": pa.string(),
}


def evidence_columns(lines: Sequence[tuple[Outcome | None, int]]) -> dict[str, Any]:
    """Column → values, of results' lines: each an outcome, and which of its records the line has."""
    found = [_found(outcome, number) for outcome, number in lines]
    return {
        "evidence": [[asdict(one) for one in some] for some in found],
        "grounded_share": [
            grounded_share(some) if outcome is not None and outcome.records and outcome.evidence is not None else None
            for (outcome, _), some in zip(lines, found, strict=True)
        ],
        "ungrounded": [ungrounded(some) for some in found],
        "needs_review": [
            outcome is not None and bool(outcome.records) and needs_review(outcome, some)
            for (outcome, _), some in zip(lines, found, strict=True)
        ],
        "text": [outcome.text if outcome is not None else None for outcome, _ in lines],
    }


def _found(outcome: Outcome | None, number: int) -> tuple[Evidence, ...]:
    if outcome is None or outcome.evidence is None or number >= len(outcome.evidence):
        return ()
    return outcome.evidence[number]
