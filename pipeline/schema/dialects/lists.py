"""Lists, tuples and maps in a dialect. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.schema.dialects import scalars as leaves
from pipeline.schema.dialects.descriptions import ENTRIES, described, told
from pipeline.schema.dialects.draft import Draft, SchemaPlace, Written
from pipeline.schema.dialects.nodes import Items, Map, Positions
from pipeline.schema.dialects.restore import KEY, SAME, VALUE, Each, InOrder, Numbered, Pairs

REST = "more_items"


def items(draft: Draft, kind: Items, place: SchemaPlace) -> Written:
    item = draft.write(kind.item, place.at("[]"))
    kept, words = leaves.rules("array", kind.rules, draft.dialect)
    schema = {"type": "array", "items": item.schema, **kept}
    return Written(described(schema, *kind.words, *words), Each(item.way))


def positions(draft: Draft, kind: Positions, place: SchemaPlace) -> Written:
    """A tuple. No constrained decoder that we know keeps positions apart, so that each becomes a field of an object."""
    written = [draft.write(item, place.at(f"[{number}]")) for number, item in enumerate(kind.items)]
    rest = draft.write(kind.rest, place.at("[]")) if kind.rest else None
    ways = tuple(one.way for one in written)
    if not draft.dialect.enforced:
        after: Any = rest.schema if rest else False
        schema = {"type": "array", "prefixItems": [one.schema for one in written], "items": after}
        return Written(
            described({**schema, "minItems": kind.fewest}, *kind.words), InOrder(ways, rest.way if rest else SAME)
        )
    draft.note(place, "a tuple is asked for as an object with a field for each position, and turned back")
    fewest = kind.fewest
    while fewest < len(written) and draft.reading.nullable(kind.items[fewest]):
        fewest += 1  # its null is a value, and ends nothing
    names = tuple(f"item_{number}" for number in range(1, len(written) + 1))
    properties = {
        name: one.schema if number < fewest else leaves.or_null(one.schema)
        for number, (name, one) in enumerate(zip(names, written, strict=True))
    }
    if rest:
        properties[REST] = {"type": "array", "items": rest.schema}
    schema = described(draft.closed(properties, list(properties)), *kind.words)
    return Written(schema, Numbered(names, ways, fewest, (REST, rest.way) if rest else None))


def entries(draft: Draft, kind: Map, place: SchemaPlace) -> Written:
    """An object with free keys. A constrained decoder would only ever write {}: it becomes a list of entries."""
    value = draft.write(kind.value, place.at("*"))
    if not draft.dialect.enforced:
        schema = {"type": "object", "additionalProperties": value.schema or True, **kind.rules}
        return Written(described(schema, *kind.words), Each(value.way))
    draft.note(place, f"a free-form map is asked for as {ENTRIES}, and turned back")
    rules = dict(kind.rules)
    key, words = _key(rules.pop("propertyNames", None))
    renamed = {"minProperties": "minItems", "maxProperties": "maxItems"}
    kept, more = leaves.rules("array", {renamed[rule]: most for rule, most in rules.items()}, draft.dialect)
    entry = draft.closed({KEY: key, VALUE: value.schema}, [KEY, VALUE])
    schema = {"type": "array", "items": entry, **kept}
    return Written(described(schema, *kind.words, ENTRIES, *more, *words), Pairs(value.way))


def _key(names: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401 (any schema)
    """The schema of a key, and what else is to be said of keys."""
    if not isinstance(names, Mapping):
        return {"type": "string"}, []
    constants = names.get("enum")
    if isinstance(constants, list) and constants and all(isinstance(one, str) for one in constants):
        return {"type": "string", "enum": constants}, []
    return {"type": "string"}, [told("propertyNames", names)]
