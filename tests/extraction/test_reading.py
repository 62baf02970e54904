"""What stands around and within the JSON of an answer that nobody held to its schema."""

import json
from enum import StrEnum

import msgspec
import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from pipeline.extraction.validate import Invalid, Loose, Valid, check, enforced
from pipeline.job.settings import Job
from pipeline.schema.shape import restore, shape_for
from pipeline.types import AnswerShape


class Colour(StrEnum):
    RED = "red"


class Line(BaseModel):
    what: str
    count: int


class Other(BaseModel):
    kind: str
    lines: list[Line]


class Order(BaseModel):
    name: str
    lines: list[Line] = Field(default_factory=list)
    buyer: Line | Other | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    colour: Colour = Colour.RED
    number: int = 7
    note: str | None = "none"
    words: dict[str, str | None] = Field(default_factory=dict)


GOOD = {"name": "Anna", "lines": [{"what": "pear", "count": 3}]}
TEXT = json.dumps(GOOD)
MODES = ("tool", "json_object", "json_schema")


def read(text, mode="json_object", *, loose=True):
    shaped = shape_for(Order, "openai", mode)
    turn_back = (lambda data: restore(shaped, data)) if shaped.rewritten else None
    return check(Order, turn_back, text, Loose(shaped.shape.schema, shaped.original) if loose else None)


AROUND = {
    "thoughts": "<think>Anna bought {pears}.</think>\n\n" + TEXT,
    "another word for them": "<thinking>{</thinking>" + TEXT,
    "thoughts without a start": "Anna bought pears, so {\n</think>\n" + TEXT,
    "thoughts before a fence": "<think>?</think>\n```json\n" + TEXT + "\n```",
    "words before a fence": "Here is the `result`:\n\n```json\n" + TEXT + "\n```",
    "words after a fence": "```json\n" + TEXT + "\n```\nI hope this helps!",
    "words before": "Here is the result: " + TEXT,
    "words after": TEXT + "\nAnna bought pears [see page 1].",
    "a fence in one line": "```json " + TEXT + "```",
    "a fence without a word": "```" + TEXT + "```",
    "a word before": "json\n" + TEXT,
    "the same twice": f"```json\n{TEXT}\n```\nAgain:\n```json\n{json.dumps(GOOD, indent=1)}\n```",
    "a text of it": json.dumps(TEXT),
    "a text of a fence of it": json.dumps("```json\n" + TEXT + "\n```"),
    "a byte order mark": "\ufeff" + TEXT,
}
DOUBTFUL = {
    "two that differ": TEXT + "\nor\n" + TEXT.replace("Anna", "Bert"),
    "a line each": TEXT + "\n" + TEXT.replace("Anna", "Bert"),
    "a brace left over": TEXT + "}",
    "one that is cut off": TEXT[:-3],
    "one within one that is cut off": '{"order": ' + TEXT + ', "more": ',
    "one within a list that is cut off": "Orders: [" + TEXT + ", ",
    "a member": '"order": ' + TEXT,
    "a list": f"[{TEXT}]",
    "thoughts alone": "<think>" + TEXT,
    "words alone": "Anna bought three pears",
    "braces in words": "{name} is Anna: " + TEXT,
    "a comma too much": TEXT[:-1] + ",}",
    "": "",
}


@each_case("text", AROUND.values(), ids=AROUND)
def test_what_stands_around_the_only_object_is_left_out(text):
    assert read(text).record == Order(**GOOD)


@each_case("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_nothing_is_chosen_where_there_is_doubt(text):
    assert isinstance(read(text), Invalid)


def test_several_objects_are_told():
    assert read(DOUBTFUL["a line each"]).errors == (
        "the answer holds several JSON objects that differ; exactly one is asked for",
    )


@each_case("text", [*AROUND.values(), *DOUBTFUL.values()])
def test_of_an_enforced_answer_only_a_fence_is_left_out(text):
    """As ever: what does not fit is never read as if it did."""
    assert isinstance(read(text, loose=False), Valid) == (text == AROUND["a byte order mark"])


def job(provider="openai", mode="auto", **model):
    settings = {"provider": provider, "name": "m", "max_output_tokens": 9, **model}
    sections = {"input": {"path": "x"}, "extract": {"schema": "x.py:X", "mode": mode}, "output": {"path": "o"}}
    return msgspec.convert({**sections, "model": settings, "name": "j"}, Job)


@pytest.mark.parametrize(
    ("of", "mode", "held"),
    [
        (job(), "json_schema", True),
        (job(), "tool", False),
        (job(), "json_object", False),
        (job(mode="two_step"), "json_schema", False),
        (job(base_url="http://vllm:8000/v1"), "json_schema", False),
        (job("azure", base_url="https://x.openai.azure.com"), "json_schema", True),
        (job("anthropic"), "json_schema", True),
    ],
)
def test_who_holds_answers_to_a_schema(of, mode, held):
    """The provider itself, where the schema is its answer's format; a server of others may not."""
    assert (
        enforced(of.model.provider, of.model.base_url, of.extract.mode, AnswerShape("X", mode, {}, strict=True)) is held
    )
    assert not enforced(of.model.provider, of.model.base_url, of.extract.mode, AnswerShape("X", mode, {}, strict=False))


WITHIN = {
    "a list as text": ({"lines": json.dumps(GOOD["lines"])}, Order(**GOOD)),
    "an object as text": ({"buyer": '{"what": "fig", "count": 1}'}, Order(**GOOD, buyer=Line(what="fig", count=1))),
    "one of two objects": (
        {"buyer": json.dumps({"kind": "x", "lines": json.dumps(GOOD["lines"])})},
        Order(**GOOD, buyer=Other(kind="x", lines=GOOD["lines"])),
    ),
    "a map as text": ({"counts": '{"a": 1}'}, Order(**GOOD, counts={"a": 1})),
    "an item as text": ({"lines": [json.dumps(GOOD["lines"][0])]}, Order(**GOOD)),
    "a text that looks like one": ({"name": "[1]", "lines": "[]"}, Order(name="[1]")),
    "null for a list": ({"lines": None}, Order(name="Anna")),
    "null for a map": ({"counts": None}, Order(**GOOD)),
    "null for an enum": ({"colour": None}, Order(**GOOD)),
    "null for a number": ({"number": None}, Order(**GOOD)),
    "null where it is a value": ({"number": None, "note": None}, Order(**GOOD, note=None)),
    "null in a map that takes it": ({"number": None, "words": {"a": None}}, Order(**GOOD, words={"a": None})),
}


@each_case(("changes", "record"), WITHIN.values(), ids=WITHIN)
@each_case("mode", ["tool", "json_object"])
def test_what_leaves_no_doubt_is_mended_within(changes, record, mode):
    """In every mode without a decoder that was held to the schema; maps of strict tools are asked for as entries."""
    if mode == "tool":
        changes = {name: value for name, value in changes.items() if name not in {"counts", "words"}} or {
            "number": None
        }
        record = record.model_copy(update={"counts": {}, "words": {}})
    assert read(json.dumps({**GOOD, **changes}), mode).record == record


@pytest.mark.parametrize(
    "changes", [{"name": None}, {"name": ["x"]}, {"lines": "none"}, {"counts": {"a": None}}, {"buyer": "Bert"}]
)
def test_all_else_is_for_the_repair(changes):
    """Null for what has no default, or for an entry of a map; a text that holds nothing."""
    assert isinstance(read(json.dumps({**GOOD, **changes})), Invalid)


@pytest.mark.parametrize("control", ["\n", "\t", "\r", "\x01"])
def test_control_characters_may_stand_in_texts(control):
    assert read(TEXT.replace("Anna", f"An{control}na")).record.name == f"An{control}na"


def test_digits_stay():
    class Amount(BaseModel):
        total: str | int

    verdict = check(Amount, None, 'It is {"total": 123456789012345678901234567890}.', Loose({}, {}))
    assert verdict.record.total == 123456789012345678901234567890


WORDS = st.text(st.characters(exclude_characters='{}[]<`"'), max_size=20)


@given(WORDS, st.text(), WORDS, st.sampled_from(["{}", "```json\n{}\n```", "```{}```"]))
def test_any_words_around_any_record(before, name, after, fence):
    text = f"{before}{fence.replace('{}', json.dumps({'name': name}))}{after}"
    assert read(text).record == Order(name=name)


@given(st.text(st.sampled_from('{}[]",:`\n<think>/ab1\\'), max_size=60))
def test_any_text_has_a_verdict(text):
    assert isinstance(read(text), Valid | Invalid)


def test_deep_and_large_answers_are_told():
    assert isinstance(read('{"name": ' * 100_000), Invalid)
    assert isinstance(read("words " + '{"lines": [' * 50_000), Invalid)
