"""Whether a value fits a schema that was asked for, and whether one value could fit two. Pure.

Only what tells the options of a union apart is looked at: types, constants and the names of fields.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Schema = Mapping[str, Any]
Definitions = Mapping[str, Schema]
Pair = tuple[str, str]

PREFIX = "#/$defs/"


def fits(schema: Schema, data: Any, definitions: Definitions) -> bool:  # noqa: ANN401 (any JSON value)
    """Whether `data` has the form that `schema` asks for."""
    schema = resolved(schema, definitions)
    if "anyOf" in schema:
        return any(fits(option, data, definitions) for option in schema["anyOf"])
    allowed = _constants(schema)
    if allowed is not None and data not in allowed:
        return False
    kind = schema.get("type")
    if kind == "object":
        return isinstance(data, dict) and _fits_object(schema, data, definitions)
    if kind == "array":
        return isinstance(data, list) and _fits_array(schema, data, definitions)
    return kind is None or kind in types_of(data)


def likeness(schema: Schema, data: Any, definitions: Definitions) -> int:  # noqa: ANN401 (any JSON value)
    """How much a value that may fit no option looks like this one; 0 when it does not at all."""
    schema = resolved(schema, definitions)
    if "anyOf" in schema:
        return max((likeness(option, data, definitions) for option in schema["anyOf"]), default=0)
    kind = schema.get("type")
    if kind is not None and kind not in types_of(data):
        return 0
    if not isinstance(data, dict):
        return 1
    properties = schema.get("properties", {})
    found = 1000 + len(properties.keys() & data.keys()) - len(data.keys() ^ properties.keys())
    for name, inner in properties.items():
        if name in data and not fits(inner, data[name], definitions):
            found -= 2 if _constants(resolved(inner, definitions)) is None else 100  # a wrong constant says the most
    return max(found, 1)


def overlap(one: Schema, other: Schema, definitions: Definitions, seen: frozenset[Pair] = frozenset()) -> bool:
    """Whether some value could fit both. Says yes where it is not sure."""
    names = (str(one.get("$ref")), str(other.get("$ref")))
    if names in seen:
        return True
    seen |= {names} if names != ("None", "None") else set()
    one, other = resolved(one, definitions), resolved(other, definitions)
    if "anyOf" in one:
        return any(overlap(option, other, definitions, seen) for option in one["anyOf"])
    if "anyOf" in other:
        return overlap(other, one, definitions, seen)
    kinds = (one.get("type"), other.get("type"))
    if None not in kinds and kinds[0] != kinds[1] and set(kinds) != {"integer", "number"}:
        return False
    constants, others = _constants(one), _constants(other)
    if constants is not None and others is not None:
        return any(value in others for value in constants)
    if kinds == ("object", "object"):
        return _objects_overlap(one, other, definitions, seen)
    return True


def resolved(schema: Schema, definitions: Definitions) -> Schema:
    """The schema behind references."""
    for _ in range(len(definitions) + 1):
        if "$ref" not in schema:
            return schema
        schema = definitions.get(str(schema["$ref"]).removeprefix(PREFIX), {})
    return {}


def types_of(data: Any) -> tuple[str, ...]:  # noqa: ANN401 (any JSON value)
    """JSON Schema's types for a value."""
    match data:
        case None:
            return ("null",)
        case bool():
            return ("boolean",)
        case str():
            return ("string",)
        case list():
            return ("array",)
        case dict():
            return ("object",)
        case int():
            return ("integer", "number")
        case float():
            return ("integer", "number") if data.is_integer() else ("number",)
        case Decimal():
            return ("integer", "number") if data == data.to_integral_value() else ("number",)
        case _:
            return ()


def _fits_array(schema: Schema, data: list[Any], definitions: Definitions) -> bool:
    prefix, after = schema.get("prefixItems", ()), schema.get("items", {})
    if after is False and len(data) > len(prefix):
        return False
    kinds = [prefix[number] if number < len(prefix) else after for number in range(len(data))]
    return all(fits(kind, one, definitions) for kind, one in zip(kinds, data, strict=True))


def _fits_object(schema: Schema, data: dict[str, Any], definitions: Definitions) -> bool:
    properties = schema.get("properties", {})
    if not all(name in data for name in schema.get("required", ())):
        return False
    if schema.get("additionalProperties") is False and data.keys() - properties.keys():
        return False
    return all(fits(properties[name], value, definitions) for name, value in data.items() if name in properties)


def _objects_overlap(one: Schema, other: Schema, definitions: Definitions, seen: frozenset[Pair]) -> bool:
    mine, yours = one.get("properties", {}), other.get("properties", {})
    needed = {*one.get("required", ()), *other.get("required", ())}
    if one.get("additionalProperties") is False and needed - mine.keys():
        return False
    if other.get("additionalProperties") is False and needed - yours.keys():
        return False
    both = needed & mine.keys() & yours.keys()
    return all(overlap(mine[name], yours[name], definitions, seen) for name in both)


def _constants(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None
