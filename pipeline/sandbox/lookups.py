"""Look-ups as the sandbox plays a model that may ask for some: each once, by what the document says. Pure.

What they find is read as if the document said it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from pipeline.sandbox.exchange import Call, Question, Rules

MOST_LINES = 200


def calls_of(rules: Rules, question: Question) -> tuple[Call, ...]:
    """What a model asks for before it answers; nothing, once something was looked up."""
    return tuple(
        Call(f"{number}", name, orjson.dumps(rules.extract(question.document, schema)).decode())
        for number, (name, schema) in enumerate(question.lookups)
    )


def with_results(document: str, results: Iterable[str]) -> str:
    """The document with what was found behind it, a line for each value."""
    lines = [line for text in results for line in _lines(text)]
    return "\n\n".join([document, *(["\n".join(lines[:MOST_LINES])] if lines else [])])


def _lines(text: str) -> list[str]:
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    one = found[0] if isinstance(found, list) and found else found
    inner = one.get("result") if isinstance(one, Mapping) and "result" in one else one  # as Gemini is told
    values = inner if isinstance(inner, Mapping) else {}
    return [
        f"{name.replace('_', ' ')}: {value}" for name, value in values.items() if isinstance(value, str | int | float)
    ]
