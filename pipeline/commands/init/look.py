"""What an input holds, by its first rows: columns, lengths, and the texts that a schema can be guessed of."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct

from pipeline.catalog.file_limits import file_limits
from pipeline.documents.pages import Rules
from pipeline.documents.sources import parquet
from pipeline.documents.sources.column_types import described
from pipeline.documents.sources.files import DOCUMENT, DOCUMENT_ENDINGS
from pipeline.documents.sources.jsonl import MAX_LINE_BYTES
from pipeline.documents.sources.records import Records
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Documents, Input, Model

LOOKED_AT = 200  # rows of a table
FILES_LOOKED_AT = 5  # documents: each is read
TEXT_NAMES = ("text", "body", "content", "document", "message", "transcript", "description")
ID_NAMES = ("id", "key", "uuid", "guid", "number", "no", "nr", "ref", "reference")
ID_CHARS, NEARLY_ALL = 200, 0.9
REHEARSED = Model(provider="sandbox", name="gpt-4o-mini", max_output_tokens=1024)


class Column(Struct, frozen=True):
    """One column, as the rows that were looked at have it."""

    name: str
    kind: str  # text, number, true or false, bytes, list or object; nothing: no row has a value
    filled: int  # rows that have a value
    mean_chars: int  # of a text, or of what stands for another value
    most_chars: int
    distinct: int  # values


class Looked(Struct, frozen=True):
    """An input. `columns` is empty where each file is a row; `rows` are the first few as they are."""

    path: str
    documents: bool
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    more: bool  # than were looked at

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def text(self) -> str:
        """The column that most likely holds the document, or ""."""
        texts = [column for column in self.columns if column.kind == "text"]
        return (
            max(texts, key=lambda one: one.mean_chars * (4 if _named(one.name, TEXT_NAMES) else 1)).name
            if texts
            else ""
        )

    @property
    def file_column(self) -> str:
        """The column that holds files or names them, or ""."""
        for column in self.columns:
            values = [row[column.name] for row in self.rows if row.get(column.name) is not None]
            if column.kind == "bytes" or (column.kind == "text" and values and all(map(_names_a_file, values))):
                return column.name
        return ""

    @property
    def id(self) -> str:
        """The column that most likely names a row, or ""."""
        rows = len(self.rows)
        short = [one for one in self.columns if one.kind in {"text", "number"} and one.most_chars <= ID_CHARS]
        own = [one for one in short if one.distinct >= NEARLY_ALL * rows]  # a few bad rows are no reason to do without
        return next((one.name for name in ID_NAMES for one in own if _is_named(one.name, name)), "")


def look(path: str) -> Looked:
    """The first rows of a file, folder or glob; `path` is absolute, or a URL.

    Raises:
        JobError: there is nothing to read, it cannot be read, or a package is missing for it.
    """
    records = Records(Input(path=path), LOOKED_AT, (), MAX_LINE_BYTES)
    if any(file.format == DOCUMENT for file in records.files):
        return _files(path)
    first = records.files[0]
    names: Sequence[str] = parquet.schema(first).names if first.format == "parquet" else ()
    rows = [record for _, _, record, _ in records.of(names) if isinstance(record, dict)]
    if not rows:
        raise JobError(f"{path}: none of its first {LOOKED_AT} rows can be read. `--from` needs one that can")
    columns = tuple(_column(name, rows) for name in dict.fromkeys(chain.from_iterable(rows)))
    return Looked(path, False, columns, tuple(rows), len(rows) == LOOKED_AT)


def _files(path: str) -> Looked:
    rules = Rules(Documents(), REHEARSED, file_limits(REHEARSED, "json_schema"))
    source = Source(Input(path=path), (), FILES_LOOKED_AT, rules=rules)
    source.check()
    try:
        read = [{"id": row.id, "text": row.text} for batch in source.batches() for row in batch]
    finally:
        source.close()
    return Looked(path, True, (), tuple(read), len(source.files) > FILES_LOOKED_AT)


def _column(name: str, rows: Sequence[Mapping[str, Any]]) -> Column:
    values = [value for row in rows if (value := row.get(name)) not in (None, "")]
    lengths = [len(value if isinstance(value, str | bytes) else str(value)) for value in values]
    kinds = {_kind(value) for value in values}
    kind = kinds.pop() if len(kinds) == 1 else "text" if kinds else "nothing"
    mean = sum(lengths) // len(lengths) if lengths else 0
    return Column(name, kind, len(values), mean, max(lengths, default=0), len({str(value) for value in values}))


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case bytes():
            return "bytes"
        case list() | dict():
            return described(value).removeprefix("a ").removeprefix("an ")
    return "text"


def _names_a_file(value: object) -> bool:
    return isinstance(value, str) and len(value) < 1000 and value.lower().endswith(DOCUMENT_ENDINGS)


def _named(name: str, words: Sequence[str]) -> bool:
    return any(_is_named(name, word) for word in words)


def _is_named(name: str, word: str) -> bool:
    lower = name.lower()
    return lower == word or lower.endswith((f"_{word}", f" {word}", f"-{word}"))
