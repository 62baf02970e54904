"""An output folder's files, a batch of lines at a time, with the checksums of their pages looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.output.manifest import Manifest

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
