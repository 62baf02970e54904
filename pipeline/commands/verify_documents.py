"""What `verify` holds against each other of rows that are files: their columns, the ledger, and the pages of calls."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from msgspec.structs import asdict

from pipeline.columns import FILE_COLUMNS
from pipeline.commands.published import Published
from pipeline.job.folder import LEDGER, RESULTS
from pipeline.ledger import audit
from pipeline.ledger.files import reading
from pipeline.ledger.records import document_from
from pipeline.types import Document


def documents_unlike(found: Published) -> Iterator[str]:
    """Rows of whose file results.parquet does not say what the ledger does."""
    compared = found.manifest.job.get("documents", {}).get("embedded_xml") == "compare"
    names = FILE_COLUMNS if compared else FILE_COLUMNS[:1]
    with reading(found.path / LEDGER) as db:
        if not audit.has_files(db):
            return  # a job over texts may keep columns of these names
        kept = audit.row_files(db)
        for row, group in groupby(_lines(found, names), key=lambda line: line[0]):
            place, told, xml = next(kept, (None, None, None))
            document = document_from(told)
            wanted = (document and asdict(document), json.loads(xml) if xml else [])
            for _, *values in group:
                for name, said, ours in zip(names, values, wanted, strict=False):
                    if place != row or said != ours:
                        yield f"{RESULTS}: {name} of row {row} is {said}, the ledger says {ours}"


def _lines(found: Published, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Row and these columns of each line; None for a column that is not there."""
    for batch in found.batches(RESULTS, "row", *names):
        nothing = [None] * len(batch["row"])
        yield from zip(batch["row"], *(batch.get(name, nothing) for name in names), strict=True)


def strange_pages(found: Published) -> Iterator[str]:
    """Calls that carried pages, or a file, which their row does not have."""
    with reading(found.path / LEDGER) as db:
        for request_id, row, pages, told in audit.page_calls(db):
            document = document_from(told)
            if document is None or document.mode not in {"native", "image"}:
                how = "is none that is a file" if document is None else f"goes as {document.mode or 'nothing'}"
                yield f"{LEDGER}: call {request_id} carried {pages} of a file, and row {row} {how}"
            elif not _has(document, pages):
                has = f"the file of row {row} has {document.pages or 0} pages"
                yield f"{LEDGER}: call {request_id} carried pages {pages}, and {has}"


def _has(document: Document, pages: str) -> bool:
    """`pages` as `1-20, part 2: 3, image/png`: of a file of several parts, no part has more than all of it."""
    spans = [span.rpartition(": ")[2] for span in pages.split(", ")]
    numbers = [number for span in spans if "/" not in span for number in span.split("-")]
    return all(number.isdecimal() and 1 <= int(number) <= (document.pages or 0) for number in numbers)
