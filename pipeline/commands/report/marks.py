"""A source text with words marked in it: cut into pages and pieces, each under the marks that cover it. Pure.

Places are code points, and are cut here: JavaScript counts in other units. What does not fit is left out and counted.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from pipeline.reader.read import PAGE_BREAK

ABOUT = 160  # characters kept on either side of a mark, where the text is cut down
Span = tuple[int, int]


class Piece(Struct, frozen=True):
    """A stretch of the text, and the numbers of the marks over all of it; or `left_out` characters in its place."""

    text: str
    of: tuple[int, ...] = ()
    left_out: int = 0


class SourcePage(Struct, frozen=True):
    """Pages `number` to `last`, from 1: several where nothing of them is shown."""

    number: int
    last: int
    pieces: tuple[Piece, ...]


def kept_spans(length: int, marks: Sequence[Span], most: int) -> list[Span]:
    """What is shown of a text: all of it, or at most `most` characters: those about the marks, and the beginning.

    >>> kept_spans(5_000, [(4_000, 4_010)], 1_000)
    [(0, 670), (3840, 4170)]
    """
    if length <= most:
        return [(0, length)]
    kept: list[Span] = []
    left, done = most * 3 // 4, 0
    for start, end in sorted(one for one in marks if one[0] < one[1]):
        wide = max(done, start - ABOUT), max(done, min(length, end + ABOUT))
        if wide[1] - wide[0] <= left:
            kept.append(wide)
            left -= wide[1] - wide[0]
            done = wide[1]
    beginning = most - sum(end - start for start, end in kept)
    return _joined([(0, beginning), *kept])


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(one for one in spans if one[0] < one[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def pages_of(text: str, marks: Sequence[Span], most: int) -> tuple[SourcePage, ...]:
    """The text by page, cut at every border of a mark. `marks`: start and end, the end exclusive; numbered from 0.

    >>> [piece.of for piece in pages_of("net 5 EUR", [(0, 5), (4, 9)], 100)[0].pieces]
    [(0,), (0, 1), (1,)]
    """
    kept = kept_spans(len(text), marks, most)
    pages: list[SourcePage] = []
    pieces: list[Piece] = []
    number = 1
    for piece in _pieces(text, marks, kept):
        if piece.text == PAGE_BREAK:
            _add(pages, number, pieces)
            number, pieces = number + 1, []
        else:
            pieces.append(piece)
    _add(pages, number, pieces)
    return tuple(pages)


def _add(pages: list[SourcePage], number: int, pieces: Sequence[Piece]) -> None:
    """A page; of which nothing is shown, with those before of which nothing is."""
    before = pages[-1] if pages else None
    if before is not None and _hidden(before.pieces) and _hidden(pieces):
        left_out = before.pieces[0].left_out + pieces[0].left_out
        pages[-1] = SourcePage(before.number, number, (Piece("", (), left_out),))
    else:
        pages.append(SourcePage(number, number, tuple(pieces)))


def _hidden(pieces: Sequence[Piece]) -> bool:
    return len(pieces) == 1 and bool(pieces[0].left_out)


def _pieces(text: str, marks: Sequence[Span], kept: Sequence[Span]) -> Iterator[Piece]:
    """In order; a page break is a piece of its own."""
    opens: dict[int, list[int]] = {}
    closes: dict[int, list[int]] = {}
    for number, (start, end) in enumerate(marks):
        if start < end:
            opens.setdefault(start, []).append(number)
            closes.setdefault(end, []).append(number)
    breaks = {place for place, char in enumerate(text) if char == PAGE_BREAK}
    starts, ends = {start for start, _ in kept}, {end for _, end in kept}
    borders = sorted({0, len(text), *opens, *closes, *starts, *ends, *breaks, *(place + 1 for place in breaks)})
    over: set[int] = set()
    shown, hidden = False, 0
    for start, end in pairwise(borders):
        over = (over - {*closes.get(start, ())}) | {*opens.get(start, ())}
        shown = start in starts or (shown and start not in ends)
        if not shown and start not in breaks:
            hidden += end - start
            continue
        if hidden:
            yield Piece("", (), hidden)
            hidden = 0
        yield Piece(text[start:end], () if start in breaks else tuple(sorted(over)))
    if hidden:
        yield Piece("", (), hidden)
