"""The schemas that Gemini takes: JSON Schema of the documented keywords. Pure.

Stricter than the service, which ignores the keywords it does not know: what would not be enforced there is told here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

KEYWORDS = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems"),
    *("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required"),
    "propertyOrdering",
}
TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
OPTIONS = ("anyOf", "oneOf", "prefixItems")
MAX_NODES = 10_000


def problem(schema: object) -> str | None:
    """Why a `responseJsonSchema` cannot be, naming the place; None for one that can."""
    if not isinstance(schema, Mapping):
        return "the schema should be a JSON object"
    for number, (place, node) in enumerate(_nodes(schema, "")):
        wrong = _wrong(node, schema)
        if wrong is not None:
            return f"{place or 'the root'}: {wrong}"
        if number > MAX_NODES:
            return "the schema produces a constraint that has too many states for serving"
    return _cycle(schema, schema, (), set())


def _nodes(node: object, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema within a schema, outermost first; one that is none comes as an empty one."""
    if not isinstance(node, Mapping):
        yield place, {"type": "?"}
        return
    yield place, node
    for keyword in ("properties", "$defs"):
        inner = node.get(keyword)
        for name, child in inner.items() if isinstance(inner, Mapping) else ():
            yield from _nodes(child, f"{place}.{name}".lstrip("."))
    for keyword in OPTIONS:
        inner = node.get(keyword)
        for number, child in enumerate(inner if isinstance(inner, list) else ()):
            yield from _nodes(child, f"{place}.{keyword}[{number}]".lstrip("."))
    if "items" in node:
        yield from _nodes(node["items"], f"{place}[]")
    if isinstance(node.get("additionalProperties"), Mapping):
        yield from _nodes(node["additionalProperties"], f"{place}.*".lstrip("."))


def _wrong(node: Mapping[str, Any], root: Mapping[str, Any]) -> str | None:
    if "$ref" in node:
        if any(not name.startswith("$") for name in node):
            return f"$ref {node['$ref']!r} was set alongside unsupported fields"
        return None if _target(node, root) is not None else f"reference to undefined schema {node['$ref']!r}"
    unknown = sorted(set(node) - KEYWORDS)
    if unknown:
        return f"keyword {unknown[0]!r} is not supported"
    kinds = node.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds] if kinds is not None else []
    if any(kind not in TYPES for kind in kinds):
        return f"type {node.get('type')!r} is not one of {', '.join(sorted(TYPES))}"
    values = node.get("enum")
    if values is not None and not (isinstance(values, list) and all(_is_plain(value) for value in values)):
        return "enum should be a list of strings or numbers"
    properties, required = node.get("properties", {}), node.get("required", [])
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return "properties should be an object and required a list"
    missing = next((name for name in required if name not in properties), None)
    return f"required: property is not defined: {missing}" if missing is not None else None


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _target(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    reference = node["$ref"]
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: object = root
    for part in reference.split("/")[1:]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _cycle(node: Mapping[str, Any], root: Mapping[str, Any], above: tuple[str, ...], done: set[str]) -> str | None:
    """A reference to itself that no answer could end: through required properties only."""
    if "$ref" in node:
        reference = str(node["$ref"])
        if reference in above:
            return f"{reference}: a reference to itself may only be in a property that is not required"
        target = None if reference in done else _target(node, root)
        done.add(reference)
        return _cycle(target, root, (*above, reference), done) if target is not None else None
    properties = node.get("properties", {})
    needed = [properties[name] for name in node.get("required", ()) if name in properties]
    inner = [*needed, *node.get("anyOf", ()), *node.get("oneOf", ()), *([node["items"]] if "items" in node else [])]
    found = (_cycle(child, root, above, done) for child in inner if isinstance(child, Mapping))
    return next((wrong for wrong in found if wrong is not None), None)
