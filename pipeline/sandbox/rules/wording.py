"""What a description says in words, where a dialect has no keyword for it → the keyword. Pure and total."""

import json
import re
from collections.abc import Mapping
from typing import Any

NUMBER = r"(-?\d+(?:\.\d+)?)"
RULES = (  # a part of a description between semicolons, and the keyword that says the same
    (re.compile(rf"at least {NUMBER} characters?"), "minLength"),
    (re.compile(rf"at most {NUMBER} characters?"), "maxLength"),
    (re.compile(rf"at least {NUMBER} items?"), "minItems"),
    (re.compile(rf"at most {NUMBER} items?"), "maxItems"),
    (re.compile(rf"at least {NUMBER} entries"), "minItems"),
    (re.compile(rf"at most {NUMBER} entries"), "maxItems"),
    (re.compile(rf"at most {NUMBER} decimal places?"), "decimalPlaces"),
    (re.compile(rf"at least {NUMBER}"), "minimum"),
    (re.compile(rf"at most {NUMBER}"), "maximum"),
    (re.compile(rf"more than {NUMBER}"), "exclusiveMinimum"),
    (re.compile(rf"less than {NUMBER}"), "exclusiveMaximum"),
    (re.compile(rf"a multiple of {NUMBER}"), "multipleOf"),
    (re.compile(r"matches (.+)"), "pattern"),
    (re.compile(r"format: (.+)"), "format"),
)
FORMATS = (
    ("a plain decimal number", "decimal"),
    ("ISO 8601 date and time without a zone", "date-time-local"),
    ("ISO 8601 date and time", "date-time"),
    ("ISO 8601 date", "date"),
    ("ISO 8601 duration", "duration"),
    ("time of day", "time"),
    ("base64 text", "byte"),
    ("a URL", "uri"),
    ("any JSON value, written as JSON text", "json-string"),
    ("text of the type application/json", "json-string"),
    ("the JSON text {}", "json-object"),
)
IN_FORM = re.compile(r"JSON text in the form of (.+)")
ONE_OF = re.compile(r"one of: (.+?)(?:; |\Z)", re.DOTALL)
NOT_TWICE = "no item twice"


def told(description: object) -> dict[str, Any]:
    """The keywords that a description stands for."""
    if not isinstance(description, str):
        return {}
    found: dict[str, Any] = {}
    for part in description.split("; "):
        found |= _keyword(part.strip())
    constants = ONE_OF.search(description)
    values = _values(constants[1]) if constants else []
    return {**found, "enum": values} if values else found


def with_words(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what its description says; what it says itself counts more."""
    said = told(node.get("description"))
    if "enum" in said and ("enum" in node or "const" in node or node.get("type") in {"array", "object"}):
        del said["enum"]
    return {**said, **node} if said else node


def _keyword(part: str) -> dict[str, Any]:
    if part == NOT_TWICE:
        return {"uniqueItems": True}
    form = IN_FORM.fullmatch(part)
    if form is not None:
        return {"contentSchema": {"$ref": f"#/$defs/{form[1]}"}}
    for pattern, keyword in RULES:
        match = pattern.fullmatch(part)
        if match is not None:
            return {keyword: match[1] if keyword in {"pattern", "format"} else float(match[1])}
    return next(({"format": name} for words, name in FORMATS if part.startswith(words)), {})


def _values(text: str) -> list[Any]:
    try:
        values = json.loads(f"[{text}]")
    except (ValueError, RecursionError):
        return []
    return values if isinstance(values, list) else []
