"""A row's text, with its words, numbers and dates found once, each when it is asked for. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import accumulate

from pipeline.extraction.evidence.cleaned import Cleaned, cleaned, plain
from pipeline.values import figures, words

WORD = re.compile(r"[^\W_]+")
FIGURES = re.compile(r"\d+(?:[.,']\d+)*")
WITH_BLANKS = re.compile(r"(?<![\d.,'])(?=(\d{1,3}(?: \d{3}){1,5}(?:[.,]\d{1,6})?)(?![.,']?\d))")
LETTERS, LETTERS_LAST = re.compile(r"[^\W\d_]{4}"), re.compile(r"[^\W\d_]{4}\Z")
CREDIT = re.compile(plain(words.CREDIT.pattern), words.CREDIT.flags)
MOST_SIGNS = 48  # of a number: what is longer is none
SEPARATORS = str.maketrans("", "", ".,' ")
NO_SPACES = "\u2e80"  # from here on scripts have no blanks between words

Span = tuple[int, int]  # in the cleaned text, end exclusive


class Words:
    """The words of a text, and all of their letters and digits in one row."""

    def __init__(self, text: str) -> None:
        found = [(match[0], match.start()) for match in WORD.finditer(text)]
        self.words = [word for word, _ in found]
        self.starts = [start for _, start in found]
        self.begins = list(accumulate(map(len, self.words), initial=0))  # of each within `joined`; and its length
        self.joined = "".join(self.words)

    @cached_property
    def by_word(self) -> Mapping[str, Sequence[int]]:
        """A word → which ones it is."""
        out: dict[str, list[int]] = {}
        for number, word in enumerate(self.words):
            out.setdefault(word, []).append(number)
        return out

    def at(self, begin: int, end: int) -> Span | None:
        """Where what stands in `joined` stands in the text; None where it is a part of a word."""
        first, last = bisect_right(self.begins, begin) - 1, bisect_left(self.begins, end) - 1
        if not (self._parts(first, begin) and self._parts(last, end)):
            return None
        return self.starts[first] + begin - self.begins[first], self.starts[last] + end - self.begins[last]

    def _parts(self, number: int, place: int) -> bool:
        """Whether a word ends or begins at a place in it: scripts without blanks, and 80333Munich, are cut anywhere."""
        word, cut = self.words[number], place - self.begins[number]
        if cut in {0, len(word)} or word[cut] >= NO_SPACES:
            return True
        return bool(
            (word[cut].isdigit() and LETTERS_LAST.search(word, 0, cut))
            or (word[cut - 1].isdigit() and LETTERS.match(word, cut))
        )

    def first_from(self, place: int) -> int:
        """The first word that begins at a place of the text, or behind it."""
        return bisect_left(self.starts, place)

    def end(self, number: int) -> int:
        return self.starts[number] + len(self.words[number])


class Index:
    """All places below are in `self.text`, which is the text cleaned."""

    def __init__(self, original: str, *, is_mended: bool = False) -> None:
        self.is_mended = is_mended
        self.cleaned: Cleaned = cleaned(original)
        self.text, self.lower = self.cleaned.text, self.cleaned.lower
        self.asked: dict[tuple[str, bool, Decimal | str | None], Sequence[Span]] = {}  # what was looked for

    @cached_property
    def words(self) -> Words:
        return Words(self.lower)

    @cached_property
    def numbers(self) -> Mapping[str, Sequence[Span]]:
        """The digits of a number, without the zeros at its ends → where they stand."""
        out: dict[str, list[Span]] = {}
        for match in FIGURES.finditer(self.text):
            out.setdefault(digits_of(match[0][:MOST_SIGNS]), []).append(match.span())
        for match in WITH_BLANKS.finditer(self.text):
            out.setdefault(digits_of(match[1]), []).append(match.span(1))
        return out

    @cached_property
    def dates(self) -> Mapping[date, Sequence[Span]]:
        out: dict[date, list[Span]] = {}
        for one in figures.dates(self.text, dollars=None):
            out.setdefault(one.day, []).append((one.start, one.end))
        return out

    @cached_property
    def mended(self) -> "Index | None":
        """The same with O, l and I read as digits where they stand among digits; None where that changes nothing."""
        mended = figures.with_digits(self.text)
        return None if mended == self.text or self.is_mended else Index(mended, is_mended=True)

    @cached_property
    def gives_back(self) -> bool:
        """Whether it is a credit note, by its words."""
        return CREDIT.search(self.lower) is not None

    @cached_property
    def lines(self) -> Sequence[int]:
        """Where each line begins."""
        return [0, *(match.end() for match in re.finditer(r"[\n\f\r]", self.text))]

    def line(self, place: int) -> int:
        return bisect_right(self.lines, place) - 1

    def span_of_line(self, number: int) -> Span:
        after = number + 1
        return self.lines[number], self.lines[after] - 1 if after < len(self.lines) else len(self.text)


def digits_of(figure: str) -> str:
    return figure.translate(SEPARATORS).strip("0")
