"""A document's text → lines that rules can read: bounded, without mark-up, dates and numbers found once. Pure."""

import html
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from functools import cached_property
from itertools import accumulate, islice

from msgspec import Struct

from pipeline.values import figures, words
from pipeline.values.figures import Dated, Number

MAX_CHARS = 120_000
TAIL_CHARS = 20_000
MAX_LINES = 3_000
MAX_LINE_CHARS = 600
INSTRUCTION = re.compile(r"\A\s*(?:please\s)?(?:extract|read|find|return|list)\b[^\n]{0,300}\n+", re.IGNORECASE)
TAG = re.compile(r"</?[a-z!][^<>]{0,300}>", re.IGNORECASE)
COLUMNS = re.compile(r"\s{2,}|\t|;|^\|\s?|\s\|\s?|\|$")
OTHER_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
MAX_KEY_CHARS = 60
TOO_MUCH = 10**12  # for an amount


class Line(Struct, frozen=True):
    text: str  # as printed; the next two are as read, OCR noise mended and dates blanked, with their places in common
    clean: str  # for numbers
    folded: str  # lower case, for words
    start: int  # of `clean` and `folded` within the page's
    dated: tuple[Dated, ...]  # places within the page

    @property
    def cells(self) -> list[str]:
        return [cell for cell in COLUMNS.split(self.clean) if cell.strip()]


class Page:
    """A document as lines; what costs time is found when it is asked for, for the whole text at once."""

    def __init__(self, text: str) -> None:
        self.text = _readable(text)
        self.rows = [row[:MAX_LINE_CHARS] for row in islice(filter(str.strip, self.text.split("\n")), MAX_LINES)]

    @cached_property
    def mended(self) -> str:
        return figures.mended("\n".join(self.rows))

    @cached_property
    def folded(self) -> str:
        """Lower case and without dates, for words; as long as `clean`."""
        return _lower(self.clean)

    @cached_property
    def currency(self) -> str | None:
        """The ISO code that stands most often at a number or alone."""
        votes = Counter(words.MARKS[found] for found in words.MARK.findall(self.mended.lower()))
        return max(votes, key=lambda code: votes[code], default=None)

    @cached_property
    def dated(self) -> list[Dated]:
        return figures.dates(self.mended, dollars=self.currency == "USD")

    @cached_property
    def clean(self) -> str:
        return figures.blanked(self.mended, self.dated)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins."""
        return list(accumulate((len(line) + 1 for line in self.clean.split("\n")), initial=0))[:-1]

    @cached_property
    def lines(self) -> list[Line]:
        dated: dict[int, list[Dated]] = {}
        for one in self.dated:
            dated.setdefault(self.line_at(one.start), []).append(one)
        parts = zip(self.rows, self.clean.split("\n"), self.folded.split("\n"), self.starts, strict=False)
        return [Line(*part, tuple(dated.get(number, ()))) for number, part in enumerate(parts)]

    def line_at(self, place: int) -> int:
        return bisect_right(self.starts, place) - 1

    @cached_property
    def mark(self) -> str:
        return figures.decimal_mark(self.clean)

    @cached_property
    def numbers(self) -> list[Number]:
        """Places are within the page."""
        return figures.numbers(self.clean, self.mark)

    def is_money(self, number: Number) -> bool:
        """Whether it can be an amount: with cents where the document has cents, else with a currency or separators."""
        whole = number.decimals == 0 and (number.marked or number.grouped)
        return (number.decimals == 2 if self.mark else whole) and not number.percent and abs(number.value) < TOO_MUCH

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """`Key: value`, and rows of two cells, in the order printed."""
        rows = [[cell.strip() for cell in COLUMNS.split(row) if cell.strip()] for row in self.rows]
        found = [
            tuple(cell.split(":", 1)) for cells in rows for cell in ([":".join(cells)] if len(cells) == 2 else cells)
        ]
        return [(pair[0], pair[1].strip(" *_:")) for pair in found if len(pair) == 2 and len(pair[0]) <= MAX_KEY_CHARS]


def _lower(text: str) -> str:
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one if len(low := one.lower()) != 1 else low for one in text)


def _readable(text: str) -> str:
    """The text without mark-up, quoting and other spellings of the same character; lines end in a line feed."""
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS - TAIL_CHARS] + "\n" + text[-TAIL_CHARS:]
    text = INSTRUCTION.sub("", text, count=1)
    text = html.unescape(TAG.sub("\t", text)) if "</" in text else text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.encode(errors="replace").decode())
    return OTHER_LINE_END.sub("\n", text)
