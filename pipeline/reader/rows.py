"""Words with their places → text: a row stays one line, columns of prose are read one after the other. Pure.

Coordinates are points in the frame of the text itself: `x` along the line, `y` upward; see `words`.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from pipeline.reader.columns import bands

_SAME_ROW = 0.5  # of the lower word's height: baselines that are nearer are one
_COLUMN_GAP = 1.2  # of a word's height: from here on a gap is more than a blank
_NO_GAP = 0.06
_PARAGRAPH = 2.2  # of the row's height: baselines that are farther from each other have an empty line between them
_HYPHENS = "\x02\ufffe\xad"  # a hyphen at the end of a line, as pdfium tells it, and as it stands
_STAYS_OPEN = {"und", "oder", "bzw", "bzw.", "sowie", "and", "or", "et", "ou", "y", "o", "e", "en", "of"}
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Word(Struct, gc=False):
    """Characters without a blank between them, on one line."""

    text: str
    x: float
    right: float
    y: float  # of the baseline
    height: float  # of the line, for its font: some 1.2 em
    place: int  # in the order that they are drawn in
    glued: bool = False  # nothing stands between it and the word that was drawn before


Row = list[Word]  # from left to right


def text_of(words: Sequence[Word]) -> str:
    """All of them, a line each row."""
    if not words:
        return ""
    words = _without_hyphens(words)
    backward = _is_backward(words)
    return "\n".join(_lines(band, backward=backward) for band in bands(rows_of(words), rows_of))


def rows_of(words: Iterable[Word]) -> list[Row]:
    """Words on one baseline together, from the top down."""
    rows: list[Row] = []
    row: Row = []
    baseline, height = 0.0, 0.0
    for word in sorted(words, key=lambda word: -word.y):
        apart = baseline - word.y
        if row and apart <= _SAME_ROW * min(height, word.height) and not _covers(row, word, apart, height):
            row.append(word)
            if word.height > height:
                baseline, height = word.y, word.height
        else:
            row = [word]
            rows.append(row)
            baseline, height = word.y, word.height
    for row in rows:
        row.sort(key=lambda word: word.x)
    return rows


def _covers(row: Row, word: Word, apart: float, height: float) -> bool:
    """Whether `word` stands under one of the row: lines set tight are two."""
    if apart <= 0.15 * height:
        return False
    most = 0.3 * (word.right - word.x)
    return any(min(other.right, word.right) - max(other.x, word.x) > most for other in row)


def _is_backward(words: Sequence[Word]) -> bool:
    """Whether lines begin at the right: Arabic, Hebrew."""
    return sum(_RIGHT_TO_LEFT.search(word.text) is not None for word in words) * 2 > len(words)


def _lines(rows: Sequence[Row], *, backward: bool) -> str:
    lines: list[str] = []
    above: Word | None = None
    for row in rows:
        first = row[0]
        if above is not None and above.y - first.y > _PARAGRAPH * max(above.height, first.height):
            lines.append("")
        lines.append(_line(row, backward=backward))
        above = first
    return "\n".join(lines)


def _line(row: Row, *, backward: bool) -> str:
    if backward:
        row = row[::-1]
    parts = [row[0].text]
    before = row[0]
    for word in row[1:]:
        gap = before.x - word.right if backward else word.x - before.right
        parts += (_between(before, word, gap), word.text)
        before = word
    return "".join(parts)


def _between(before: Word, word: Word, gap: float) -> str:
    height = min(before.height, word.height)
    if gap > _COLUMN_GAP * height:
        return "  "
    follows = word.place == before.place + 1
    if (follows and word.glued) or (not follows and gap < _NO_GAP * height and gap > -height):
        return ""
    return " "


def _without_hyphens(words: Sequence[Word]) -> list[Word]:
    """With words that a line's end divides joined where they begin; the rest of such a word is no word of its own."""
    joined: list[Word] = []
    for word in words:
        before = joined[-1] if joined else None
        if before is not None and before.text[-1] in _HYPHENS:
            if _goes_on(before, word):
                before.text = _join(before.text, word.text)
                continue
            before.text = before.text[:-1] + "-"
        joined.append(word)
    if joined[-1].text[-1] in _HYPHENS:
        joined[-1].text = joined[-1].text[:-1] + "-"
    return joined


def _goes_on(word: Word, following: Word) -> bool:
    """Whether `following` begins one of the next lines, and is the rest of `word`."""
    below = word.y - following.y
    return 0.3 * word.height < below < 3 * word.height and following.text.lower() not in _STAYS_OPEN


def _join(start: str, rest: str) -> str:
    """Without the hyphen where only the line's end called for it."""
    return start[:-1] + rest if rest[0].islower() else f"{start[:-1]}-{rest}"
