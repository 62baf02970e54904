"""A column of the results that rows are grouped by: also a field within one, and the tenant where it was kept."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.documents.sources.parquet import BROKEN, values
from pipeline.errors import JobError
from pipeline.output.manifest import read_run
from pipeline.text import did_you_mean

NO_VALUE = "null"


class Column(Struct, frozen=True):
    """A column by its name, and the fields that lead into it."""

    name: str
    fields: tuple[str, ...] = ()


def column_of(folder: Path, schema: pa.Schema, by: str) -> Column:
    """`model`, `document.media_type`, `record.currency`, a kept column, or `tenant`.

    Raises:
        JobError: there is none, or it holds more than one value a row.
    """
    columns = {".".join((one.name, *one.fields)): one for field in schema for one in _within(field, Column(field.name))}
    found = columns.get(by) or (columns.get(_tenant(folder)) if by == "tenant" else None)
    if found is not None:
        return found
    if by == "tenant":
        raise JobError(
            "--by tenant: the results do not say whose a row is. Name the column of input.tenant in input.keep"
        )
    if by in schema.names:
        raise JobError(f"--by {by}: holds more than one value a row. Take one of {', '.join(columns)}")
    near = did_you_mean(by, columns, f" There are {', '.join(columns)}")
    raise JobError(f"--by {by}: the results have no such column.{near}")


def _within(field: pa.Field, at: Column) -> Iterator[Column]:
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _within(inner, Column(at.name, (*at.fields, inner.name)))
    elif not pa.types.is_nested(field.type):
        yield at


def _tenant(folder: Path) -> str:
    manifest = read_run(folder)
    return "" if manifest is None else str(manifest.job["input"].get("tenant", ""))


def column_values(batch: pa.RecordBatch, column: Column) -> list[str]:
    """As text; NO_VALUE where there is none."""
    found = batch.column(column.name)
    if column.fields:
        found = pc.struct_field(found, list(column.fields))
    return [_text(one) for one in values(found)]


def _text(value: object) -> str:
    if value is None or value is BROKEN:
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool) else str(value)
