"""The way back: what has to be done to an answer in a dialect so that the user's model takes it. Pure.

A way is made together with the schema that is asked for, so the two cannot drift apart. What does not have the form
that was asked for passes as it is, and the model then says what is wrong with it. Only a key that stands twice is told
at once, by KeyTwice: all but one of its values would be lost.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.schema.dialects.fit import Schema, fits, likeness

KEY, VALUE = "key", "value"
SHOWN_CHARS = 80
WRAPPED = "value"  # the property that holds a root that is no object


class KeyTwice(ValueError):
    """A list of entries has one key with two values: one would be lost."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the key {key[:SHOWN_CHARS]!r} stands in two entries with different values; each key only once"
        )


class Way(Struct, frozen=True):
    """As it is."""


SAME = Way()


class Text(Way, frozen=True):
    """JSON text → the value in it, then `then`."""

    then: Way = SAME


class Each(Way, frozen=True):
    """Every item of a list, or every value of an object."""

    way: Way


class InOrder(Way, frozen=True):
    """The items of a list, each in its own way; `rest` is for what follows."""

    ways: tuple[Way, ...]
    rest: Way


class Pairs(Way, frozen=True):
    """A list of entries → the object they stand for."""

    way: Way


class Numbered(Way, frozen=True):
    """An object with a property for each position → the list. From `fewest` on, null or nothing ends it."""

    names: tuple[str, ...]
    ways: tuple[Way, ...]
    fewest: int
    rest: tuple[str, Way] | None


class FieldWay(Struct, frozen=True):
    name: str  # as the model calls it
    way: Way = SAME
    null_is_default: bool = False  # null is left out, so that the model's default applies
    absent_is_null: bool = False


class Fields(Way, frozen=True):
    fields: Mapping[str, FieldWay]  # by the name that was asked for


class Choice(Way, frozen=True):
    """One of some ways: that of the first schema which the value fits."""

    options: tuple[tuple[Schema, Way], ...]


class Jump(Way, frozen=True):
    """The way of a definition."""

    name: str


class Back(Struct, frozen=True):
    """The way of a whole answer. `definitions`: those of the schema that is asked for."""

    way: Way = SAME
    ways: Mapping[str, Way] = field(default_factory=dict)
    definitions: Mapping[str, Schema] = field(default_factory=dict)
    wrapped: bool = False  # the root is the property WRAPPED

    @property
    def plain(self) -> bool:
        """Whether every answer can be taken as it is."""
        return not self.wrapped and self.way == SAME


def plain_names(ways: Mapping[str, Way]) -> set[str]:
    """The definitions whose ways change nothing, also around circles."""
    plain = set(ways)
    while unplain := {name for name in plain if not _is_plain(ways[name], plain)}:
        plain -= unplain
    return plain


def pruned(way: Way, plain: set[str]) -> Way:
    """The same way, with every part of it that changes nothing made SAME."""
    if _is_plain(way, plain):
        return SAME
    match way:
        case Text(then):
            return Text(pruned(then, plain))
        case Each(inner):
            return Each(pruned(inner, plain))
        case Pairs(inner):
            return Pairs(pruned(inner, plain))
        case InOrder(ways, rest):
            return InOrder(tuple(pruned(one, plain) for one in ways), pruned(rest, plain))
        case Numbered(ways=ways, rest=rest):
            after = (rest[0], pruned(rest[1], plain)) if rest else None
            return replace(way, ways=tuple(pruned(one, plain) for one in ways), rest=after)
        case Fields(fields):
            return Fields({asked: replace(one, way=pruned(one.way, plain)) for asked, one in fields.items()})
        case Choice(options):
            return Choice(tuple((schema, pruned(one, plain)) for schema, one in options))
        case _:
            return way


def restored(back: Back, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """An answer as the model takes it."""
    if back.wrapped and isinstance(data, dict) and set(data) == {WRAPPED}:
        data = data[WRAPPED]
    return _restored(back.way, data, back)


def _restored(way: Way, data: Any, back: Back) -> Any:  # noqa: ANN401 (one branch for each way)
    match way:
        case Jump(name):
            return _restored(back.ways.get(name, SAME), data, back)
        case Text(then):
            return _restored(then, _from_text(data) if isinstance(data, str) else data, back)
        case Each(inner) if isinstance(data, list):
            return [_restored(inner, one, back) for one in data]
        case Each(inner) if isinstance(data, dict):
            return {key: _restored(inner, one, back) for key, one in data.items()}
        case InOrder(ways, rest) if isinstance(data, list):
            return [_restored(ways[n] if n < len(ways) else rest, one, back) for n, one in enumerate(data)]
        case Pairs(inner) if isinstance(data, list) and all(map(_is_pair, data)):
            return _object(inner, data, back)
        case Numbered() if isinstance(data, dict):
            return _in_order(way, data, back)
        case Fields(fields) if isinstance(data, dict):
            return _fields(fields, data, back)
        case Choice(options):
            return _restored(_chosen(options, data, back.definitions), data, back)
        case _:
            return data


def _object(way: Way, entries: list[dict[str, Any]], back: Back) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for one in entries:
        key, value = str(one[KEY]), _restored(way, one[VALUE], back)
        if out.setdefault(key, value) != value:
            raise KeyTwice(key)
    return out


def _fields(fields: Mapping[str, FieldWay], data: dict[str, Any], back: Back) -> dict[str, Any]:
    out = {}
    for asked, value in data.items():
        one = fields.get(asked)
        if one is None:
            out[asked] = value
        elif value is not None or not one.null_is_default:
            out[one.name] = _restored(one.way, value, back)
    for asked, one in fields.items():
        if one.absent_is_null and asked not in data:
            out.setdefault(one.name, None)
    return out


def _in_order(way: Numbered, data: dict[str, Any], back: Back) -> Any:  # noqa: ANN401 (a list, or what came)
    rest_name = way.rest[0] if way.rest else None
    if data.keys() - {*way.names, rest_name} or not all(name in data for name in way.names[: way.fewest]):
        return data
    out: list[Any] = []
    for number, (name, inner) in enumerate(zip(way.names, way.ways, strict=True)):
        if number >= way.fewest and data.get(name) is None:
            return out
        out.append(_restored(inner, data[name], back))
    rest = data.get(rest_name) if rest_name else None
    if way.rest and isinstance(rest, list):
        out.extend(_restored(way.rest[1], one, back) for one in rest)
    return out


def _chosen(options: tuple[tuple[Schema, Way], ...], data: Any, definitions: Mapping[str, Schema]) -> Way:  # noqa: ANN401
    """The way of the first option that the value fits; of the likest one when it fits none."""
    for schema, way in options:
        if fits(schema, data, definitions):
            return way
    alike = [(likeness(schema, data, definitions), way) for schema, way in options]
    best = max(alike, key=lambda one: one[0], default=(0, SAME))
    return best[1] if best[0] > 0 else SAME


def _is_pair(one: Any) -> bool:  # noqa: ANN401 (any JSON value)
    if not isinstance(one, dict) or set(one) != {KEY, VALUE}:
        return False
    return isinstance(one[KEY], str | int | float | Decimal) and not isinstance(one[KEY], bool)


def _from_text(text: str) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_plain(way: Way, plain: set[str]) -> bool:
    match way:
        case Jump(name):
            return name in plain
        case Each(inner):
            return _is_plain(inner, plain)
        case InOrder(ways, rest):
            return all(_is_plain(one, plain) for one in (*ways, rest))
        case Fields(fields):
            return all(
                one.name == asked and not one.null_is_default and not one.absent_is_null and _is_plain(one.way, plain)
                for asked, one in fields.items()
            )
        case Choice(options):
            return all(_is_plain(one, plain) for _, one in options)
        case _:
            return way == SAME
