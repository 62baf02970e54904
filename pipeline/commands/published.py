"""An output folder's files, a batch of lines at a time, with the checksums of their pages looked at."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.codes import AnswerFrom
from pipeline.errors import JobError
from pipeline.job.folder import RESULTS, OutputPlace
from pipeline.output.manifest import Manifest
from pipeline.output.read import readable

LINES_AT_ONCE = 8192


class Published(Struct, frozen=True):
    """A folder with the files of a run."""

    path: Path
    manifest: Manifest

    def batches(self, name: str, *columns: str) -> Iterator[dict[str, list[Any]]]:
        """Of a file these columns, as far as it has them."""
        with pq.ParquetFile(self.path / name, page_checksum_verification=True) as file:
            for batch in file.iter_batches(LINES_AT_ONCE, columns=list(columns), use_threads=False):
                yield batch.to_pydict()

    def column(self, name: str, *columns: str) -> pa.Table:
        return pq.read_table(self.path / name, columns=list(columns), page_checksum_verification=True)


def results_in(folder: Path | OutputPlace, *needed: str) -> tuple[Path, pa.Schema]:
    """Where a folder's results are, and their columns.

    Raises:
        JobError: the folder holds none, or they cannot be read, or lack a column that is needed.
    """
    path = (folder.path if isinstance(folder, OutputPlace) else folder) / RESULTS
    if not path.is_file():
        raise JobError(f"{folder}: no {RESULTS} here. Run a job with this output first")
    with readable(path):
        schema = pq.read_schema(path)
    lacking = [name for name in needed if name not in schema.names]
    if lacking:
        raise JobError(f"{folder}/{RESULTS}: has no column {lacking[0]!r}: these are no results of a run")
    return path, schema


def cost_columns(schema: pa.Schema) -> list[str]:
    """What says what a row's record has cost in all runs; of older files what it cost in the last one."""
    total = "cost_total_usd" if "cost_total_usd" in schema.names else "cost_usd"
    return [name for name in (total, "answer_from") if name in schema.names]


def cost_of(line: Mapping[str, Any]) -> Decimal | None:
    """By those columns. What a duplicate shows was paid once, for the row that it is one of."""
    cost: Decimal | None = line.get("cost_total_usd", line.get("cost_usd"))
    return Decimal(0) if cost is not None and line.get("answer_from") == AnswerFrom.DUPLICATE else cost
