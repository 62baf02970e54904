"""Documents that a program holds → a file in the output folder, which is read as any input is.

They are written one at a time, to a temporary file that takes the place of the last one once all are there: what breaks
off on the way leaves nothing behind. Documents that are those of the last time leave the file as it is, and so a run
that has finished has nothing to do.
"""

import contextlib
import filecmp
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.errors import JobError
from pipeline.job.folder import GIVEN, GIVEN_PATHS, GIVEN_ROWS, GIVEN_TABLE, UNFINISHED
from pipeline.text import repaired

ID = "id"
WANTED = "Give an iterable of texts, mappings or paths, a table of pyarrow, or a frame of polars or pandas"
JSON_FORM = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
ROWS_AT_ONCE = 8192


class Given(Struct, frozen=True):
    """Where documents lie now, and the column that names them, or ""."""

    path: str  # absolute
    id: str


def given(documents: Any, folder: Path, text: str = "text") -> Given:  # noqa: ANN401 (anything of a program's)
    """Write `documents` into `folder`, texts under the column `text`. A path by itself is read where it lies.

    Raises:
        JobError: they are of no known kind; says which one. What an iterable raises comes out as it is.
    """
    if isinstance(documents, os.PathLike):
        return Given(os.path.abspath(os.fspath(documents)), "")  # noqa: PTH100 (a glob is no path)
    if isinstance(documents, str | bytes | bytearray | Mapping):
        raise JobError(f"documents is one {type(documents).__name__}, not several. Put it in a list: [it]")
    if (reader := _reader(documents)) is not None:
        _keep(folder, GIVEN_TABLE, lambda file: _write_table(file, reader))
        return Given(str(folder / GIVEN_TABLE), ID if ID in reader.schema.names else "")
    if not isinstance(documents, Iterable):
        raise JobError(f"documents is a {_kind(documents)}. {WANTED}")
    return _listed(iter(documents), folder, text)


def _listed(documents: Iterator[Any], folder: Path, text: str) -> Given:
    """The first one says whether they are paths."""
    first = list(_some(documents, 1))
    all_of_them = enumerate(chain(first, documents))
    if first and isinstance(first[0], os.PathLike):
        lines, name = (_path_line(number, one) for number, one in all_of_them), GIVEN_PATHS
    else:
        lines, name = (_row_line(number, one, text) for number, one in all_of_them), GIVEN_ROWS
    _keep(folder, name, lambda file: file.writelines(lines))
    return Given(str(folder / name), ID)


def _some(documents: Iterator[Any], most: int) -> Iterator[Any]:
    for _, one in zip(range(most), documents, strict=False):
        yield one


def _keep(folder: Path, name: str, write: Callable[[BinaryIO], None]) -> None:
    target, temporary = folder / name, folder / (name + UNFINISHED)
    try:
        with temporary.open("wb") as file:
            write(file)
        if not (target.is_file() and filecmp.cmp(temporary, target, shallow=False)):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    for other in {*GIVEN} - {name}:
        (folder / other).unlink(missing_ok=True)


# ── one document ────────────────────────────────────────────────────────────────────────────────────────────────────


def _path_line(number: int, one: object) -> bytes:
    """A list of the path as the program has it, which names the row, and of where it leads."""
    if not isinstance(one, os.PathLike):
        raise JobError(f"documents: number {number} is a {_kind(one)}, where those before are paths. Give one kind")
    path = os.fsdecode(one)
    if os.path.isdir(path):  # noqa: PTH112 (a name need not be UTF-8)
        raise JobError(f"documents: number {number} is a folder: {path}. Give it alone, as documents=Path(...)")
    name = os.path.normpath(path).replace(os.sep, "/")
    return json.dumps([name, os.path.realpath(path)]).encode() + b"\n"


def _row_line(number: int, one: object, text: str) -> bytes:
    """A line of JSON, with the document's own id or else its number."""
    if isinstance(one, str):
        row: dict[Any, Any] = {text: one}
    elif isinstance(one, Mapping):
        row = dict(one)
    else:
        told = f", where those before are none. {WANTED}" if isinstance(one, os.PathLike) else f". {WANTED}"
        raise JobError(f"documents: number {number} is a {_kind(one)}{told}")
    row[ID] = _id(number, row.get(ID))
    for key, value in row.items():
        if not isinstance(key, str):
            raise JobError(f"documents: number {number} has the key {key!r}, a {_kind(key)}. Name columns by text")
        if isinstance(value, str):
            row[key] = repaired(value)
    try:
        return orjson.dumps(row, _plain, JSON_FORM)
    except TypeError:
        raise JobError(f"documents: number {number}: {_misfit(row)}") from None


def _id(number: int, own: object) -> str:
    if own is None:
        return str(number)
    if isinstance(own, bool) or not isinstance(own, str | int | UUID) or own == "":
        told = "empty" if own == "" else f"{own!r}, a {_kind(own)}"
        raise JobError(f"documents: number {number}: its id is {told}. It should be a text or a whole number")
    return str(own)


def _plain(value: object) -> object:
    if isinstance(value, Decimal | os.PathLike):
        return str(value)
    raise TypeError


def _misfit(row: Mapping[str, Any]) -> str:
    """Which column is no JSON, in words."""
    for key, value in row.items():
        with contextlib.suppress(TypeError):
            orjson.dumps(value, _plain, JSON_FORM)
            continue
        if isinstance(value, bytes | bytearray):
            told = f"a table of pyarrow holds bytes, and set={{'input.document': {key!r}}} reads them as files"
            return f"{key!r} is bytes. Give text; or {told}"
        return f"{key!r} is a {_kind(value)}, or holds one, which has no form in JSON. Give text, numbers, lists, dicts"
    return "it has no form in JSON"


def _kind(value: object) -> str:
    return type(value).__name__


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reader(documents: Any) -> pa.RecordBatchReader | None:  # noqa: ANN401 (anything of a program's)
    """What a table or frame holds, a batch at a time; None where it is neither."""
    if isinstance(documents, pa.RecordBatchReader):
        found = documents
    elif (polars := sys.modules.get("polars")) is not None and isinstance(documents, polars.LazyFrame):
        raise JobError("documents is a LazyFrame of polars, which has no rows yet. Give documents.collect()")
    elif polars is not None and isinstance(documents, polars.DataFrame):
        found = documents.to_arrow().to_reader(ROWS_AT_ONCE)
    elif (pandas := sys.modules.get("pandas")) is not None and isinstance(documents, pandas.DataFrame):
        found = _of_pandas(documents, pandas).to_reader(ROWS_AT_ONCE)
    elif isinstance(documents, pa.Table):
        found = documents.to_reader(ROWS_AT_ONCE)
    elif hasattr(documents, "__arrow_c_stream__") and not _is_series(documents):
        found = pa.RecordBatchReader.from_stream(documents)
    else:
        return None
    names = found.schema.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JobError(f"documents has the column {twice[0]!r} twice. Rename one")
    return found


def _is_series(documents: object) -> bool:
    """A column by itself is an iterable of texts."""
    return _kind(documents) == "Series" or isinstance(documents, pa.ChunkedArray)


def _of_pandas(frame: Any, pandas: Any) -> pa.Table:  # noqa: ANN401 (of a package that is not ours to require)
    columns = list(frame.columns)
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise JobError(f"documents has the column {twice[0]!r} twice. Rename one")
    if other := [name for name in columns if not isinstance(name, str)]:
        raise JobError(f"documents has the column {other[0]!r}, a {_kind(other[0])}. Name columns by text")
    if not frame.index.equals(pandas.RangeIndex(len(frame))) or any(frame.index.names):
        named = ", ".join(repr(name) for name in frame.index.names if name is not None)
        told = f"an index ({named})" if named else "an index of its own"
        raise JobError(
            f"documents is a frame with {told}, which would be lost. Give documents.reset_index() to keep it as a "
            f"column, or documents.reset_index(drop=True)"
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise JobError(f"documents: the frame has a column of no one type: {' '.join(map(str, error.args))}") from None


def _write_table(file: BinaryIO, reader: pa.RecordBatchReader) -> None:
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
