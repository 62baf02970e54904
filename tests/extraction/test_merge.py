"""Chunk records → one record."""

import datetime as dt
import json
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    computed_field,
    field_validator,
)

from pipeline.extraction.merge import Merged, merge


class Line(BaseModel):
    what: str
    usd: Decimal | None = None


class Bill(BaseModel):
    number: str | None = None
    seller: Line | None = None
    lines: list[Line] = []
    rate: float | None = None


class Own(BaseModel):
    n: int

    @classmethod
    def merge_chunks(cls, records):
        total = sum(record.n for record in records)
        if total > 100:
            raise ({101: ValueError, 102: SystemExit, 103: Speechless}[total])("x" * 10_000)
        return cls.model_construct(n="no" if total < 0 else total)


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def merged(records, rule="auto", *, overlapping=False, model=Bill):
    found = merge(model, rule, [model.model_validate(record) for record in records], overlapping=overlapping)
    return (json.loads(found.record_json), found.conflicts) if isinstance(found, Merged) else found


def test_lists_are_joined_and_a_scalar_is_the_first_that_is_not_null():
    record, conflicts = merged([{"lines": [{"what": "a"}]}, {"number": "7", "lines": [{"what": "b"}]}, {"rate": 0.5}])
    assert [line["what"] for line in record["lines"]] == ["a", "b"]
    assert (record["number"], record["rate"], conflicts) == ("7", 0.5, ())


def test_disagreements_are_listed_once_by_dotted_path():
    records = [{"number": str(n), "seller": {"what": "x", "usd": n}, "rate": 1} for n in range(3)]
    record, conflicts = merged(records)
    assert conflicts == ("number", "seller.usd")
    assert (record["number"], record["seller"]["usd"]) == ("0", "0")
    assert merged(records, "concat") == (record, ())
    assert merged([*records, {"lines": [{"what": "b"}]}], "first") == (record, ())


def test_one_line_seen_by_two_overlapping_chunks_is_one_line():
    """And two equal lines of one chunk, or of chunks that share no text, are two."""
    a, b = {"what": "a", "usd": "1.50"}, {"what": "b", "usd": None}
    chunks = [{"lines": [a, a, b]}, {"lines": [b, a | {"usd": "2"}]}]
    assert merged(chunks, overlapping=True)[0]["lines"] == [a, a, b, a | {"usd": "2"}]
    assert merged(chunks)[0]["lines"] == [a, a, b, b, a | {"usd": "2"}]


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=5), st.sampled_from(["auto", "concat"]))
def test_without_overlap_no_item_is_lost_or_moved(chunks, rule):
    records = [{"lines": [{"what": str(n)} for n in chunk]} for chunk in chunks]
    assert [line["what"] for line in merged(records, rule)[0]["lines"]] == [str(n) for chunk in chunks for n in chunk]


def test_a_schema_with_other_names_and_computed_fields_can_be_merged():
    """Answers come under the alias, records are kept under the field's name: merging has to read both."""

    class Named(BaseModel):
        model_config = ConfigDict(extra="forbid")
        number: str | None = Field(default=None, alias="Invoice No")
        lines: list[int] = Field(alias="Lines")

        @computed_field
        @property
        def count(self) -> int:
            return len(self.lines)

    found = merged([{"Lines": [1]}, {"Invoice No": "7", "Lines": [2]}], model=Named)
    assert found == ({"number": "7", "lines": [1, 2], "count": 2}, ())


def test_a_schemas_own_rule_goes_first():
    """`merge_chunks` replaces auto and concat, and what it makes is checked."""
    for rule in ("auto", "concat"):
        assert merged([{"n": 1}, {"n": 2}], rule, model=Own) == ({"n": 3}, ())
    assert merged([{"n": 1}, {"n": 2}], "first", model=Own) == ({"n": 1}, ())
    assert merged([{"n": 500}], model=Own) == ({"n": 500}, ())  # one chunk: nothing to merge
    assert merged([{"n": -1}, {"n": -1}], model=Own).errors[0].startswith("merged record: n: ")


@pytest.mark.parametrize(("total", "name"), [(101, "ValueError"), (102, "SystemExit"), (103, "Speechless")])
def test_whatever_merge_chunks_raises_is_the_rows_error(total, name):
    (told,) = merged([{"n": total}, {"n": 0}], model=Own).errors
    assert told.startswith(f"merged record: merge_chunks of Own raised {name}: ")
    assert len(told) < 300


def _german(text):
    return text.replace(".", "").replace(",", ".") if isinstance(text, str) else text


def _in_german(number):
    return number and str(number).replace(".", ",")


class Told(BaseModel):
    """Validators and serializers of the user's, in pairs and alone."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    on: Annotated[dt.date | None, PlainSerializer(lambda day: day and f"{day:%d.%m.%Y}")] = None
    lines: list[str] = Field([], alias="Lines", exclude=True)


class Paired(BaseModel):
    """What its serializer writes, its validator reads: what was validated is read as another number."""

    euros: Annotated[Decimal | None, BeforeValidator(_german), PlainSerializer(_in_german)] = None
    lines: list[str] = []


def test_records_are_joined_by_value_whatever_their_own_dumps_say():
    """Or by these, where the validators want it so."""
    found = merged([{"on": "2024-05-06", "Lines": ["a"]}, {"lines": ["b"]}], model=Told)
    assert found == ({"on": "2024-05-06", "lines": ["a", "b"]}, ())
    found = merged([{"lines": ["a"]}, {"euros": "1.234,56", "lines": ["b"]}], model=Paired)
    assert found == ({"euros": "1234.56", "lines": ["a", "b"]}, ())


class Taxed(BaseModel):
    price: int | None = None

    @field_validator("price")
    @classmethod
    def _with_tax(cls, price):
        return price and price * 2


def test_a_validator_that_changes_its_own_values_is_told():
    """It would change them once more in the merged record, and nobody would know."""
    (told,) = merged([{"price": 1}, {}], model=Taxed).errors
    assert told.startswith("merged record: a validator of Taxed changes what it has made once more")
