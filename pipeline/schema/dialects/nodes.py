"""What a JSON schema says, as a small tree: nine kinds for a rewriter to deal with, not all of JSON Schema. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

Schema = Mapping[str, Any]

MISSING: Final = object()  # no default


class Kind(Struct, frozen=True, kw_only=True):
    """One of the nine below."""

    words: tuple[str, ...] = ()  # what the user says about it: title, description, examples


class Scalar(Kind, frozen=True):
    type: str  # string, number, integer, boolean or null
    rules: Schema = field(default_factory=dict)


class Values(Kind, frozen=True):
    """One of some constants."""

    values: tuple[Any, ...]


class Anything(Kind, frozen=True):
    """Any JSON value."""


class Items(Kind, frozen=True):
    """A list of one kind."""

    item: Kind
    rules: Schema = field(default_factory=dict)


class Positions(Kind, frozen=True):
    """A list whose positions have their own kinds: a tuple."""

    items: tuple[Kind, ...]
    fewest: int  # positions from here on may be left out
    rest: Kind | None  # what follows the positions; None: nothing


class Field(Struct, frozen=True):
    name: str
    kind: Kind
    required: bool
    default: Any = MISSING


class Record(Kind, frozen=True):
    """An object with known fields. `extra`: the kind of further ones, None when there are none or they are ignored."""

    fields: tuple[Field, ...]
    extra: Kind | None = None
    closed: bool = False  # further fields are an error


class Map(Kind, frozen=True):
    """An object with free keys."""

    value: Kind
    rules: Schema = field(default_factory=dict)


class OneOf(Kind, frozen=True):
    options: tuple[Kind, ...]
    nullable: bool


class Named(Kind, frozen=True):
    """A definition, by its name."""

    name: str


class Reading(Struct, frozen=True):
    """A whole schema, read."""

    root: Kind
    definitions: Mapping[str, Kind]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def resolved(self, kind: Kind) -> Kind:
        """The kind behind names."""
        for _ in range(len(self.definitions) + 1):  # a circle of nothing but names ends here
            if not isinstance(kind, Named):
                return kind
            kind = self.definitions[kind.name]
        return Anything()

    def nullable(self, kind: Kind) -> bool:
        """Whether null is one of its values. JSON text may say null too, but is itself never null."""
        found = self.resolved(kind)
        if isinstance(found, OneOf):
            return found.nullable or any(self.nullable(option) for option in found.options)
        return found == replace(Scalar("null"), words=found.words) or (
            isinstance(found, Values) and None in found.values
        )


def parts(kind: Kind) -> Iterator[Kind]:
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
