"""An annotation of the user's model → an Arrow type, and how a JSON value becomes what Arrow takes for it. Pure."""

import base64
import datetime as dt
import enum
import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
from msgspec import Struct
from pydantic import TypeAdapter

JSON_METADATA = {b"encoding": b"json"}
LARGEST_INTEGER = 2**63 - 1
MOST_DIGITS = 38  # of a decimal that everybody can read
FREE_DECIMAL = pa.decimal128(MOST_DIGITS, 9)  # of one that says nothing of its digits
Convert = Callable[[Any], Any]
Fits = Callable[[Any], bool]


class Kind(Struct, frozen=True):
    """An Arrow type, and how a JSON value becomes what Arrow takes for it.

    `quick` is `convert` for values as Pydantic writes them, None where Arrow takes those as they are. It may change the
    value in place, and raises, as Arrow does, for a value of another kind. `exact`: no digit may be lost in decoding.

    `fits` is cheap, and certain where it is true: Arrow takes the value. It may raise where it is not.
    `parts` are the fields of a struct, or the items of a list (named `[]`). `is_root`: its only one is the value.
    `assumed`: the user did not say its digits.
    """

    type: pa.DataType
    convert: Convert
    fits: Fits
    quick: Convert | None = None
    exact: bool = False
    is_json: bool = False
    parts: tuple["Part", ...] = ()
    is_root: bool = False
    assumed: bool = False


class Part(Struct, frozen=True):
    """A field or an item. `needed`: the schema does not allow null."""

    name: str
    kind: Kind
    needed: bool = False

    @property
    def field(self) -> pa.Field:
        name = "item" if self.name == "[]" else self.name
        return pa.field(name, self.kind.type, metadata=JSON_METADATA if self.kind.is_json else None)


def struct(parts: Sequence[Part], *, root: bool = False, extra: str = "") -> Kind:
    """`root`: the value is that of the only field. `extra`: the field for all that has no field of its own."""
    steps = [(part.name, part.kind.convert) for part in parts]
    quick_steps = [(part.name, part.kind.quick) for part in parts if part.kind.quick is not None]
    known = {part.name for part in parts} - {extra}

    def whole(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
        if root:
            return {"root": value}
        others = {name: inner for name, inner in value.items() if name not in known} if extra else None
        return {**value, extra: others} if others else value

    def convert(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON value)
        get = whole(value).get
        return {name: None if (found := get(name)) is None else step(found) for name, step in steps}

    def quick(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON value)
        found = {"root": value} if root else value
        for name, step in quick_steps:
            if (inner := found.get(name)) is not None:
                found[name] = step(inner)
        return cast("dict[str, Any]", found)

    tests = [(part.name, part.kind.fits, not part.needed) for part in parts]

    def fits(value: Any) -> bool:  # noqa: ANN401 (any JSON value)
        get = {"root": value}.get if root else value.get
        return all(may_be_null if (inner := get(name)) is None else test(inner) for name, test, may_be_null in tests)

    exact = any(part.kind.exact for part in parts)
    made = pa.struct([part.field for part in parts])
    return Kind(made, convert, fits, quick if quick_steps or root else None, exact, parts=tuple(parts), is_root=root)


def listed(inner: Kind, *, needed: bool = False) -> Kind:
    item = Part("[]", inner, needed)

    def each(step: Convert) -> Convert:
        return lambda value: [None if one is None else step(one) for one in value]

    def fits(value: Any) -> bool:  # noqa: ANN401 (any JSON value)
        return type(value) is list and all(not needed if one is None else inner.fits(one) for one in value)

    quick = None if inner.quick is None else each(inner.quick)
    return Kind(pa.list_(item.field), each(inner.convert), fits, quick, inner.exact, parts=(item,))


def decimal(digits: int | None, places: int | None, given: pa.DataType | None = None) -> Kind:
    """Of what the user says of its digits; `given` is an Arrow type that the user names for it."""
    if digits is not None and places is None and 2 * digits <= MOST_DIGITS:
        return _decimal(pa.decimal128(2 * digits, digits))  # wherever the point stands
    if given is not None and pa.types.is_decimal(given):
        return _decimal(given)
    if given is not None or max(digits or 0, places or 0) > MOST_DIGITS:
        return SIMPLE[str]  # text loses no digit
    if places is None:
        return _decimal(FREE_DECIMAL, assumed=True)
    return _decimal(pa.decimal128(MOST_DIGITS if digits is None else digits, places), assumed=digits is None)


def _decimal(kind: pa.DataType, *, assumed: bool = False) -> Kind:
    digits, places = kind.precision, kind.scale
    whole = rf"[0-9]{{1,{digits - places}}}" if digits > places else "0"
    fits = re.compile(rf"-?{whole}(?:\.[0-9]{{1,{places}}})?" if places else f"-?{whole}").fullmatch
    return Kind(
        kind, lambda value: Decimal(str(value)), lambda value: fits(value) is not None, _decimal_of_text,
        assumed=assumed,
    )  # fmt: skip


def _decimal_of_text(value: Any) -> Decimal:  # noqa: ANN401 (any JSON value)
    if not isinstance(value, str):
        raise TypeError("a number that was decoded has lost digits")
    return Decimal(value)


def moment(*, naive: bool) -> Kind:
    def convert(value: str) -> dt.datetime:
        found = dt.datetime.fromisoformat(value)
        if naive:
            return found
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)

    return _same(pa.timestamp("us") if naive else pa.timestamp("us", tz="UTC"), convert)


def json_text() -> Kind:
    def convert(value: Any) -> str:  # noqa: ANN401 (any JSON value)
        return json.dumps(value, ensure_ascii=False, default=_digits)

    return Kind(pa.string(), convert, lambda _: True, exact=True, is_json=True)


def _digits(value: Decimal) -> float:
    return float(value)


def _same(kind: pa.DataType, convert: Convert, *, sure: bool = True) -> Kind:
    """`sure`: Arrow takes whatever `convert` makes."""
    return Kind(kind, convert, lambda value: sure and convert(value) is not None, convert)


def constants(values: Sequence[Any]) -> Kind:
    """The kind that all values have; null is no value."""
    plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
    kinds = {type(value) for value in plain if value is not None}
    only = kinds.pop() if len(kinds) == 1 else None
    return SIMPLE[only] if only in {str, int, bool, float} else json_text()


def encoded(decode: Convert, inner: Kind) -> Kind:
    """What is written in an encoding of its own, as the text or bytes that it stands for."""
    return _same(inner.type, decode)


SIMPLE: dict[Any, Kind] = {
    str: Kind(pa.string(), str, lambda value: type(value) is str),
    bool: Kind(pa.bool_(), bool, lambda value: type(value) is bool),
    int: Kind(pa.int64(), int, lambda value: type(value) is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER),
    float: Kind(pa.float64(), float, lambda value: type(value) is float),
    dt.date: _same(pa.date32(), dt.date.fromisoformat),
    dt.time: _same(pa.time64("us"), lambda value: dt.time.fromisoformat(value).replace(tzinfo=None)),
    dt.timedelta: _same(pa.duration("us"), lambda value: TypeAdapter(dt.timedelta).validate_python(value), sure=False),
}
BYTES: dict[str, Kind] = {
    "utf8": _same(pa.binary(), lambda value: value.encode()),
    "base64": _same(pa.binary(), base64.urlsafe_b64decode),
    "hex": _same(pa.binary(), bytes.fromhex),
}
