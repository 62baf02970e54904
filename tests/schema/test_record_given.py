"""A record as a person writes it: by either name of a field, and no key passed over."""

import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict

from pipeline.schema.record_given import record_given, under_asked_names


class Part(TypedDict):
    q: int


class Line(BaseModel):
    amount: Decimal = Field(alias="line amount")
    part: Part | None = None


class Bill(BaseModel):
    lines: list[Line] = Field(default=[], validation_alias=AliasChoices(AliasPath("a", "b"), "Lines", "Rows"))
    net: int = 0
    inner: "Bill | None" = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
    y: int = Field(alias="Why")


def written(model, given):
    return json.loads(under_asked_names(model, record_given(model, json.dumps(given))))


@pytest.mark.parametrize("lines", ["lines", "Lines", "Rows"])
@pytest.mark.parametrize("amount", ["amount", "line amount"])
def test_a_field_goes_by_either_of_its_names(lines, amount):
    """And is asked for by one; what was not given is not said."""
    given = {lines: [{amount: "1.50"}], "inner": {lines: []}}
    assert written(Bill, given) == {"Lines": [{"line amount": "1.50"}], "inner": {"Lines": []}}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"nett": 1}, ("nett",)),
        ({"lines": [{"amount": 1, "amout": 2}]}, ("Lines", 0, "amout")),
        ({"inner": {"nett": 1}}, ("inner", "nett")),
        ({"lines": [{"amount": 1, "part": {"q": 1, "r": 2}}]}, ("Lines", 0, "part", "r")),
    ],
)
def test_a_key_that_the_model_would_pass_over_is_an_error(given, path):
    with pytest.raises(ValidationError) as caught:
        record_given(Bill, json.dumps(given))
    (found,) = caught.value.errors()
    assert found["type"] == "extra_forbidden"
    assert found["loc"][-2:] == path[-2:]


def test_a_model_that_keeps_further_keys_is_given_them():
    assert written(Open, {"x": 1, "z": {"a": [1]}}) == {"x": 1, "z": {"a": [1]}}


def test_a_field_that_goes_by_its_name_alone_is_written_by_it():
    assert written(ByName, {"y": 1}) == {"y": 1}


def test_the_models_own_way_of_reading_is_left_as_it_was():
    """Answers may hold further keys, as ever."""
    record_given(Bill, "{}")
    assert Bill.model_validate_json('{"nett": 1, "Lines": [{"line amount": 1, "more": 2}]}').lines[0].amount == 1


class Taxed(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float")
    total: Annotated[Decimal, Field(serialization_alias="other")]
    any: Any = None


def test_a_value_is_written_as_it_was_given_whatever_the_model_says_of_its_dumps():
    assert written(Taxed, {"total": "1.10", "any": {"a": 1}}) == {"total": "1.10", "any": {"a": 1}}
