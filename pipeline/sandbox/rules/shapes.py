"""What a JSON Schema lets stand at each place, made ready to be filled (`rule_schemas` makes it). Pure."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from msgspec import Struct

from pipeline.sandbox.rules.patterns import Pattern, pattern_of

UNKNOWN_KIND = "any"
ENDLESS = 1_000_000  # the size of what has no end
COUNTED = {"string": "Length", "array": "Items"}  # what minLength and its like count; properties elsewhere
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


class Field(Struct, eq=False):
    """A property of an object."""

    name: str
    words: tuple[str, ...]  # of the name, in lower case
    shape: "Shape"
    required: bool


class Option(Struct, eq=False, dict=True):
    """One kind of value that a shape can have."""

    raw: Mapping[str, Any]
    kind: str
    choices: tuple[Any, ...] | None  # of `enum` or `const`
    fields: tuple[Field, ...] = ()
    values: "Shape | None" = None  # of the entries of a map; of what a text of JSON holds
    names: "Shape | None" = None  # of its keys
    items: "Shape | None" = None
    prefix: tuple["Shape", ...] = ()
    size: int = ENDLESS  # of the least value of this kind, in values
    depth: int = 0  # of the same

    @property
    def identity(self) -> int:
        """The same for all options that stem from one object of the schema."""
        return id(self.raw.get("properties", self))

    @cached_property
    def least(self) -> int:
        """Of characters, items or entries, by kind."""
        return _count(self.raw, "min" + COUNTED.get(self.kind, "Properties")) or 0

    @cached_property
    def most(self) -> int | None:
        return _count(self.raw, "max" + COUNTED.get(self.kind, "Properties"))

    @cached_property
    def pattern(self) -> Pattern | None:
        source = self.raw.get("pattern")
        return pattern_of(source) if isinstance(source, str) else None

    @cached_property
    def format(self) -> str:
        named = self.raw.get("format")
        return named.lower() if isinstance(named, str) else ""

    @cached_property
    def is_number(self) -> bool:
        """Also where the number is written as text."""
        return self.kind in {"integer", "number"} or (self.kind == "string" and self.format == "decimal")

    @cached_property
    def low(self) -> tuple[Decimal, bool] | None:
        """(least value, whether it is itself too little)."""
        return _limit(self.raw, "minimum", "exclusiveMinimum")

    @cached_property
    def high(self) -> tuple[Decimal, bool] | None:
        return _limit(self.raw, "maximum", "exclusiveMaximum")

    @cached_property
    def step(self) -> Decimal | None:
        step = _decimal(self.raw.get("multipleOf"))
        return step if step is not None and step > 0 else None

    @cached_property
    def places(self) -> int | None:
        """The most decimal places."""
        return _count(self.raw, "decimalPlaces")

    @cached_property
    def unique(self) -> bool:
        return self.raw.get("uniqueItems") is True


class Shape(Struct, eq=False, dict=True):
    """What may stand at one place: at least one option."""

    options: tuple[Option, ...] = ()
    nullable: bool = False

    @cached_property
    def lowest(self) -> Option:
        """The option whose least value is the smallest; null only where there is no other."""
        return min(self.options, key=lambda option: (option.size, option.kind == "null"))

    @cached_property
    def real(self) -> tuple[Option, ...]:
        """The options but null."""
        return tuple(option for option in self.options if option.kind != "null")


def words_of(name: str) -> tuple[str, ...]:
    """Both invoiceNumber and invoice_number → invoice, number."""
    return tuple(part.lower() for part in CAMEL.split(name) if part)


def _count(raw: Mapping[str, Any], keyword: str) -> int | None:
    value = _decimal(raw.get(keyword))
    return int(value) if value is not None and 0 <= value < ENDLESS else None


def _limit(raw: Mapping[str, Any], keyword: str, exclusive: str) -> tuple[Decimal, bool] | None:
    """JSON Schema of all drafts: the exclusive one is a number, or says whether the other is itself out."""
    value, strict = _decimal(raw.get(keyword)), raw.get(exclusive)
    other = _decimal(strict)
    if value is None:
        return None if other is None else (other, True)
    if other is None:
        return value, strict is True
    sharper = other >= value if keyword == "minimum" else other <= value
    return (other, True) if sharper else (value, False)


def _decimal(value: object) -> Decimal | None:
    """A number of the schema, or, as one dialect writes counts, a text of digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
