"""A document's text → lines that rules can read: bounded, without mark-up, with dates and numbers found once. Pure.

However long the text is, only its start and its end are read: rules rehearse a model, they need not be thorough.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pipeline.sandbox import amounts, dates, words
from pipeline.sandbox.amounts import Number
from pipeline.sandbox.dates import Dated

MAX_CHARS = 120_000
TAIL_CHARS = 20_000
MAX_LINES = 3_000
MAX_LINE_CHARS = 600
INSTRUCTION = re.compile(
    r"\A\s*(?:please\s)?(?:extract|read|find|return|answer|summari[sz]e|list)\b[^\n]{0,300}\n+", re.IGNORECASE
)
HTML = re.compile(r"<(?:html|body|table|tr|td|p|br|div)\b", re.IGNORECASE)
HIDDEN = re.compile(r"<(script|style)\b[^>]{0,200}>.{0,5000}?</\1>", re.IGNORECASE | re.DOTALL)
CELL_END = re.compile(r"</t[dh]>", re.IGNORECASE)
LINE_END = re.compile(r"</(?:tr|p|div|h\d|li)>|<br\s?/?>", re.IGNORECASE)
TAG = re.compile(r"</?[a-z!][^<>]{0,300}>", re.IGNORECASE)
QUOTED = re.compile(r"^(?:>\s?)+", re.MULTILINE)
COLUMNS = re.compile(r"\s{2,}|\t|;|^\|\s?|\s\|\s?|\|$")
RULER = re.compile(r"[-=_.·]{4,}|\*\*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as printed, and as read: OCR noise mended, dates blanked. All three have places in common but `text`."""

    text: str
    clean: str  # for numbers
    folded: str  # lower case, for words; the same length as `clean`
    dated: tuple[Dated, ...]

    @property
    def cells(self) -> list[str]:
        return [cell for cell in COLUMNS.split(self.clean) if cell.strip()]


class Page:
    """A document as lines; what costs time is found when it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = _readable(text)
        self.rows = [row[:MAX_LINE_CHARS] for row in self.text.splitlines()[:MAX_LINES] if row and not row.isspace()]

    @cached_property
    def mended(self) -> list[str]:
        return [amounts.mended(RULER.sub(" ", row)) for row in self.rows]

    @cached_property
    def currency(self) -> str | None:
        """The ISO code that stands most often at a number or alone; else one that the kind of tax suggests."""
        lower = "\n".join(self.mended).lower()
        votes = Counter(words.MARKS[found] for found in words.MARK.findall(lower))
        if votes:
            return votes.most_common(1)[0][0]
        return next((code for hint, code in words.HINTS if hint.search(lower)), None)

    @cached_property
    def lines(self) -> list[Line]:
        month_first = dates.month_comes_first(self.mended, dollars=self.currency == "USD")
        lines = []
        for row, mended in zip(self.rows, self.mended, strict=True):
            found = tuple(dates.find(mended, month_first=month_first))
            clean = dates.blanked(mended, found)
            folded = clean.lower()
            lines.append(Line(row, clean, folded if len(folded) == len(clean) else clean, found))
        return lines

    @cached_property
    def mark(self) -> str:
        return amounts.decimal_mark(line.clean for line in self.lines)

    @cached_property
    def spaced_numbers(self) -> list[list[Number]]:
        return [amounts.numbers(line.clean, self.mark, spaced=True) for line in self.lines]

    @cached_property
    def tight_numbers(self) -> list[list[Number]]:
        return [amounts.numbers(line.clean, self.mark, spaced=False) for line in self.lines]

    def is_money(self, number: Number) -> bool:
        """Whether it can be an amount: with cents where the document has cents, else with a currency or separators."""
        if number.percent:
            return False
        return number.decimals == 2 if self.mark else (number.marked or number.grouped)

    @cached_property
    def pairs(self) -> dict[str, str]:
        """`Key: value` lines, by key in lower case; the first of each."""
        found: dict[str, str] = {}
        for row in self.rows:
            key, colon, value = row.partition(":")
            if colon and 0 < len(key) <= 60 and value.strip():
                found.setdefault(" ".join(key.lower().split()).strip("-*•#> "), value.strip())
        return found

    @cached_property
    def all_dates(self) -> list[date]:
        return list(dict.fromkeys(one.day for line in self.lines for one in line.dated))


def joined(lines: Sequence[Line]) -> str:
    return "\n".join(line.clean for line in lines)


def _readable(text: str) -> str:
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS - TAIL_CHARS] + "\n" + text[-TAIL_CHARS:]
    text = unicodedata.normalize("NFKC", INSTRUCTION.sub("", text, count=1))
    if HTML.search(text):
        text = HIDDEN.sub(" ", text)
        text = LINE_END.sub("\n", CELL_END.sub("\t", text))
        text = html.unescape(TAG.sub("", text))
    return QUOTED.sub("", text)
