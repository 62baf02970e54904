"""DOCX → text: headers, the body with its tables row by row, notes, footers; without what was deleted or hidden."""

import re

from pipeline.reader.clean import page_of
from pipeline.reader.flow import Flow
from pipeline.reader.media_types import DOCX
from pipeline.reader.one_piece import one_piece
from pipeline.reader.package import Package
from pipeline.reader.read import ONLY_SCANS, Read, ReadOptions, Unreadable
from pipeline.reader.xml import walk

SKIPPED = frozenset(  # deleted or moved away, codes of fields, reading aids, and the second copy of a text box
    [
        "del",
        "moveFrom",
        "delText",
        "delInstrText",
        "instrText",
        "rt",
        "Fallback",
        "tabs",
        "sdtPr",
        "pPrChange",
        "rPrChange",
        "sectPr",
    ]
)
BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "ptab": "\t", "noBreakHyphen": "-"}
OFF = frozenset({"0", "false", "off"})
NUMBERED = re.compile(r"word/(header|footer)(\d*)\.xml")
PICTURES = re.compile(r"word/media/.*\.(?:png|jpe?g|tiff?|gif|bmp|emf|wmf)", re.IGNORECASE)
MAIN_PARTS = ("word/document.xml", "word/document2.xml")  # the latter as some services save it


def read_docx(data: bytes, name: str, options: ReadOptions) -> Read:
    """One page: where pages break is known only to whoever lays it out.

    Raises:
        Unreadable: damaged, too large, or it holds pictures and no text.
    """
    del options
    package = Package(data)
    main = next((part for part in MAIN_PARTS if part in package.names), MAIN_PARTS[0])
    parts = [*_numbered(package, "header"), main, "word/footnotes.xml", "word/endnotes.xml"]
    texts: dict[str, None] = {}  # the same header of each section once
    hidden = 0
    for part in [*parts, *_numbered(package, "footer")]:
        if part in package.names or part == main:
            body = _Body()
            walk(package.chunks(part), part, start=body.start, end=body.end, text=body.text)
            texts[body.flow.done()] = None
            hidden += body.hidden_chars
    page = page_of("\n\n".join(filter(None, texts)), hidden_chars=hidden)
    pictures = sum(1 for part in package.names if PICTURES.fullmatch(part))
    if pictures and not page.facts.chars:
        raise Unreadable(ONLY_SCANS, f"a DOCX with {pictures} pictures and no text; save it as PDF")
    return one_piece(data, name, DOCX, (page,))


def _numbered(package: Package, kind: str) -> list[str]:
    found = [match for part in package.names if (match := NUMBERED.fullmatch(part)) and match[1] == kind]
    return [match[0] for match in sorted(found, key=lambda match: int(match[2] or 0))]


class _Body:
    def __init__(self) -> None:
        self.flow = Flow()
        self.hidden_chars = 0
        self._skipping = 0  # elements within one that is skipped, itself included
        self._runs: list[bool] = []  # whether each of the open runs is hidden
        self._in_text = False

    def start(self, name: str, attrs: dict[str, str]) -> None:
        if self._skipping or name in SKIPPED or _is_separator(name, attrs):
            self._skipping += 1
        elif name == "r":
            self._runs.append(False)
        elif name in {"vanish", "webHidden"} and self._runs:
            self._runs[-1] = attrs.get("val", "") not in OFF
        elif name == "t":
            self._in_text = True
        elif name == "tr":
            self.flow.begin_row()
        elif name == "tc":
            self.flow.begin_cell()
        elif name in {"p", "tbl", "txbxContent"}:
            self.flow.edge()
        elif name in BREAKS and self._runs:
            self.flow.kept(BREAKS[name])

    def end(self, name: str) -> None:
        if self._skipping:
            self._skipping -= 1
        elif name == "r" and self._runs:
            self._runs.pop()
        elif name == "t":
            self._in_text = False
        elif name == "tc":
            self.flow.end_cell()
        elif name == "tr":
            self.flow.end_row()
        elif name in {"p", "tbl", "txbxContent"}:
            self.flow.edge()

    def text(self, text: str) -> None:
        if not self._in_text or self._skipping:
            return
        if any(self._runs):
            self.hidden_chars += len("".join(text.split()))
        else:
            self.flow.text(text.replace("\n", " "))


def _is_separator(name: str, attrs: dict[str, str]) -> bool:
    """The notes that are but the line above the notes."""
    return name in {"footnote", "endnote"} and "eparator" in attrs.get("type", "")
