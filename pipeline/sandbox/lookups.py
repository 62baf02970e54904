"""Look-ups as the sandbox plays a model that may ask for some: each once, by what the document says. Pure.

What they find is read as if the document said it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from msgspec import Struct

from pipeline.sandbox.exchange import Call, Question, Rules, tokens_of

MOST_LINES = 200


def asks(rules: Rules, question: Question) -> bool:
    """Whether it looks something up before it answers: once."""
    return bool(question.lookups) and (rules.endless or not question.looked_up)


def calls_of(rules: Rules, question: Question) -> tuple[Call, ...]:
    """One of each."""
    return tuple(
        Call(f"{number}", name, orjson.dumps(rules.extract(question.document, schema)).decode())
        for number, (name, schema) in enumerate(question.lookups)
    )


def with_results(document: str, results: Iterable[str]) -> str:
    """The document with what was found behind it, a line for each value."""
    lines = [line for text in results for line in _lines(text)]
    return "\n\n".join([document, *(["\n".join(lines[:MOST_LINES])] if lines else [])])


class Looked(Struct, frozen=True):
    """A conversation without its look-ups, which count as `tokens`; `unanswered`: calls without a result."""

    spoken: list[Any]
    results: list[str]
    tokens: int
    unanswered: list[str]


def looked_up(
    messages: object,
    content: str,
    call_of: Callable[[Mapping[str, Any]], str | None],
    result_of: Callable[[Mapping[str, Any]], tuple[str, str] | None],
) -> Looked:
    """What stands in the blocks (`content`) of messages, as these two read one: an id, and an id with a text."""
    spoken, results, waiting, tokens = list[Any](), list[str](), list[str](), 0
    for message in messages if isinstance(messages, list) else ():
        blocks = message.get(content) if isinstance(message, dict) else None
        known = [one for one in blocks if isinstance(one, dict)] if isinstance(blocks, list) else []
        calls = [found for one in known if (found := call_of(one)) is not None]
        found_of = [told for one in known if (told := result_of(one)) is not None]
        if sorted(name for name, _ in found_of) != sorted(waiting):
            return Looked(spoken, results, tokens, waiting or [name for name, _ in found_of])
        results += [text for _, text in found_of]
        waiting = calls
        if calls or found_of:
            tokens += tokens_of(orjson.dumps(blocks).decode())
        else:
            spoken.append(message)
    return Looked(spoken if isinstance(messages, list) else [messages], results, tokens, waiting)


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
