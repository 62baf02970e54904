"""Whether rows are those of a table, which stay whole, or of columns of prose side by side. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.reader.rows import Row, Word

_LINES = 4  # of each side: fewer are no column
_WORDS = 3  # of a line, on the middle
_LETTERS = 0.75  # of what is written
_FULL = 0.8  # of the column's width, that most lines reach: labels and their values are of any length
_CANDIDATES = 6
_GUTTER = 0.5  # of a line's height


def bands(rows: "list[Row]", rows_of: "Callable[[Iterable[Word]], list[Row]]") -> "Iterator[list[Row]]":
    """`rows` in reading order, in stretches that are read from the top down."""
    gutter = _gutter(rows)
    if gutter is None:
        yield rows
        return
    for band in _bands_at(rows, gutter):
        left, right = _halves(band, gutter)
        if _is_prose(left) and _is_prose(right):
            for half in (left, right):
                yield from bands(rows_of(word for row in half for word in row), rows_of)
        else:
            yield band


def _gutter(rows: "Sequence[Row]") -> float | None:
    """Where the right one of two columns begins, if there are such; of several places the one with most lines."""
    best, most = None, 0
    for x in _candidates(rows):
        lines = 0
        for band in _bands_at(rows, x):
            left, right = _halves(band, x)
            if _is_prose(left) and _is_prose(right):
                lines += min(len(left), len(right))
        if lines > most:
            best, most = x, lines
    return best


def _candidates(rows: "Sequence[Row]") -> list[float]:
    """Places at which several lines begin anew, with something like prose."""
    if len(rows) < _LINES:
        return []
    begins: Counter[int] = Counter()
    for row in rows:
        end = row[0].x  # what is first in its row may begin the right column, too, where the left one has no line
        for index, word in enumerate(row):
            if (index == 0 or word.x - end > _GUTTER * word.height) and _begins_prose(row, index):
                begins[round(word.x / 3)] += 1
            end = word.right
    leftmost = min(row[0].x for row in rows)
    places = [(begins[at] + begins[at + 1], 3 * at - 2.0) for at in begins if 3 * at > leftmost + 60]
    return [x for count, x in sorted(places, reverse=True)[:_CANDIDATES] if count >= _LINES]


def _begins_prose(row: "Row", index: int) -> bool:
    """Whether the next words are words, near to each other."""
    words = row[index : index + _WORDS]
    return len(words) == _WORDS and all(after.x - before.right < after.height for before, after in pairwise(words))


def _bands_at(rows: "Sequence[Row]", x: float) -> "Iterator[list[Row]]":
    """`rows`, divided where a word crosses `x`: a title, a line over both columns."""
    band: list[Row] = []
    for row in rows:
        crosses = any(word.x < x < word.right for word in row) or _runs_across(row, x)
        if band and crosses:
            yield band
            band = []
        if crosses:
            yield [row]
        else:
            band.append(row)
    if band:
        yield band


def _runs_across(row: "Row", x: float) -> bool:
    """Whether no gap is at `x`: only a blank between two words."""
    before = after = None
    for word in row:
        if word.right <= x:
            before = word
        elif after is None:
            after = word
    return before is not None and after is not None and after.x - before.right < _GUTTER * after.height


def _halves(band: "Sequence[Row]", x: float) -> "tuple[list[Row], list[Row]]":
    left = [side for row in band if (side := [word for word in row if word.right <= x])]
    right = [side for row in band if (side := [word for word in row if word.right > x])]
    return left, right


def _is_prose(lines: "Sequence[Row]") -> bool:
    if len(lines) < _LINES:
        return False
    words = sorted(len(line) for line in lines)[len(lines) // 2]
    if words < _WORDS:
        return False
    written = "".join(word.text for line in lines for word in line)
    if sum(map(str.isalpha, written)) < _LETTERS * len(written):
        return False
    begin, end = min(line[0].x for line in lines), max(line[-1].right for line in lines)
    reached = sorted(line[-1].right - begin for line in lines)[len(lines) * 2 // 5]
    labels = sum(line[-1].text.endswith(":") for line in lines)
    return reached > _FULL * (end - begin) and labels * 2 < len(lines)
