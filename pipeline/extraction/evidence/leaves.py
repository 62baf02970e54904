"""A record's leaves, each with what its schema says of it. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from msgspec import Struct

from pipeline.extraction.field_names import Schema, resolved
from pipeline.schema.dialects.descriptions import DECIMAL, NAIVE

Kind = Literal["text", "number", "date", "time", "enum", "bool"]
FORMATS: Mapping[str, Kind] = {
    DECIMAL: "number", "date": "date", "date-time": "date", NAIVE: "date", "time": "time",
}  # fmt: skip
TYPES: Mapping[str, Kind] = {"string": "text", "number": "number", "integer": "number", "boolean": "bool"}
LARGEST, MOST_BITS = 40, 128  # digits before or after the point; what is larger nobody prints
RATE = re.compile(r"(?i)rate|percent|satz|taux|tasa|aliquota|tarief|procent|discount|rabatt")
MAX_DEPTH = 12  # of fields within fields; a schema may refer to itself
MAX_FIELDS = 5_000
ANY_KEY = "*"


class Field(Struct, frozen=True):
    """What a schema says of a leaf: `said` are its title and description; `kind` is None where its value tells."""

    name: str
    kind: Kind | None = None
    said: tuple[str, ...] = ()
    required: bool = False


class Value(Struct, frozen=True):
    """A leaf of a record. `place` is its path without numbers, `group` the path of the object that it is in."""

    path: str
    place: str
    group: str
    kind: Kind
    value: Any
    required: bool = False
    number: Decimal | None = None
    is_rate: bool = False  # by the words of its name


def fields_of(schema: Schema) -> dict[str, Field]:
    """By path without numbers, such as `lines[].amount`; what may have any key is `extras.*`."""
    out: dict[str, Field] = {}
    _add_object(out, schema, schema.get("$defs", {}), "")
    return out


def _add_object(out: dict[str, Field], schema: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    needed, extra = schema.get("required") or (), schema.get("additionalProperties")
    properties = dict(schema.get("properties") or {})
    if isinstance(extra, Mapping):
        properties[ANY_KEY] = extra
    for key, field in properties.items():
        place = f"{path}.{key}" if path else key
        if isinstance(field, Mapping) and len(out) < MAX_FIELDS and place.count(".") < MAX_DEPTH:
            _add(out, place, key, field, definitions, key in needed)


def _add(
    out: dict[str, Field],
    place: str,
    key: str,
    schema: Schema,
    definitions: Mapping[str, Schema],
    required: bool,  # noqa: FBT001
) -> None:
    inner = resolved(schema, definitions)
    told = (schema.get("title"), schema.get("description"), inner.get("title"), inner.get("description"))
    said = tuple(dict.fromkeys(one for one in told if isinstance(one, str)))
    items = inner.get("items")
    out[place] = Field(key, _kind(inner), said, required)
    if isinstance(items, Mapping) and place.count("[]") < MAX_DEPTH:
        _add(out, f"{place}[]", key, items, definitions, required)
        out[f"{place}[]"] = Field(key, out[f"{place}[]"].kind, said or out[f"{place}[]"].said, required)
    _add_object(out, inner, definitions, place)


def _kind(schema: Schema) -> Kind | None:
    if "enum" in schema or "const" in schema:
        return "enum"
    return FORMATS.get(str(schema.get("format"))) or TYPES.get(str(schema.get("type")))


def values_in(record: Mapping[str, Any], fields: Mapping[str, Field]) -> Iterator[Value]:
    """Every leaf that is not null, in the record's order."""
    yield from _in(record, "", "", "", fields)


def _in(value: object, path: str, place: str, group: str, fields: Mapping[str, Field]) -> Iterator[Value]:
    if value is None or path.count(".") + path.count("[") > 2 * MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        any_key = f"{place}.{ANY_KEY}" if place else ANY_KEY
        for key, inner in value.items():
            known = f"{place}.{key}" if place else str(key)
            at = known if known in fields or any_key not in fields else any_key
            yield from _in(inner, f"{path}.{key}" if path else str(key), at, path, fields)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _in(inner, f"{path}[{number}]", f"{place}[]", group, fields)
    else:
        field = fields.get(place)
        kind = _kind_of_value(field.kind if field else None, value)
        required = field is not None and field.required
        if kind != "number":
            yield Value(path, place, group, kind, value, required)
        else:
            is_rate = RATE.search(place, place.rfind(".") + 1) is not None
            yield Value(path, place, group, kind, value, required, number_of(value), is_rate)


def number_of(value: Any) -> Decimal | None:  # noqa: ANN401 (any JSON value)
    """None for what is no number, or one that nobody prints."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return None
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) < LARGEST else None


def _kind_of_value(told: Kind | None, value: object) -> Kind:
    if isinstance(value, bool):
        return "bool"
    if told == "enum":
        return told
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, date):
        return "date"
    return told if told in {"number", "date", "time"} and isinstance(value, str) else "text"
