"""A record as JSON: what was validated, whatever the model says of its own dumps."""

import dataclasses
import datetime as dt
import enum
import ipaddress
import json
import pathlib
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    Base64Str,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    WrapSerializer,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from pipeline.schema.arrow import RecordColumn
from pipeline.schema.record_json import writer_of

T = TypeVar("T")
TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=6)
DAYS = st.dates(dt.date(1, 1, 1))


class Colour(enum.Enum):
    RED = "red"


class Camel(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )
    unit_price: Decimal = Field(max_digits=20, decimal_places=2)


class Whole(BaseModel):
    number: int

    @model_serializer
    def _all(self) -> dict[str, str]:
        return {"other": "x"}


class Wrapped(BaseModel):
    number: int

    @model_serializer(mode="wrap")
    def _all(self, handler: Any, info: Any) -> Any:
        return [handler(self), info.mode]


class Box(BaseModel, Generic[T]):
    value: T = Field(exclude=True)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(serialization_alias="L")


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(exclude=True)


@dataclasses.dataclass
class Point:
    on: Annotated[dt.date, PlainSerializer(lambda _: "hidden")]


class Bag(TypedDict):
    on: Annotated[dt.date, PlainSerializer(lambda _: "hidden")]


class Names(RootModel[list[Annotated[int, PlainSerializer(str)]]]):
    @model_serializer
    def _all(self) -> str:
        return ",".join(map(str, self.root))


def _marked(value, handler):
    return f"<{handler(value)}>"


def _days(day):
    return day.isoformat()


def _given(value):
    return value


# (annotation, default of the field, what validates, what the record's JSON is to be)
FIELDS = [
    (Annotated[dt.date, PlainSerializer(lambda day: f"{day:%d.%m.%Y}")], ..., DAYS.map(_days), _given),
    (Annotated[Decimal, WrapSerializer(_marked)], ..., st.decimals(-99, 99, places=2).map(str), _given),
    (Annotated[str, PlainSerializer(len)], ..., TEXT, _given),
    (dt.date, Field(exclude=True), DAYS.map(_days), _given),
    (int | None, Field(None, exclude_if=lambda _: True), st.none() | st.integers(0, 9), _given),
    (int, Field(serialization_alias="other"), st.integers(0, 9), _given),
    (SecretStr, ..., TEXT, _given),
    (SecretStr | None, Field(None, exclude=True), st.none() | TEXT, _given),
    (SecretBytes, ..., TEXT, _given),
    (list[Secret[dt.date]], ..., st.lists(DAYS.map(_days), max_size=2), _given),
    (Annotated[SecretStr, PlainSerializer(lambda _: "***")], ..., TEXT, _given),
    (Colour, Field(exclude=True), st.just("red"), _given),
    (Camel, ..., st.just({"unitPrice": "1.50"}), lambda _: {"unit_price": "1.50"}),
    (list[Whole], ..., st.lists(st.integers(0, 9).map(lambda n: {"number": n}), max_size=2), _given),
    (dict[str, Whole], ..., st.dictionaries(TEXT, st.integers(0, 9).map(lambda n: {"number": n}), max_size=2), _given),
    (Wrapped | None, None, st.none() | st.integers(0, 9).map(lambda n: {"number": n}), _given),
    (SerializeAsAny[Whole], ..., st.just({"number": 1}), _given),
    (Box[int], ..., st.integers(0, 9).map(lambda n: {"value": n}), _given),
    (Names, ..., st.lists(st.integers(0, 9), max_size=2), _given),
    (Point, ..., DAYS.map(lambda day: {"on": day.isoformat()}), _given),
    (Bag, ..., DAYS.map(lambda day: {"on": day.isoformat()}), _given),
    (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        ...,
        st.sampled_from([{"kind": "cat", "lives": 9}, {"kind": "dog", "name": "Rex"}]),
        _given,
    ),
    (list[Cat | Dog], ..., st.just([{"kind": "dog", "name": "Rex"}, {"kind": "cat", "lives": 9}]), _given),
    (Json[dict[str, int]], ..., st.just('{"a": 1}'), json.loads),
    (Base64Str, ..., st.just("aGk="), _given),
    (pathlib.Path, Field(exclude=True), st.just("a/b"), _given),
    (ipaddress.IPv4Address, Field(exclude=True), st.just("10.0.0.1"), _given),
    (dt.timedelta, Field(exclude=True), st.just("P1DT1S"), _given),
    (Any, Field(exclude=True), st.none() | st.just({"a": [1]}), _given),
]  # fmt: skip
CONFIGS = [
    {},
    {"serialize_by_alias": True, "alias_generator": to_camel, "validate_by_name": True, "validate_by_alias": True},
    {"ser_json_timedelta": "float", "ser_json_bytes": "base64", "ser_json_inf_nan": "constants"},
    {"use_enum_values": True, "frozen": True},
    {"extra": "forbid"},
]


@st.composite
def records(draw):
    """(model, what it reads, what its record is to be)."""
    chosen = draw(st.lists(st.sampled_from(range(len(FIELDS))), min_size=1, max_size=5, unique=True))
    fields, read, due = {}, {}, {}
    for number in chosen:
        annotation, default, values, expected = FIELDS[number]
        fields[f"f_{number}"] = (annotation, default)
        read[f"f_{number}"] = draw(values)
        due[f"f_{number}"] = expected(read[f"f_{number}"])
    config = draw(st.sampled_from(CONFIGS))
    model = create_model("Made", __config__=ConfigDict(**config), **fields)
    if draw(st.booleans()):

        class Empty(model):
            @model_serializer
            def _nothing(self) -> dict[str, int]:
                return {}

        model = Empty
    return model, read, due


@examples(120)
@given(records())
def test_the_record_has_the_values_that_were_validated(case):
    """Every way in which Pydantic lets a model change its dumps, on top of each other."""
    model, read, due = case
    record = model.model_validate_json(json.dumps(read), by_name=True)
    written = writer_of(model).json(record)
    assert json.loads(written) == due
    column = RecordColumn(model)
    assert column.problem_of(written) is None
    (published,) = column.array([written]).to_pylist()
    assert [name for name, value in published.items() if value is None] == [k for k, v in read.items() if v is None]


def test_a_plain_model_is_written_as_ever():
    """So are its hashes: outcomes of before are found."""

    class Plain(BaseModel):
        day: dt.date
        price: Decimal
        lines: list[Cat] = []
        raw: bytes = b""

        @computed_field
        @property
        def double(self) -> Decimal:
            return 2 * self.price

    record = Plain(day=dt.date(2024, 1, 2), price=Decimal("1.50"), raw=b"x")
    assert writer_of(Plain).json(record) == record.model_dump_json()
    assert not writer_of(Plain).differs
    assert writer_of(Plain).notes == ()


class Money:
    def __init__(self, text):
        self.text = text


def test_a_class_of_the_users_own_is_written_in_its_own_way():
    """Its type says nothing of it."""

    class Bill(BaseModel):
        total: Annotated[str, AfterValidator(Money), PlainSerializer(lambda money: money.text)]

        @field_serializer("total", mode="wrap")
        def _same(self, value: Any, handler: Any, _info: Any) -> Any:
            return str(handler(value)) if isinstance(value, str) else value.text

    assert writer_of(Bill).json(Bill(total="1 EUR")) == '{"total":"1 EUR"}'


def test_what_is_not_a_number_is_kept():
    """A validator may make it; null would be a value that is gone."""

    class Share(BaseModel):
        share: float = float("nan")
        most: float = float("inf")

    written = writer_of(Share).json(Share())
    (published,) = RecordColumn(Share).array([written]).to_pylist()
    assert str(published) == "{'share': nan, 'most': inf}"


@pytest.mark.parametrize(("read_as", "written"), [("utf8", "hi"), ("base64", "aGk="), ("hex", "6869")])
def test_bytes_are_written_as_they_are_read(read_as, written):
    made = create_model("Raw", __config__=ConfigDict(val_json_bytes=read_as, ser_json_bytes="utf8"), raw=(bytes, ...))
    assert writer_of(made).json(made(raw=b"hi")) == json.dumps({"raw": written}, separators=(",", ":"))
    assert RecordColumn(made).array([writer_of(made).json(made(raw=b"hi"))]).to_pylist() == [{"raw": b"hi"}]


def test_what_a_model_says_of_its_dumps_is_told_by_field():
    class Inner(BaseModel):
        iban: SecretStr

    class Outer(BaseModel):
        inner: list[Inner]
        when: dt.date = Field(exclude=True)

        @field_serializer("when")
        def _day(self, when: dt.date) -> str:
            return f"{when:%d.%m.%Y}"

    told = [note.split(":")[0] for note in writer_of(Outer).notes]
    assert told == ["inner[].iban", "when", "when"]
    assert writer_of(Outer).differs


def test_what_an_answer_has_beyond_the_fields_has_a_column():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        name: str

    written = writer_of(Open).json(Open(name="a", other=[1], third=None))
    (published,) = RecordColumn(Open).array([written]).to_pylist()
    assert published == {"name": "a", "model_extra": '{"other": [1], "third": null}'}
    (published,) = RecordColumn(Open).array(['{"name": "a"}']).to_pylist()
    assert published == {"name": "a", "model_extra": None}
