"""Parquet → records and kept columns, with memory that is flat whatever the size of files and row groups.

`pre_buffer` and threads stay off: both hold whole row groups. Page checksums are verified where the file has them.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.documents.sources.files import File
from pipeline.errors import JobError

BUFFER_BYTES = 1 << 20
READ_ROWS = 512  # as fast as 8,192 here, and large documents repeated by a dictionary stay few
READ_BYTES = 16 << 20
BROKEN = object()  # stands for a value that Python cannot hold: invalid UTF-8, a date out of range


def schema(file: File) -> pa.Schema:
    """The columns of a file.

    Raises:
        JobError: it is no whole Parquet file, or names a column twice.
    """
    with closing(_open(file)) as reader:
        found = reader.schema_arrow
    twice = {name for name in found.names if found.names.count(name) > 1}
    if twice:
        raise JobError(f"{file.url}: has the column {min(twice)!r} twice; rename one")
    return found


def count(file: File) -> int:
    with closing(_open(file)) as reader:
        return int(reader.metadata.num_rows)


def batches(file: File, columns: Sequence[str], max_rows: int = READ_ROWS) -> Iterator[pa.RecordBatch]:
    """All rows, in order, of the named columns.

    Raises:
        JobError: the file is damaged; names it and the rows read.
    """
    rows = 0
    with closing(_open(file)) as reader:
        size = _batch_rows(reader.metadata, frozenset(columns), max_rows)
        try:
            pieces = reader.iter_batches(size, columns=list(columns), use_threads=False)
            while (batch := next(pieces, None)) is not None:
                rows += batch.num_rows
                yield batch
        except (OSError, pa.ArrowException) as error:
            raise JobError(f"{file.url}: cannot be read past row {rows}: {error}. Replace it and run again") from None


def records(file: File, columns: Sequence[str], raw: str = "") -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(row of the file from 0, its values); in place of values, what is wrong with the row.

    `raw`: the column whose bytes stay what they are.
    """
    place = 0
    for batch in batches(file, columns):
        lists = [
            batch.column(name).to_pylist()
            if name == raw and _is_bytes(batch.column(name).type)
            else values(batch.column(name))
            for name in columns
        ]
        for row in zip(*lists, strict=True):
            if BROKEN in row:
                name = columns[row.index(BROKEN)]
                yield place, f"the column {name!r} holds invalid UTF-8 or a value out of range"
            else:
                yield place, dict(zip(columns, row, strict=True))
            place += 1


def values(array: pa.Array) -> list[Any]:
    """Python values; bytes as the text they should be. Nanoseconds that Python cannot hold become text."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if _is_bytes(array.type):
        return [_decoded(value) for value in array.to_pylist()]
    try:
        return list(_micros(array).to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [_value(array.slice(number, 1)) for number in range(len(array))]


def kept_type(kind: pa.DataType) -> pa.DataType:
    """The type a kept column has in the results: the file's, but for encodings that writers downstream lack."""
    if pa.types.is_dictionary(kind):
        return kept_type(kind.value_type)
    if kind == pa.string_view():
        return pa.string()
    return pa.binary() if kind == pa.binary_view() else kind


def kept(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column as `kind`; text that is not UTF-8 becomes null, for no reader of the results could open it."""
    plain = array if array.type == kind else array.cast(kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            plain.validate(full=True)
        except pa.ArrowInvalid:
            return pa.array([None if value is BROKEN else value for value in values(plain)], kind)
    return plain


def _open(file: File) -> pq.ParquetFile:
    try:
        handle = file.fs.open_input_file(file.path)
        return _ParquetReader(handle, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise JobError(f"{file.url}: is not a whole Parquet file: {error}") from None


class _ParquetReader(pq.ParquetFile):  # type: ignore[misc]  # (pyarrow has no types)
    def close(self) -> None:
        super().close(force=True)  # also the handle, which it would leave open as not its own


def _batch_rows(metadata: pq.FileMetaData, columns: frozenset[str], max_rows: int) -> int:
    """How many rows may be decoded at once, by the largest mean row of any row group."""
    paths = [metadata.schema.column(position).path for position in range(metadata.num_columns)]
    read = [position for position, path in enumerate(paths) if columns & {path, path.partition(".")[0]}]
    widest = 1.0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(group.column(position).total_uncompressed_size for position in read)
        widest = max(widest, size / max(1, group.num_rows))
    return max(1, min(max_rows, int(READ_BYTES / widest)))


def _is_bytes(kind: pa.DataType) -> bool:
    is_binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or kind == pa.binary_view()
    return bool(is_binary or pa.types.is_fixed_size_binary(kind))


def _micros(array: pa.Array) -> pa.Array:
    """Nanosecond times as microseconds: with pandas about they would come out as its own classes."""
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return array.cast(pa.timestamp("us", kind.tz))
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return array.cast(pa.duration("us"))
    return array


def _value(one: pa.Array) -> Any:  # noqa: ANN401 (any value)
    for read in (_micros, _as_text):
        try:
            return read(one).to_pylist()[0]
        except (ValueError, OverflowError, pa.ArrowException):
            continue
    return BROKEN


def _as_text(one: pa.Array) -> pa.Array:
    text = one.cast(pa.string())
    if pa.types.is_timestamp(one.type) and "out of range" in str(text[0]):
        raise pa.ArrowInvalid("out of range")
    return text


def _decoded(value: bytes | None) -> object:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return BROKEN
