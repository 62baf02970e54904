"""The one JSON value in an answer that nobody held to JSON: without what models put around it. Pure.

A block of thoughts, a fence, and words before or after are left out; JSON within a JSON text is read; line breaks may
stand in texts. Where two objects differ, or a brace is left over, nothing is chosen: that is for a repair.
"""

import json
import re
from collections.abc import Callable
from typing import Any

THOUGHTS = ("think", "thinking", "thought", "reasoning")
STARTS = ("{", "[", '"', "`")  # how an answer begins that is no thought
FENCE = re.compile(r"\A\s*```[\w-]*\s*(.*?)\s*```\s*\Z", re.DOTALL)
WITHIN = re.compile(r'(?:\[|":)\s*\Z')  # what stands before an object that is only a part
MOST_DEEP = 2  # JSON texts of JSON texts

Decode = Callable[[str, int], tuple[Any, int]]


class Several(ValueError):
    """An answer that holds more than one record."""

    def __init__(self) -> None:
        super().__init__("the answer holds several JSON objects that differ; exactly one is asked for")


def value_in(text: str, decode: Decode, deep: int = 0) -> Any:  # noqa: ANN401 (any JSON value)
    """The value; `decode(text, at)` reads the one that starts there, and tells where it ends.

    Raises:
        Several: there are more. ValueError: there is none, or none without doubt.
    """
    text = without_thoughts(text).strip()
    found = FENCE.match(text)
    text = found.group(1) if found else text
    try:
        value, end = decode(text, 0)
        whole = end == len(text)
    except ValueError:
        whole = False
    if not whole:
        return _only_object(text, decode)
    return value_in(value, decode, deep + 1) if isinstance(value, str) and deep < MOST_DEEP else value


def without_thoughts(text: str) -> str:
    """Without one block of thoughts before the answer; some models tell only its end. "" where it has no end."""
    text = text.lstrip("\ufeff \t\r\n")
    for name in THOUGHTS:
        if text.startswith(f"<{name}>"):
            return text.partition(f"</{name}>")[2]
    _, end, rest = text.partition("</think>")
    return rest if end and not text.startswith(STARTS) else text


def _only_object(text: str, decode: Decode) -> Any:  # noqa: ANN401 (an object)
    """The only object among words; the same one twice is one."""
    found, around, at = [], [], 0
    while (start := text.find("{", at)) >= 0:
        around.append(text[at:start])
        value, at = decode(text, start)
        found.append(value)
    around.append(text[at:])
    if not found or any("}" in words for words in around) or WITHIN.search(around[0]):
        raise ValueError("no JSON object without doubt")
    if len({json.dumps(one, sort_keys=True, default=str) for one in found}) > 1:
        raise Several
    return found[0]
