"""The words of a PDF page, each with its place in the frame of its own direction."""

import math
import re
import sys
from collections.abc import Iterator
from ctypes import byref, c_double, c_ushort
from itertools import pairwise
from statistics import median

from msgspec import Struct

from pipeline.reader.pdfium import pdfium
from pipeline.reader.rows import Word
from pipeline.text import repaired

_WORD = re.compile("[^\\s\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
_INVISIBLE = {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}
_QUARTER = math.pi / 2
_SKEW_MOST = math.radians(20)  # farther from every quarter turn, text is slanted on purpose: a watermark
_NO_HEIGHT = 8.0  # points: of a font that tells none

Box = tuple[float, float, float, float]  # left, bottom, right, top


class Direction(Struct):
    """Words that are read in one direction, in the order that they are drawn in."""

    angle: float  # radians, against the clock
    words: list[Word]


class PageWords(Struct):
    visible: list[Direction]  # the one with most words first
    hidden: list[Direction]


def words_of(textpage: object, box: Box, *, some_hidden: bool) -> PageWords:
    """The words inside `box`. Without `some_hidden` all are taken for visible, which saves a look at each."""
    visible: dict[int, list[tuple[Word, float]]] = {}
    hidden: dict[int, list[tuple[Word, float]]] = {}
    found = _Finder(textpage, box)
    for index, end, text, glued in found.spans():
        for word, angle in found.words(index, end, text, glued=glued):
            kind = hidden if some_hidden and found.is_hidden(index) else visible
            kind.setdefault(_key(angle), []).append((word, angle))
    return PageWords(_directions(visible), _directions(hidden))


def _key(angle: float) -> int:
    """Quarter turns, or degrees for what is none."""
    turns = round(angle / _QUARTER)
    return turns % 4 if abs(angle - turns * _QUARTER) <= _SKEW_MOST else round(math.degrees(angle)) + 4


def _directions(found: "dict[int, list[tuple[Word, float]]]") -> list[Direction]:
    directions = []
    for key, turned in found.items():
        skew = median(angle for _, angle in turned)
        words = [word for word, _ in turned]
        _straighten(words, skew - key * _QUARTER if key < 4 else 0.0)
        directions.append(Direction(skew, words))
    return sorted(directions, key=lambda direction: -len(direction.words))


def _straighten(words: list[Word], skew: float) -> None:
    """As on a page that lies straight: a line's words have one baseline again."""
    skew = (skew + math.pi) % (2 * math.pi) - math.pi
    if abs(skew) > 1e-3:
        slope = math.tan(skew)
        for word in words:
            word.y -= slope * word.x


class _Finder:
    """Asks pdfium for as little as will do: of a word its first and its last character."""

    def __init__(self, textpage: object, box: Box) -> None:
        self._page, self._box = textpage, box
        self._rect = pdfium.FS_RECTF()
        self._x, self._y = c_double(), c_double()
        self._rect_at, self._x_at, self._y_at = byref(self._rect), byref(self._x), byref(self._y)
        self._place = 0

    def spans(self) -> Iterator[tuple[int, int, str, bool]]:
        """First index, index after the last, text, and whether nothing stands between it and the one before."""
        text, before = self._text(), -1
        for match in _WORD.finditer(text):
            start, end = match.span()
            yield start, end, match.group(), start == before
            before = end

    def _text(self) -> str:
        """All characters, one for each of pdfium's indices."""
        count = pdfium.FPDFText_CountChars(self._page)
        buffer = (c_ushort * (count + 1))()
        got = pdfium.FPDFText_GetText(self._page, 0, count, buffer) - 1
        if got == count:
            text = bytes(buffer)[: 2 * got].decode("utf-16-le", "replace")
            if len(text) == count:
                return text
        return "".join(self._char(index) for index in range(count))

    def _char(self, index: int) -> str:
        code = pdfium.FPDFText_GetUnicode(self._page, index)
        if code == 0:  # a glyph that stands for nothing
            return " " if pdfium.FPDFText_IsGenerated(self._page, index) else "\ufffd"
        return chr(code) if code <= sys.maxunicode else "\ufffd"  # halves of a pair have an index each

    def is_hidden(self, index: int) -> bool:
        drawn = pdfium.FPDFText_GetTextObject(self._page, index)
        return bool(drawn) and pdfium.FPDFTextObj_GetTextRenderMode(drawn) in _INVISIBLE

    def words(self, start: int, end: int, text: str, *, glued: bool) -> Iterator[tuple[Word, float]]:
        """The word, or several, where the pen jumps within it; with the angle of each."""
        angle = -pdfium.FPDFText_GetCharAngle(self._page, start)
        first = self._framed(start, angle)
        last = self._framed(end - 1, angle) if end - start > 1 else first
        if end - start > 1 and _jumps(first, last, end - start):
            yield from self._pieces(start, text, angle)
        elif self._inside:
            yield self._word(text, first, last, glued=glued), angle

    def _pieces(self, start: int, text: str, angle: float) -> Iterator[tuple[Word, float]]:
        """`text` cut wherever a character does not follow the one before it."""
        places = [self._framed(start + index, angle) for index in range(len(text))]
        cuts = [0, *(at for at, (one, next_) in enumerate(pairwise(places), 1) if _jumps(one, next_, 2)), len(text)]
        for begin, end in pairwise(cuts):
            yield self._word(text[begin:end], places[begin], places[end - 1], glued=False), angle

    def _word(self, text: str, first: Box, last: Box, *, glued: bool) -> Word:
        self._place += 1
        left, baseline, right, height = first
        return Word(repaired(text), min(left, last[0]), max(right, last[2]), baseline, height, self._place, glued)

    def _framed(self, index: int, angle: float) -> Box:
        """Of a character, along its line: where it begins; its baseline; where it ends; how high its line is."""
        rect = self._rect
        pdfium.FPDFText_GetLooseCharBox(self._page, index, self._rect_at)
        pdfium.FPDFText_GetCharOrigin(self._page, index, self._x_at, self._y_at)
        left, bottom, right, top, x, y = rect.left, rect.bottom, rect.right, rect.top, self._x.value, self._y.value
        box = self._box
        self._inside = box[0] <= (left + right) / 2 <= box[2] and box[1] <= (bottom + top) / 2 <= box[3]
        if angle == 0.0:
            return left, y, right, (top - bottom) or _NO_HEIGHT
        turns = round(angle / _QUARTER)
        if abs(angle - turns * _QUARTER) > _SKEW_MOST:
            along, up = math.cos(angle), math.sin(angle)
            begin = x * along + y * up
            return begin, y * along - x * up, begin + (right - left), (top - bottom) or _NO_HEIGHT
        match turns % 4:
            case 1:
                return bottom, -x, top, (right - left) or _NO_HEIGHT
            case 2:
                return -right, -y, -left, (top - bottom) or _NO_HEIGHT
            case 3:
                return -top, x, -bottom, (right - left) or _NO_HEIGHT
        return left, y, right, (top - bottom) or _NO_HEIGHT


def _jumps(first: Box, last: Box, count: int) -> bool:
    """Whether from `first` to `last` of `count` characters is no way that a word goes."""
    height = max(first[3], last[3])
    return abs(last[1] - first[1]) > 0.5 * height or not -0.5 * height <= last[2] - first[0] <= 1.5 * count * height
