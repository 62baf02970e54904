"""The fields of the user's model → kinds: every annotation through its wrappers, down to what Arrow can type. Pure."""

import collections
import collections.abc
import datetime as dt
import enum
import types
import typing
from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace
from pydantic import (
    AwareDatetime,
    BaseModel,
    EncodedBytes,
    EncodedStr,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    RootModel,
    Secret,
    SecretBytes,
    TypeAdapter,
)
from pydantic.fields import FieldInfo

from pipeline.schema import kinds
from pipeline.schema.kinds import Kind, Part

EXTRA = "model_extra"  # Pydantic's name for what an answer has beyond the fields
UNIONS = frozenset({typing.Union, types.UnionType})
LISTS = frozenset(
    {
        list, set, frozenset, collections.deque, collections.abc.Sequence, collections.abc.MutableSequence,
        collections.abc.Set, collections.abc.MutableSet, collections.abc.Iterable, collections.abc.Collection,
    }
)  # fmt: skip
SPECIAL: dict[Any, Any] = {PastDate: dt.date, FutureDate: dt.date, UUID: str}
MOMENTS = frozenset({dt.datetime, AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime})
BY_BASE = (int, float, str)  # what a class of one of these is written as


class _Place(Struct, frozen=True):
    """What is around an annotation: models and aliases that it stands in, how bytes are read, what it is told."""

    above: tuple[Any, ...] = ()
    bytes_as: str = "utf8"
    told: tuple[Any, ...] = ()

    def within(self, *above: Any, told: Sequence[Any] = ()) -> "_Place":  # noqa: ANN401 (models and aliases)
        return replace(self, above=(*self.above, *above), told=tuple(told))


def kind_of(model: type[BaseModel]) -> Kind:
    """A struct: the model's fields, and the computed ones; of a model that is a value, that value as `root`."""
    return _of_model(model, _Place())


def _of_model(model: type[BaseModel], place: _Place) -> Kind:
    config = model.model_config
    place = replace(place, above=(*place.above, model), bytes_as=config.get("val_json_bytes") or "utf8")
    parts = [_part(name, info, place) for name, info in model.model_fields.items()]
    if issubclass(model, RootModel):
        return kinds.struct(parts, root=True)
    for name, computed in model.model_computed_fields.items():
        parts.append(Part(name, _of(computed.return_type, replace(place, told=()))))
    extra = config.get("extra") == "allow" and EXTRA not in {part.name for part in parts}
    parts += [Part(EXTRA, kinds.json_text())] if extra else []
    return kinds.struct(parts, extra=EXTRA if extra else "")


def _part(name: str, info: FieldInfo, place: _Place) -> Part:
    kind = _of(info.annotation, replace(place, told=tuple(info.metadata)))
    return Part(name, kind, info.default is not None and not _takes_null(info.annotation))


def _of(annotation: Any, place: _Place) -> Kind:  # noqa: ANN401 (a table of kinds)
    annotation, told = _unwrapped(annotation)
    place = replace(place, told=(*place.told, *told))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if (alias := _alias_of(annotation)) is not None:
        return kinds.json_text() if annotation in place.above else _of(alias, place.within(annotation, told=place.told))
    if origin in UNIONS:
        return _of_union([part for part in arguments if part is not type(None)], place)
    if origin is Literal:
        return kinds.constants(arguments)
    if origin in LISTS or (origin is tuple and len(arguments) == 2 and arguments[1] is ...):
        return kinds.listed(_of(arguments[0], place.within()), needed=not _takes_null(arguments[0]))
    if origin is Secret:
        return _of(arguments[0], place)
    if isinstance(annotation, typing.TypeVar):
        return _of(annotation.__bound__, place) if annotation.__bound__ else kinds.json_text()
    return _of_class(annotation, place) if isinstance(annotation, type) and origin is None else kinds.json_text()


def _unwrapped(annotation: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ANN401 (any annotation)
    """What is annotated, or has a new name, and with what."""
    if get_origin(annotation) is typing.Annotated:
        inner, told = _unwrapped(annotation.__origin__)
        return inner, (*told, *annotation.__metadata__)
    if hasattr(annotation, "__supertype__"):
        return _unwrapped(annotation.__supertype__)
    return annotation, ()


def _alias_of(annotation: Any) -> Any:  # noqa: ANN401 (any annotation)
    """What stands behind `type Name = …`, with its parameters filled in; None where it is no such name."""
    if type(annotation).__name__ == "TypeAliasType":
        return annotation.__value__
    origin = get_origin(annotation)
    return origin.__value__[get_args(annotation)] if type(origin).__name__ == "TypeAliasType" else None


def _of_class(kind: type, place: _Place) -> Kind:
    if issubclass(kind, BaseModel):
        if kind in place.above or kind.model_config.get("extra") == "allow":
            return kinds.json_text()
        if issubclass(kind, RootModel):
            info = kind.model_fields["root"]
            return _of(info.annotation, place.within(kind, told=info.metadata))
        return _of_model(kind, place)
    if issubclass(kind, enum.Enum):
        return kinds.constants([member.value for member in kind])
    if issubclass(kind, Decimal):
        return _of_decimal(place.told)
    if kind in MOMENTS:
        return kinds.moment(naive=kind is NaiveDatetime)
    return _of_plain(SPECIAL.get(kind, kind), place)


def _of_plain(kind: Any, place: _Place) -> Kind:  # noqa: ANN401 (a class, and no special one)
    if kind in {bytes, SecretBytes}:
        inner = kinds.BYTES[place.bytes_as]
        by = next((one for one in place.told if isinstance(one, EncodedBytes)), None)
        decoded = by if isinstance(by, EncodedBytes) and place.bytes_as == "utf8" else None
        return inner if decoded is None else kinds.encoded(lambda text: decoded.encoder.decode(text.encode()), inner)
    if kind is str and (decoder := next((one for one in place.told if isinstance(one, EncodedStr)), None)):
        return kinds.encoded(lambda text: decoder.encoder.decode(text.encode()).decode(), kinds.SIMPLE[str])
    if kind in kinds.SIMPLE:
        return kinds.SIMPLE[kind]
    written = _written_as(kind)
    base = next((base for base in BY_BASE if issubclass(kind, base)), None)
    if base is not None and written == {int: "integer", float: "number", str: "string"}[base]:
        return kinds.SIMPLE[base]
    return kinds.SIMPLE[str] if written == "string" else kinds.json_text()


def _of_union(parts: list[Any], place: _Place) -> Kind:
    if len(parts) == 1:
        return _of(parts[0], place)
    if set(parts) == {int, float}:
        return kinds.SIMPLE[float]
    found = [_of(part, place) for part in parts]
    alike = found and all(one.type == found[0].type and one.convert is found[0].convert for one in found)
    return found[0] if alike and not found[0].is_json else kinds.json_text()


def _of_decimal(told: Sequence[Any]) -> Kind:
    rules = reduce(_with_rules, told, _Digits())
    return kinds.decimal(rules.most, rules.places, rules.given)


class _Digits(Struct, frozen=True):
    most: int | None = None
    places: int | None = None
    given: pa.DataType | None = None


def _with_rules(known: _Digits, item: Any) -> _Digits:  # noqa: ANN401 (whatever a field is annotated with)
    """`Field(…)` as such, or what Pydantic makes of it; or an Arrow type, which Pydantic does not look at."""
    if isinstance(item, pa.DataType):
        return replace(known, given=item)
    if isinstance(item, FieldInfo):
        return reduce(_with_rules, item.metadata, known)
    most, places = getattr(item, "max_digits", None), getattr(item, "decimal_places", None)
    return replace(known, most=known.most if most is None else most, places=known.places if places is None else places)


def _takes_null(annotation: Any) -> bool:  # noqa: ANN401 (any annotation)
    """Whether null may be a value. Says yes where it is not sure."""
    annotation, _ = _unwrapped(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in UNIONS:
        return any(map(_takes_null, arguments))
    if origin is Literal:
        return None in arguments
    if origin in {*LISTS, tuple, dict}:
        return False
    if not isinstance(annotation, type) or origin is not None:
        return True
    if issubclass(annotation, enum.Enum):
        return any(member.value is None for member in annotation)
    if issubclass(annotation, RootModel):
        return _takes_null(annotation.model_fields["root"].annotation)
    sure = (BaseModel, Decimal, bytes, *(one for one in kinds.SIMPLE if isinstance(one, type)), *MOMENTS, UUID)
    return annotation in {PastDate, FutureDate} or not issubclass(annotation, sure)


def _written_as(kind: type) -> str | None:
    """The JSON type that Pydantic writes such values as: URLs, paths and addresses are strings."""
    try:
        written = TypeAdapter(kind).json_schema(mode="serialization").get("type")
    except Exception:  # noqa: BLE001 (any type may refuse to have a schema; it is then kept as JSON)
        return None
    return written if isinstance(written, str) else None
