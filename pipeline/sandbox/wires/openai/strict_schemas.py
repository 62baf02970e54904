"""OpenAI's strict mode: which JSON Schemas it takes, and where one that it does not take goes wrong. Pure.

Stricter where the provider's own documents and its answers differ: a schema that passes here should pass there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str, ...]

UNSUPPORTED = (
    *("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"),
    *("patternProperties", "propertyNames", "unevaluatedProperties", "minProperties", "maxProperties"),
    *("prefixItems", "contains", "minContains", "maxContains", "unevaluatedItems", "uniqueItems"),
    *("minLength", "maxLength", "default"),
)
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
MAX_PROPERTIES = 5000
MAX_NESTING = 10


def problem(schema: object) -> str | None:
    """What strict mode refuses, naming the place; None for a schema that it takes."""
    if not isinstance(schema, Mapping):
        return "schema must be a JSON object"
    if schema.get("type") != "object" or "anyOf" in schema:
        return f"schema must have type 'object' at the root and no 'anyOf' there, got type: {schema.get('type')!r}."
    properties = 0
    for place, node, nesting in _nodes(schema, (), 1):
        wrong = _wrong(node, schema)
        if wrong is not None:
            return f"In context={place!r}, {wrong}"
        properties += len(node.get("properties", ()))
        if properties > MAX_PROPERTIES or nesting > MAX_NESTING:
            return f"In context={place!r}, the schema is over {MAX_PROPERTIES} properties or {MAX_NESTING} levels deep."
    return None


def _nodes(node: object, place: Place, nesting: int) -> Iterator[tuple[Place, Mapping[str, Any], int]]:
    """Every schema within a schema, outermost first; one that is none comes as an empty one."""
    if not isinstance(node, Mapping):
        yield place, {}, nesting
        return
    yield place, node, nesting
    for keyword in ("properties", "$defs", "definitions"):
        inner = node.get(keyword)
        deeper = nesting + 1 if keyword == "properties" else 1
        for name, child in inner.items() if isinstance(inner, Mapping) else ():
            yield from _nodes(child, (*place, keyword, name), deeper)
    if "items" in node:
        yield from _nodes(node["items"], (*place, "items"), nesting + 1)
    options = node.get("anyOf")
    for number, child in enumerate(options if isinstance(options, list) else ()):
        yield from _nodes(child, (*place, "anyOf", str(number)), nesting)


def _wrong(node: Mapping[str, Any], root: Mapping[str, Any]) -> str | None:
    if "$ref" in node:
        return _wrong_reference(node, root)
    for keyword in UNSUPPORTED:
        if keyword in node:
            return f"'{keyword}' is not permitted."
    kinds = node.get("type")
    if kinds is None and not any(keyword in node for keyword in ("anyOf", "enum", "const")):
        return "schema must have a 'type' key."
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "format" in node and node["format"] not in FORMATS:
        return f"'{node['format']}' is not a valid format."
    if "array" in kinds and "items" not in node:
        return "array schema missing items."
    return _wrong_object(node) if "object" in kinds or "properties" in node else None


def _wrong_object(node: Mapping[str, Any]) -> str | None:
    if node.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    properties, required = node.get("properties", {}), node.get("required")
    if not isinstance(properties, Mapping):
        return "'properties' must be an object."
    rule = "'required' is required to be supplied and to be an array including every key in properties."
    if not isinstance(required, list):
        return rule if properties else None
    for name in properties:
        if name not in required:
            return f"{rule} Missing '{name}'."
    for name in required:
        if name not in properties:
            return f"{rule} Extra required key '{name}' supplied."
    return None


def _wrong_reference(node: Mapping[str, Any], root: Mapping[str, Any]) -> str | None:
    others = sorted(set(node) - {"$ref"})
    if others:
        return f"$ref cannot have keywords {others!r}."
    found: object = root
    reference = node["$ref"]
    if not isinstance(reference, str) or not reference.startswith("#"):
        return f"reference {reference!r} is not into this schema."
    for part in reference.split("/")[1:]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if isinstance(found, Mapping) else f"reference {reference!r} can't be resolved."
