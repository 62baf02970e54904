"""What `verify` holds against each other of evidence: its columns, the ledger, and the text where that is kept."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow.parquet as pq
from msgspec.structs import asdict

from pipeline.commands.published import Published
from pipeline.extraction.evidence.share import grounded_share, ungrounded
from pipeline.job.folder import LEDGER, RESULTS
from pipeline.ledger import audit
from pipeline.ledger.evidence import unpacked
from pipeline.ledger.files import reading
from pipeline.types import Evidence

NAMES = ("row", "record", "evidence", "grounded_share", "ungrounded")
HALF_A_STEP = 1e-6  # of a share, in 32 bits


def evidence_unlike(found: Published) -> Iterator[str]:
    """Rows whose evidence is not the ledger's, does not come to its share, or does not stand where it says."""
    names = pq.read_schema(found.path / RESULTS).names
    wanted = found.manifest.job.get("extract", {})
    if wanted.get("evidence", "off") == "off" and not wanted.get("min_grounded"):
        return  # a job of before may keep columns of these names
    texts = wanted.get("keep_text") and "text" in names
    with reading(found.path / LEDGER) as db:
        kept = audit.row_evidence(db)
        for row, group in groupby(_lines(found, (*NAMES, "text") if texts else NAMES), key=lambda line: line["row"]):
            place, blob = next(kept, (None, None))
            records = unpacked(blob) if blob else ()
            lines = [line for line in group if line["record"] is not None]
            told = sum(bool(line["evidence"]) for line in lines)  # a row that shows an earlier record tells none
            if place != row or (told and len(lines) != len(records)):
                yield f"{RESULTS}: row {row} tells of {len(lines)} records, the ledger's evidence of {len(records)}"
            for line, ours in zip(lines, records, strict=False):
                yield from _wrong(row, line, ours)


def _wrong(row: int, line: dict[str, Any], ours: tuple[Evidence, ...]) -> Iterator[str]:
    if not line["evidence"] and ours and line["grounded_share"] is None:
        return  # the row shows an earlier record
    if line["evidence"] != [asdict(one) for one in ours]:
        yield f"{RESULTS}: evidence of row {row} is not what the ledger says"
    share, told = grounded_share(ours), line["grounded_share"]
    if (share is None) != (told is None) or abs((share or 0) - (told or 0)) > HALF_A_STEP:
        yield f"{RESULTS}: grounded_share of row {row} is {told}, its evidence comes to {share}"
    if line["ungrounded"] != ungrounded(ours):
        yield f"{RESULTS}: ungrounded of row {row} is {line['ungrounded']}, its evidence says {ungrounded(ours)}"
    text = line.get("text")
    if text is None:
        return
    for one in ours:
        if one.start is not None and not text[one.start : one.end].startswith(one.quote or ""):
            yield f"{RESULTS}: {one.path} of row {row} is {one.quote!r}, its place in the text is not"


def _lines(found: Published, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for batch in found.batches(RESULTS, *names):
        for values in zip(*(batch[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))
