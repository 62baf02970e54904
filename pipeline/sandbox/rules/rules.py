"""What the sandbox answers: rules in the place of a model. Deterministic, total, and fast.

The schema says what is asked for, the document's words, dates and amounts what is found (`rule_reading`); a record
that fits the schema comes out in any case (`rule_records`).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any

from msgspec import Struct

from pipeline.sandbox.exchange import BYTES_PER_TOKEN, cut
from pipeline.sandbox.rules.meanings import Scope, scope_of_root
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.reading import Reading
from pipeline.sandbox.rules.records import Writer
from pipeline.sandbox.rules.schemas import shape_of
from pipeline.sandbox.rules.shapes import Shape, words_of

READ_TOKENS = 2_000  # of free text, where nobody says how much
READ_SHARE = 0.8  # of a cap
NOTHING_TO_READ = "(empty)"


class Form(Struct, frozen=True):
    """A schema, made ready to be filled."""

    shape: Shape
    scope: Scope


class _Same:
    """A schema by its identity: equal ones come as one object, and hashing one is dear. It keeps the schema alive."""

    __slots__ = ("schema",)

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema


def extract(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What the document says, as a record of the schema. The schema must not be changed between calls."""
    form = _form(_Same(schema))
    return Writer(Reading(text), form.scope).record(form.shape)


def repair(text: str, schema: Mapping[str, Any], errors: str) -> dict[str, Any]:  # noqa: ARG001 (a model would read them)
    """The same, with totals that follow from each other, and without items that do not add up to them."""
    form = _form(_Same(schema))
    return Writer(Reading(text, mend=True), form.scope).record(form.shape)


def read(text: str, cap_tokens: int | None) -> str:
    """The document in plain lines, where no schema is asked for; never empty, and well within the cap."""
    room_tokens = READ_TOKENS if cap_tokens is None else max(1, int(cap_tokens * READ_SHARE))
    lines = [" ".join(row.split()) for row in Page(text).rows] or [NOTHING_TO_READ]
    ends = accumulate(len(line.encode()) + 1 for line in lines)
    count = sum(end - 1 <= room_tokens * BYTES_PER_TOKEN for end in ends)
    return "\n".join(lines[:count]) or cut(lines[0], room_tokens)


@lru_cache(maxsize=256)
def _form(same: _Same) -> Form:
    return Form(shape_of(same.schema), scope_of_root(_names(same.schema)))


def _names(schema: Any) -> Iterable[tuple[str, ...]]:  # noqa: ANN401 (any part of a schema)
    """The names of all properties, at all levels."""
    waiting, seen = [schema], set()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Mapping | list) or id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.values() if isinstance(node, Mapping) else node
        properties = node.get("properties") if isinstance(node, Mapping) else None
        if isinstance(properties, Mapping):
            yield from map(words_of, properties)
