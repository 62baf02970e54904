"""A document's text → lines that rules can read: bounded, without mark-up, with dates and numbers found once. Pure.

However long the text is, only its start and its end are read: rules rehearse a model, they need not be thorough.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from datetime import date
from functools import cached_property
from itertools import islice

from msgspec import Struct

from pipeline.sandbox.rules import amounts, dates, words
from pipeline.sandbox.rules.amounts import Number
from pipeline.sandbox.rules.dates import Dated

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
OTHER_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
MAX_KEY_CHARS = 60
TOO_MUCH = 10**12  # for an amount


class Line(Struct, frozen=True):
    """One line as printed, and as read: OCR noise mended, dates blanked. The last two have their places in common."""

    text: str
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
        rows = ((number, row) for number, row in enumerate(self.text.split("\n")) if row and not row.isspace())
        self.numbered = [(number, row[:MAX_LINE_CHARS]) for number, row in islice(rows, MAX_LINES)]
        self.rows = [row for _, row in self.numbered]

    @cached_property
    def mended(self) -> str:
        return amounts.mended(RULER.sub(" ", "\n".join(self.rows)))

    @cached_property
    def folded(self) -> str:
        """Lower case and without dates, for words; as long as `clean`."""
        return _lower(self.clean)

    @cached_property
    def has_cjk(self) -> bool:
        return not self.text.isascii() and words.CJK.search(self.text) is not None

    @cached_property
    def currency(self) -> str | None:
        """The ISO code that stands most often at a number or alone; else one that the kind of tax suggests."""
        lower = _lower(self.mended)
        votes = Counter(words.MARKS[found] for found in words.MARK.findall(lower))
        if votes:
            return votes.most_common(1)[0][0]
        return next((code for hint, code in words.HINTS if hint.search(lower)), None)

    @cached_property
    def dated(self) -> list[Dated]:
        return dates.find(self.mended, dollars=self.currency == "USD")

    @cached_property
    def clean(self) -> str:
        return dates.blanked(self.mended, self.dated)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins."""
        at, starts = 0, []
        for line in self.clean.split("\n"):
            starts.append(at)
            at += len(line) + 1
        return starts

    @cached_property
    def lines(self) -> list[Line]:
        dated: dict[int, list[Dated]] = {}
        for one in self.dated:
            dated.setdefault(self.line_at(one.start), []).append(one)
        cleaned, folded = self.clean.split("\n"), self.folded.split("\n")
        return [
            Line(row, cleaned[n], folded[n], self.starts[n], tuple(dated.get(n, ()))) for n, row in enumerate(self.rows)
        ]

    def line_at(self, place: int) -> int:
        return bisect_right(self.starts, place) - 1

    @cached_property
    def mark(self) -> str:
        return amounts.decimal_mark(self.clean)

    @cached_property
    def spaced_numbers(self) -> list[Number]:
        """All numbers, where a blank may separate thousands. Places are within the page."""
        return amounts.numbers(self.clean, self.mark, spaced=True)

    @cached_property
    def tight_numbers(self) -> list[Number]:
        return amounts.numbers(self.clean, self.mark, spaced=False)

    def is_money(self, number: Number) -> bool:
        """Whether it can be an amount: with cents where the document has cents, else with a currency or separators."""
        if number.percent or abs(number.value) >= TOO_MUCH:
            return False
        if self.mark:
            return number.decimals == 2
        return number.decimals == 0 and (number.marked or number.grouped)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """`Key: value`, and rows of two cells, in the order printed."""
        found = []
        for row in self.rows:
            cells = [cell.strip() for cell in COLUMNS.split(row) if cell.strip()]
            for cell in cells:
                key, colon, value = cell.partition(":")
                if colon and key and value.strip() and len(key) <= MAX_KEY_CHARS:
                    found.append((key, value.strip(" *_")))
            if len(cells) == 2 and len(cells[0]) <= MAX_KEY_CHARS and ":" not in cells[0][:-1]:
                found.append((cells[0], cells[1]))
        return found

    @cached_property
    def all_dates(self) -> list[date]:
        return list(dict.fromkeys(one.day for one in self.dated))


def _lower(text: str) -> str:
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one if len(low := one.lower()) != 1 else low for one in text)


def _readable(text: str) -> str:
    """The text without mark-up, quoting and other spellings of the same character; lines end in a line feed."""
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS - TAIL_CHARS] + "\n" + text[-TAIL_CHARS:]
    text = INSTRUCTION.sub("", text, count=1)
    if "<" in text and HTML.search(text):
        text = HIDDEN.sub(" ", text)
        text = LINE_END.sub("\n", CELL_END.sub("\t", text))
        text = html.unescape(TAG.sub("", text))
    if ">" in text:
        text = QUOTED.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.encode(errors="replace").decode())
    return OTHER_LINE_END.sub("\n", text)
