"""How a field is asked for that may be missing or null, where a dialect cannot say both. Pure."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.schema.dialects.nodes import MISSING, Field, Items, Map, Node, OneOf, Record, SchemaReading, Values
from pipeline.schema.dialects.table import Dialect


class FieldRoom(Struct, frozen=True):
    """Whether the dialect's limits have room for one more field that may be null, or be left out."""

    nulls: bool = True
    absents: bool = True


class FieldPolicy(Struct, frozen=True, kw_only=True):
    required: bool
    takes_null: bool = False  # null is added to its values, and means the default
    drops_null: bool = False  # null is taken from its values: it is left out instead
    absent_is_null: bool = False
    default_unused: bool = False  # null is one of its values, so that nothing is left to mean the default


def policy(field: Field, reading: SchemaReading, dialect: Dialect, room: FieldRoom) -> FieldPolicy:
    """Required, or null for missing, or left out for null, as the dialect and its limits allow."""
    if not dialect.enforced:
        return FieldPolicy(required=field.required)
    said = field.required or _says_default(field, reading.resolved(field.kind))
    if reading.nullable(field.kind):
        if said or field.default is None or field.default is MISSING:
            if room.nulls or without_null(field.kind) is None:
                return FieldPolicy(required=True)
            return FieldPolicy(required=False, drops_null=True, absent_is_null=field.default is not None)
        if dialect.all_required:
            return FieldPolicy(required=True, default_unused=True)
        return FieldPolicy(required=False)
    if said:
        return FieldPolicy(required=True)
    if dialect.all_required or not room.absents:
        return FieldPolicy(required=True, takes_null=True)
    return FieldPolicy(required=False)


def without_null(kind: Node) -> Node | None:
    """The kind with null taken out; None when that is not to be had."""
    if not isinstance(kind, OneOf) or not kind.nullable:
        return None
    if len(kind.options) == 1:
        return replace(kind.options[0], words=(*kind.words, *kind.options[0].words))
    return replace(kind, nullable=False)


def in_order(record: Record) -> list[Field]:
    """The fields as the user has them, but constants first: a decoder tells the options of a union by their start."""
    return sorted(record.fields, key=lambda one: not _is_constant(one.kind))


def _says_default(field: Field, kind: Node) -> bool:
    """Whether an answer says the default in the plainest way there is: an empty list, or the only constant."""
    default: Any = field.default
    if isinstance(kind, Items):
        return bool(default == []) and not kind.rules.get("minItems")
    if isinstance(kind, Map):
        return bool(default == {}) and not kind.rules.get("minProperties")
    return _is_constant(kind) and isinstance(kind, Values) and bool(kind.values[0] == default)


def _is_constant(kind: Node) -> bool:
    return isinstance(kind, Values) and len(kind.values) == 1
