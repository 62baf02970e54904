"""Look-ups that a model asks for: calls in an answer's text, beside the message in its provider's own form. Pure.

A message goes back as it came: with it go signatures of thoughts, and all else that a provider wants to see again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from msgspec import Struct, json

from pipeline.parts import ResultPart, SaidPart, ToolCall
from pipeline.providers.json import dumped
from pipeline.text import repaired
from pipeline.types import Answer, Tool, Turn


class Asked(Struct, frozen=True):
    """`own`: the message, as a JSON array of what its provider has it made of."""

    own: str
    calls: tuple[ToolCall, ...]


def asked_text(own: Sequence[object], calls: Iterable[ToolCall]) -> str:
    """The text of an answer that ended by Stop.TOOLS."""
    clean = (ToolCall(*(repaired(word) for word in (one.id, one.name, one.arguments))) for one in calls)
    return json.encode(Asked(repaired(dumped(list(own))), tuple(clean))).decode()


def asked_in(answer: Answer) -> Asked:
    """What an answer that ended by Stop.TOOLS asks for."""
    return json.decode(answer.text, type=Asked)


def wanted(calls: Iterable[ToolCall], lookups: Iterable[Tool], record: str) -> tuple[ToolCall, ...]:
    """Of calls those that are to be answered: all, where one of them is a look-up; none, where all are the record.

    A name that nobody offered counts as a look-up, of which the model is told that there is none. One that is called
    where no look-up is offered is the record, under a name of the model's own.
    """
    found = tuple(calls)
    if not lookups or all(one.name == record for one in found):
        return ()
    return found


def said_in(turn: Turn) -> str:
    """The array of a turn that asked for look-ups; "" of any other."""
    part = turn.parts[0]
    return part.own if isinstance(part, SaidPart) else ""


def results_in(turn: Turn) -> tuple[ResultPart, ...]:
    return tuple(part for part in turn.parts if isinstance(part, ResultPart))


def turn_of(turn: Turn, role: str, name: str, result: Callable[[ResultPart], Any]) -> dict[str, Any] | None:
    """A turn of look-ups where `name` holds a message's blocks; None of any other."""
    if own := said_in(turn):
        return {"role": role, name: orjson.Fragment(own)}
    found = results_in(turn)
    return {"role": "user", name: [result(one) for one in found]} if found else None


def told(found: ResultPart) -> str:
    """A result where a provider has no other word for one that failed."""
    return f"error: {found.text}" if found.failed else found.text


def identified(calls: Iterable[tuple[str, str, str]]) -> tuple[ToolCall, ...]:
    """(id, name, arguments) of calls, with a number where a server gives no id."""
    return tuple(ToolCall(given or f"call_{number}", name, told) for number, (given, name, told) in enumerate(calls))


def members(tool: Tool, schema: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON value)
    """A function as most providers take one, its schema under their own name for it."""
    return {"name": tool.name, "description": tool.description, **more, schema: tool.schema}
