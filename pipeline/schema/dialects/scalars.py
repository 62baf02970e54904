"""Single values in a dialect: types with their rules, and constants. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.schema.dialects.descriptions import DECIMAL, NAIVE, described, one_of, told
from pipeline.schema.dialects.nodes import Scalar, Values
from pipeline.schema.dialects.table import NUMBERS, Dialect

OURS = frozenset(["maxDigits", "decimalPlaces"])  # not JSON Schema: only ever told
LONGEST_REGEX = 200  # characters; a constrained decoder compiles it
SPECIAL = re.compile(r"\(\?(?!:)|\\[bBAZzGkp1-9]|[*+?}][+]")  # lookaround, names, flags, back references, anchors


def rules(kind_type: str, given: Mapping[str, Any], dialect: Dialect) -> tuple[dict[str, Any], list[str]]:
    """The rules that the dialect takes, and the others in words."""
    kept = {key: value for key, value in given.items() if _keeps(kind_type, key, value, dialect)}
    return kept, [told(key, value) for key, value in given.items() if key not in kept]


def scalar(kind: Scalar, dialect: Dialect) -> dict[str, Any]:
    kept, words = rules(kind.type, kind.rules, dialect)
    return described({"type": kind.type, **kept}, *kind.words, *words)


def constants(kind: Values, dialect: Dialect) -> dict[str, Any] | None:
    """One of some constants, by type; None when one of them is a list or an object."""
    groups: dict[str, list[Any]] = {}
    for value in kind.values:
        name = _type_of(value)
        if name is None:
            return None
        group = groups.setdefault(name, [])
        if value not in group:
            group.append(value)
    options = [_of_type(name, values, dialect) for name, values in groups.items()]
    if not options:
        return None
    return described(options[0] if len(options) == 1 else {"anyOf": options}, *kind.words)


def too_many(kind: Values, dialect: Dialect) -> bool:
    """Whether the constants are too many to be enforced."""
    most = dialect.limits.values_of_one
    return most is not None and len(kind.values) > most


def one_of_schemas(schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A union; unions in it that say nothing of their own become a part of it."""
    options: list[dict[str, Any]] = []
    for schema in schemas:
        for one in schema["anyOf"] if set(schema) == {"anyOf"} else [schema]:
            if one not in options:
                options.append(one)
    return {"anyOf": options}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` or null, under the same description."""
    inner = {key: value for key, value in schema.items() if key != "description"}
    options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    if {"type": "null"} in options:
        return schema
    out: dict[str, Any] = {"anyOf": [*options, {"type": "null"}]}
    return described(out, schema.get("description", ""))


def is_simple(pattern: str) -> bool:
    """Whether a regular expression is of the part that all decoders know."""
    return len(pattern) <= LONGEST_REGEX and SPECIAL.search(pattern) is None


def _of_type(name: str, values: Sequence[Any], dialect: Dialect) -> dict[str, Any]:
    if name == "null" or (name == "boolean" and len(values) == 2):
        return {"type": name}
    most = dialect.limits.values_of_one
    if name not in dialect.constants or (most is not None and len(values) > most):
        return described({"type": name}, one_of(values))
    if len(values) == 1 and dialect.const:
        return {"type": name, "const": values[0]}
    return {"type": name, "enum": list(values)}


def _keeps(kind_type: str, key: str, value: Any, dialect: Dialect) -> bool:  # noqa: ANN401 (any JSON value)
    if key in OURS or (key in NUMBERS and kind_type == "string"):
        return False
    if key == "format":
        return value not in {DECIMAL, NAIVE} and (dialect.formats is None or value in dialect.formats)
    if dialect.rules is None:
        return True
    if key not in dialect.rules or (key == "pattern" and not is_simple(str(value))):
        return False
    return not (key == "minItems" and dialect.short_lists and value > 1)


def _type_of(value: Any) -> str | None:  # noqa: ANN401 (any JSON value)
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return None
