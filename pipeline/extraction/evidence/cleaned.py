"""A text as it is searched, and the way back to its places: characters that mean the same are one. Pure."""

import re
import unicodedata
from bisect import bisect_right

from msgspec import Struct

DASHES, QUOTES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7", "\u2018\u2019\u201a\u201b\u02bc\u00b4\u2032"
SAME = {**dict.fromkeys(DASHES, "-"), **dict.fromkeys(QUOTES, "'"), "\u066b": ".", "\u066c": ",", "\u060c": ","}
SPECIAL = {
    "\u0130": "I",
    "\u0131": "i",
    "ß": "ss",
    "ẞ": "SS",
    "ł": "l",
    "Ł": "L",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
}
ACCENT = re.compile("[\u0300-\u036f\ufe00-\ufe0f]")


class _Table(dict[int, str]):
    """What each character is read as, found out once."""

    def __missing__(self, code: int) -> str:
        self[code] = read = _read_as(chr(code))
        return read


def _read_as(char: str) -> str:
    if char in SPECIAL or char in SAME:
        return SPECIAL.get(char) or SAME[char]
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if unicodedata.category(char) == "Cf":  # soft hyphens, joiners, marks of direction
        return ""
    bare = ACCENT.sub("", unicodedata.normalize("NFKD", char))
    plain = "".join(SAME.get(one, one) for one in unicodedata.normalize("NFKC", bare))
    return plain if len(plain.lower()) == len(plain) else char


TABLE = _Table({code: chr(code) for code in range(0x80)})


class Cleaned(Struct, frozen=True):
    """`text`: its characters as they are read, case kept; `lower` is as long.

    From place `at[n]` on it runs beside place `source[n]` of the original.
    """

    original: str
    text: str
    lower: str
    at: list[int]
    source: list[int]

    def start(self, place: int) -> int:
        """Where in the original a place is."""
        number = bisect_right(self.at, place) - 1
        return place if number < 0 else min(self.source[number] + place - self.at[number], len(self.original))

    def end(self, place: int) -> int:
        """Where in the original a span ends that ends here and is not empty."""
        return min(self.start(place - 1) + 1, len(self.original)) if self.at else place


def cleaned(text: str) -> Cleaned:
    """`text` without accents, in half width, with one dash and one apostrophe."""
    if text.isascii():
        return Cleaned(text, text, text.lower(), [], [])
    clean = text.translate(TABLE)
    odd = [char for char in set(text) if len(TABLE[ord(char)]) != 1]
    at, source = _breaks(text, odd) if odd else ([], [])
    return Cleaned(text, clean, clean.lower(), at, source)


def plain(text: str) -> str:
    """A value, cleaned the same way."""
    return text if text.isascii() else text.translate(TABLE)


def _breaks(text: str, odd: list[str]) -> tuple[list[int], list[int]]:
    at: list[int] = []
    source: list[int] = []
    moved = 0
    for match in re.finditer("[" + re.escape("".join(odd)) + "]", text):
        place, size = match.start(), len(TABLE[ord(match[0])])
        at += [place + moved + number for number in range(size)]
        source += [place] * size
        moved += size - 1
        at.append(place + moved + 1)
        source.append(place + 1)
    return at, source
