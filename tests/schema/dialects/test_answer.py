"""A record as an answer of a dialect: it is what the schema asks for, and comes back as the record."""

import json
from decimal import Decimal
from typing import Any, Literal

import pytest
from dialect_models import models
from examples import examples
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, RootModel, ValidationError, create_model

from pipeline.schema.dialects.answer import NoAnswer, answer_of
from pipeline.schema.dialects.rewrite import restored, rewrite
from pipeline.schema.dialects.table import (
    BEDROCK_TOOL,
    CLAUDE,
    CLAUDE_TOOL,
    GEMINI,
    GEMINI_TOOL,
    OPENAI,
    PLAIN,
)
from pipeline.schema.json_schema import original_of

DIFFERENT = [OPENAI, CLAUDE, GEMINI, GEMINI_TOOL, PLAIN, CLAUDE_TOOL, BEDROCK_TOOL]
MADE = examples(30, suppress_health_check=list(HealthCheck))


def plain_json(record, **dump):
    return json.loads(record.model_dump_json(by_alias=True, **dump))


def survives(model, record, **dump):
    """Whether Pydantic's own JSON of a record is that record again; where types are alike, it may be another's."""
    try:
        return model.model_validate_json(record.model_dump_json(by_alias=True, **dump)) == record
    except ValidationError:
        return False


@MADE
@given(spec=models(depth=2), data=st.data())
def test_every_record_can_be_said(spec, data):
    """In every dialect: the answer fits what is asked for, and is read as the record that it was made of."""
    model = spec.annotation
    try:
        record = model.model_validate(data.draw(spec.values))
    except ValidationError:
        assume(False)
    for dialect in DIFFERENT[data.draw(st.integers(0, 2)) :: 3]:
        asked = rewrite(original_of(model).schema, dialect)
        if asked.problems or not survives(model, record):
            continue
        answer = answer_of(asked.schema, asked.back, plain_json(record))
        Draft202012Validator(asked.schema).validate(answer)
        back = restored(asked.back, json.loads(json.dumps(answer)))
        again = model.model_validate_json(json.dumps(back))
        assert again == record or same_but_nulls(again, record), (dialect.name, answer)


def same_but_nulls(again, record):
    """Where two types of a union take a record, one of them with a null more, it may be read as that one."""
    return plain_json(again, exclude_none=True) == plain_json(record, exclude_none=True)


class Line(BaseModel):
    amount: Decimal = Field(alias="line amount")


class Bill(BaseModel):
    kind: Literal["bill"] = "bill"
    due: str | None = None
    terms: int | None = 30
    country: str = "DE"
    lines: list[Line] = []
    tags: dict[str, str] = {}
    any: Any = None
    place: tuple[int, str] | None = None


SAID = {"lines": [{"line amount": "1.50"}], "tags": {"a": "ü"}, "terms": 5, "place": [1, "x"]}


def said(dialect, data, model=Bill):
    asked = rewrite(original_of(model).schema, dialect)
    answer = answer_of(asked.schema, asked.back, data)
    Draft202012Validator(asked.schema).validate(answer)
    return answer


def test_each_dialect_has_its_own_words():
    """Names, maps, tuples and what is left out, as the model is asked for them."""
    assert said(PLAIN, SAID) == SAID
    tags = [{"key": "a", "value": "ü"}]
    place = {"item_1": 1, "item_2": "x"}
    openai = {"kind": "bill", "due": None, "terms": 5, "country": None, "any": None, "place": place, "tags": tags}
    assert said(OPENAI, {**SAID, "any": None}) == {**openai, "lines": SAID["lines"]}
    assert said(CLAUDE, SAID)["lines"] == [{"line_amount": "1.50"}]
    assert next(iter(said(OPENAI, {**SAID, "any": [1]}))) == "kind"  # in the order that it is asked for


def test_what_cannot_be_said_is_told_with_its_path():
    with pytest.raises(NoAnswer, match=r"^lines\.0\.amount: is not asked for$"):
        said(OPENAI, {**SAID, "any": 1, "lines": [{"line amount": "1", "amount": "1"}]})
    with pytest.raises(NoAnswer, match=r"^lines\.0\.line amount: is asked for always"):
        said(CLAUDE, {**SAID, "any": 1, "lines": [{}]})


class Left(BaseModel):
    a: int


class Right(BaseModel):
    a: str
    more: dict[str, int] = {}


def test_of_a_union_it_is_the_option_that_fits():
    class Either(BaseModel):
        one: Left | Right | list[int] | None

    for dialect in (OPENAI, GEMINI, PLAIN):
        assert said(dialect, {"one": {"a": 1}}, Either)["one"] == {"a": 1}
        assert said(dialect, {"one": [1]}, Either)["one"] == [1]
        assert said(dialect, {"one": None}, Either)["one"] is None
    assert said(OPENAI, {"one": {"a": "x", "more": {"b": 1}}}, Either)["one"]["more"] == [{"key": "b", "value": 1}]


def test_a_root_that_is_no_object_is_a_property():
    assert said(OPENAI, [1, 2], RootModel[list[int]]) == {"value": [1, 2]}
    assert said(OPENAI, {"a": 1}, RootModel[dict[str, int]]) == {"value": [{"key": "a", "value": 1}]}


@MADE
@given(spec=models(depth=2), data=st.data())
def test_what_a_record_leaves_out_is_filled_in_or_told(spec, data):
    """An answer always fits what is asked for, whatever of a record its defaults say."""
    model = spec.annotation
    try:
        record = model.model_validate(data.draw(spec.values))
    except ValidationError:
        assume(False)
    dialect = data.draw(st.sampled_from(DIFFERENT))
    asked = rewrite(original_of(model).schema, dialect)
    assume(not asked.problems and survives(model, record, exclude_unset=True))
    try:
        answer = answer_of(asked.schema, asked.back, plain_json(record, exclude_unset=True))
    except NoAnswer as error:
        assert "is asked for always" in str(error) or "fits none" in str(error)  # noqa: PT017 (it need not be raised)
    else:
        Draft202012Validator(asked.schema).validate(answer)


@pytest.mark.parametrize("default", [..., None])
def test_a_null_is_left_out_where_there_is_no_room_for_it(default):
    """Anthropic takes 16 fields that may be null: the others are left out instead."""
    many = create_model("Many", **{f"f{n}": (int | None, default) for n in range(20)})
    answer = said(CLAUDE, {f"f{n}": None for n in range(20)}, many)
    assert len(answer) == 16
    asked = rewrite(original_of(many).schema, CLAUDE)
    assert many.model_validate(restored(asked.back, answer)) == many(**{f"f{n}": None for n in range(20)})
