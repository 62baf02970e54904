"""Records as four libraries read them back: the same types every night, and not a digit lost."""

import datetime as dt
import enum
import json
from decimal import Decimal
from typing import Literal, Optional, Union

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field, field_serializer
from scripted_server import Scripted

from pipeline.extraction.validate import Invalid, Valid, check
from pipeline.schema.arrow import RecordColumn

SCHEMA = """
import datetime as dt
import enum
from decimal import Decimal
from typing import Literal, Optional, Union
from pydantic import BaseModel, Field


class Colour(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    price: Decimal = Field(max_digits=20, decimal_places=4)
    count: int


class Thing(BaseModel):
    name: Optional[str] = None
    kind: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    amount: Decimal = Decimal(0)
    exact: Decimal = Field(default=Decimal(0), max_digits=30, decimal_places=10)
    day: Optional[dt.date] = None
    moment: Optional[dt.datetime] = None
    clock: Optional[dt.time] = None
    lines: list[Line] = []
    tags: dict[str, int] = {}
    either: Union[int, str, None] = None
    share: float = 0.0
    inner: Optional["Thing"] = None
"""
FULL = {
    "name": "Größe \u202e x",
    "kind": "b",
    "colour": "blue",
    "amount": "12345678901234567890123456789.123456789",
    "exact": "12345678901234567890.0123456789",
    "day": "2026-11-25",
    "moment": "2026-11-25T23:59:59.123456+02:00",
    "clock": "12:30:00.000001",
    "lines": [{"price": "1234567890123456.7891", "count": 9007199254740993}],
    "tags": {"x": 1},
    "either": "seven",
    "share": 1e308,
    "inner": {"name": "deep"},
}


@pytest.fixture
def typed(job, server):
    """Two rows of a schema with every kind of field: one full, one with nothing but defaults."""
    (job.folder / "thing.py").write_text(SCHEMA)
    server.script = lambda document, nth, body: Scripted(text=json.dumps(FULL if "full" in document else {}))
    rows = [{"id": "a", "text": "full"}, {"id": "b", "text": "empty"}]
    return job.write(server.url, rows=rows, extract={"mode": "json_object"})


def test_pyarrow_reads_every_kind_of_field_as_declared(typed):
    """Decimals with their digits, instants as instants, what has no type of its own as JSON."""
    typed.run()
    first, second = typed.results()
    record = first["record"]
    assert record["amount"] == Decimal(FULL["amount"])  # nothing says how many digits: 29 and 9
    assert record["exact"] == Decimal(FULL["exact"])
    assert record["lines"] == [{"price": Decimal("1234567890123456.7891"), "count": 9007199254740993}]
    assert record["day"] == dt.date(2026, 11, 25)
    assert record["moment"] == dt.datetime(2026, 11, 25, 21, 59, 59, 123456, dt.UTC)
    assert record["clock"] == dt.time(12, 30, 0, 1)
    assert (record["kind"], record["colour"], record["share"]) == ("b", "blue", 1e308)
    assert json.loads(record["tags"]) == {"x": 1} or dict(record["tags"]) == {"x": 1}
    assert json.loads(record["either"]) == "seven"
    assert json.loads(record["inner"])["name"] == "deep"
    assert second["record"]["name"] is None
    assert second["record"]["lines"] == []


def test_the_file_has_one_schema_every_night(typed, job, server):
    """Also on a night when a column is null in every row."""
    typed.run()
    first = pq.read_schema(job.out / "results.parquet")
    job.write(server.url, rows=[{"id": "b", "text": "empty"}], extract={"mode": "json_object"}).run()
    assert pq.read_schema(job.out / "results.parquet").equals(first, check_metadata=True)


@pytest.mark.parametrize("library", ["polars", "duckdb", "pandas"])
def test_other_libraries_read_the_same_values(typed, job, library):
    """Nested fields included."""
    module = pytest.importorskip(library)
    typed.run()
    path = str(job.out / "results.parquet")
    if library == "polars":
        lines = module.read_parquet(path).to_dicts()
    elif library == "duckdb":
        found = module.sql(f"SELECT * FROM '{path}'")
        lines = [dict(zip(found.columns, values, strict=True)) for values in found.fetchall()]
    else:
        lines = module.read_parquet(path, dtype_backend="pyarrow").to_dict("records")
    record = lines[0]["record"]
    assert Decimal(record["exact"]) == Decimal(FULL["exact"])
    assert record["lines"][0]["count"] == 9007199254740993
    assert Decimal(record["lines"][0]["price"]) == Decimal("1234567890123456.7891")
    assert str(record["day"])[:10] == "2026-11-25"
    assert record["name"] == FULL["name"]
    assert Decimal(lines[0]["cost_usd"]) > 0


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Amount(BaseModel):
    amount: Decimal


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_decimal_keeps_every_digit_that_the_answer_has(amount):
    """Written as a number or as a string."""
    for text in (f'{{"amount": {amount:f}}}', f'{{"amount": "{amount:f}"}}'):
        found = check(Amount, None, text)
        assert isinstance(found, Valid)
        assert found.record.amount == amount


class Share(BaseModel):
    share: float


@pytest.mark.parametrize("text", ['{"share": 1e999}', '{"share": -1E+400}', '{"share": NaN}', '{"share": Infinity}'])
def test_a_number_that_is_none_is_not_kept_as_null(text):
    """It is said, and repaired."""
    assert isinstance(check(Share, None, text), Invalid)


@pytest.mark.parametrize(
    "text", ['{"share": 1e308}', '{"share": 5e-324}', '{"share": 0.1000000000000000055511151231257827}']
)
def test_a_float_is_the_nearest_one(text):
    """However many digits it was written with."""
    found = check(Share, None, text)
    assert found.record.share == json.loads(text)["share"]


class Whole(BaseModel):
    number: int


def test_an_integer_of_more_than_64_bits_is_not_rounded():
    """No column holds it: it is told, never cut."""
    found = check(Whole, None, '{"number": 123456789012345678901234567890}')
    assert found.record.number == 123456789012345678901234567890
    assert "cannot be stored" in RecordColumn(Whole).problem_of(found.record_json)


class Colour(enum.Enum):
    RED = "red"


class Every(BaseModel):
    a: Optional[int] = None  # noqa: UP045 (as users write it)
    b: Union[int, str] = 0  # noqa: UP007
    c: Literal[1, 2] = 1
    d: Colour = Colour.RED
    e: list[Decimal] = Field(default_factory=list)
    f: AwareDatetime | None = None


def test_types_are_declared_by_the_model_alone():
    """The column of no record at all has them."""
    column = RecordColumn(Every)
    assert column.array([]).type == column.array([Every().model_dump_json(), None]).type == column.type
    assert column.type.field("d").type == pa.string()
    assert column.type.field("f").type == pa.timestamp("us", tz="UTC")


class Part(BaseModel):
    price: Decimal = Field(max_digits=12, decimal_places=2)
    pieces: int | None = None
    when: list[dt.date] = []


class Plain(BaseModel):
    """No field that is kept as JSON: columns of such models are made the quick way."""

    name: str
    share: float | None = None
    good: bool = True
    day: dt.date | None = None
    moment: AwareDatetime | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    raw: bytes = b""
    free: Decimal = Decimal(0)
    parts: list[Part] = []
    part: Part | None = None
    names: list[str | None] = []


class Odd(BaseModel):
    """What a serializer of the user's writes need not be of the field's kind."""

    name: str
    amount: Decimal = Field(max_digits=34, decimal_places=10)

    @field_serializer("name")
    def _as_number(self, name: str) -> int | str:
        return len(name) if name.startswith("n") else name

    @field_serializer("amount")
    def _as_digits(self, amount: Decimal) -> int | str:
        return int(amount) if amount == int(amount) else str(amount)


class Free(BaseModel):
    either: int | str


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CENTS = st.decimals(-(10**9), 10**9, places=2)
DAYS = st.dates(dt.date(1, 1, 1))
PARTS = st.builds(
    Part, price=CENTS, pieces=st.none() | st.integers(-(2**63), 2**63 - 1), when=st.lists(DAYS, max_size=2)
)
PLAIN = st.builds(
    Plain, name=TEXT, share=st.none() | st.floats(allow_nan=False, allow_infinity=False), day=st.none() | DAYS,
    moment=st.none() | st.datetimes(timezones=st.just(dt.UTC)),
    clock=st.none() | st.times(), lasts=st.none() | st.timedeltas(dt.timedelta(-(10**5)), dt.timedelta(10**5)),
    raw=st.binary(max_size=4).filter(bytes.isascii), free=st.decimals(-(10**28), 10**28, places=9),
    parts=st.lists(PARTS, max_size=2), part=st.none() | PARTS, names=st.lists(st.none() | TEXT, max_size=2),
)  # fmt: skip
ODD = st.builds(Odd, name=TEXT, amount=st.decimals(-(10**19), 10**19, places=3) | st.just(99_999_999_999_999_999_999))
FREE = st.builds(Free, either=TEXT | st.integers())


@given(st.lists(st.none() | PLAIN, max_size=4) | st.lists(ODD, max_size=4) | st.lists(FREE, max_size=4))
def test_the_quick_way_to_a_column_and_the_exact_one_agree(records):
    """A record that only the exact way can read makes it be taken for its neighbours too: they stay the same."""
    column = RecordColumn(type(records[0]) if records and records[0] else Plain)
    texts = [None if record is None else record.model_dump_json() for record in records]
    exactly = column.array([*texts, '{"unknown": NaN}'])
    assert column.array(texts).equals(exactly[:-1])


LEAVES = (
    st.none() | st.booleans() | TEXT | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)
    | st.sampled_from([2**63, -(2**63), 10**400]) | CENTS.map(str) | st.decimals(-(10**15), 10**15, places=3).map(str)
    | st.decimals(allow_nan=True).map(str) | DAYS.map(str) | st.times().map(str) | st.timedeltas().map(str)
    | st.sampled_from(["0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00", "2026-11-25T12:00:00Z", "P1D"])
    | st.just("\ud800")
)  # fmt: skip
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(TEXT, LEAVES, max_size=2)
PART = {"price": "1.50", "pieces": 3, "when": ["2026-11-25"]}
GOOD = {
    Plain: {
        "name": "x", "share": 1.5, "good": True, "day": "2026-11-25", "moment": "2026-11-25T12:00:00Z",
        "clock": "12:00:00", "lasts": None, "raw": "abc", "free": "1.5", "parts": [PART], "part": PART,
        "names": ["a", None],
    },
    Part: PART,
    Odd: {"name": "x", "amount": "1.5"},
    Free: {"either": 1},
}  # fmt: skip


@st.composite
def nearly_good(draw):
    """(model, records): each as it should be, but for one field, which holds anything."""
    model = draw(st.sampled_from(list(GOOD)))
    records = []
    for _ in range(draw(st.integers(1, 3))):
        record = {**GOOD[model], draw(st.sampled_from(list(GOOD[model]))): draw(VALUES)}
        records.append(json.dumps(record))
    return model, records


@examples(150)
@given(nearly_good())
@example((Part, [json.dumps({**PART, "pieces": 2**63})]))
def test_what_a_column_cannot_hold_is_found_before_the_row_is_done(case):
    """Whatever a user's validators and serializers make of it: publishing never meets one that it cannot write."""
    model, records = case
    column = RecordColumn(model)
    good = [record for record in records if column.problem_of(record) is None]
    assert len(column.array(good)) == len(column.array([*good, '{"unknown": NaN}'])) - 1 == len(good)
    for record in set(records) - set(good):
        if "is null" in column.problem_of(record):
            continue  # the column could hold it: the schema does not allow it
        with pytest.raises((pa.ArrowException, ValueError, TypeError, AttributeError, ArithmeticError)):
            column.array([record])


OUT_OF_BOUNDS = """
from decimal import Decimal
from pydantic import BaseModel, Field, model_validator

class Thing(BaseModel):
    total: Decimal = Field(max_digits=12, decimal_places=2)

    @model_validator(mode="after")
    def _with_tax(self):
        self.total = self.total * Decimal("1.077")
        return self
"""


def test_a_record_that_its_own_fields_do_not_allow_is_invalid_output(job, server):
    """A validator that rounds nothing: the row fails and says why, the run is published."""
    server.script = lambda document, nth, body: Scripted(text='{"total": "1.50"}')
    (job.folder / "thing.py").write_text(OUT_OF_BOUNDS)
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run(code=1)
    (row,) = job.results()
    assert (row["status"], row["error_code"], row["calls"]) == ("failed", "invalid_output", 2)
    assert "cannot be stored" in row["error"]
