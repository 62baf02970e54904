"""Where a value may stand in a text, by what it means. Pure."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

from pipeline.extraction.evidence.cleaned import plain
from pipeline.extraction.evidence.index import MOST_SIGNS, NO_SPACES, WORD, Index, Span, digits_of
from pipeline.extraction.evidence.leaves import Value
from pipeline.values import figures, words

MAX_PLACES = 2_000
ONE_WORD, FEW_DIGITS, FEW_SIGNS = 3, 8, 5  # what is shorter stands in one piece
MAX_LINES_APART = 6
CODE = re.compile(r"[A-Z]{2,3}")
MARKS: dict[str, list[str]] = {}
for _mark, _code in words.MARKS.items():
    MARKS.setdefault(_code, []).append(plain(_mark).lower())


def places_of(value: Value, index: Index) -> Sequence[Span]:
    """In the order of the text. Of texts with others between their words: `in_order`."""
    spans = _found(value, index)
    if spans or value.kind not in {"number", "date"} or index.mended is None:
        return spans
    return _found(value, index.mended)


def _found(value: Value, index: Index) -> Sequence[Span]:
    """Looked for once: a record says the same in many places."""
    said = (
        value.number if isinstance(value.value, int | float | Decimal) or value.kind == "number" else str(value.value)
    )
    asked = (value.kind, value.is_rate, said)
    if asked not in index.asked:
        index.asked[asked] = _looked_for(value, index)
    return index.asked[asked]


def _looked_for(value: Value, index: Index) -> Sequence[Span]:
    if value.kind != "number":
        return sorted(islice(FINDERS[value.kind](value.value, index), MAX_PLACES))
    return () if value.number is None else _places_of_number(value.number, index, is_rate=value.is_rate)


def _places_of_number(number: Decimal, index: Index, *, is_rate: bool) -> Sequence[Span]:
    size = abs(number)
    spans = index.numbers.get(digits_of(format(size, "f")), ())
    found = [span for span in spans if _says(index.text, span, size, is_rate=is_rate)]
    signed = [(span, figures.minus_at(index.text, *span)) for span in found]
    alike = [(minus or span) for span, minus in signed if (minus is not None) == (number < 0)]
    if not alike and found and (number < 0 or index.gives_back):  # what is given back may have any sign
        alike = [minus or span for span, minus in signed]
    return sorted(alike)


def _says(text: str, span: Span, size: Decimal, *, is_rate: bool) -> bool:
    start, end = span
    figure = text[start:end]
    if end - start > MOST_SIGNS or (figure[0] == "0" and figure[1:2].isdigit()) or not _stands_alone(text, start, end):
        return False
    read = figures.readings(figure)
    percent = is_rate and 0 < size < 1 and text[end : end + 2].lstrip(" ")[:1] == "%"
    return size in read or (percent and size * 100 in read)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether figures are a number, and no part of a word, of an id, a date or a time."""
    before, earlier = text[start - 1 : start], text[max(0, start - 2) : max(0, start - 1)]
    after, later = text[end : end + 1], text[end + 1 : end + 2]
    if before.isalnum() and before < NO_SPACES and not _has_code(text, start):
        return False
    if before == "_" or (before in "/-" and before and earlier.isalnum()) or (before == ":" and earlier.isdigit()):
        return False
    return not (after == "_" or (after and after in "/-:" and later.isdigit()) or (after.isalpha() and later.isdigit()))


def _has_code(text: str, start: int) -> bool:
    before = figures.BEFORE.search(text, max(0, start - figures.BEFORE_CHARS), start)
    return before is not None and before["mark"] is not None


def date_of(value: Any) -> date | None:  # noqa: ANN401 (as above)
    if isinstance(value, date):
        return value if type(value) is date else date(value.year, value.month, value.day)
    with suppress(ValueError):
        return date.fromisoformat(str(value)[:10])
    return None


def _dates(value: Any, index: Index) -> Iterator[Span]:  # noqa: ANN401 (as above)
    day = date_of(value)
    if day is None:
        yield from _texts(value, index)
        return
    clock = str(value)[11:16]
    found = False
    for span in index.dates.get(day, ()):
        if clock in {"", "00:00"} or clock in index.text[slice(*index.span_of_line(index.line(span[0])))]:
            found = True
            yield span
    for number in () if found else index.words.by_word.get(f"{day:%Y%m%d}", ()):
        yield index.words.starts[number], index.words.end(number)


def _texts(value: Any, index: Index) -> Iterator[Span]:  # noqa: ANN401 (as above)
    text = "" if isinstance(value, int) else str(value)
    if CODE.fullmatch(text):
        return _codes(text, index)
    wanted = "".join(WORD.findall(plain(text).lower()))
    return _joined(wanted, text, index) if wanted else _signs(text.strip(), index)


def _signs(text: str, index: Index) -> Iterator[Span]:
    sign = plain(text).lower()
    for match in re.finditer(re.escape(sign), index.lower) if sign and sign in index.lower else ():
        yield match.span()


def _joined(wanted: str, text: str, index: Index) -> Iterator[Span]:
    """By letters and digits only, and whole words; of few of them, none apart."""
    words_of, joined = index.words, index.words.joined
    few = len(wanted) < FEW_SIGNS or (
        wanted.isdigit() and len(wanted) < FEW_DIGITS and not re.search(r"\s", text.strip())
    )
    if len(wanted) <= ONE_WORD and wanted < NO_SPACES:
        yield from ((words_of.starts[one], words_of.end(one)) for one in words_of.by_word.get(wanted, ()))
        return
    begin = joined.find(wanted)
    while begin >= 0:
        span = words_of.at(begin, begin + len(wanted))
        if span is not None and not (few and re.search(r"\s", index.text[slice(*span)])):
            yield span
        begin = joined.find(wanted, begin + 1)


def _codes(code: str, index: Index) -> Iterator[Span]:
    """Such as EUR and DE: in capitals; of currencies their other signs, too."""
    for number in index.words.by_word.get(code.lower(), ()):
        start, end = index.words.starts[number], index.words.end(number)
        if index.text[start:end] == code:
            yield start, end
    for mark in MARKS.get(code, ()):
        if not mark.isascii() or not mark.isalpha():
            yield from _signs(mark, index)
        elif mark != code.lower():
            numbers = index.words.by_word.get(mark, ())
            yield from ((index.words.starts[one], index.words.end(one)) for one in numbers)


def _nowhere(value: Any, index: Index) -> Iterator[Span]:  # noqa: ANN401, ARG001 (as above)
    return iter(())


FINDERS: Mapping[str, Callable[[Any, Index], Iterator[Span]]] = {  # of what is no number
 "date": _dates, "text": _texts, "enum": _texts, "time": _texts, "bool": _nowhere,
}  # fmt: skip


def in_order(value: str, index: Index) -> list[Span]:
    """Where all words of a text stand one after another with others between: wrapped beside other columns."""
    wanted = WORD.findall(plain(value).lower())
    by_word = index.words.by_word
    if len(wanted) < 2 or any(word not in by_word for word in wanted):
        return []
    spans = (_walk(first, wanted, index) for first in islice(by_word[wanted[0]], MAX_PLACES // 10))
    return [span for span in spans if span is not None]


def _walk(first: int, wanted: Sequence[str], index: Index) -> Span | None:
    at, numbers = first, index.words.by_word
    furthest = first + 3 * len(wanted) + 12
    for word in wanted[1:]:
        places = numbers[word]
        following = bisect_left(places, at + 1)
        if following == len(places) or places[following] > furthest:
            return None
        at = places[following]
    start, end = index.words.starts[first], index.words.end(at)
    lines = index.line(end - 1) - index.line(start)
    return (start, end) if lines <= min(MAX_LINES_APART, 2 * len(wanted)) else None
