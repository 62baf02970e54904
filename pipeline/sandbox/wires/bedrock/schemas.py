"""The JSON Schemas that Bedrock compiles for structured outputs, and where one goes wrong. Pure.

AWS names a subset of draft 2020-12: no recursion, nothing outside the schema referred to, objects closed, no bounds of
numbers, arrays of at least 0 or 1 items. Lengths of strings are let pass, as a recorded answer was.
"""

from collections.abc import Iterator, Mapping
from typing import Any

UNSUPPORTED = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "oneOf", "not", "if", "then", "else"),
    *("patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
    *("prefixItems", "contains", "minContains", "maxContains", "uniqueItems", "maxItems", "unevaluatedProperties"),
)
CHILDREN = ("properties", "$defs", "definitions")
Node = Mapping[str, Any]


def problem(schema: object) -> str | None:
    """What the compiler refuses; None for a schema that it takes."""
    if not isinstance(schema, Mapping) or not schema:
        return "the schema must be a JSON object that is not empty"
    for node in _nodes(schema):
        wrong = _wrong(node, schema)
        if wrong is not None:
            return wrong
    return "recursive schemas are not supported" if _recursive(schema, schema, ()) else None


def _nodes(node: Node) -> Iterator[Node]:
    """Every schema within a schema."""
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _children(node: Node) -> Iterator[Node]:
    for keyword in CHILDREN:
        inner = node.get(keyword)
        yield from (one for one in (inner.values() if isinstance(inner, Mapping) else ()) if isinstance(one, Mapping))
    for keyword in ("anyOf", "allOf"):
        inner = node.get(keyword)
        yield from (one for one in (inner if isinstance(inner, list) else ()) if isinstance(one, Mapping))
    if isinstance(node.get("items"), Mapping):
        yield node["items"]


def _wrong(node: Node, root: Node) -> str | None:
    kinds = node.get("type")
    for keyword in UNSUPPORTED:
        if keyword in node:
            return f"For '{kinds}' type, property '{keyword}' is not supported"
    if node.get("minItems", 0) not in (0, 1):
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    reference = node.get("$ref")
    if reference is not None and _target(reference, root) is None:
        return f"$ref {reference!r} is not found in the schema"
    is_object = "object" in (kinds if isinstance(kinds, list) else [kinds]) or "properties" in node
    if is_object and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    return None


def _target(reference: object, root: Node) -> Node | None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in filter(None, reference[1:].split("/")):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _recursive(node: Node, root: Node, above: tuple[str, ...]) -> bool:
    """Whether a reference leads back to one above it."""
    reference = node.get("$ref")
    if isinstance(reference, str):
        target = _target(reference, root)
        return reference in above or (target is not None and _recursive(target, root, (*above, reference)))
    inner = (child for child in _children({key: value for key, value in node.items() if key != "$defs"}))
    return any(_recursive(child, root, above) for child in inner)
