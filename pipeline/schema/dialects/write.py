"""A schema, read into kinds → the schema that a dialect takes, and the way back from its answers. Pure."""

from itertools import combinations
from typing import Any

from msgspec.structs import replace

from pipeline.schema.dialects import lists
from pipeline.schema.dialects import objects as records
from pipeline.schema.dialects import scalars as leaves
from pipeline.schema.dialects.descriptions import described, one_of
from pipeline.schema.dialects.draft import Draft, RewritePlan, SchemaPlace, Written
from pipeline.schema.dialects.fit import PREFIX, overlap, resolved
from pipeline.schema.dialects.names import safe_name
from pipeline.schema.dialects.nodes import (
    Anything,
    Items,
    Map,
    Named,
    Node,
    OneOf,
    Positions,
    Record,
    Scalar,
    SchemaReading,
    Values,
)
from pipeline.schema.dialects.recursion import DEEPEST, TOP, Circles, Inside
from pipeline.schema.dialects.restore import WRAPPED, Back, Choice, Jump, Way, plain_names, pruned
from pipeline.schema.dialects.table import Dialect

BARE = frozenset(["type", "properties", "required"])
MOST_PARTS = 20_000  # of a schema whose definitions are written out in place


class SchemaWriter:
    """One try at a schema. What there is to tell is in `draft` afterwards."""

    def __init__(self, reading: SchemaReading, dialect: Dialect, plan: RewritePlan) -> None:
        self.draft = Draft(reading, dialect, plan, self._write)
        self.back = Back()
        self._reading, self._dialect = reading, dialect
        self._circles = Circles(reading)
        self._plain: set[str] = set()  # definitions whose answers are taken as they are
        self._parts = 0
        self._names: dict[tuple[str, int], str] = {}
        self._ahead: list[tuple[str, str, Inside]] = []
        self._unions: list[tuple[str, tuple[Written, ...]]] = []

    def whole(self) -> dict[str, Any]:
        """The whole schema, an object whatever the user's root is; `back` is the way back."""
        named = self._reading.root
        root = self._reading.resolved(named)
        place = SchemaPlace(inside=Inside(named.name) if isinstance(named, Named) else TOP)
        written = self._write(root, place)
        wrapped = not isinstance(root, Record)
        if wrapped:
            self.draft.notes.append(f"the schema's root is no object: it is asked for as the property {WRAPPED!r}")
            written = Written(self.draft.closed({WRAPPED: written.schema}, [WRAPPED]), written.way)
        elif not written.schema.get("properties"):
            self.draft.problems.append("the schema has no fields, so that there is nothing to ask for")
        schemas: dict[str, dict[str, Any]] = {}
        ways: dict[str, Way] = {}
        while self._ahead:
            asked, name, inside = self._ahead.pop(0)
            definition = self._write(self._reading.definitions[name], SchemaPlace(name, inside))
            schemas[asked], ways[asked] = definition.schema, definition.way
        plain = self._plain = plain_names(ways)
        left = {name: pruned(way, plain) for name, way in ways.items() if name not in plain}
        self.back = Back(pruned(written.way, plain), left, schemas, wrapped)
        bare = {key: value for key, value in written.schema.items() if key in BARE}
        schema = bare if self._dialect.bare_root else written.schema
        return {**schema, "$defs": schemas} if schemas else schema

    def ambiguous(self) -> frozenset[str]:
        """Unions of which an answer could be two options at once that are turned back in different ways."""
        found = set()
        for path, options in self._unions:
            turned = [(option.schema, self._turned(option.way)) for option in options]
            for (one, way), (other, other_way) in combinations(turned, 2):
                if way != other_way and overlap(one, other, self.back.definitions):
                    found.add(path)
        return frozenset(found)

    def _turned(self, way: Way) -> Way:
        """What a way does: two classes may do the same under two names."""
        found = pruned(way, self._plain)
        return self.back.ways.get(found.name, found) if isinstance(found, Jump) else found

    def same_starts(self) -> list[str]:
        """Unions of objects that begin alike, which some decoders cannot follow."""
        found: list[str] = []
        for path, options in self._unions if self._dialect.distinct_starts else ():
            fields: list[dict[str, Any]] = [
                resolved(option.schema, self.back.definitions).get("properties", {}) for option in options
            ]
            for one, other in combinations(filter(None, fields), 2):
                name = next(iter(one))
                if name == next(iter(other)) and overlap(one[name], other[name], self.back.definitions):
                    text = f"{self._dialect.name} may refuse types that begin alike, here with {name!r}"
                    found.append(f"{path}: {text}. Give each of its classes a Literal of its own")
        return found

    def _write(self, kind: Node, place: SchemaPlace) -> Written:  # noqa: C901 (one branch for each kind)
        self._parts += 1
        if self._parts > MOST_PARTS:
            self.draft.problems.append("the schema is too large once its definitions are written out in place")
            return Written({})
        match kind:
            case Scalar():
                return Written(leaves.scalar(kind, self._dialect))
            case Values():
                return self._values(kind, place)
            case Items():
                return lists.items(self.draft, kind, place)
            case Positions():
                return lists.positions(self.draft, kind, place)
            case Map():
                return lists.entries(self.draft, kind, place)
            case Record():
                return records.record(self.draft, kind, place)
            case OneOf():
                return self._one_of(kind, place)
            case Named():
                return self._named(kind, place)
            case Anything() if self._dialect.enforced:
                self.draft.note(place, "any JSON is asked for as JSON text, and read")
                return self.draft.text(*kind.words)
            case _:
                return Written(described({}, *kind.words))

    def _values(self, kind: Values, place: SchemaPlace) -> Written:
        schema = leaves.constants(kind, self._dialect)
        if schema is None and not self._dialect.enforced:
            return Written(described({"enum": list(kind.values)}, *kind.words))
        if schema is None:
            self.draft.note(place, "constants that are lists or objects are asked for as JSON text, and read")
            return self.draft.text(*kind.words, what=f"as JSON text, {one_of(kind.values)}")
        if leaves.too_many(kind, self._dialect):
            count = len(kind.values)
            self.draft.note(place, f"its {count} values are told in words: too many for the provider to enforce")
        return Written(schema)

    def _one_of(self, kind: OneOf, place: SchemaPlace) -> Written:
        if place.path in self.draft.plan.as_text:
            self.draft.note(
                place, "its types cannot be told apart by their form: it is asked for as JSON text, and read"
            )
            text = self.draft.text(*kind.words)
            return replace(text, schema=leaves.or_null(text.schema)) if kind.nullable else text
        options: list[Written] = []
        for option in kind.options:
            written = self._write(option, place)
            if written not in options:
                options.append(written)
        self._unions.append((place.path, tuple(options)))
        schema, way = options[0].schema, options[0].way
        if len(options) > 1:
            schema = leaves.one_of_schemas([one.schema for one in options])
            way = Choice(tuple((one.schema, one.way) for one in options))
        return Written(described(leaves.or_null(schema) if kind.nullable else schema, *kind.words), way)

    def _named(self, kind: Named, place: SchemaPlace) -> Written:
        inside: Inside | None = Inside(kind.name)
        if not self._dialect.recursion:
            inside = self._circles.enter(kind.name, place.inside)
        if inside is None:
            return self._below(kind, place)
        target = self._reading.definitions[kind.name]
        circle = self._circles.together(kind.name, place.inside)
        own_words = bool(kind.words) and self._dialect.enforced and not circle
        if own_words or not self._dialect.references:  # most dialects let nothing stand beside a reference
            return self._write(replace(target, words=(*kind.words, *target.words)), replace(place, inside=inside))
        asked = self._definition(kind.name, inside)
        schema: dict[str, Any] = {"$ref": f"{PREFIX}{asked}"}
        if kind.words:
            schema = described({"anyOf": [schema]} if self._dialect.enforced else schema, *kind.words)
        return Written(schema, Jump(asked))

    def _below(self, kind: Named, place: SchemaPlace) -> Written:
        """What lies deeper in a recursive definition than is written out."""
        self.draft.note(
            SchemaPlace(kind.name), f"more than {DEEPEST} levels deep it is asked for as JSON text, and read"
        )
        if not self._dialect.references:
            return self.draft.text(*kind.words, what=f"{kind.name} as JSON text")
        asked = self._definition(kind.name, Inside(kind.name, place.inside.level))
        return self.draft.text(*kind.words, then=Jump(asked), what=f"JSON text in the form of {asked}")

    def _definition(self, name: str, inside: Inside) -> str:
        """The name under which a level of a definition is asked for; it is written later."""
        key = (name, inside.level)
        if key not in self._names:
            wanted = name if inside.level == 1 else f"{name}_level_{inside.level}"
            self._names[key] = safe_name(wanted, self._names.values(), "Part")
            self._ahead.append((self._names[key], name, inside))
        return self._names[key]
