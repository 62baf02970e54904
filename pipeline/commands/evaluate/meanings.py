"""What values mean: a record's values → plain ones that are equal when they mean the same. Pure.

Numbers are `Decimal`, days and moments are those, text is NFKC with its runs of blanks as one. A list that is null is
an empty one. A type says how a value is read, not the value: "007" of a text field is text, of a number field 7.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, ValidationError, convert

from pipeline.extraction.xml_compare import amount, day
from pipeline.schema.arrow import DECODE

PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # 007 is a code
FLOAT_DIGITS = 15  # of a 64-bit float's all that are sure


class Kind(StrEnum):
    """What a field without parts holds."""

    NUMBER = "a number"
    FLOAT = "a float"
    DAY = "a date"
    MOMENT = "a date and time"
    TIME = "a time"
    SPAN = "a duration"
    BOOL = "true or false"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "JSON"  # of no type that is known: the values say what they are


class Leaf(Struct, frozen=True):
    kind: Kind


class Items(Struct, frozen=True):
    item: "Shape"


class Fields(Struct, frozen=True):
    """`root`: a model that is one value, in a field of that name."""

    parts: Mapping[str, "Shape"]

    @property
    def is_root(self) -> bool:
        return list(self.parts) == ["root"]


Shape = Leaf | Items | Fields


class Free(dict[str, Any]):
    """An object whose keys are data, as of a field `dict[str, …]`: one that is too many counts."""


def meaning_of(shape: Shape) -> Callable[[Any], Any]:
    """Value of a record → None, a plain value, or dicts and lists of them. Of an object the keys that it has alone.

    >>> meaning_of(Fields({"total": Leaf(Kind.NUMBER), "l": Items(Leaf(Kind.TEXT))}))({"total": "1.50", "l": None})
    {'total': Decimal('1.50'), 'l': []}
    """
    if isinstance(shape, Fields):
        return _of_fields({name: meaning_of(part) for name, part in shape.parts.items()}, is_root=shape.is_root)
    if isinstance(shape, Items):
        return _of_items(meaning_of(shape.item))
    read = READ[shape.kind]
    return lambda value: None if value is None else read(value)


def _of_fields(parts: Mapping[str, Callable[[Any], Any]], *, is_root: bool) -> Callable[[Any], Any]:
    steps = list(parts.items())

    def read(value: Any) -> Any:  # noqa: ANN401 (any value of a record)
        if value is None:
            return None
        if is_root and not (isinstance(value, dict) and "root" in value):
            value = {"root": value}
        if not isinstance(value, dict):
            return _text(value)
        return {name: step(value[name]) for name, step in steps if name in value}

    return read


def _of_items(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:  # noqa: ANN401 (any value of a record)
        if value is None:
            return []
        return [step(one) for one in value] if isinstance(value, list | tuple) else _text(value)

    return read


def misfit(shape: Shape, value: Any, path: str = "") -> tuple[str, str] | None:  # noqa: ANN401 (any value of a record)
    """(path, what is wrong) of the first value that has no place in the shape, or None. Values of leaves may be any."""
    if value is None or (isinstance(shape, Leaf) and shape.kind is Kind.JSON):
        return None
    if isinstance(shape, Fields):
        if shape.is_root and not (isinstance(value, Mapping) and "root" in value):
            return misfit(shape.parts["root"], value, path)
        if not isinstance(value, Mapping):
            return path, f"is {value!r:.60}, and not an object"
        unknown = next((name for name in value if name not in shape.parts), None)
        if unknown is not None:
            return under(path, str(unknown)), ""
        return next(
            (found for name in value if (found := misfit(shape.parts[name], value[name], under(path, name)))), None
        )
    if isinstance(shape, Items):
        if not isinstance(value, list | tuple):
            return path, f"is {value!r:.60}, and not a list"
        return next((found for one in value if (found := misfit(shape.item, one, f"{path}[]"))), None)
    held = "an object" if isinstance(value, Mapping) else "a list" if isinstance(value, list | tuple) else None
    return None if held is None else (path, f"is {held}, and not {shape.kind}")


def under(path: str, name: str) -> str:
    """The path of a field: `seller.city`, `lines[].amount`."""
    return f"{path}.{name}" if path else name


def paths_of(shape: Shape, path: str = "") -> Iterator[str]:
    """Of all fields."""
    if isinstance(shape, Items):
        yield from paths_of(shape.item, f"{path}[]")
    elif isinstance(shape, Fields):
        for name, part in shape.parts.items():
            yield under(path, name)
            yield from paths_of(part, under(path, name))


def shared(left: Shape, right: Shape) -> Shape:
    """What can be compared of two shapes: the fields of both; leaves of two kinds by the more lenient one."""
    if isinstance(left, Fields) and isinstance(right, Fields):
        return Fields(
            {name: shared(part, right.parts[name]) for name, part in left.parts.items() if name in right.parts}
        )
    if isinstance(left, Items) and isinstance(right, Items):
        return Items(shared(left.item, right.item))
    if isinstance(left, Leaf) and isinstance(right, Leaf):
        kinds = {left.kind, right.kind}
        return left if len(kinds) == 1 else Leaf(next((one for one in LENIENT if one in kinds), Kind.TEXT))
    return Leaf(Kind.JSON)


def only_in(left: Shape, right: Shape, path: str = "") -> list[str]:
    """Paths of the fields that `left` has and `right` has not."""
    if isinstance(left, Items) and isinstance(right, Items):
        return only_in(left.item, right.item, f"{path}[]")
    if not (isinstance(left, Fields) and isinstance(right, Fields)):
        return []
    found = [under(path, name) for name in left.parts if name not in right.parts]
    both = [name for name in left.parts if name in right.parts]
    return found + [one for name in both for one in only_in(left.parts[name], right.parts[name], under(path, name))]


# ── the kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(value: Any) -> str:  # noqa: ANN401 (any value)
    if isinstance(value, bool):
        return "true" if value else "false"
    said = value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    return " ".join((said if said.isascii() else unicodedata.normalize("NFKC", said)).split())


def _number(value: Any) -> Decimal | str:  # noqa: ANN401 (any value)
    if type(value) is int or (type(value) is Decimal and value.is_finite()):
        return Decimal(value)
    found = None if isinstance(value, bool) else amount(value)
    return _text(value).lower() if found is None else found  # NaN and Infinity too, which are equal to themselves


def _float(value: Any) -> Decimal | str:  # noqa: ANN401 (any value)
    found = _number(value)
    return Decimal(f"{found:.{FLOAT_DIGITS}g}") if isinstance(found, Decimal) else found


def _day(value: Any) -> dt.date | str:  # noqa: ANN401 (any value)
    found = value.date() if isinstance(value, dt.datetime) else value if isinstance(value, dt.date) else day(value)
    return _text(value) if found is None else found


def _moment(value: Any) -> dt.datetime | str:  # noqa: ANN401 (any value)
    """In UTC; of one that does not say its zone it is taken to be that."""
    try:
        found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value).strip())
        return found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return _text(value)


def _time(value: Any) -> dt.time | str:  # noqa: ANN401 (any value)
    try:
        found = value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value).strip())
    except ValueError:
        return _text(value)
    return found.replace(tzinfo=None)


def _span(value: Any) -> dt.timedelta | str:  # noqa: ANN401 (any value)
    if isinstance(value, dt.timedelta):
        return value
    try:
        return convert(float(value) if isinstance(value, Decimal) else value, dt.timedelta, strict=False)
    except ValidationError:
        return _text(value)


def _bool(value: Any) -> bool | str:  # noqa: ANN401 (any value)
    said = _text(value).lower()
    return {"true": True, "1": True, "false": False, "0": False}.get(said, said)


def _bytes(value: Any) -> bytes:  # noqa: ANN401 (any value)
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _json(value: Any) -> Any:  # noqa: ANN401 (any value)
    """A published value is JSON in text; a known one may be, or is the value itself."""
    if isinstance(value, str):
        try:
            value = DECODE(value)
        except (ValueError, RecursionError):
            return _free(value)
    return _free(value)


def _free(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """By what the value is. A decimal written as text, as JSON of decimals has it, is a number."""
    if isinstance(value, Mapping):
        return Free({str(name): _free(one) for name, one in value.items()})
    if isinstance(value, list | tuple):
        return [_free(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value) if isinstance(value, int) else _float(value)
    said = _text(value)
    return said if PLAIN_NUMBER.fullmatch(said) is None else _float(said) if "." in said else _number(said)


READ: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.NUMBER: _number, Kind.FLOAT: _float, Kind.DAY: _day, Kind.MOMENT: _moment, Kind.TIME: _time, Kind.SPAN: _span,
    Kind.BOOL: _bool, Kind.TEXT: _text, Kind.BYTES: _bytes, Kind.JSON: _json,
}  # fmt: skip
LENIENT = (Kind.JSON, Kind.FLOAT, Kind.NUMBER, Kind.DAY, Kind.MOMENT, Kind.TIME, Kind.SPAN, Kind.BOOL)
