"""A record → a Row, or the reason why it cannot be one; and which ids were there before.

Every record gives exactly one Row. A row that cannot be used keeps its place in the input and says where it stands.
"""

import contextlib
import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from pipeline.documents.sources.column_types import EXACT, described
from pipeline.documents.sources.files import File
from pipeline.documents.sources.written import as_written
from pipeline.errors import JobError
from pipeline.job.settings import Input
from pipeline.parts import text_parts
from pipeline.types import Row

CACHE_KIB = 32 * 1024
SHOWN_CHARS = 80
# White space and characters that show nothing: soft hyphen, zero-width and word joiners, marks of direction, BOM.
BLANK = re.compile("[\\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*")

NAMED = "which extract.prompt names; write {{{name}?}} there if rows may lack it. A null is as good as an empty text"
SEEN_TABLE = "CREATE TABLE seen (id BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID"


class RowMaker:
    """Rows by the columns that a job names."""

    def __init__(self, spec: Input, prompt_columns: Sequence[str], optional: Collection[str] = ()) -> None:
        self._id, self._text, self._tenant = spec.id, spec.text, spec.tenant
        self._filed = bool(spec.document)
        self._columns = tuple(prompt_columns)
        self._needed = tuple(name for name in self._columns if name not in optional)

    def make(
        self, index: int, record: dict[str, Any] | str, line: bytes = b"", *, filed: bool = False
    ) -> tuple[Row, str | None]:
        """The row, and its id if it has one of its own. `filed`: it is a file, and its text is not in the record.

        Without a column of ids a row is named by its position; one that lacks its id, by words that are nobody's id.
        `line` is the line of JSON that `record` stands in, where there is one.
        """
        id_column = self._id
        if filed and self._id not in record:
            id_column = "id"  # the path of a file
        nameless = f"row {index} (no id)" if id_column else str(index)
        if isinstance(record, str):
            return Row(index, nameless, text_parts(""), None, {}, record), None
        own_id, problem = self._id_of(record.get(id_column)) if id_column else (None, None)
        row_id = nameless if own_id is None else own_id
        filed = filed or self._filed
        text: Any = "" if filed else record.get(self._text)
        if not filed and (type(text) is not str or BLANK.fullmatch(text)):
            problem = problem or f"{self._text!r} {_what(text)}; it should be text"
            text = ""
        tenant = _name(record.get(self._tenant)) if self._tenant else None
        values = {name: record.get(name) for name in self._columns}
        for name in self._needed:
            if name not in record:
                problem = problem or f"has no {name!r}, {NAMED.format(name=name)}"
        if line and values:
            try:
                values |= as_written(line, values)
            except RecursionError:
                problem = problem or "the line is nested too deeply for numbers in it to go into a prompt"
        return Row(index, row_id, text_parts("" if problem else text), tenant, values, problem), own_id

    def _id_of(self, value: object) -> tuple[str | None, str | None]:
        if type(value) is str and value:
            return value, None
        if type(value) is int:
            return str(value), None
        if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
            return str(int(value)), None
        if value in (None, "") or isinstance(value, bool | float | list | dict):
            return None, f"{self._id!r} {_what(value)}; it should be a string or a whole number"
        return str(value), None  # dates, decimals and UUIDs of Parquet


class SeenIds:
    """The ids of the rows so far, by hash, in a temporary database on disk: memory does not grow with them."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.execute(SEEN_TABLE)
        self._db.execute("BEGIN")

    def claim(self, ids: Sequence[tuple[int, str]]) -> dict[int, int]:
        """Enter (row, id) pairs, in order; for those whose id an earlier row has: row → that earlier row."""
        keys = [(_digest(row_id), row) for row, row_id in ids]
        with _disk_errors():
            entered = self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", keys).rowcount
            if entered == len(keys) or not keys:
                return {}
            owners = ((row, self._owner(key)) for key, row in keys)
            return {row: owner for row, owner in owners if owner != row}

    def close(self) -> None:
        self._db.close()

    def _owner(self, key: bytes) -> int:
        return int(self._db.execute("SELECT row FROM seen WHERE id = ?", (key,)).fetchone()[0])


def located(file: File, place: int, problem: str) -> str:
    """`problem` with the line (from 1) or, in Parquet, the row (from 0) of the file that has it."""
    where = f"{file.name} row {place}" if file.format == "parquet" else f"{file.name}:{place}"
    return f"{where}: {problem}"


def duplicate(row: Row, owner: int) -> str:
    return f"duplicate id {_short(row.id)}: row {owner} has it already"


def _digest(row_id: str) -> bytes:
    return blake2b(row_id.encode(), digest_size=16).digest()


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JobError(
            f"the list of ids seen cannot be kept in the temporary folder: {error}. "
            "Free space there, or point SQLITE_TMPDIR elsewhere"
        ) from None


def _what(value: object) -> str:
    if value is None:
        return "is missing or null"
    if isinstance(value, str):
        if value.isspace():
            return "holds only white space"
        return "is empty: it holds only characters of no width" if value else "is empty"
    return f"is {described(value)}"


def _name(value: object) -> str | None:
    """A tenant as text."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, bool | list | dict) else str(value)


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "...")
