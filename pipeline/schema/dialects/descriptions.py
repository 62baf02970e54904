"""What a dialect cannot enforce is said to the model in words. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

JSON_TEXT = "any JSON value, written as JSON text"
ENTRIES = "a list of entries, one for each key"
DECIMAL = "decimal"  # our mark, as `format`, for a number that is asked for as text
NAIVE = "date-time-local"  # our mark, as `format`, for a date and time that must have no zone
LONGEST_PATTERN = 120  # characters; a longer one tells a model nothing
RULE_WORDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
    "decimalPlaces": "at most {} decimal places",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "uniqueItems": "no item twice",
    "minProperties": "at least {} entries",
    "maxProperties": "at most {} entries",
    "contentMediaType": "text of the type {}",
}
FORMAT_WORDS = {
    DECIMAL: "a plain decimal number such as 1234.50",
    NAIVE: "ISO 8601 date and time without a zone, such as 2026-11-23T14:30:00",
    "date-time": "ISO 8601 date and time, such as 2026-11-23T14:30:00Z",
    "date": "ISO 8601 date, such as 2026-11-23",
    "time": "time of day, such as 14:30:00",
    "duration": "ISO 8601 duration, such as P3DT4H30M",
    "binary": "",
    "password": "",
    "base64": "base64 text",
    "base64url": "base64 text",
    "uri": "a URL",
}


def told(keyword: str, value: Any) -> str:  # noqa: ANN401 (any JSON value)
    """A rule in words; "" when there is nothing to say."""
    if keyword == "format":
        return FORMAT_WORDS.get(str(value), f"format: {value}")
    if keyword == "propertyNames":
        return _key_words(value)
    if keyword == "pattern" and len(str(value)) > LONGEST_PATTERN:
        return ""
    return RULE_WORDS[keyword].format(_plain(value)) if keyword in RULE_WORDS else ""


def one_of(values: Sequence[Any]) -> str:
    return "one of: " + ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


def described(schema: dict[str, Any], *words: str) -> dict[str, Any]:
    """`schema` with a description of these words, before the one it has."""
    said = [word for word in dict.fromkeys((*words, schema.get("description", ""))) if word]
    return {**schema, "description": "; ".join(said)} if said else schema


def _key_words(names: Any) -> str:  # noqa: ANN401 (any schema)
    if not isinstance(names, Mapping):
        return ""
    if "enum" in names:
        return "each key " + one_of(names["enum"])
    said = [told(keyword, value) for keyword, value in names.items()]
    return "each key: " + ", ".join(word for word in said if word) if any(said) else ""


def _plain(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
