"""What a JSON schema says, as a small tree: nine kinds for a rewriter to deal with, not all of JSON Schema. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

Schema = Mapping[str, Any]

MISSING: Final = object()  # no default


class Node(Struct, frozen=True, kw_only=True):
    """One of the nine below."""

    words: tuple[str, ...] = ()  # what the user says about it: title, description, examples


class Scalar(Node, frozen=True):
    type: str  # string, number, integer, boolean or null
    rules: Schema = field(default_factory=dict)


class Values(Node, frozen=True):
    """One of some constants."""

    values: tuple[Any, ...]


class Anything(Node, frozen=True):
    """Any JSON value."""


class Items(Node, frozen=True):
    """A list of one kind."""

    item: Node
    rules: Schema = field(default_factory=dict)


class Positions(Node, frozen=True):
    """A list whose positions have their own kinds: a tuple."""

    items: tuple[Node, ...]
    fewest: int  # positions from here on may be left out
    rest: Node | None  # what follows the positions; None: nothing


class Field(Struct, frozen=True):
    name: str
    kind: Node
    required: bool
    default: Any = MISSING


class Record(Node, frozen=True):
    """An object with known fields. `extra`: the kind of further ones, None when there are none or they are ignored."""

    fields: tuple[Field, ...]
    extra: Node | None = None
    closed: bool = False  # further fields are an error


class Map(Node, frozen=True):
    """An object with free keys."""

    value: Node
    rules: Schema = field(default_factory=dict)


class OneOf(Node, frozen=True):
    options: tuple[Node, ...]
    nullable: bool


class Named(Node, frozen=True):
    """A definition, by its name."""

    name: str


class SchemaReading(Struct, frozen=True):
    """A whole schema, read."""

    root: Node
    definitions: Mapping[str, Node]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def resolved(self, kind: Node) -> Node:
        """The kind behind names."""
        for _ in range(len(self.definitions) + 1):  # a circle of nothing but names ends here
            if not isinstance(kind, Named):
                return kind
            kind = self.definitions[kind.name]
        return Anything()

    def nullable(self, kind: Node) -> bool:
        """Whether null is one of its values. JSON text may say null too, but is itself never null."""
        found = self.resolved(kind)
        if isinstance(found, OneOf):
            return found.nullable or any(self.nullable(option) for option in found.options)
        return found == replace(Scalar("null"), words=found.words) or (
            isinstance(found, Values) and None in found.values
        )


def parts(kind: Node) -> Iterator[Node]:
    """The kinds right inside a kind."""
    match kind:
        case Items(item):
            yield item
        case Positions(items, _, rest):
            yield from (*items, *([rest] if rest else []))
        case Record(fields, extra):
            yield from (one.kind for one in fields)
            if extra is not None:
                yield extra
        case Map(value):
            yield value
        case OneOf(options):
            yield from options
