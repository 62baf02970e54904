"""The one small question about values that were not found: on which line each of them stands. Pure.

The model names lines, not words: 3 tokens a value instead of 10, and nothing that it says is believed before the value
is seen on that line.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from pipeline.extraction.evidence.align import Leaf
from pipeline.extraction.evidence.cleaned import cleaned, plain
from pipeline.extraction.evidence.find import date_of
from pipeline.extraction.evidence.index import FIGURES, WORD
from pipeline.extraction.evidence.leaves import number_of
from pipeline.text import WHERE
from pipeline.values import figures

SYSTEM = (
    "You are given a document, line by line, each with its number, and values that somebody took from it. Say for each "
    "value on which line it stands, in whatever spelling, or what line it was worked out from."
)
FORM = (
    "Answer with one line for each value and nothing else: the value's number, a colon, and the number of the line, "
    "or 0 where no line says it."
)
ANSWERED = re.compile(r"^\W*(\d{1,4})\s*[:.)=-]\s*(?:line\s*)?(\d{1,7})\b", re.MULTILINE | re.IGNORECASE)
ONLY_LINES = re.compile(r"\s*\d{1,4}\s*:\s*\d{1,7}(?:\s+\d{1,4}\s*:\s*\d{1,7})*\s*")
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
    r"""Value → line, both from 0, of what an answer names; what is no value or no line is left out.

    >>> lines_named("1: 3\\n2: 0\\n3: 99", values=3, lines=10)
    {0: 2}
    """
    named = ((int(value) - 1, int(line) - 1) for value, line in ANSWERED.findall(answer))
    return {value: line for value, line in named if value in range(values) and line in range(lines)}


def names_lines(answer: str) -> bool:
    """Whether an answer is one to such a question: it has no other form, and no record has this one."""
    return ONLY_LINES.fullmatch(answer) is not None


def line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, in the order of `str.splitlines`."""
    spans, start = [], 0
    for line in text.splitlines(keepends=True):
        spans.append((start, start + len(line)))
        start += len(line)
    return spans


def seen_on(line: str, leaf: Leaf) -> tuple[int, int] | None:
    """Where a value is seen on a line that was named for it, start and end; None where that line does not say it.

    The line was pointed at, so less is asked of it than of a whole document: a number's figures in whatever grouping, a
    date's day, month and year in whatever order, and half of a text's words with all of its figures.
    """
    read = cleaned(figures.mended(line) if leaf.kind == "number" else line)
    wanted = TOKENS[leaf.kind](leaf.value) if leaf.kind in TOKENS else _words_of(leaf.value)
    seen = [(word.span(), token) for word in WORD.finditer(read.lower) for token in wanted if _same(word[0], token)]
    if leaf.kind == "number":
        seen = [(one.span(), "") for one in FIGURES.finditer(read.text) if _figures(one[0]) in wanted]
    have = {token for _, token in seen}
    needed = [token for token in wanted if token.isdigit() or leaf.kind == "date"]
    enough = bool(have) if leaf.kind == "number" else len(have) * 2 >= len(set(wanted)) and have.issuperset(needed)
    if not seen or not enough or not wanted:
        return None
    return read.start(min(start for (start, _), _ in seen)), read.end(max(end for (_, end), _ in seen))


def _words_of(value: object) -> list[str]:
    return WORD.findall(plain(str(value)).lower())


def _figures(text: str) -> str:
    """What is left of a number without its separators and the zeros at its ends."""
    return re.sub(r"\D", "", text).strip("0")


def _date_parts(value: object) -> list[str]:
    day = date_of(value)
    return _words_of(value) if day is None else [str(day.day), f"@m{day.month}", f"@y{day.year}"]


def _same(word: str, token: str) -> bool:
    """`@m7` is a month, and `@y2026` a year, as they are written."""
    if token.startswith("@m"):
        return word.lstrip("0") == token[2:] or figures.MONTH_NUMBERS.get(word) == int(token[2:])
    if token.startswith("@y"):
        return word in {token[2:], token[4:]}
    return word == token or (token.isdigit() and word.lstrip("0") == token.lstrip("0") != "")


TOKENS: Mapping[str, Callable[[object], list[str]]] = {
    "number": lambda value: [_figures(format(abs(number), "f"))] if (number := number_of(value)) is not None else [],
    "date": _date_parts,
}
