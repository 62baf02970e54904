"""The user's model → one Arrow type, declared up front, and records → a column of it.

Everything is nullable at every level; what Arrow cannot type is a JSON string, marked in the field's metadata. The type
depends on the model alone, so it is the same every night, also when a column is all null.
"""

import base64
import contextlib
import datetime as dt
import enum
import json
import re
import types
import typing
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal, cast, get_args, get_origin
from uuid import UUID

import orjson
import pyarrow as pa
from msgspec import Struct
from pydantic import AwareDatetime, BaseModel, NaiveDatetime, RootModel, TypeAdapter

JSON_METADATA = {b"encoding": b"json"}
LARGEST_INTEGER = 2**63 - 1
Convert = Callable[[Any], Any]
Fits = Callable[[Any], bool]
CANNOT = (pa.ArrowException, ValueError, TypeError, AttributeError, ArithmeticError)  # hold this value
DECODE = json.JSONDecoder(parse_float=Decimal).decode  # made once: `json.loads` makes one for every text


class _Kind(Struct, frozen=True):
    """An Arrow type, and how a JSON value becomes what Arrow takes for it.

    `quick` is `convert` for values as Pydantic writes them, None where Arrow takes those as they are. It may change the
    value in place, and raises, as Arrow does, for a value of another kind. `exact`: no digit may be lost in decoding.

    `fits` is cheap, and certain where it is true: Arrow takes the value. It may raise where it is not.
    """

    type: pa.DataType
    convert: Convert
    fits: Fits
    quick: Convert | None = None
    exact: bool = False
    is_json: bool = False


class RecordColumn:
    """The `record` column of a schema."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._kind = _of_model(model, ())
        self.type: pa.StructType = self._kind.type

    def array(self, records: Sequence[str | None]) -> pa.StructArray:
        """Records as `model_dump_json` made them; None is null."""
        if not self._kind.exact:
            with contextlib.suppress(*CANNOT):  # a serializer of the user's writes other kinds than its field is of
                return self._with(records, orjson.loads, self._kind.quick)
        return self._with(records, DECODE, self._kind.convert)

    def _with(self, records: Sequence[str | None], decode: Convert, convert: Convert | None) -> pa.StructArray:
        values = [None if record is None else decode(record) for record in records]
        if convert is not None:
            values = [None if value is None else convert(value) for value in values]
        return pa.array(values, self.type)

    def problem_of(self, record: str) -> str | None:
        """Why the column cannot hold this record, or None.

        Pydantic has judged it already, but a model may hold what its own fields do not allow (defaults, validators and
        serializers are not checked), and Arrow's integers have 64 bits. A try takes 20 us: it is for those in doubt.
        """
        try:
            if self._kind.fits(orjson.loads(record)):
                return None
        except CANNOT:
            pass  # no proof of anything: JSON that only the exact way can read, or a value of another kind
        try:
            self.array([record])
        except CANNOT as error:
            return f"the record cannot be stored: {str(error).splitlines()[0]}"
        return None


def _of_model(model: type[BaseModel], above: tuple[type, ...]) -> _Kind:
    if issubclass(model, RootModel):
        return _struct(
            {"root": _of(model.model_fields["root"].annotation, model.model_fields["root"].metadata, above)}, root=True
        )
    kinds = {name: _of(info.annotation, info.metadata, (*above, model)) for name, info in model.model_fields.items()}
    return _struct(kinds)


def _struct(kinds: dict[str, _Kind], *, root: bool = False) -> _Kind:
    fields = [
        pa.field(name, kind.type, metadata=JSON_METADATA if kind.is_json else None) for name, kind in kinds.items()
    ]
    steps = [(name, kind.convert) for name, kind in kinds.items()]
    quick_steps = [(name, kind.quick) for name, kind in kinds.items() if kind.quick is not None]

    def convert(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON value)
        get = {"root": value}.get if root else value.get
        return {name: None if (found := get(name)) is None else step(found) for name, step in steps}

    def quick(value: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON value)
        found = {"root": value} if root else value
        for name, step in quick_steps:
            if (inner := found.get(name)) is not None:
                found[name] = step(inner)
        return cast("dict[str, Any]", found)

    tests = [(name, kind.fits) for name, kind in kinds.items()]

    def fits(value: Any) -> bool:  # noqa: ANN401 (any JSON value)
        get = {"root": value}.get if root else value.get
        return all((inner := get(name)) is None or test(inner) for name, test in tests)

    exact = any(kind.exact for kind in kinds.values())
    return _Kind(pa.struct(fields), convert, fits, quick if quick_steps or root else None, exact)


def _list(inner: _Kind) -> _Kind:
    field = pa.field("item", inner.type, metadata=JSON_METADATA if inner.is_json else None)

    def each(step: Convert) -> Convert:
        return lambda value: [None if one is None else step(one) for one in value]

    def fits(value: Any) -> bool:  # noqa: ANN401 (any JSON value)
        return type(value) is list and all(one is None or inner.fits(one) for one in value)

    quick = None if inner.quick is None else each(inner.quick)
    return _Kind(pa.list_(field), each(inner.convert), fits, quick, inner.exact)


def _of(annotation: Any, metadata: Sequence[Any], above: tuple[type, ...]) -> _Kind:  # noqa: ANN401 (a table of kinds)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _of(arguments[0], [*metadata, *arguments[1:]], above)
    if origin in {typing.Union, types.UnionType}:
        return _of_union([part for part in arguments if part is not type(None)], metadata, above)
    if origin is Literal:
        return _of_values(arguments)
    if origin in {list, set, frozenset, typing.Sequence} or (
        origin is tuple and len(arguments) == 2 and arguments[1] is ...
    ):
        return _list(_of(arguments[0], (), above))
    if isinstance(annotation, type):
        return _of_class(annotation, metadata, above)
    if annotation in {AwareDatetime, NaiveDatetime}:
        return _datetime(naive=annotation is NaiveDatetime)
    return _json()


def _of_class(kind: type, metadata: Sequence[Any], above: tuple[type, ...]) -> _Kind:
    if issubclass(kind, BaseModel):
        recursive = (
            kind in above or kind.model_config.get("extra") == "allow" or (issubclass(kind, RootModel) and above)
        )
        return _json() if recursive else _of_model(kind, above)
    if issubclass(kind, enum.Enum):
        return _of_values([member.value for member in kind])
    if issubclass(kind, Decimal):
        return _decimal(metadata)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind in {AwareDatetime, NaiveDatetime} or kind is dt.datetime:
        return _datetime(naive=kind is NaiveDatetime)
    return SIMPLE[str] if _writes_strings(kind) else _json()


def _of_union(parts: list[Any], metadata: Sequence[Any], above: tuple[type, ...]) -> _Kind:
    if len(parts) == 1:
        return _of(parts[0], metadata, above)
    if set(parts) == {int, float}:
        return SIMPLE[float]
    return _json()


def _of_values(values: Sequence[Any]) -> _Kind:
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return SIMPLE[str]
    if kinds == {int}:
        return SIMPLE[int]
    return SIMPLE[bool] if kinds == {bool} else _json()


def _decimal(metadata: Sequence[Any]) -> _Kind:
    digits = places = None
    for item in metadata:
        digits = getattr(item, "max_digits", None) or digits
        found = getattr(item, "decimal_places", None)
        places = found if found is not None else places
        for inner in getattr(item, "metadata", ()) or ():
            digits = getattr(inner, "max_digits", None) or digits
    if digits is None or places is None or digits > 38:
        return SIMPLE[str]  # nothing says how many digits: text loses none
    whole = rf"[0-9]{{1,{digits - places}}}" if digits > places else "0"
    fits = re.compile(rf"-?{whole}(?:\.[0-9]{{1,{places}}})?" if places else f"-?{whole}").fullmatch
    return _Kind(
        pa.decimal128(digits, places),
        lambda value: Decimal(str(value)),
        lambda value: fits(value) is not None,
        _decimal_of_text,
    )


def _decimal_of_text(value: Any) -> Decimal:  # noqa: ANN401 (any JSON value)
    if not isinstance(value, str):
        raise TypeError("a number that was decoded has lost digits")
    return Decimal(value)


def _datetime(*, naive: bool) -> _Kind:
    def convert(value: str) -> dt.datetime:
        found = dt.datetime.fromisoformat(value)
        if naive:
            return found
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)

    return _same(pa.timestamp("us") if naive else pa.timestamp("us", tz="UTC"), convert)


def _json() -> _Kind:
    def convert(value: Any) -> str:  # noqa: ANN401 (any JSON value)
        return json.dumps(value, ensure_ascii=False, default=_digits)

    return _Kind(pa.string(), convert, lambda _: True, exact=True, is_json=True)


def _digits(value: Decimal) -> float:
    return float(value)


def _writes_strings(kind: type) -> bool:
    """Whether Pydantic writes such values as strings: URLs, paths, addresses."""
    try:
        return bool(TypeAdapter(kind).json_schema(mode="serialization").get("type") == "string")
    except Exception:  # noqa: BLE001 (any type may refuse to have a schema; it is then kept as JSON)
        return False


def _same(kind: pa.DataType, convert: Convert, *, sure: bool = True) -> _Kind:
    """`sure`: Arrow takes whatever `convert` makes."""
    return _Kind(kind, convert, lambda value: sure and convert(value) is not None, convert)


SIMPLE: dict[type, _Kind] = {
    str: _Kind(pa.string(), str, lambda value: type(value) is str),
    bool: _Kind(pa.bool_(), bool, lambda value: type(value) is bool),
    int: _Kind(pa.int64(), int, lambda value: type(value) is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER),
    float: _Kind(pa.float64(), float, lambda value: type(value) is float),
    bytes: _same(pa.binary(), lambda value: value.encode() if isinstance(value, str) else base64.b64decode(value)),
    dt.date: _same(pa.date32(), dt.date.fromisoformat),
    dt.time: _same(pa.time64("us"), lambda value: dt.time.fromisoformat(value).replace(tzinfo=None)),
    dt.timedelta: _same(pa.duration("us"), lambda value: TypeAdapter(dt.timedelta).validate_python(value), sure=False),
}
SIMPLE[UUID] = SIMPLE[str]
