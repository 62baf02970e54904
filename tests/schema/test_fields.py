"""Annotations → Arrow types: through every wrapper, with the digits that are said at any level."""

import collections.abc
import datetime as dt
import enum
import ipaddress
import json
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pyarrow as pa
import pytest
from each_case import each_case
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ByteSize,
    Field,
    FutureDate,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    RootModel,
    condecimal,
    create_model,
)
from typing_extensions import TypeAliasType

from pipeline.schema.arrow import RecordColumn
from pipeline.schema.record_json import writer_of

T = TypeVar("T")
Price = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]
Alias = TypeAliasType("Alias", Price)
Many = TypeAliasType("Many", list[T], type_params=(T,))
Tree = TypeAliasType("Tree", "list[Tree]")
New = NewType("New", Price)


class Amount(RootModel[Price]):
    pass


class Wide(RootModel[Decimal | None]):
    pass


class Level(enum.IntEnum):
    LOW = 1


class Colour(enum.Enum):
    RED = "red"


def of(annotation, default=...):
    return RecordColumn(create_model("Made", field=(annotation, default))).type.field("field")


PRICE = pa.decimal128(12, 2)


@each_case(
    ("annotation", "kind"),
    [
        (Price, PRICE),
        (Price | None, PRICE),
        (Optional[Annotated[Price, "words"]], PRICE),  # noqa: UP045 (as users write it)
        (Union[None, Price], PRICE),  # noqa: UP007
        (Annotated[Decimal | None, Field(max_digits=12, decimal_places=2)], PRICE),
        (Annotated[Annotated[Decimal, Field(max_digits=12)], Field(decimal_places=2)], PRICE),
        (condecimal(max_digits=12, decimal_places=2), PRICE),
        (Alias, PRICE),
        (Alias | None, PRICE),
        (New, PRICE),
        (Amount, PRICE),
        (Amount | None, PRICE),
        (list[Price], pa.list_(PRICE)),
        (set[Price | None], pa.list_(PRICE)),
        (tuple[Price, ...] | None, pa.list_(PRICE)),
        (deque[Price], pa.list_(PRICE)),
        (collections.abc.Sequence[Price], pa.list_(PRICE)),
        (Many[Price], pa.list_(PRICE)),
        (list[list[Alias | None]], pa.list_(pa.list_(PRICE))),
        (Decimal, pa.decimal128(38, 9)),
        (Wide, pa.decimal128(38, 9)),
        (Annotated[Decimal, Field(gt=0)], pa.decimal128(38, 9)),
        (Annotated[Decimal, Field(decimal_places=4)], pa.decimal128(38, 4)),
        (Annotated[Decimal, Field(max_digits=10)], pa.decimal128(20, 10)),
        (Annotated[Decimal, Field(max_digits=30)], pa.decimal128(38, 9)),
        (Annotated[Decimal, Field(max_digits=50, decimal_places=2)], pa.string()),
        (Annotated[Decimal, pa.decimal128(38, 18)] | None, pa.decimal128(38, 18)),
        (Annotated[Decimal, pa.string()], pa.string()),
        (PastDate | None, pa.date32()),
        (FutureDate, pa.date32()),
        (PastDatetime, pa.timestamp("us", tz="UTC")),
        (AwareDatetime | None, pa.timestamp("us", tz="UTC")),
        (NaiveDatetime, pa.timestamp("us")),
        (dt.timedelta | None, pa.duration("us")),
        (UUID | None, pa.string()),
        (Level, pa.int64()),
        (Literal[1, 2, None], pa.int64()),  # noqa: PYI061 (as users write it)
        (Literal["a"] | Literal["b"], pa.string()),  # noqa: PYI030 (as users write it)
        (Literal[Colour.RED], pa.string()),
        (bool | None, pa.bool_()),
        (ByteSize, pa.int64()),
        (ipaddress.IPv4Address | None, pa.string()),
        (Path, pa.string()),
        (bytes | None, pa.binary()),
        (AnyUrl | None, pa.string()),
    ],
)
def test_the_type_is_found_behind_every_wrapper(annotation, kind):
    field = of(annotation)
    item = field.type
    while pa.types.is_list(item):
        item = item.value_type
    assert (field.type, item) == (kind, item)
    assert field.metadata is None


@pytest.mark.parametrize("annotation", [dict[str, Decimal], Any, Tree, int | str, tuple[int, str], list, Decimal | int])
def test_what_arrow_cannot_type_is_json(annotation):
    assert (of(annotation).type, of(annotation).metadata) == (pa.string(), {b"encoding": b"json"})


WRAPPERS = [
    (lambda inner: inner | None, lambda values: st.none() | values, lambda kind: kind),
    (lambda inner: Annotated[inner, Field(description="x")], lambda values: values, lambda kind: kind),
    (lambda inner: list[inner], lambda values: st.lists(values, max_size=2), pa.list_),
    (lambda inner: tuple[inner, ...], lambda values: st.lists(values, max_size=2), pa.list_),
    (lambda inner: TypeAliasType("Alias", inner), lambda values: values, lambda kind: kind),
    (lambda inner: create_model("Inner", a=(inner, ...)), lambda values: st.fixed_dictionaries({"a": values}),
     lambda kind: pa.struct([("a", kind)])),
]  # fmt: skip


@st.composite
def wrapped(draw):
    """(annotation, a value in JSON, the Arrow type)."""
    digits = draw(st.integers(1, 20))
    places = draw(st.integers(0, digits))
    annotation = Annotated[Decimal, Field(max_digits=digits, decimal_places=places)]
    most = Decimal(10**digits - 1).scaleb(-places)
    values, kind = (
        st.decimals(-most, most, places=places).map(lambda value: f"{value:f}"),
        pa.decimal128(digits, places),
    )
    for _ in range(draw(st.integers(0, 4))):
        wrap, more, typed = draw(st.sampled_from(WRAPPERS))
        annotation, values, kind = wrap(annotation), more(values), typed(kind)
    return annotation, draw(values), kind


@examples(100)
@given(wrapped())
def test_no_wrapper_hides_the_digits_of_a_decimal(case):
    """Annotated, None, lists, tuples, aliases and models, in any order."""
    annotation, value, kind = case
    model = create_model("Made", field=(annotation, ...))
    column = RecordColumn(model)
    assert column.type.field("field").type == kind
    written = writer_of(model).json(model.model_validate({"field": value}))
    assert column.problem_of(written) is None
    assert _same(column.array([written]).to_pylist()[0]["field"], value)


def _same(found, value):
    if isinstance(value, list):
        return len(found) == len(value) and all(map(_same, found, value))
    if isinstance(value, dict):
        return _same(found["a"], value["a"])
    return found == (None if value is None else Decimal(value))


class Bare(BaseModel):
    rate: Decimal | None = None
    lines: list[Amount] = []
    name: str = ""


DIGITS = st.decimals(allow_nan=False, allow_infinity=False)


@given(DIGITS)
def test_a_decimal_that_says_nothing_is_kept_to_the_digit_or_refused(rate):
    """Never rounded, never null."""
    column, written = RecordColumn(Bare), writer_of(Bare).json(Bare(rate=rate))
    told = column.problem_of(written)
    if told is None:
        assert column.array([written]).to_pylist()[0]["rate"] == rate
    else:
        assert told.startswith(
            f"the record cannot be stored: rate: {rate} has more digits than decimal128(38, 9) holds"
        )
        assert column.past_repair(written)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"name": None}, "name is null, which the schema does not allow"),
        ({"lines": ["1.00", None]}, "lines[] is null"),
        ({"lines": ["1.234"]}, "lines[]: "),
        ({"rate": "NaN"}, "rate: NaN has more digits"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(record, told):
    column = RecordColumn(Bare)
    assert told in column.problem_of(json.dumps({"name": "x", "lines": [], **record}))


def test_a_default_of_null_is_the_users_word():
    """As many write it: `day: date = None`."""

    class Loose(BaseModel):
        day: dt.date = None

    column = RecordColumn(Loose)
    assert column.problem_of(writer_of(Loose).json(Loose())) is None
    assert not column.lacks(column.array(['{"day": null}', None]))


def test_null_where_none_may_be_is_found_in_a_whole_column():
    """Not in rows that have no record."""
    column = RecordColumn(Bare)
    good = writer_of(Bare).json(Bare(name="x"))
    assert not column.lacks(column.array([None, good]))
    assert column.lacks(column.array([good, '{"name": null, "lines": []}']))
    assert column.lacks(column.array([good, '{"name": "x", "lines": [null]}']))


class Total(BaseModel):
    root: int | None = None
    total: Decimal


class Top(RootModel[Total]):
    pass


@pytest.mark.parametrize(("model", "path"), [(Top, "root.total"), (Total, "total")])
def test_a_model_that_is_a_value_is_told_from_one_with_a_field_of_that_name(model, path):
    column = RecordColumn(model)
    assert column.problem_of('{"total": "1.5"}') is None
    assert f": {path}: 1E+40 has more digits" in column.problem_of('{"total": "1E+40"}')
    assert column.problem_of('{"total": "1e1"}') is None
