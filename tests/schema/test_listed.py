"""A list of the user's records in every dialect: what the provider takes, and each record comes back by itself."""

import json

from dialect_answers import Answerer
from dialect_models import Left, Names, Node, models
from dialect_rules import circles, refused
from each_case import each_case
from examples import examples
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from pipeline.extraction.packs import apart
from pipeline.schema.dialects.rewrite import rewrite
from pipeline.schema.dialects.table import (
    AZURE,
    BEDROCK_TOOL,
    CLAUDE,
    CLAUDE_TOOL,
    GEMINI,
    GEMINI_TOOL,
    OPENAI,
    PLAIN,
)
from pipeline.schema.json_schema import original_of
from pipeline.schema.listed import item_of, listed, listed_shape
from pipeline.schema.shape import Shaped, restore, shape_for
from pipeline.types import AnswerShape, Stop

DIALECTS = [OPENAI, AZURE, CLAUDE, GEMINI, GEMINI_TOOL, PLAIN, CLAUDE_TOOL, BEDROCK_TOOL]
MADE = examples(20, suppress_health_check=list(HealthCheck))


def asked_in(model, dialect):
    """A list of the model in a dialect, and one record of it."""
    original = original_of(model).schema
    asked = rewrite(listed(original), dialect)
    shape = AnswerShape("Made", "json_schema", asked.schema, strict=dialect.enforced)
    whole = Shaped(shape, original, not asked.back.plain, problems=asked.problems, back=asked.back)
    return whole, item_of(whole, Shaped(shape, original, rewritten=False))


def there_and_back(model, records, dialect):
    whole, item = asked_in(model, dialect)
    plain = [json.loads(record.model_dump_json(by_alias=True)) for record in records]
    said = {"answers": [{"document": number, "record": one} for number, one in enumerate(plain, 1)]}
    answer = Answerer(whole.shape.schema).answer(whole.shape.schema, said)
    Draft202012Validator(whole.shape.schema).validate(answer)
    texts = apart(json.dumps(answer), Stop.DONE, len(records))
    for text in texts:
        Draft202012Validator(item.shape.schema).validate(json.loads(text))
    return [model.model_validate_json(json.dumps(restore(item, json.loads(text)))) for text in texts]


@MADE
@given(spec=models(depth=2), data=st.data())
def test_every_model_goes_there_and_back_in_a_list(spec, data):
    """In every dialect, a third of them for each model; and every schema is one that the provider takes."""
    model = spec.annotation
    try:
        records = [model.model_validate(data.draw(spec.values)) for _ in range(2)]
        assert [model.model_validate_json(one.model_dump_json(by_alias=True)) for one in records] == records
    except (ValidationError, AssertionError):
        assume(False)
    for dialect in DIALECTS[data.draw(st.integers(0, 2)) :: 3]:
        whole, _ = asked_in(model, dialect)
        assert refused(whole.shape.schema, dialect) == []
        assert dialect.recursion or not circles(whole.shape.schema)
        if not whole.problems:
            assert there_and_back(model, records, dialect) == records


NODE = {"value": 1, "children": [{"value": 2, "named": {"x": {"value": 3, "other": {"value": 4}}}}]}
LEFT = {"right": {"lefts": [{"right": {"lefts": [{}]}}]}}


@each_case("dialect", DIALECTS, ids=lambda one: one.name)
@each_case(
    ("model", "record"), [(Node, NODE), (Left, LEFT), (Names, {"a": 1})], ids=["circle", "two circles", "no object"]
)
def test_schemas_that_refer_to_themselves_and_roots_that_are_no_objects(dialect, model, record):
    whole, _ = asked_in(model, dialect)
    assert not whole.problems
    assert refused(whole.shape.schema, dialect) == []
    made = model.model_validate(record)
    assert there_and_back(model, [made, made], dialect) == [made, made]


class Deep(BaseModel):
    levels: list[list[list[list[list[list[list[list[int]]]]]]]]


def test_what_is_too_deep_for_a_list_is_a_problem():
    """The record alone can be asked for; a list of it cannot, and says why."""
    single = shape_for(Deep, "openai", "json_schema", model_name="gpt-4o-mini")
    assert not single.problems
    whole = listed_shape(single, "openai", "json_schema", model_name="gpt-4o-mini")
    assert any("levels of nesting" in problem for problem in whole.problems)
