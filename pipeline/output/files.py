"""Files that are whole or not there: written beside, checked, synced, put in place of the old one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.crash_points import crash_point
from pipeline.job.folder import UNFINISHED
from pipeline.output.layout import ROW_GROUP_ROWS


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file atomically."""
    temporary = path.with_name(path.name + UNFINISHED)
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    _settle(temporary, path)


def write_parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write beside, check the footer, sync, replace. A writer left by an exception would leave a valid, short file."""
    temporary = path.with_name(path.name + UNFINISHED)
    written = 0
    writer = pq.ParquetWriter(
        temporary, schema, compression="zstd", compression_level=3, write_page_checksum=True, store_schema=True
    )
    try:
        for batch in batches:
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
            written += batch.num_rows
        writer.close()
    except BaseException:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise
    found = pq.read_metadata(temporary).num_rows
    if found != written:
        raise OSError(f"{temporary}: {found} rows in the file, {written} written")
    _settle(temporary, path)


def _settle(temporary: Path, path: Path) -> None:
    for target in (temporary, path.parent):
        if target == path.parent:
            crash_point(f"{path.name}-written")
            temporary.replace(path)
            crash_point(f"{path.name}-replaced")
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
