"""The texts of rows, as evidence counts in them: from the results, where they are kept, else from the input."""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
from msgspec import convert

from pipeline.catalog.file_limits import file_limits
from pipeline.documents.pages import Rules
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.extraction.evidence.share import looked_in
from pipeline.job.folder import RESULTS
from pipeline.job.settings import Documents, Extract, Input, Model
from pipeline.output.manifest import Manifest

T = TypeVar("T")
LINES_AT_ONCE = 512


class InputChanged(JobError):
    """The input is not the one that was run."""


def texts_of(folder: Path, manifest: Manifest, wanted: Container[int], last: int) -> Iterator[tuple[int, str]]:
    """(row, text) of those wanted, up to the row `last`; not of those that never had one.

    Raises:
        InputChanged: the texts are not kept, and the input is another by now.
    """
    if manifest.job["extract"].get("keep_text"):
        yield from _kept(folder, wanted, last)
    else:
        yield from _in_source(manifest, wanted, last)


def _kept(folder: Path, wanted: Container[int], last: int) -> Iterator[tuple[int, str]]:
    with pq.ParquetFile(folder / RESULTS) as file:
        for batch in file.iter_batches(LINES_AT_ONCE, columns=["row", "text"], use_threads=False):
            rows = batch["row"].to_pylist()
            for place, row in enumerate(rows):
                if row in wanted and (text := batch["text"][place].as_py()) is not None:
                    yield row, text
            if rows[-1] >= last:
                return


def _in_source(manifest: Manifest, wanted: Container[int], last: int) -> Iterator[tuple[int, str]]:
    job = manifest.job
    source = Source(_typed(Input, job["input"]), (), job["limit_rows"], rules=_rules(job))
    try:
        if source.fingerprint() != manifest.input_fingerprint:
            raise InputChanged("the input has changed since the run")
        for batch in source.batches(LINES_AT_ONCE, wanted):
            for row in batch:
                if row.index in wanted:
                    yield row.index, row.text if row.reading is None else row.reading.text
            if batch[-1].index >= last:
                return
    finally:
        source.close()


def _rules(job: Mapping[str, Any]) -> Rules:
    """How its files were read."""
    model, extract = _typed(Model, job["model"]), _typed(Extract, job["extract"])
    limits = file_limits(model, extract.mode)
    return Rules(_typed(Documents, job.get("documents", {})), model, limits, evidence=looked_in(extract))


def _typed(kind: type[T], settings: Mapping[str, Any]) -> T:
    return convert(settings, kind, strict=False)
