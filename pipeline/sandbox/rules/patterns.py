"""A schema's `pattern`: a text that matches it, and whether a found one does, in linear time. Pure and bounded."""

import importlib
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_PATTERN_CHARS = 2_000
MAX_CHARS = 1_000  # of an example
MORE = (0, 1, 2, 4, 8, 16, 32, 64, 128)  # how often what may be repeated is, beyond its least
CHARACTERS = "a0A1 -_.,/:@#+é漢"  # what a class of characters is tried with
PARSER = importlib.import_module("re._parser")  # Python's own reader of patterns, which has no public name


class Pattern:
    """One pattern, read once."""

    def __init__(self, source: str) -> None:
        self._parts: Sequence[Any] = ()  # as Python reads it
        self._engine: SchemaValidator | None = None
        with suppress(re.error, OverflowError, RecursionError, ValueError), warnings.catch_warnings(action="ignore"):
            self._parts = PARSER.parse(source)
        with suppress(SchemaError):
            self._engine = SchemaValidator(core_schema.str_schema(pattern=source, regex_engine="rust-regex"))

    def takes(self, text: str) -> bool:
        return self._engine is not None and self._engine.isinstance_python(text)

    def example(self, least_chars: int, most_chars: int) -> str | None:
        """A text that matches and has a length in between; None when none was found."""
        for more in MORE:
            text = "".join(_example(self._parts, more))[:MAX_CHARS]
            for one in (text, text.ljust(least_chars, "0")):
                if least_chars <= len(one) <= most_chars and (self._engine is None or self.takes(one)):
                    return one
        return None


@lru_cache(maxsize=512)
def pattern_of(source: str) -> Pattern:
    return Pattern(source[:MAX_PATTERN_CHARS])


def _example(parts: Iterable[Any], more: int) -> Iterable[str]:
    for kind, detail in parts:
        match str(kind):
            case "LITERAL":
                yield chr(detail)
            case "ANY" | "NOT_LITERAL":
                yield "x"
            case "IN":
                yield _of_class(detail)
            case "BRANCH":
                yield from _example(detail[1][0], more)
            case "SUBPATTERN":
                yield from _example(detail[-1], more)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, inner = detail
                yield "".join(_example(inner, 0))[:MAX_CHARS] * min(least + more, int(most), MAX_CHARS)


def _of_class(members: Sequence[tuple[Any, Any]]) -> str:
    """A character of a class: one of a few that most classes have, else the first that one names."""
    named = "".join(chr(detail[0] if isinstance(detail, tuple) else detail or 0) for _, detail in members)
    found = re.search(f"[{''.join(map(_member, members))}]", CHARACTERS + named)
    return found[0] if found else ""


def _member(member: tuple[Any, Any]) -> str:
    kind, detail = str(member[0]), member[1]
    if kind == "NEGATE":
        return "^"
    if kind == "CATEGORY":
        name = str(detail).removeprefix("CATEGORY_")  # such as DIGIT or NOT_DIGIT
        return "\\" + (name[4] if name.startswith("NOT_") else name[0].lower())
    if kind == "RANGE":
        return f"{re.escape(chr(detail[0]))}-{re.escape(chr(detail[1]))}"
    return re.escape(chr(detail))
