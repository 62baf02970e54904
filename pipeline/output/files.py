"""Files that are whole or not there: written beside, checked, synced, put in place of the old one."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.crash_points import crash_point
from pipeline.job.folder import UNFINISHED
from pipeline.output.layout import ROW_GROUP_ROWS
from pipeline.platforms import sync


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file atomically."""
    with _whole(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write beside, check the footer, sync, replace. A writer left by an exception would leave a valid, short file."""
    written = 0
    with _whole(path) as temporary:
        writer = pq.ParquetWriter(
            temporary, schema, compression="zstd", compression_level=3, write_page_checksum=True, store_schema=True
        )
        try:
            for batch in batches:
                writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
                written += batch.num_rows
        finally:
            writer.close()
        found = pq.read_metadata(temporary).num_rows
        if found != written:
            raise OSError(f"{temporary}: {found} rows in the file, {written} written")


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to write what is to be at `path`; it takes no room where that, or its taking the place, fails."""
    temporary = path.with_name(path.name + UNFINISHED)
    try:
        yield temporary
        settle(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def settle(temporary: Path, path: Path) -> None:
    for target in (temporary, path.parent):
        if target == path.parent:
            crash_point(f"{path.name}-written")
            temporary.replace(path)
            crash_point(f"{path.name}-replaced")
        sync(target)
