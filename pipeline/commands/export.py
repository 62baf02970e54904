"""`pipeline export`: results.parquet as CSV or JSON lines, row group by row group.

A spreadsheet runs a cell that begins with =, +, - or @. Such texts get an apostrophe before them in CSV, unless they
are numbers of a column of numbers; JSON lines carry every value as it is.
"""

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import JobError
from pipeline.job.folder import RESULTS

ACTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a cell begins with that a spreadsheet acts on
LINES_WRITTEN_AT_ONCE = 2048


def export(folder: Path, form: str, out: TextIO, *, raw: bool) -> int:
    """Write all rows to `out`; returns how many. `raw`: CSV texts as they are.

    Raises:
        JobError: the folder holds no results.
    """
    path = folder / RESULTS
    if not path.exists():
        raise JobError(f"{folder}: no {RESULTS} here. Run a job with this output first")
    with pq.ParquetFile(path) as file:
        write = _csv(file.schema_arrow, out, raw=raw) if form == "csv" else _jsonl(out)
        rows = 0
        for batch in file.iter_batches(LINES_WRITTEN_AT_ONCE):
            for line in batch.to_pylist():
                write(line)
                rows += 1
    return rows


def _jsonl(out: TextIO) -> Callable[[dict[str, Any]], None]:
    def write(line: dict[str, Any]) -> None:
        out.write(json.dumps(line, ensure_ascii=False, default=_plain) + "\n")

    return write


def _plain(value: Any) -> Any:  # noqa: ANN401 (what JSON has no word for)
    """Decimals as strings, so that no reader rounds them; times by ISO 8601; bytes as hexadecimal digits."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return value.hex() if isinstance(value, bytes) else value.isoformat()


def _csv(schema: pa.Schema, out: TextIO, *, raw: bool) -> Callable[[dict[str, Any]], None]:
    """The record's fields as columns `record.FIELD`, nested structs too; what has no fixed width is JSON in a cell."""
    columns = [column for field in schema for column in _columns(field, ())]
    writer = csv.writer(out)  # lines end as RFC 4180 has it, so that a text with either character is quoted
    writer.writerow([".".join(path) for path, _ in columns])

    def write(line: dict[str, Any]) -> None:
        writer.writerow([_cell(_at(line, path), number=number, raw=raw) for path, number in columns])

    return write


def _columns(field: pa.Field, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """(path, whether it holds numbers) of every column of a field."""
    path = (*above, field.name)
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _columns(inner, path)
    else:
        kind = field.type
        yield path, pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _at(line: dict[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 (any value of a row)
    value: Any = line
    for name in path:
        if value is None:
            return None
        value = value[name]
    return value


def _cell(value: Any, *, number: bool, raw: bool) -> str:  # noqa: ANN401 (any value of a row)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value
    elif isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False, default=_plain)
    else:
        text = str(value) if number else str(_plain(value))
    text = text.replace("\x00", "\ufffd")  # no reader of CSV takes it
    return text if raw or number or not text.startswith(ACTS) else f"'{text}"
