"""Where a text may be cut, and how good a place that is.

Pure, and blind to tokens: it looks at characters only.
"""

import re
import unicodedata
from collections.abc import Sequence

LOOK = 256  # characters around a cut in which a safe place is looked for
LONG_GRAPHEME = 16  # characters that a cut moves at most so as not to split an emoji or an accented letter
LONG_BLANK = 4096  # newlines that end a longer run of blanks are not reasoned about, only counted

# A section starts after a form feed or two blank lines, at a heading in Markdown, and at a rule below a blank line.
# A single # needs a blank line above it: else it is as often a comment.
SECTION = re.compile(
    r"[\n\f](?:(?<=\f)\f*|(?<=\n)(?:(?:[ \t]*\r?\n){2,}|(?=\#{2,6}[ \t])"
    r"|[ \t]*\r?\n(?=\#[ \t]|[-=*_]{3,}[ \t]*\r?$)))",
    re.MULTILINE,
)
BLANK_LINES = ("\n\n", "\n\r\n", "\n \n", "\n\t\n")
CLOSED = ("", '"', "'", ")", "]", "\u201d", "\u2019")
SENTENCES = tuple(f"{stop}{quote} " for stop in ".!?" for quote in CLOSED)
WIDE_STOPS = "\u3002\uff01\uff1f"  # the full stop, exclamation and question mark of Chinese and Japanese
WIDE_CLOSED = "\u300d\u300f\u201d\u2019\uff09"
WIDE_PAUSES = "\u3001\uff0c\uff1b\uff1a"
BLANKS = " \t\u00a0\u3000"
TEXT_FOLLOWS = re.compile(rf"[^\S\r\n]{{0,{LOOK}}}[^\s/]")


def is_safe(text: str, at: int) -> bool:
    """Whether the splitting patterns of o200k_base and cl100k_base surely break here, whatever else is around.

    True before a blank that follows no blank, after the last newline of a run of blanks (not before `/`, which
    punctuation takes along with newlines), between a letter and a wide stop, and at both ends.
    """
    if at in {0, len(text)}:
        return True
    before, after = text[at - 1], text[at]
    if after in BLANKS:
        if not before.isspace():
            return True
    elif after in WIDE_STOPS or after in WIDE_PAUSES:
        return before.isalpha()
    if before != "\n" or text[max(0, at - LONG_BLANK) : at].isspace():
        return False
    return TEXT_FOLLOWS.match(text, at) is not None


def best_cut(text: str, low: int, high: int) -> int:
    """The last cut from `low` to `high` of the largest kind that is there; `high` or nearby when there is none."""
    return (
        _last_section(text, low, high)
        or _last_end(text, BLANK_LINES, low, high)
        or _last_end(text, ("\n",), low, high)
        or _last_sentence(text, low, high)
        or _last_word(text, low, high)
        or _between_graphemes(text, low, high)
    )


def _last_section(text: str, low: int, high: int) -> int:
    last = 0
    for match in SECTION.finditer(text, max(0, low - LONG_GRAPHEME), min(len(text), high + LOOK)):
        if match.end() > high:
            break
        last = match.end()
    return last if last >= low else 0


def _last_end(text: str, endings: Sequence[str], low: int, high: int) -> int:
    """The end of the last of `endings` that ends from `low` to `high`, or 0."""
    found = ((text.rfind(ending, max(0, low - len(ending)), high), len(ending)) for ending in endings)
    return max((at + length for at, length in found if at >= 0), default=0)


def _last_sentence(text: str, low: int, high: int) -> int:
    spaced = _last_end(text, SENTENCES, low + 1, min(high + 1, len(text))) - 1  # the space goes to the next chunk
    wide = _last_end(text, tuple(WIDE_STOPS), low, high)
    while 0 < wide < high and text[wide] in WIDE_CLOSED:
        wide += 1
    return max(spaced, wide, 0)


def _last_word(text: str, low: int, high: int) -> int:
    blank = max(text.rfind(blank, low, high + 1) for blank in BLANKS)
    word = low + len(text[low:blank].rstrip(BLANKS)) if blank >= 0 else 0
    return max(word, _last_end(text, tuple(WIDE_PAUSES), low, high))


def _between_graphemes(text: str, low: int, high: int) -> int:
    for cut in range(high, max(low, high - LONG_GRAPHEME) - 1, -1):
        if not _joined(text, cut):
            return cut
    return high - 1 if text.startswith("\r\n", high - 1) else high


def first_start(text: str, low: int, high: int) -> int:
    """The first good place to start in the first half of `low` to `high`, else the first between graphemes."""
    middle = (low + high) // 2
    line = text.find("\n", low - 1, middle) + 1
    if line:
        return line
    for endings, kept in ((SENTENCES, 1), (tuple(WIDE_STOPS), 0), (tuple(BLANKS), 1)):
        found = [at + len(ending) - kept for ending in endings if (at := text.find(ending, low - 1, middle)) >= 0]
        starts = [start for start in found if start >= low]
        if starts:
            return min(starts)
    return next((at for at in range(low, min(high, low + LONG_GRAPHEME)) if not _joined(text, at)), high)


def _joined(text: str, at: int) -> bool:
    """Whether a cut at `at` would fall into CRLF, or part a mark, a skin tone or a joiner from its character."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if after.isascii():
        return before == "\r" and after == "\n"
    joiner = "\u200d"
    tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    return joiner in {before, after} or tone or unicodedata.category(after).startswith("M")
