"""A schema's `pattern`: a text that matches it, and whether a text that was found does. Pure, total and bounded.

Patterns come from users, so none is trusted. Texts are held against them by an engine of linear time; what that one
does not know (looking ahead, references back) goes to Python's, and only texts too short to take long.
"""

import re
import warnings
from functools import lru_cache

from msgspec import Struct, field
from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_PATTERN_CHARS = 2_000
MAX_NESTING = 20
MAX_CHARS = 1_000  # of an example
MAX_STEPS = 5_000_000  # of Python's engine with one text
MAX_TEXT_CHARS = 400  # of a text that is held against a pattern
MORE = (0, 1, 2, 4, 8, 16, 32, 64, 128)  # how often what may be repeated is, beyond its least
SAMPLES = "A0a-_ .,/:@#x1Zz%+€é漢"  # what a negated class of characters is tried with
ESCAPED = {
    "d": "0123456789",
    "w": "Aa0_",
    "s": " ",
    "D": "A- ",
    "W": "- .",
    "S": "A0a",
    "n": "\n",
    "t": "\t",
    "r": "\r",
}
ANYTHING = "x1A"
LIKELY = ("1", "A", "a", "0", "AAA", "1.00", "unknown")
REPEATS = re.compile(r"\{(\d{0,6})(,?)(\d{0,6})\}")
OPENING = re.compile(r"\?(?:(?P<flags>[a-zA-Z]+)\)|(?P<zero_width>[=!]|<[=!])|[a-zA-Z-]*:|P?<\w+>|>)")


class Group(Struct):
    """Alternatives, each a run of parts; a part is (characters to choose from | group, least, most repeats)."""

    runs: list[list[tuple["str | Group", int, int]]] = field(default_factory=lambda: [[]])
    zero_width: bool = False


class Pattern:
    """One pattern, read once."""

    def __init__(self, source: str) -> None:
        self._linear = _linear(source)
        self._python = None if self._linear else _python(source)
        self._group = _read(source)
        self._most_chars = _most_chars(self._group) if self._group is not None else 0

    def takes(self, text: str) -> bool:
        """Whether the text is known to match; one that is too long to be sure of in time does not."""
        if self._linear is not None:
            return len(text) <= MAX_TEXT_CHARS and self._linear.isinstance_python(text)
        return self._python is not None and len(text) <= self._most_chars and self._python.search(text) is not None

    def example(self, least_chars: int = 0, most_chars: int = MAX_CHARS) -> str | None:
        """A text that matches and has a length in between; None when none was found."""
        unknown = self._linear is None and self._python is None
        for more in MORE if self._group is not None else ():
            text = _example(self._group, more, MAX_CHARS)
            if least_chars <= len(text) <= most_chars and (unknown or self.takes(text)):
                return text
        likely = (*LIKELY, "x" * least_chars, "1" * least_chars)
        return next((text for text in likely if least_chars <= len(text) <= most_chars and self.takes(text)), None)


@lru_cache(maxsize=512)
def pattern_of(source: str) -> Pattern:
    return Pattern(source)


def _linear(source: str) -> SchemaValidator | None:
    if len(source) > MAX_PATTERN_CHARS:
        return None
    try:
        return SchemaValidator(core_schema.str_schema(pattern=source, regex_engine="rust-regex"))
    except SchemaError:
        return None


def _python(source: str) -> re.Pattern[str] | None:
    if len(source) > MAX_PATTERN_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(source)
    except (re.error, OverflowError, RecursionError, RuntimeError, ValueError):
        return None


def _most_chars(group: Group) -> int:
    """How long a text may be for the number of ways to match it to stay below MAX_STEPS; 0 when repeats are nested."""
    doublings, open_ends = _freedom(group, inside=False)
    if doublings < 0:
        return 0
    left = MAX_STEPS / 2 ** min(doublings, 60)
    return min(MAX_TEXT_CHARS, int(left ** (1 / open_ends)) if open_ends else int(left > 1) * MAX_TEXT_CHARS)


def _freedom(group: Group, *, inside: bool) -> tuple[int, int]:
    """(choices of two, choices of many) that matching has; (-1, 0) for repeats within repeats."""
    doublings, open_ends = len(group.runs) - 1, 0
    if inside and len(group.runs) > 1:
        return -1, 0
    for atom, least, most in (part for run in group.runs for part in run):
        varies = most > least
        if varies and inside:
            return -1, 0
        doublings += varies and most - least == 1
        open_ends += varies and most - least > 1
        if isinstance(atom, Group):
            more = _freedom(atom, inside=inside or most > 1)
            if more[0] < 0:
                return more
            if not atom.zero_width:  # what was looked at is not looked at again in another way
                doublings, open_ends = doublings + more[0], open_ends + more[1]
    return doublings, open_ends


def _example(group: Group | None, more: int, room: int) -> str:
    parts: list[str] = []
    length = 0
    for atom, least, most in group.runs[0] if group is not None and not group.zero_width else ():
        for number in range(min(least + more, most)):
            text = atom[number % len(atom)] if isinstance(atom, str) else _example(atom, 0, room - length)
            parts.append(text)
            length += len(text)
            if length >= room or not text:
                break
    return "".join(parts)[:MAX_CHARS]


def _read(source: str) -> Group | None:
    """The parts of a pattern; None for what this small reader does not know."""
    if len(source) > MAX_PATTERN_CHARS:
        return None
    reader = _Reader(source)
    try:
        group = reader.group(0)
    except (IndexError, ValueError):
        return None
    return group if reader.at == len(source) else None


class _Reader:
    """A reader of regular expressions of the kind that schemas have.

    Raises, from any method: IndexError, ValueError: not such an expression.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def group(self, nesting: int) -> Group:
        if nesting > MAX_NESTING:
            raise ValueError("nested too deeply")
        group = Group()
        while self.at < len(self.source) and self.source[self.at] != ")":
            one = self.source[self.at]
            if one == "|":
                self.at += 1
                group.runs.append([])
                continue
            atom = self._atom(one, nesting)
            least, most = self._repeats()
            if atom is not None:
                group.runs[-1].append((atom, least, most))
        return group

    def _atom(self, one: str, nesting: int) -> "str | Group | None":
        """What stands here; None for what has no width."""
        self.at += 1
        if one == "(":
            return self._in_brackets(nesting)
        if one == "[":
            return self._class()
        if one == "\\":
            return self._escape()
        if one in "^$":
            return None
        if one in "*+?":
            raise ValueError("nothing to repeat")
        return ANYTHING if one == "." else one

    def _in_brackets(self, nesting: int) -> Group | None:
        opening = OPENING.match(self.source, self.at)
        if opening is not None:
            self.at = opening.end()
            if opening["flags"]:
                return None
        group = self.group(nesting + 1)
        group.zero_width = opening is not None and opening["zero_width"] is not None
        if self.source[self.at] != ")":
            raise ValueError("a bracket is open")
        self.at += 1
        return group

    def _escape(self) -> str | None:
        one = self.source[self.at]
        self.at += 1
        if one in "bBAZz":
            return None
        if one in "pP":
            end = self.source.index("}", self.at)
            name, self.at = self.source[self.at + 1 : end], end + 1
            return "0123456789" if name.startswith("N") else "A" if name in {"Lu", "L", "Letter"} else "a"
        if one in "xu":
            width = 2 if one == "x" else 4
            self.at += width
            return chr(int(self.source[self.at - width : self.at], 16))
        if one.isdigit():
            raise ValueError("a reference back")
        return ESCAPED.get(one, one)

    def _class(self) -> str:
        negated = self.source[self.at] == "^"
        self.at += negated
        chosen: list[str] = []
        first = True
        while first or self.source[self.at] != "]":
            first = False
            one = self.source[self.at]
            self.at += 1
            low = (self._escape() or "\b") if one == "\\" else one
            high = self._range_end() if len(low) == 1 else None
            chosen.append(low if high is None else "".join(map(chr, range(ord(low), min(ord(high), ord(low) + 9) + 1))))
        self.at += 1
        listed = "".join(chosen)
        if not negated:
            return listed
        return self._others(listed)

    def _range_end(self) -> str | None:
        if self.source[self.at] != "-" or self.source[self.at + 1] == "]":
            return None
        self.at += 1
        one = self.source[self.at]
        self.at += 1
        return (self._escape() or "\b") if one == "\\" else one

    def _others(self, listed: str) -> str:
        others = "".join(one for one in SAMPLES if one not in listed)
        if not others:
            raise ValueError("no character is left")
        return others

    def _repeats(self) -> tuple[int, int]:
        least, most = 1, 1
        one = self.source[self.at : self.at + 1]
        if one in {"*", "+", "?"}:
            least, most = {"*": (0, MAX_CHARS), "+": (1, MAX_CHARS), "?": (0, 1)}[one]
            self.at += 1
        elif one == "{" and (match := REPEATS.match(self.source, self.at)):
            least = int(match[1] or 0)
            most = int(match[3]) if match[3] else least if not match[2] else MAX_CHARS
            self.at = match.end()
        else:
            return least, most
        if self.source[self.at : self.at + 1] in {"?", "+"}:
            self.at += 1  # lazy or possessive
        return min(least, MAX_CHARS), min(max(least, most), MAX_CHARS)
