"""`pipeline export`: results.parquet as CSV or JSON lines, row group by row group.

A spreadsheet runs a cell that begins with =, +, - or @. Such texts get an apostrophe before them in CSV, unless they
are numbers of a column of numbers; JSON lines carry every value as it is.
"""

import contextlib
import csv
import datetime as dt
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.commands.published import results_in
from pipeline.commands.review_first import WHY, check_reviewed, reviewed_first
from pipeline.job.folder import UNFINISHED
from pipeline.output.read import readable

ACTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a cell begins with that a spreadsheet acts on
LINES_WRITTEN_AT_ONCE = 2048
UNITS_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def export(folder: Path, form: str, out: TextIO, *, raw: bool, review: bool = False) -> int:
    """Write all rows to `out`; returns how many. `raw`: CSV texts as they are.

    `review`: those that a person should look at come first, and a last column says why; both in their order.

    Raises:
        JobError: the folder holds no results, they cannot be read, or nobody looked which rows need review.
    """
    path, schema = results_in(folder)
    if review:
        check_reviewed(path, schema)
        schema = schema.append(WHY)
    write = _csv(schema, out, raw=raw) if form == "csv" else _jsonl(out)
    rows = 0
    for batch in reviewed_first(lambda: _batches(path)) if review else _batches(path):
        columns = [_values(batch.column(name)) for name in batch.schema.names]
        for line in zip(*columns, strict=True):
            write(dict(zip(batch.schema.names, line, strict=True)))
            rows += 1
    return rows


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with readable(path), pq.ParquetFile(path) as file:
        yield from file.iter_batches(LINES_WRITTEN_AT_ONCE)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Written beside and put in the place of `path` at the end, so that no failure leaves half a file there.

    What is no file (a pipe, /dev/null) is written to as it is.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", newline="") as out:
            yield out
        return
    temporary = target.with_name(target.name + UNFINISHED)
    try:
        with temporary.open("w", encoding="utf-8", newline="") as out:
            if target.exists():
                shutil.copymode(target, temporary)
            yield out
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _values(column: pa.Array) -> list[Any]:
    """Python values; one by one where Python has no value for some: nanoseconds, or years beyond 9999."""
    if not _holds_nanoseconds(column.type):
        with contextlib.suppress(ValueError, OverflowError, pa.ArrowException):
            return list(column.to_pylist())
    return [_value(one) for one in column]


def _holds_nanoseconds(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind):
        return bool(kind.unit == "ns")
    if pa.types.is_dictionary(kind):
        return _holds_nanoseconds(kind.value_type)
    return any(_holds_nanoseconds(kind.field(number).type) for number in range(kind.num_fields))


def _value(one: pa.Scalar) -> Any:  # noqa: ANN401 (any value)
    if not one.is_valid:
        return None
    if isinstance(one, pa.DictionaryScalar):
        return _value(one.value)
    if isinstance(one, pa.StructScalar):
        return {field.name: _value(one[number]) for number, field in enumerate(one.type)}
    if pa.types.is_map(one.type):
        return [(_value(pair[0]), _value(pair[1])) for pair in one.values]
    if isinstance(one, pa.ListScalar):
        return [_value(inner) for inner in one.values]
    if pa.types.is_duration(one.type):
        return one.value / UNITS_A_SECOND[one.type.unit]
    if _holds_nanoseconds(one.type):
        return _nine_digits(one)
    try:
        return one.as_py()
    except (ValueError, OverflowError):
        text = str(one.cast(pa.string()))
        return str(one.value) if "out of range" in text else text.replace(" ", "T", 1)


def _nine_digits(one: pa.Scalar) -> str:
    """A time in nanoseconds by ISO 8601."""
    micros, rest = divmod(one.value, 1000)
    kind = pa.time64("us") if pa.types.is_time(one.type) else pa.timestamp("us", one.type.tz)
    text = pa.scalar(micros, kind).as_py().isoformat(timespec="microseconds")
    end = text.index(".") + 7
    return f"{text[:end]}{rest:03}{text[end:]}"


def _jsonl(out: TextIO) -> Callable[[dict[str, Any]], None]:
    def write(line: dict[str, Any]) -> None:
        out.write(_json(line) + "\n")

    return write


def _json(value: Any) -> str:  # noqa: ANN401 (any value of a row)
    """JSON that every reader takes: NaN and Infinity, which are none, are null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_plain, allow_nan=False)


def _finite(value: Any) -> Any:  # noqa: ANN401 (any value of a row)
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 (what JSON has no word for)
    """Decimals and UUIDs as strings, so that no reader rounds them; times by ISO 8601; bytes as hexadecimal digits."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


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
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        yield path, number or pa.types.is_duration(kind)


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
        text = _json(value)
    else:
        text = str(value) if isinstance(value, int | float) else str(_plain(value))
    text = text.replace("\x00", "\ufffd")  # no reader of CSV takes it
    return text if raw or number or not text.startswith(ACTS) else f"'{text}"
