"""Results with the rows first that a person should look at, and why: batch by batch, over the file twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import JobError
from pipeline.extraction.review import REASONS, reasons_on

NEEDS_REVIEW = "needs_review"
WHY = pa.field("review_reasons", pa.list_(pa.string()))  # `needs_review` stays what it is: a truth


def check_reviewed(path: Path, schema: pa.Schema) -> None:
    """Whether it is known which rows need review.

    Raises:
        JobError: it is not, with what to do.
    """
    if NEEDS_REVIEW not in schema.names or not pa.types.is_boolean(schema.field(NEEDS_REVIEW).type):
        raise JobError(
            f"{path}: no column {NEEDS_REVIEW}, so nothing says which rows to look at. "
            "Run the job with extract.evidence = 'align': what has been answered is not asked again"
        )
    if WHY.name in schema.names:
        raise JobError(f"{path}: the input's own column {WHY.name} is in the way: leave it out of input.keep")


def reviewed_first(batches: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """All rows, with the column `WHY`: those that need review, then the others, each in the order they have."""
    for wanted in (True, False):
        for batch in batches():
            needs = pc.fill_null(batch[NEEDS_REVIEW], False)
            if (rows := batch.filter(needs if wanted else pc.invert(needs))).num_rows:
                yield rows.append_column(WHY, pa.array(_reasons(rows, wanted=wanted), WHY.type))


def _reasons(rows: pa.RecordBatch, *, wanted: bool) -> list[list[str]]:
    if not wanted:
        return [[]] * rows.num_rows
    lines = rows.select([name for name in REASONS.values() if name in rows.schema.names]).to_pylist()
    return [list(reasons_on(line)) for line in lines]
