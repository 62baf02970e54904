"""What the steps of a rewrite share: where they are, what they have written, and what there is to tell. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from pipeline.schema.dialects.descriptions import JSON_TEXT, described
from pipeline.schema.dialects.nodes import Node, SchemaReading
from pipeline.schema.dialects.optional import FieldRoom
from pipeline.schema.dialects.recursion import TOP, Inside
from pipeline.schema.dialects.restore import SAME, Text, Way
from pipeline.schema.dialects.table import Dialect


class RewritePlan(Struct, frozen=True):
    """What earlier tries have taught: how much room there is, and which unions cannot be told apart by their form."""

    nulls: int | None = None  # fields that may be null; None: any number
    absents: int | None = None  # fields that may be left out
    as_text: frozenset[str] = frozenset()


class SchemaPlace(Struct, frozen=True):
    """A place in the user's schema: within the root, or within a definition."""

    path: str = ""
    inside: Inside = TOP

    def at(self, step: str) -> "SchemaPlace":
        """The place of a field, or of items (`[]`) or a position (`[0]`)."""
        dot = "." if self.path and not step.startswith("[") else ""
        return SchemaPlace(f"{self.path}{dot}{step}", self.inside)


class Written(Struct, frozen=True):
    """The schema of one kind, and the way back from what answers it."""

    schema: dict[str, Any]
    way: Way = SAME


class Draft(Struct):
    """One try at a schema. `write` leads from a kind to the step for it."""

    reading: SchemaReading
    dialect: Dialect
    plan: RewritePlan
    write: Callable[[Node, SchemaPlace], Written]
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    nulls: int = 0  # fields asked for that may be null
    absents: int = 0  # fields asked for that may be left out

    @property
    def room(self) -> FieldRoom:
        most_nulls, most_absents = self.plan.nulls, self.plan.absents
        return FieldRoom(
            most_nulls is None or self.nulls < most_nulls, most_absents is None or self.absents < most_absents
        )

    def note(self, place: SchemaPlace, text: str) -> None:
        self.notes.append(f"{place.path or 'the schema'}: {text}")

    def closed(self, properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
        """An object of these properties, and of no others where the dialect says so."""
        out: dict[str, Any] = {"type": "object", "properties": dict(properties)}
        out |= {"required": list(required)} if required else {}
        return {**out, "additionalProperties": False} if self.dialect.closed else out

    @staticmethod
    def text(*words: str, then: Way = SAME, what: str = JSON_TEXT) -> Written:
        """What a dialect cannot say, as JSON text."""
        return Written(described({"type": "string"}, *words, what), Text(then))
