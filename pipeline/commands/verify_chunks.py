"""What `verify` holds against each other of chunks that were not asked about: results' columns and the ledger."""

from collections.abc import Iterator
from itertools import groupby

import pyarrow.parquet as pq

from pipeline.codes import AnswerFrom, Status
from pipeline.commands.published import Published
from pipeline.extraction.cutting import SKIPPED
from pipeline.job.folder import LEDGER, RESULTS
from pipeline.ledger import audit
from pipeline.ledger.files import reading


def chunks_unlike(found: Published) -> Iterator[str]:
    """Rows whose chunks, those asked about or left out, are not those that the ledger tells of."""
    names = pq.read_schema(found.path / RESULTS).names
    if not found.manifest.job.get("chunks", {}).get("select") or SKIPPED not in names:
        return  # a job of before may keep a column of this name
    wanted = ["row", "status", "answer_from", "chunks", SKIPPED, *(["chunk"] if "chunk" in names else [])]
    with reading(found.path / LEDGER) as db:
        kept = audit.row_chunks(db)
        lines = (line for batch in found.batches(RESULTS, *wanted) for line in zip(*batch.values(), strict=True))
        for row, group in groupby(lines, key=lambda line: line[0]):
            of_row = list(group)
            place, chunks, skipped, numbers = next(kept, (None, 0, 0, None))
            if of_row[0][2] == AnswerFrom.PREVIOUS:
                continue  # it shows an earlier record
            told = [line[3:5] for line in of_row]
            if place != row or any(one != (chunks, skipped) for one in told):
                yield f"{RESULTS}: row {row} has chunks asked about, left out {told[0]}, the ledger {chunks, skipped}"
            ours = [line[5] for line in of_row if len(line) > 5 and line[1] == Status.OK]
            if numbers is not None and ours and ours != numbers:
                yield f"{RESULTS}: the lines of row {row} are of chunks {ours}, the ledger says {numbers}"
