"""Anthropic's structured outputs: which JSON Schemas they take, and what is wrong with one that they do not. Pure.

Stricter where the provider's own documents and its answers differ: a schema that passes here should pass there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

UNSUPPORTED = {  # by type, in the provider's grouping
    "object": ("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired"),
    "array": ("maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"),
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": (),
    "null": (),
}
NOWHERE = ("oneOf", "not", "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems")
COMBINED = ("anyOf", "allOf")
DEFINITIONS = ("$defs", "definitions")
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
NO_PATTERN = re.compile(r"\(\?[=!<]|\\[bB1-9]")  # looking around, word boundaries, references back
MOST_OPTIONAL = 24
MOST_UNIONS = 16


def problem(schema: Schema) -> str | None:
    """What is refused first, as the provider words it; None for a schema that it takes."""
    for node in _nodes(schema):
        wrong = _wrong(node, schema)
        if wrong is not None:
            return wrong
    if _circular(schema):
        return "Circular references are not supported: a definition refers to itself"
    return _too_much(schema)


def _nodes(node: object) -> Iterator[Schema]:
    """Every schema within a schema, outermost first; one that is none comes as an empty one."""
    if not isinstance(node, Mapping):
        yield {}
        return
    yield node
    for keyword in ("properties", *DEFINITIONS):
        inner = node.get(keyword)
        for child in inner.values() if isinstance(inner, Mapping) else ():
            yield from _nodes(child)
    if "items" in node:
        yield from _nodes(node["items"])
    for keyword in COMBINED:
        options = node.get(keyword)
        for child in options if isinstance(options, list) else ():
            yield from _nodes(child)


def _wrong(node: Schema, root: Schema) -> str | None:
    for keyword in NOWHERE:
        if keyword in node:
            return f"'{keyword}' is not supported"
    if "$ref" in node:
        return None if _target(node["$ref"], root) is not None else f"Reference {node['$ref']!r} cannot be resolved"
    kinds = node.get("type")
    if kinds is None and not any(keyword in node for keyword in (*COMBINED, "enum", "const")):
        return "Schema must have a 'type', 'anyOf', 'allOf', 'enum' or 'const'"
    for kind in kinds if isinstance(kinds, list) and kinds else [kinds]:
        if kind is not None and (not isinstance(kind, str) or kind not in UNSUPPORTED):
            return f"Schema type {kind!r} is not supported"
        wrong = _wrong_kind(kind, node) if kind is not None else None
        if wrong is not None:
            return wrong
    values = node.get("enum", [])
    if not isinstance(values, list) or any(isinstance(value, list | Mapping) for value in values):
        return "'enum' takes a list of strings, numbers, booleans and null only"
    return None


def _wrong_kind(kind: str, node: Schema) -> str | None:
    found = [keyword for keyword in UNSUPPORTED[kind] if keyword in node]
    if found:
        return f"For '{kind}' type, {'properties' if found[1:] else 'property'} {', '.join(found)} not supported"
    if kind == "object" and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if kind == "array" and node.get("minItems", 0) not in (0, 1):
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if kind == "string" and str(node.get("format", "date")) not in FORMATS:
        return f"For 'string' type, format {node['format']!r} is not supported"
    if kind == "string" and NO_PATTERN.search(str(node.get("pattern", ""))):
        return f"For 'string' type, pattern {node['pattern']!r} is not supported"
    return None


def _target(reference: object, root: Schema) -> Schema | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: object = root
    for part in reference.split("/")[1:]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _circular(root: Schema) -> bool:
    """Whether any reference leads, through others, back to itself."""
    references = {node["$ref"] for node in _nodes(root) if "$ref" in node}
    leads = {
        reference: {node["$ref"] for node in _nodes(_target(reference, root)) if "$ref" in node}
        for reference in references
    }
    for start in references:
        seen: set[str] = set()
        ahead = set(leads[start])
        while ahead:
            reference = ahead.pop()
            if reference == start:
                return True
            if reference not in seen:
                seen.add(reference)
                ahead |= leads.get(reference, set())
    return False


def _too_much(schema: Schema) -> str | None:
    """The limits of the grammar that a schema is compiled to."""
    optional = unions = 0
    for node in _nodes(schema):
        properties = node.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = node.get("required")
        optional += sum(not isinstance(required, list) or name not in required for name in properties)
        unions += sum("anyOf" in inner or isinstance(inner.get("type"), list) for inner in properties.values())
    if optional > MOST_OPTIONAL:
        return f"Schemas contain too many optional parameters ({optional}; limit: {MOST_OPTIONAL})"
    if unions > MOST_UNIONS:
        return f"Schemas contain too many parameters with union types ({unions}; limit: {MOST_UNIONS})"
    return None
