"""On which line of a document values stand, where that is asked: the line that shares the most words with each."""

import re

from pipeline.text import WHERE

LINE = re.compile(r"^(\d+)\| (.*)$", re.MULTILINE)
VALUE = re.compile(r"^(\d+)\. [^\n=]* = (.*)$", re.MULTILINE)
WORD = re.compile(r"[^\W_]+")


def named_lines(text: str) -> str:
    """`1: 14` for each value, and 0 for a line where none shares a word with it."""
    document, _, asked = text.rpartition(WHERE)
    lines = [(int(number), set(WORD.findall(line.lower()))) for number, line in LINE.findall(document)]
    return "\n".join(f"{number}: {_line(value, lines)}" for number, value in VALUE.findall(asked))


def _line(value: str, lines: list[tuple[int, set[str]]]) -> int:
    wanted = set(WORD.findall(value.lower()))
    shared, line = max(((len(wanted & words), -number) for number, words in lines), default=(0, 0))
    return -line if shared else 0
