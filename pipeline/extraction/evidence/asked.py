"""The one small question about values that were not found: on which line each of them stands. Pure.

The model names lines, not words: 3 tokens a value instead of 10, and nothing that it says is believed before the value
is seen on that line.
"""

import re
from collections.abc import Mapping, Sequence

from pipeline.text import WHERE

SYSTEM = (
    "You are given a document, line by line, each with its number, and values that somebody took from it. Say for each "
    "value on which line it stands, in whatever spelling, or what line it was worked out from."
)
FORM = (
    "Answer with one line for each value and nothing else: the value's number, a colon, and the number of the line, "
    "or 0 where no line says it."
)
ANSWERED = re.compile(r"^\W*(\d{1,4})\s*[:.)=-]\s*(?:line\s*)?(\d{1,7})\b", re.MULTILINE | re.IGNORECASE)
MOST_VALUES = 40  # that one question is about
MOST_VALUE_CHARS = 200


def question(text: str, values: Sequence[tuple[str, object]]) -> str:
    """`values`: (path, value) of each."""
    lines = "\n".join(f"{number}| {line}" for number, line in enumerate(text.splitlines(), 1))
    wanted = "\n".join(
        f"{number}. {path} = {str(value)[:MOST_VALUE_CHARS]}" for number, (path, value) in enumerate(values, 1)
    )
    return f"{lines}\n\n{WHERE}\n{wanted}\n\n{FORM}"


def lines_named(answer: str, values: int, lines: int) -> Mapping[int, int]:
    """Value → line, both from 0, of what an answer names; what is no value or no line is left out.

    >>> lines_named("1: 3\\n2: 0\\n3: 99", values=3, lines=10)
    {0: 2}
    """
    named = ((int(value) - 1, int(line) - 1) for value, line in ANSWERED.findall(answer))
    return {value: line for value, line in named if value in range(values) and line in range(lines)}


def line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, in the order of `str.splitlines`."""
    spans, start = [], 0
    for line in text.splitlines(keepends=True):
        spans.append((start, start + len(line)))
        start += len(line)
    return spans


def seen_on(line: str, leaf: "Leaf") -> tuple[int, int] | None:
    """Where a value is seen on a line that was named for it; None where that line does not say it."""
    raise NotImplementedError
