"""XLSX → a page for each sheet, a line for each row, numbers as they are shown.

What is hidden (sheets, rows, columns) is left out, as a reader of the file would not see it; of rows and columns the
characters are counted. Of formulas the value that was saved; one that was saved without has its own text.
"""

import posixpath
from collections.abc import Iterator

from pipeline.reader.clean import page_of, visible_chars
from pipeline.reader.flow import joined
from pipeline.reader.media_types import XLSX
from pipeline.reader.number_formats import BUILT_IN, Shown, plain, shown_by
from pipeline.reader.one_piece import one_piece
from pipeline.reader.package import Package
from pipeline.reader.read import DAMAGED, TOO_LARGE, TOO_MANY_PAGES, Page, Read, ReadOptions, Unreadable
from pipeline.reader.xml import Start, walk

MAX_CHARS = 50_000_000  # of all sheets: a text of a few bytes may be shown in a million cells
MOST_EMPTY = 30  # cells that stand empty in a line; more are no columns
HIDDEN = frozenset({"hidden", "veryHidden"})
TRUE = frozenset({"1", "true"})


def read_xlsx(data: bytes, name: str, options: ReadOptions) -> Read:
    """A page for each sheet that can be seen.

    Raises:
        Unreadable: damaged, too large, or of too many sheets.
    """
    package = Package(data)
    book = _Book(package)
    if len(book.sheets) > options.max_pages:
        told = f"{len(book.sheets)} sheets, where documents.max_pages allows {options.max_pages}"
        raise Unreadable(TOO_MANY_PAGES, told, pages=len(book.sheets))
    return one_piece(data, name, XLSX, tuple(_pages(package, book)))


def _pages(package: Package, book: "_Book") -> Iterator[Page]:
    left = MAX_CHARS
    for title, part in book.sheets:
        sheet = _Sheet(book, left)
        if part in package.names:
            walk(package.chunks(part), part, start=sheet.start, end=sheet.end, text=sheet.text)
        left = sheet.left
        text = "\n".join(sheet.lines)
        yield page_of(f"{title}\n\n{text}" if len(book.sheets) > 1 and text else text, hidden_chars=sheet.hidden_chars)


class _Book:
    """What all sheets share: their names, texts and formats."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._targets: dict[str, str] = {}
        self._named: list[tuple[str, str]] = []  # sheets that can be seen, and their relations
        self._codes = dict(BUILT_IN)
        self._in_cells = False
        self._shows: list[Shown] = []
        self._said: list[str] | None = None
        self._phonetic = False
        self.texts: list[str] = []
        self.from_1904 = False
        self._walk("xl/workbook.xml", self._start_book)
        self._walk("xl/_rels/workbook.xml.rels", self._start_relation)
        for part, start in (("xl/styles.xml", self._start_style), ("xl/sharedStrings.xml", self._start_text)):
            if part in package.names:
                self._walk(part, start)
        self.sheets = [(title, self._targets[ref]) for title, ref in self._named if ref in self._targets]
        if not self.sheets:
            raise Unreadable(DAMAGED, "it has no sheet that can be seen")

    def shown(self, style: str, number: str) -> str:
        position = int(style) if style.isdecimal() else 0
        return (self._shows[position] if position < len(self._shows) else plain)(number)

    def _walk(self, part: str, start: Start) -> None:
        walk(self._package.chunks(part), part, start=start, end=self._end, text=self._text)

    def _start_book(self, name: str, attrs: dict[str, str]) -> None:
        if name == "sheet" and attrs.get("state") not in HIDDEN:
            self._named.append((attrs.get("name", ""), attrs.get("id", "")))
        elif name == "workbookPr":
            self.from_1904 = attrs.get("date1904") in TRUE

    def _start_relation(self, name: str, attrs: dict[str, str]) -> None:
        if name == "Relationship" and attrs.get("Type", "").endswith("/worksheet"):
            self._targets[attrs.get("Id", "")] = posixpath.normpath(
                posixpath.join("/xl", attrs.get("Target", ""))
            ).lstrip("/")

    def _start_style(self, name: str, attrs: dict[str, str]) -> None:
        if name == "numFmt" and attrs.get("numFmtId", "").isdecimal():
            self._codes[int(attrs["numFmtId"])] = attrs.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            number = attrs.get("numFmtId", "0")
            code = self._codes.get(int(number)) if number.isdecimal() else None
            self._shows.append(shown_by(code, from_1904=self.from_1904) if code else plain)

    def _start_text(self, name: str, attrs: dict[str, str]) -> None:
        del attrs
        if name == "si":
            self._said = []
        self._phonetic = self._phonetic or name == "rPh"

    def _text(self, text: str) -> None:
        if self._said is not None and not self._phonetic:
            self._said.append(text)

    def _end(self, name: str) -> None:
        if name == "si" and self._said is not None:
            self.texts.append("".join(self._said))
            self._said = None
        elif name == "rPh":
            self._phonetic = False
        elif name == "cellXfs":
            self._in_cells = False


class _Sheet:
    def __init__(self, book: _Book, left: int) -> None:
        self._book = book
        self.left = left  # characters
        self.lines: list[str] = []
        self.hidden_chars = 0
        self._hidden_columns: list[tuple[int, int]] = []
        self._row_hidden = False
        self._row: dict[int, str] = {}
        self._column = 0
        self._kind = self._style = self._where = ""  # of a cell; and its part that is being read: v, f or t
        self._said: dict[str, str] = {}

    def start(self, name: str, attrs: dict[str, str]) -> None:
        if name == "col" and attrs.get("hidden") in TRUE:
            self._hidden_columns.append((_whole(attrs.get("min")), _whole(attrs.get("max"))))
        elif name == "row":
            self._row, self._column = {}, 0
            self._row_hidden = attrs.get("hidden") in TRUE
        elif name == "c":
            self._column = _column(attrs.get("r", "")) or self._column + 1
            self._kind, self._style, self._said = attrs.get("t", "n"), attrs.get("s", ""), {}
        elif name in {"v", "f", "t"}:
            self._where = name
        elif name == "rPh":
            self._where = ""

    def text(self, text: str) -> None:
        if self._where:
            self._said[self._where] = self._said.get(self._where, "") + text

    def end(self, name: str) -> None:
        if name in {"v", "f", "t"}:
            self._where = ""
        elif name == "c":
            self._end_cell(" ".join(self._value().split()))
        elif name == "row" and self._row:
            self._end_row()

    def _end_cell(self, value: str) -> None:
        if not value:
            return
        hidden = self._row_hidden or any(first <= self._column <= last for first, last in self._hidden_columns)
        if hidden:
            self.hidden_chars += visible_chars([value])
            return
        self._row[self._column] = value

    def _value(self) -> str:
        value = self._said.get("v", "")
        if self._kind == "s":
            place = _whole(value)
            return self._book.texts[place] if place < len(self._book.texts) else ""
        if self._kind == "b":
            return "TRUE" if value in TRUE else "FALSE"
        if self._kind == "inlineStr":
            return self._said.get("t", "")
        if not value and "f" in self._said:
            return f"={self._said['f']}"
        return self._book.shown(self._style, value) if self._kind == "n" and value else value

    def _end_row(self) -> None:
        line, before = [], 1
        for column, value in sorted(self._row.items()):
            line += [""] * min(column - before, MOST_EMPTY)
            line.append(value)
            before = column + 1
        self.lines.append(joined(line))
        self.left -= len(self.lines[-1])
        if self.left < 0:
            raise Unreadable(TOO_LARGE, f"its sheets show more than {MAX_CHARS} characters")


def _column(place: str) -> int:
    """1 for A7, 28 for AB7; 0 for what is no place."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number if 0 < number <= 16_384 else 0


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 12 else 0
