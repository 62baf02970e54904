"""A JSON Schema of any dialect → what may stand at each place: references followed, words read. Pure and total."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from types import NoneType
from typing import Any

from msgspec import Struct

from pipeline.sandbox.rules.patterns import Pattern, pattern_of

ANY_KIND = "any"
MAX_OPTIONS = 64  # of one shape, alternatives within alternatives counted
MAX_CHAIN = 16  # of references and alternatives before anything is said
TOO_LARGE = 10**30  # for a limit
COUNTED = {"string": "Length", "array": "Items"}  # what minLength and its like count; properties elsewhere
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
TYPES: Mapping[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool,
    "null": NoneType,
}  # fmt: skip
ALIASES = {
    "idn-email": "email", "name-email": "email", "url": "uri", "iri": "uri", "uuid4": "uuid", "base64": "byte",
    "base64url": "byte", "ipvanyaddress": "ipv4", "ipv4interface": "ipv4network", "ipv6interface": "ipv6network",
}  # fmt: skip
NUMBER = r"(-?\d+(?:\.\d+)?)"
SAID = {  # in a description, between semicolons, where a dialect has no keyword for it
    rf"at least {NUMBER} characters?": "minLength", rf"at most {NUMBER} characters?": "maxLength",
    rf"at least {NUMBER} (?:items?|entries)": "minItems", rf"at most {NUMBER} (?:items?|entries)": "maxItems",
    rf"at most {NUMBER} decimal places?": "decimalPlaces", rf"a multiple of {NUMBER}": "multipleOf",
    rf"at least {NUMBER}": "minimum", rf"at most {NUMBER}": "maximum",
    rf"more than {NUMBER}": "exclusiveMinimum", rf"less than {NUMBER}": "exclusiveMaximum",
    r"(no) item twice": "uniqueItems", r"matches (.+)": "pattern", r"format: (.+)": "format",
    r"JSON text in the form of (.+)": "contentForm", r"one of: (.+)": "enum",
}  # fmt: skip
RULES = [(re.compile(said, re.DOTALL), keyword) for said, keyword in SAID.items()]
FORMATS = {
    "a plain decimal number": "decimal", "ISO 8601 date and time without a zone": "date-time-local",
    "ISO 8601 date and time": "date-time", "ISO 8601 date": "date", "ISO 8601 duration": "duration",
    "time of day": "time", "base64 text": "byte", "a URL": "uri", "text of the type application/json": "json-string",
    "any JSON value, written as JSON text": "json-string", "the JSON text {}": "json-object",
}  # fmt: skip


class Field(Struct, eq=False):
    name: str
    words: tuple[str, ...]  # of the name, in lower case
    shape: "Shape"
    required: bool


class Option(Struct, eq=False):
    """One kind of value that a shape can have."""

    raw: Mapping[str, Any]
    kind: str
    choices: tuple[Any, ...] | None = None  # of `enum` or `const`
    fields: tuple[Field, ...] = ()
    values: "Shape | None" = None  # of the entries of a map; of what a text of JSON holds
    items: "Shape | None" = None
    prefix: tuple["Shape", ...] = ()

    def number(self, *keywords: str) -> Decimal | None:
        """The first that is there: a number, or, as one dialect writes counts, a text of digits."""
        for value in map(self.raw.get, keywords):
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                with suppress(InvalidOperation):
                    number = Decimal(str(value))
                    return number if number.is_finite() and abs(number) < TOO_LARGE else None
        return None

    def count(self, side: str, otherwise: int) -> int:
        """The least ("min") or most ("max") of characters, items or entries, by kind."""
        value = self.number(side + COUNTED.get(self.kind, "Properties"))
        return int(value) if value is not None and value >= 0 else otherwise

    @property
    def identity(self) -> int:
        """The same for all options of one object of the schema."""
        return id(self.raw.get("properties", self))

    @property
    def format(self) -> str:
        named = str(self.raw.get("format", "")).lower()
        return ALIASES.get(named, named)

    @property
    def pattern(self) -> Pattern | None:
        return pattern_of(str(self.raw["pattern"])) if "pattern" in self.raw else None

    @property
    def is_number(self) -> bool:
        """Also where the number is written as text."""
        return self.choices is None and (self.kind in {"integer", "number"} or self.format == "decimal")


class Shape(Struct, eq=False):
    """What may stand at one place: at least one option."""

    options: tuple[Option, ...] = ()
    real: tuple[Option, ...] = ()  # all but null
    nullable: bool = False


class Builder:
    """The shapes of one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.shapes: dict[int, tuple[Shape, Any]] = {}  # by the identity of the schema, which is kept alive by it
        self.waiting: list[tuple[Shape, Any]] = []

    def shape(self, raw: Any) -> Shape:  # noqa: ANN401 (any part of a schema)
        if id(raw) not in self.shapes:
            self.shapes[id(raw)] = Shape(), raw
            self.waiting.append(self.shapes[id(raw)])
        return self.shapes[id(raw)][0]

    def build(self) -> Shape:
        """The root's shape, with all that can be reached from it."""
        top = self.shape(self.root)
        while self.waiting:
            shape, raw = self.waiting.pop()
            nodes = map(_with_words, islice(self._alternatives(raw, 0), MAX_OPTIONS))
            shape.options = tuple(chain.from_iterable(map(self._options, nodes))) or (Option({}, ANY_KIND),)
            shape.real = tuple(option for option in shape.options if option.kind != "null")
            shape.nullable = any(option.kind in {"null", ANY_KIND} for option in shape.options)
        return top

    def _alternatives(self, raw: Any, chain: int) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 (as above)
        """The plain schemas that a schema is any one of."""
        node = dict(raw) if isinstance(raw, Mapping) and chain <= MAX_CHAIN else {}
        if "$ref" in node:
            yield from self._alternatives(_merged(self._referred(node.pop("$ref")), node), chain + 1)
            return
        either = node.pop("anyOf", None) or node.pop("oneOf", None)
        parts = either[:MAX_OPTIONS] if isinstance(either, list) else [{}]
        for part in parts:
            yield from (_merged(node, one) for one in (self._alternatives(part, chain + 1) if part else [{}]))

    def _referred(self, reference: object) -> Mapping[str, Any]:
        definitions = self.root.get("$defs")
        found = definitions.get(str(reference).rpartition("/")[2]) if isinstance(definitions, Mapping) else None
        return self.root if reference == "#" else found if isinstance(found, Mapping) else {}

    def _options(self, node: Mapping[str, Any]) -> Iterator[Option]:
        listed = [node["const"]] if "const" in node else node.get("enum")
        choices = listed if isinstance(listed, list) and listed else None
        kinds = _kinds(node, choices)
        for kind in kinds:
            fitting = None if choices is None else tuple(one for one in choices if _is_a(one, kind))
            if fitting or fitting is None:
                yield self._filled(Option(node, kind, fitting))

    def _filled(self, option: Option) -> Option:
        node = option.raw
        properties, prefix = node.get("properties"), node.get("prefixItems")
        if option.kind == "object":
            required = node.get("required")
            names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            known = dict(properties) if isinstance(properties, Mapping) else {}
            known |= {name: {} for name in names if name not in known}
            fields = (Field(name, words_of(name), self.shape(one), name in names) for name, one in known.items())
            option.fields = tuple(fields)
            option.values = self.shape(node.get("additionalProperties")) if not known else None
        elif option.kind == "array":
            option.prefix = tuple(map(self.shape, prefix)) if isinstance(prefix, list) else ()
            option.items = self.shape(node.get("items")) if node.get("items") is not False else None
        elif option.kind == "string" and "contentForm" in node:
            option.values = self.shape(self._referred(node["contentForm"]))
        return option


def words_of(name: str) -> tuple[str, ...]:
    """Both invoiceNumber and invoice_number → invoice, number."""
    return tuple(part.lower() for part in CAMEL.split(name) if part)


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both at once; where they disagree on a keyword, the second."""
    notes = [note for note in (first.get("description"), second.get("description")) if isinstance(note, str)]
    return {**first, **second, "description": "; ".join(notes)}


def _kinds(node: Mapping[str, Any], choices: Sequence[Any] | None) -> list[str]:
    said = node.get("type")
    listed = said if isinstance(said, list) else [said]
    kinds = [kind.lower() for kind in listed if isinstance(kind, str) and kind.lower() in TYPES]
    if not kinds and choices is not None:
        kinds = [kind for kind in TYPES if any(_is_a(one, kind) for one in choices)]
    return list(dict.fromkeys(kinds)) or ["object" if "properties" in node or "required" in node else ANY_KIND]


def _is_a(value: object, kind: str) -> bool:
    return kind == ANY_KIND or (isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "boolean"))


def _with_words(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what its description says; what it says itself counts more."""
    said = dict(filter(None, map(_told, str(node.get("description", "")).split("; "))))
    if "const" in node or node.get("type") in ("array", "object") or not said.get("enum"):
        said.pop("enum", None)
    return {**said, **node}


def _told(part: str) -> tuple[str, Any] | None:
    """(keyword, its value) for what a part of a description says."""
    for rule, keyword in RULES:
        match = rule.fullmatch(part.strip())
        with suppress(ValueError, RecursionError):
            if match is not None:
                return keyword, json.loads(f"[{match[1]}]") if keyword == "enum" else match[1]
    return next((("format", name) for words, name in FORMATS.items() if part.startswith(words)), None)
