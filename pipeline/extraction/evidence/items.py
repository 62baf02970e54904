"""Which line of a text an item of a list is in, and which of several places in it each of its values. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from pipeline.extraction.evidence.index import FIGURES, Index, Span
from pipeline.extraction.evidence.leaves import Value

MANY = 24  # places that a value stands in, from which on it says nothing of where its item is
NEAR = ((0, 1.0), (-1, 0.45), (1, 0.45), (-2, 0.2), (2, 0.2))  # what a value counts for its line, and those around it
TEXT, LONG, SHORT = 2.0, 1.5, 0.5
IN_ORDER, TAKEN = 1.25, 0.3
BEFORE, AFTER = 4, 8  # lines around an item's own that may be its, too
SMALL = 100


class Candidate(Struct, frozen=True):
    """A leaf and where it may stand. `is_small`: an integer that stands everywhere, such as a quantity.

    `is_fuzzy`: its words are there in order, with others between.
    """

    value: Value
    spans: Sequence[Span]
    is_fuzzy: bool = False
    is_small: bool = False


def candidate(value: Value, spans: Sequence[Span], *, is_fuzzy: bool = False) -> Candidate:
    number = value.number
    is_small = number is not None and abs(number) < SMALL and number == number.to_integral_value()
    return Candidate(value, spans, is_fuzzy, is_small)


def lines_of(items: Sequence[Sequence[Candidate]], index: Index) -> list[int | None]:
    """For each item of a list the line where most of its values stand, in order where that can be."""
    out: list[int | None] = []
    taken: set[int] = set()
    last = -1
    for item in items:
        scores = _scores(item, index)
        best, found = 0.0, None
        for line in sorted(scores):
            score = scores[line] * (IN_ORDER if line > last else 1) * (TAKEN if line in taken else 1)
            if score > best + 1e-9:
                best, found = score, line
        out.append(found)
        if found is not None:
            taken.add(found)
            last = found
    return out


def _scores(item: Sequence[Candidate], index: Index) -> Mapping[int, float]:
    scores: dict[int, float] = {}
    for one in item:
        lines = {index.line(start) for start, _ in one.spans[:MANY]} if len(one.spans) <= MANY else ()
        weight = (TEXT if one.value.kind == "text" else SHORT if one.is_small else LONG) / (len(lines) or 1)
        if len(lines) == 1:  # as a rule
            (line,) = lines
            for away, near in NEAR:
                scores[line + away] = scores.get(line + away, 0.0) + weight * near
            continue
        reached: set[int] = set()
        for away, near in NEAR:
            there = {line + away for line in lines} - reached
            reached |= there
            for line in there:
                scores[line] = scores.get(line, 0.0) + weight * near
    return {line: score for line, score in scores.items() if 0 <= line < len(index.lines)}


class Item(Struct, frozen=True):
    """An item in its line, and the lines around it that belong to no other."""

    candidates: Sequence[Candidate]
    line: int
    first: int
    last: int
    number: int  # from 1

    def near(self, one: Candidate, index: Index) -> list[Span]:
        """Its places in the nearest line that has any, in this item's lines."""
        start, end = index.lines[self.first], index.span_of_line(self.last)[1]
        spans = one.spans[bisect_left(one.spans, (start, 0)) : bisect_left(one.spans, (end, 0))]
        within = [span for span in spans if not one.is_small or self._away(span, index) < 2]
        nearest = min((self._away(span, index) for span in within), default=0)
        return [span for span in within if self._away(span, index) == nearest]

    def _away(self, span: Span, index: Index) -> float:
        away = index.line(span[0]) - self.line
        return away if away >= 0 else 0.5 - away


def items_in(items: Sequence[Sequence[Candidate]], lines: Sequence[int | None], index: Index) -> list[Item | None]:
    known = sorted({line for line in lines if line is not None})
    out: list[Item | None] = []
    for number, (item, line) in enumerate(zip(items, lines, strict=True), start=1):
        if line is None:
            out.append(None)
            continue
        place = bisect_left(known, line)
        first = max(0, line - BEFORE, known[place - 1] + 1 if place else 0)
        last = min(len(index.lines) - 1, line + AFTER, *(one - 1 for one in known[place + 1 : place + 2]))
        out.append(Item(item, line, first, last, number))
    return out


def chosen_in(items: Sequence[Item], index: Index) -> list[dict[str, Span]]:
    """For each item: path → the place of the value, of those that stand in its lines."""
    options = [
        {one.value.path: _fitting(item.near(one, index), one, index) for one in item.candidates} for item in items
    ]
    columns: dict[str, Counter[int]] = {}
    for item, option in zip(items, options, strict=True):
        for one in item.candidates:
            spans = option[one.value.path]
            for span in spans:
                columns.setdefault(one.value.place, Counter())[_column(span, index)] += 2 if len(spans) == 1 else 1
    return [_chosen(item, option, columns, index) for item, option in zip(items, options, strict=True)]


def _fitting(spans: list[Span], one: Candidate, index: Index) -> list[Span]:
    """Of a rate those with a percent sign, if there are any; of other small integers those without."""
    if not one.is_small and not one.value.is_rate:
        return spans
    percents = [span for span in spans if index.text[span[1] : span[1] + 2].lstrip(" ").startswith("%")]
    return (percents or spans) if one.value.is_rate else [span for span in spans if span not in percents]


def _chosen(
    item: Item, options: Mapping[str, list[Span]], columns: Mapping[str, Counter[int]], index: Index
) -> dict[str, Span]:
    """Those with one place first; then by what column the field is in elsewhere, and in the order of the schema."""
    out: dict[str, Span] = {}
    taken: list[Span] = []
    for one in sorted(item.candidates, key=lambda one: (one.value.kind != "text", len(options[one.value.path]))):
        ranked = [(_rank(span, item, taken, columns[one.value.place], index), span) for span in options[one.value.path]]
        rank, span = max(ranked, default=(None, None))
        if rank is not None and span is not None and (rank[0] or not one.is_small):
            out[one.value.path] = span
            taken += [] if one.is_fuzzy else [span]
    return out


def _rank(
    span: Span, item: Item, taken: Sequence[Span], votes: Counter[int], index: Index
) -> tuple[bool, bool, int, int]:
    free = not any(start < span[1] and span[0] < end for start, end in taken)
    return free, not _is_position(span, item, index), votes[_column(span, index)], -span[0]


def _column(span: Span, index: Index) -> int:
    """How many numbers stand to the right of it in its line."""
    return len(FIGURES.findall(index.text, span[1], index.span_of_line(index.line(span[0]))[1]))


def _is_position(span: Span, item: Item, index: Index) -> bool:
    """Whether it is the number of the item, at the beginning of its line."""
    begin = index.lines[index.line(span[0])]
    return not index.text[begin : span[0]].strip() and index.text[slice(*span)] == str(item.number)
