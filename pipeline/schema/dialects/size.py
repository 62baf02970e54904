"""How much a schema has of what providers limit, and what is said when it is too much. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.schema.dialects.fit import PREFIX
from pipeline.schema.dialects.table import Dialect

Schema = Mapping[str, Any]


class SchemaSize(Struct, frozen=True):
    """Counts over a schema. `used` has each definition as often as it is referred to, the others have it once."""

    properties: int = 0
    levels: int = 0
    deepest: str = ""  # the path of the deepest place
    values: int = 0
    text: int = 0
    optionals: tuple[str, ...] = ()  # paths of the fields that may be missing
    unions: tuple[str, ...] = ()  # paths of the places with several types
    used_properties: int = 0
    used_optionals: int = 0
    used_unions: int = 0


def size_of(schema: Schema) -> SchemaSize:
    definitions = schema.get("$defs", {})
    tops = [("", {key: value for key, value in schema.items() if key != "$defs"}), *definitions.items()]
    nodes = [node for path, top in tops for node in _nodes(top, path, 1)]
    deepest = max(nodes, key=lambda node: node[2], default=("", {}, 0))
    names = [*definitions, *(name for _, node, _ in nodes for name in node.get("properties", ()))]
    constants = [
        one for _, node, _ in nodes for one in (*node.get("enum", ()), *([node["const"]] if "const" in node else []))
    ]
    used = _used(tops[0][1], definitions, {}, frozenset())
    return SchemaSize(
        properties=sum(len(node.get("properties", ())) for _, node, _ in nodes),
        levels=deepest[2],
        deepest=deepest[0],
        values=len(constants),
        text=sum(map(len, names)) + sum(len(one) for one in constants if isinstance(one, str)),
        optionals=tuple(f"{path}.{name}" if path else name for path, node, _ in nodes for name in _optionals(node)),
        unions=tuple(path for path, node, _ in nodes if "anyOf" in node),
        used_properties=used[0],
        used_optionals=used[1],
        used_unions=used[2],
    )


def problems_of(size: SchemaSize, dialect: Dialect) -> list[str]:
    """Why the provider is sure to refuse the schema."""
    limits, optionals, unions = dialect.limits, len(size.optionals), len(size.unions)
    checked = (
        (size.properties, limits.properties, "fields", ""),
        (size.levels, limits.levels, "levels of nesting", f" at {size.deepest}"),
        (size.values, limits.values, "constants in enumerations", ""),
        (size.text, limits.text, "characters in names and constants", ""),
        (optionals, limits.optionals, "fields that may be missing", _beyond(size.optionals, limits.optionals)),
        (unions, limits.unions, "places with several types or null", _beyond(size.unions, limits.unions)),
    )
    return [
        f"the schema has {count:,} {what}{where}, and {dialect.name} takes {most:,}"
        for count, most, what, where in checked
        if most is not None and count > most
    ]


def doubts_about(size: SchemaSize, dialect: Dialect) -> list[str]:
    """Why the provider may refuse the schema."""
    limits = dialect.limits
    checked = (
        (size.used_properties, limits.safe_properties, "fields"),
        (size.levels, limits.safe_levels, "levels of nesting"),
        (size.values, limits.safe_values, "constants in enumerations"),
        (size.used_optionals, limits.optionals, "fields that may be missing, counting each use of a class"),
        (size.used_unions, limits.unions, "places with several types or null, counting each use of a class"),
    )
    return [
        f"{dialect.name} may refuse the schema as too complex: it has {count:,} {what}, more than {most:,}"
        for count, most, what in checked
        if most is not None and count > most
    ]


def _nodes(node: Schema, path: str, level: int) -> Iterator[tuple[str, Schema, int]]:
    """Every schema within one, with its path and its level of nesting; references are not followed."""
    yield path, node, level
    for name, inner in node.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}" if path else name, level + 1)
    items = node.get("items")
    if isinstance(items, Mapping):
        yield from _nodes(items, f"{path}[]", level + 1)
    for option in node.get("anyOf", ()):
        yield from _nodes(option, path, level)


def _optionals(node: Schema) -> list[str]:
    return [name for name in node.get("properties", ()) if name not in node.get("required", ())]


def _beyond(places: Sequence[str], most: int | None) -> str:
    return f" ({places[most]} is one too many)" if most is not None and len(places) > most else ""


def _used(
    node: Schema, definitions: Mapping[str, Schema], known: dict[str, tuple[int, int, int]], inside: frozenset[str]
) -> tuple[int, int, int]:
    """(properties, optionals, unions), every reference followed; a circle is followed once."""
    counts = [0, 0, 0]
    for _, one, _ in _nodes(node, "", 1):
        own = (len(one.get("properties", ())), len(_optionals(one)), int("anyOf" in one))
        name = str(one.get("$ref", "")).removeprefix(PREFIX)
        if name in definitions and name not in inside:
            if name not in known:
                known[name] = _used(definitions[name], definitions, known, inside | {name})
            own = known[name]
        counts = [count + more for count, more in zip(counts, own, strict=True)]
    return counts[0], counts[1], counts[2]
