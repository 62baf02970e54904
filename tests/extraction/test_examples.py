"""`[[extract.examples]]`: what is sent for them in each mode, and every wrong one told by its number and path."""

import json
import tomllib

import pytest

from pipeline.errors import JobError
from pipeline.extraction.prepare import prepare
from pipeline.extraction.requests import NORMALISE
from pipeline.job.file import resolve

SCHEMA = """
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Annotated, Literal
from pydantic import BaseModel, Field, RootModel, model_validator


class Line(BaseModel):
    text: str = ""
    amount: Decimal = Field(alias="line amount")


class Bill(BaseModel):
    number: str
    due: date | None = None
    lines: list[Line] = []
    tags: dict[str, str] = {}


class Taxed(BaseModel):
    net: Decimal

    @model_validator(mode="before")
    @classmethod
    def plain(cls, data):
        return {"net": str(data["net"]).replace(",", ".")} if isinstance(data, dict) and "net" in data else data


class Doubled(BaseModel):
    net: int

    @model_validator(mode="after")
    def twice(self):
        self.net *= 2
        return self


class Stamped(BaseModel):
    name: str
    made: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


class Small(BaseModel):
    net: Annotated[Decimal, Field(max_digits=5, decimal_places=2)]

    @model_validator(mode="after")
    def grown(self):
        self.net = self.net / 8
        return self


class Failing(BaseModel):
    name: str

    @model_validator(mode="after")
    def fail(self):
        raise KeyError("no")


class Terms(BaseModel):
    name: str
    terms: int | None = 30


class Names(RootModel[list[str]]):
    pass
"""
BILL = {"number": "7", "lines": [{"line amount": "3.00"}], "tags": {"a": "ü"}}
MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "bedrock": "amazon.nova-lite-v1:0",
}


@pytest.fixture
def prepared(tmp_path):
    (tmp_path / "bill.py").write_text(SCHEMA)
    (tmp_path / "in.jsonl").write_text('{"text": "a", "customer": "c"}\n')

    def made(*examples, model="Bill", provider="openai", **extract):
        listed = [{"text": "a bill", "record": one} if "record" not in one else one for one in examples]
        table = {
            "input": {"path": "in.jsonl"},
            "extract": {"schema": f"bill.py:{model}", "examples": listed, **extract},
            "model": {"provider": provider, "name": MODELS[provider], "max_output_tokens": 100},
            "output": {"path": "out"},
        }
        return prepare(resolve(table, tmp_path / "job.toml"))

    return made


def answers(prepared):
    return [json.loads(turn.text) for turn in prepared.plan.examples.turns[1::2]]


def error(prepared, *examples, **more):
    with pytest.raises(JobError) as caught:
        prepared(*examples, **more)
    return str(caught.value)


def test_documents_are_asked_about_as_the_prompt_does(prepared):
    """In order; braces and all else of a text mean nothing."""
    texts = ["{text} {{}} %s {0} ☃", "second"]
    found = prepared(*({"text": text, "record": BILL} for text in texts), prompt="Read {{it}}: {text}{name?}.")
    turns = found.plan.examples.turns
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2
    assert [turn.text for turn in turns[::2]] == [f"Read {{it}}: {text}." for text in texts]


OPENAI = {
    "number": "7",
    "due": None,
    "lines": [{"text": None, "line amount": "3.00"}],
    "tags": [{"key": "a", "value": "ü"}],
}


@pytest.mark.parametrize(
    ("provider", "mode", "said"),
    [
        ("openai", "auto", OPENAI),
        ("openai", "tool", OPENAI),
        ("openai", "two_step", OPENAI),
        ("openai", "json_object", BILL),
        ("anthropic", "auto", {**OPENAI, "lines": [{"line_amount": "3.00"}]}),
        ("bedrock", "auto", {**BILL, "lines": [{"line_amount": "3.00"}]}),
    ],
)
def test_a_record_is_said_in_the_form_that_is_asked_for(prepared, provider, mode, said):
    found = prepared(BILL, {**BILL, "lines": [{"amount": "3.00"}]}, provider=provider, mode=mode)
    assert answers(found) == [said, said]


def test_values_of_toml_are_said_as_the_schema_has_them(prepared):
    record = tomllib.loads('number = "7"\ndue = 2026-01-02\nlines = [{amount = 3.5}]')
    for one in (record, {**record, "lines": [{"line amount": 3.5}]}):
        found = answers(prepared(one))[0]
        assert (found["due"], found["lines"][0]["line amount"]) == ("2026-01-02", "3.5")


def test_a_default_is_said_where_null_would_not_mean_it(prepared):
    """OpenAI is asked for every field, and null is a value of this one."""
    assert answers(prepared({"name": "x"}, model="Terms")) == [{"name": "x", "terms": 30}]
    assert answers(prepared({"name": "x"}, model="Terms", provider="anthropic")) == [{"name": "x"}]


def test_in_two_steps_they_are_notes_of_the_second(prepared):
    """Whose question has no columns of the prompt."""
    found = prepared({"text": "a bill", "record": BILL}, mode="two_step", prompt="{text}{customer}")
    assert found.plan.examples.turns[0].text == f"{NORMALISE}a bill"


@pytest.mark.parametrize(
    ("record", "model", "told"),
    [
        ({"number": "7", "lines": [{"amount": "x"}]}, "Bill", "lines.0.amount: Input should be a valid decimal"),
        ({"number": "7", "lines": [{"amount": 1, "amout": 2}]}, "Bill", "lines.0.amout: is no field of the schema"),
        ({}, "Bill", "number: Field required"),
        ({"net": "5"}, "Small", "the record cannot be stored: net: "),
        ({"name": "x"}, "Failing", "a validator of Failing raised KeyError: 'no'"),
        ({"value": [1]}, "Names", "0: Input should be a valid string"),
        ({"names": []}, "Names", "the record: Input should be a valid array"),
    ],
)
def test_a_record_that_is_none_is_told_by_its_number_and_path(prepared, record, model, told):
    good = {"Bill": BILL}.get(model)
    found = error(prepared, *([good] if good else []), record, model=model)
    assert f"job.toml: [[extract.examples]] number {2 if good else 1}: {told}" in found


def test_all_that_are_wrong_are_told_and_not_too_many(prepared):
    found = error(prepared, {}, BILL, *[{}] * 7)
    assert [f"number {n}:" in found for n in (1, 2, 3, 4, 5, 6, 7)] == [True, False, True, True, True, True, False]
    assert found.endswith("and 3 more")


def test_what_a_validator_makes_of_a_record_is_no_reason_to_refuse_it(prepared):
    """The example is what a model would answer, and not what becomes of it."""
    assert answers(prepared({"net": "3,50"}, model="Taxed")) == [{"net": "3,50"}]
    assert answers(prepared({"net": 4}, model="Doubled")) == [{"net": 4}]
    assert answers(prepared({"name": "x"}, model="Stamped")) == [{"name": "x", "made": None}]


def test_a_root_that_is_no_table_is_written_as_its_value(prepared):
    assert answers(prepared({"value": ["a"]}, model="Names")) == [{"value": ["a"]}]


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ([{"text": "a"}], "[[extract.examples]] number 1 needs record"),
        ([{}], "[[extract.examples]] number 1 needs text and record"),
        (
            [{"text": "a", "record": {}, "txt": ""}],
            "[[extract.examples]] number 1: unknown key txt. Did you mean 'text'?",
        ),
        ([{"text": "", "record": {}}], "[[extract.examples]] number 1: text is empty"),
        ([{"text": " \n", "record": {}}], "[[extract.examples]] number 1: text is empty"),
        ([{"text": "a", "record": "b"}], "extract.examples[1].record = 'b' should be a table"),
        ([{"text": 1, "record": {}}], "extract.examples[1].text = 1 should be a string"),
        ("a", "extract.examples = 'a' should be tables: write [[extract.examples]]"),
        ([{"text": "a", "record": {"x": [float("nan")]}}], "extract.examples[1].record.x.0 = nan is no number"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path, examples, told):
    table = {
        "input": {"path": "in.jsonl"},
        "extract": {"schema": "bill.py:Bill", "examples": examples},
        "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100},
        "output": {"path": "out"},
    }
    with pytest.raises(JobError) as caught:
        resolve(table, tmp_path / "job.toml")
    assert told in str(caught.value)


def test_a_column_of_the_prompt_is_none_of_an_examples(prepared):
    told = error(prepared, BILL, prompt="{text} of {customer} in {place}")
    assert "extract.prompt names {customer} and {place}, and [[extract.examples]] have a text only" in told
    assert "Write {customer?} and {place?}" in told


def test_more_than_a_window_holds_is_told(prepared):
    many = [{"text": f"bill {n} " * 50, "record": BILL} for n in range(1000)]
    told = error(prepared, *many)
    assert "nothing is left of the context window for documents" in told
    assert "1,000 [[extract.examples]] take" in told


def test_they_are_part_of_what_every_request_holds(prepared):
    """Of the window, of what an estimate counts, and of what is reserved."""
    bare, found = prepared(), prepared(BILL, BILL)
    more = found.plan.examples
    assert more.tokens > 40
    assert found.plan.fixed_tokens - bare.plan.fixed_tokens == more.tokens
    assert found.plan.fixed_bytes - bare.plan.fixed_bytes == more.bytes == sum(len(t.text.encode()) for t in more.turns)
    assert found.overhead_tokens - bare.overhead_tokens == more.tokens
    assert bare.plan.chunk_tokens - found.plan.chunk_tokens == more.tokens
    assert bare.plan.examples.turns == ()


def test_a_change_of_an_example_or_of_the_prompt_around_it_is_another_question(prepared):
    hashes = {
        prepared(*examples, prompt=prompt).plan.request_hash
        for examples in ([BILL], [BILL, BILL], [{"text": "b", "record": BILL}], [{**BILL, "number": "8"}])
        for prompt in ("{text}", "Read: {text}")
    }
    assert len(hashes) == 8
    assert prepared(prompt="{text}").plan.request_hash == prepared(prompt="Read: {text}").plan.request_hash
