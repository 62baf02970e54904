"""The Arrow type of a record → what its values are compared as."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as are

from pipeline.commands.evaluate.meanings import Fields, Items, Kind, Leaf, Shape
from pipeline.schema.kinds import JSON_METADATA

KINDS: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (are.is_boolean, Kind.BOOL),
    (are.is_integer, Kind.NUMBER),
    (are.is_decimal, Kind.NUMBER),
    (are.is_floating, Kind.FLOAT),
    (are.is_date, Kind.DAY),
    (are.is_timestamp, Kind.MOMENT),
    (are.is_time, Kind.TIME),
    (are.is_duration, Kind.SPAN),
    (are.is_binary, Kind.BYTES),
)


def shape_of(field: pa.Field) -> Shape:
    """Of the column `record`; fields that hold JSON are marked in their metadata."""
    if (field.metadata or {}).items() >= JSON_METADATA.items():
        return Leaf(Kind.JSON)
    if are.is_struct(field.type):
        return Fields({part.name: shape_of(part) for part in field.type})
    if are.is_list(field.type):
        return Items(shape_of(field.type.value_field))
    return Leaf(next((kind for fits, kind in KINDS if fits(field.type)), Kind.TEXT))
