"""CSV and TSV (RFC 4180; quotes count in TSV too) → records: all values text, one record in memory at a time.

Every record is one row or one stated problem. A quote that opens by mistake costs the line that it stands on: those
after it are read on their own.
"""

import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property
from typing import NamedTuple

from pipeline.documents.sources.files import File
from pipeline.documents.sources.jsonl import lines
from pipeline.errors import JobError

CLOSED = re.compile(r'((?:[^"]++|"")*+)"')  # possessive: a pair of quotes is never taken apart
QUOTED = re.compile(r'"[^"]*"')
NAMED_BY_EXCEL = re.compile(r"sep=(.)")
QUOTE = '"'
ENDINGS = ("", "\n", "\r\n")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
AS_UTF_8 = "Save it as UTF-8; in Excel as 'CSV UTF-8'"
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

Line = tuple[int, bytes | None]


class Record(NamedTuple):
    """`place`: the line that it begins on, from 1. `values`: or what is wrong."""

    place: int
    values: list[str] | str


class Table:
    """One file. Reading starts over with every call."""

    def __init__(self, file: File, max_record_bytes: int) -> None:
        self._file = file
        self._max = max_record_bytes

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The header's names.

        Raises:
            JobError: there is none, it is not UTF-8, or a column has no name, or that of another.
        """
        with closing(self._records(1)) as records:
            header = next(records, None)
        if header is None:
            raise self._wrong("is empty; the first line of a table names its columns")
        if isinstance(header.values, str):
            raise self._wrong(f"its header, line {header.place}: {header.values}")
        names = [name.strip() for name in header.values]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise self._wrong(f"has the column {twice!r} twice; rename one")
        if "" in names:
            raise self._wrong(f"column {names.index('') + 1} has no name; the first line of a table names its columns")
        return tuple(names)

    @cached_property
    def delimiter(self) -> str:
        """A comma, or a tab in TSV. Of CSV whose header has none but semicolons, or else tabs, these."""
        with closing(lines(self._file, self._max, blank=True)) as found:
            head = next(found, (1, b""))[1] or b""
        if head.startswith(UTF_16) or b"\x00" in head:
            raise self._wrong(f"is UTF-16. {AS_UTF_8}")
        text = head.decode("utf-8", "replace")
        if self._file.format == "tsv":
            return "\t"
        if named := NAMED_BY_EXCEL.fullmatch(text.rstrip("\r\n")):
            return named[1]
        bare = QUOTED.sub("", text)
        return next((one for one in DELIMITERS if one in bare), ",")

    @property
    def note(self) -> str | None:
        """That its values are not separated by what the file's ending says."""
        if self.delimiter == {"csv": ",", "tsv": "\t"}[self._file.format]:
            return None
        return f"{self._file.url}: values are separated by {DELIMITERS.get(self.delimiter, self.delimiter)}"

    def rows(self) -> Iterator[Record]:
        """All records after the header but blank lines; of each as many values as there are columns.

        Raises:
            JobError: the file cannot be read to its end, or its header is wrong.
        """
        wanted = len(self.columns)
        records = self._records(wanted)
        next(records)
        for record in records:
            if len(record.values) != wanted and not isinstance(record.values, str):
                yield Record(record.place, self._ragged(len(record.values), wanted))
            else:
                yield record

    def records(self) -> Iterator[tuple[int, dict[str, str] | str]]:
        """(place, column → value) of every row; in place of values what is wrong with it."""
        columns = self.columns
        for place, values in self.rows():
            yield place, values if isinstance(values, str) else dict(zip(columns, values, strict=True))

    def _ragged(self, found: int, wanted: int) -> str:
        told = f"it has {found} values, where the header has {wanted} columns"
        comma = DELIMITERS.get(self.delimiter, self.delimiter)
        return f"{told}; values that hold {comma}, quotes or line ends stand in quotes" if found > wanted else told

    def _records(self, columns: int) -> Generator[Record, None, None]:
        delimiter = self.delimiter
        with closing(lines(self._file, self._max, blank=True)) as found:
            yield from split(_without_sep(found), delimiter, self._max, columns)

    def _wrong(self, told: str) -> JobError:
        return JobError(f"{self._file.url}: {told}")


def split(found: Iterator[Line], delimiter: str, max_bytes: int, columns: int) -> Iterator[Record]:
    """Lines with their ends → records, the header too.

    Where quotes are wrong the lines after the first are read again on their own: in a table of one column only if a
    quote never closes, for there nothing tells a line of a value from a row.
    """
    again: deque[Line] = deque()
    while (line := _following(again, found)) is not None:
        number, data = line
        if data is None:
            yield Record(number, f"the line is longer than {max_bytes} bytes")
        elif b'"' not in data:
            if not data.isspace():
                yield Record(number, _plain(data, delimiter))
        else:
            record = _Quoted(delimiter)
            taken = _take(record, line, again, found, max_bytes)
            yield Record(number, record.told)
            if record.problem and (columns > 1 or record.is_open):
                again.extendleft(reversed(taken[1:]))


class _Quoted:
    """A record with quotes in it, which may go over many lines."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._values: list[str] = []
        self._open: list[str] | None = None  # what was said so far in quotes that are not closed yet
        self._bad_utf_8 = ""
        self.problem = ""  # of its quotes

    @property
    def is_open(self) -> bool:
        return self._open is not None

    @property
    def told(self) -> list[str] | str:
        return self.problem or self._bad_utf_8 or self._values

    def feed(self, number: int, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            self._bad_utf_8 = f"line {number}: {_not_utf_8(error)}"
            text = data.decode("utf-8", "replace")
        place = 0 if self._open is None else self._close(text, 0)
        while place is not None:
            place = self._take_value(text, place)

    def never_closed(self, until: str) -> None:
        self.problem = f"the quote that opens in column {len(self._values) + 1} is not closed {until}"

    def _take_value(self, text: str, place: int) -> int | None:
        """Where the next value begins; None at the end of the line."""
        if text.startswith(QUOTE, place):
            self._open = []
            return self._close(text, place + 1)
        end = text.find(self._delimiter, place)
        self._values.append(_bare(text[place:]) if end < 0 else text[place:end])
        return None if end < 0 else end + 1

    def _close(self, text: str, place: int) -> int | None:
        said = [] if self._open is None else self._open
        found = CLOSED.match(text, place)
        said.append(text[place:] if found is None else found[1])
        if found is None:
            return None
        self._values.append("".join(said).replace(QUOTE * 2, QUOTE))
        self._open = None
        if text.startswith(self._delimiter, found.end()):
            return found.end() + 1
        if text[found.end() : found.end() + 3] not in ENDINGS:
            self.problem = f"text follows the quoted value of column {len(self._values)}; quotes in a value are doubled"
        return None


def _take(record: _Quoted, line: Line, again: deque[Line], found: Iterator[Line], max_bytes: int) -> list[Line]:
    """The lines that a record goes over, all fed to it."""
    taken: list[Line] = []
    left = max_bytes
    following: Line | None = line
    while following is not None and following[1] is not None and left >= 0:
        number, data = following
        record.feed(number, data or b"")
        taken.append(following)
        left -= len(data or b"")
        if not record.is_open:
            return taken
        following = _following(again, found)
    record.never_closed("before the end of the file" if following is None else f"within {max_bytes} bytes")
    if following is not None:
        again.appendleft(following)
    return taken


def _following(again: deque[Line], found: Iterator[Line]) -> Line | None:
    return again.popleft() if again else next(found, None)


def _plain(data: bytes, delimiter: str) -> list[str] | str:
    """A line without quotes."""
    try:
        return _bare(data.decode()).split(delimiter)
    except UnicodeDecodeError as error:
        return _not_utf_8(error)


def _bare(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _not_utf_8(error: UnicodeDecodeError) -> str:
    return f"invalid UTF-8: {error.reason} at byte {error.start + 1}. {AS_UTF_8}"


def _without_sep(found: Iterator[Line]) -> Iterator[Line]:
    """Without the line in which Excel names the delimiter."""
    first = next(found, None)
    if first is not None and not (first[1] and NAMED_BY_EXCEL.fullmatch(_bare(first[1].decode("utf-8", "replace")))):
        yield first
    yield from found
