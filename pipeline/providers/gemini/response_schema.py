"""A JSON Schema as Gemini's older `responseSchema` has it, a subset of OpenAPI's: for batches. Pure.

ai.google.dev, api/caching, Schema, and what it refuses, as of 2026-11: no references, no lists of types, no map, enums
of strings alone, and properties in the order of their names unless `propertyOrdering` says another.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.errors import JobError

KEPT = ("description", "minimum", "maximum", "minItems", "maxItems")
FORMATS = {"date-time"}  # of strings: others were refused by name
MEND = 'Leave the field out, set extract.mode = "tool", or model.lane = "live"'

Node = Mapping[str, Any]


def response_schema(schema: Node) -> dict[str, Any]:
    """The same, but for what it has no word for, which the answer is checked by all the same.

    Raises:
        JobError: a field has a shape that it cannot hold: within itself, or with names that are not known.
    """
    return _Writer(schema.get("$defs", {})).written(schema, (), "the record")


class _Writer:
    def __init__(self, named: Mapping[str, Node]) -> None:
        self._named = named

    def written(self, node: Node, inside: tuple[str, ...], place: str) -> dict[str, Any]:
        """`inside`: the names that it stands within."""
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name in inside or name not in self._named:
                raise JobError(f"Gemini's batch API takes no schema that holds itself: {place}. {MEND}")
            return self.written({**self._named[name], **_without(node, "$ref")}, (*inside, name), place)
        options, null = _options(node)
        if not options:
            return {**self._typed(node, inside, place), **_nullable(null)}
        outer = {key: node[key] for key in KEPT if key in node} | _nullable(null)
        inner = [self.written(option, inside, place) for option in options]
        return {**inner[0], **outer} if len(inner) == 1 else {**outer, "anyOf": inner}

    def _typed(self, node: Node, inside: tuple[str, ...], place: str) -> dict[str, Any]:
        kind = _kind(node)
        found: dict[str, Any] = {"type": kind.upper(), **{key: node[key] for key in KEPT if key in node}}
        if kind == "object":
            return found | self._fields(node, inside, place)
        if kind == "array":
            return found | {"items": self.written(node.get("items") or {"type": "string"}, inside, f"{place}[]")}
        if node.get("format") in FORMATS:
            found["format"] = node["format"]
        return found | _values(node, found)

    def _fields(self, node: Node, inside: tuple[str, ...], place: str) -> dict[str, Any]:
        fields: Node = node.get("properties") or {}
        if not fields:
            raise JobError(f"Gemini's batch API takes no object of names that are not known: {place}. {MEND}")
        written = {name: self.written(one, inside, f"{place}.{name}") for name, one in fields.items()}
        required = [name for name in node.get("required", ()) if name in fields]
        return {
            "properties": written,
            "propertyOrdering": list(fields),
            **({"required": required} if required else {}),
        }


def _options(node: Node) -> tuple[list[Node], bool]:
    """What it may be, where that is said as a choice; and whether it may be null."""
    kinds = node.get("type")
    chosen = list(_chosen(node))
    if isinstance(kinds, list):
        chosen = [{**node, "type": kind} for kind in kinds]
    options = [one for one in chosen if one.get("type") != "null"]
    return options, len(options) < len(chosen) or None in (node.get("enum") or ())


def _chosen(node: Node) -> Iterator[Node]:
    for word in ("anyOf", "oneOf", "allOf"):
        yield from node.get(word, ())


def _kind(node: Node) -> str:
    if isinstance(node.get("type"), str):
        return str(node["type"])
    return "object" if "properties" in node else "array" if "items" in node else "string"


def _values(node: Node, found: Node) -> dict[str, Any]:
    """The values that it may have: enforced of strings, told of others."""
    values = [node["const"]] if "const" in node else [one for one in node.get("enum") or () if one is not None]
    if not values:
        return {}
    if all(isinstance(value, str) for value in values):
        return {"enum": values}
    told = f"One of {', '.join(orjson.dumps(value).decode() for value in values)}."
    return {"description": f"{found['description']} {told}" if found.get("description") else told}


def _nullable(null: bool) -> dict[str, Any]:  # noqa: FBT001 (a part of a schema)
    return {"nullable": True} if null else {}


def _without(node: Node, key: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != key}
