"""What an attempt is booked with where its server does not tell what it used."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from places import RECORDINGS

from pipeline.documents.tokens import counter_for
from pipeline.extraction.usage import all_reasoning, whole_usage
from pipeline.job.settings import Model
from pipeline.parts import FilePart, TextPart
from pipeline.providers.gemini.wire import GeminiWire
from pipeline.providers.openai.wire import OpenAIWire
from pipeline.types import Answer, AnswerShape, HttpAnswer, PartialUsage, Purpose, Request, Stop, Turn, Usage

COUNTER = counter_for("openai", "gpt-4o-mini")
TEXT = '{"name": "Anna", "count": 3}'
TOKENS = COUNTER.count(TEXT)
REQUEST = Request(b"k" * 16, 0, "r0", 0, Purpose.EXTRACT, "", (), 100, 250, 900)
COUNTS = st.integers(0, 100)


def whole(told, text=TEXT, stop=Stop.DONE):
    return whole_usage(told, REQUEST, text, stop, COUNTER)


@pytest.mark.parametrize(
    ("told", "booked"),
    [
        (PartialUsage(), Usage(250, 0, 0, TOKENS, 0)),
        (PartialUsage(7, 3, 2, 0, 0, input_told=True), Usage(7, 3, 2, TOKENS, 0)),
        (PartialUsage(0, 0, 0, 9, 4, output_told=True), Usage(250, 0, 0, 9, 4)),
        (PartialUsage(0, 0, 0, 0, 0, output_told=True), Usage(250, 0, 0, 0, 0)),
        (PartialUsage(0, 200, 100, 9, 0, output_told=True), Usage(300, 200, 100, 9, 0)),
        (PartialUsage(7, 0, 0, 0, 40, input_told=True), Usage(7, 0, 0, 40 + TOKENS, 40)),
        (Usage(0, 0, 0, 0, 0), Usage(0, 0, 0, 0, 0)),
    ],
)
def test_what_is_not_told_is_counted(told, booked):
    """Input as it was estimated, and no less than what came from a cache; output by its text, with what was thought."""
    assert whole(told) == booked


def test_files_whose_bill_is_not_told_are_booked_at_the_most_that_they_can_be():
    part = FilePart("image/png", "d" * 64, "page", 70_000, 200)
    request = replace(REQUEST, turns=(Turn("user", (part, TextPart("a"))),), file_tokens=200)
    assert whole_usage(PartialUsage(), request, TEXT, Stop.DONE, COUNTER).input_tokens == 250 - 200 + 70_000
    told = PartialUsage(7, 3, 2, 0, 0, input_told=True)
    assert whole_usage(told, request, TEXT, Stop.DONE, COUNTER).input_tokens == 7


def test_an_answer_that_its_cap_cut_off_has_used_all_of_it():
    """However little of it can be seen: a model may have thought all the time."""
    assert whole(PartialUsage(), "", Stop.TRUNCATED) == Usage(250, 0, 0, 100, 0)


def test_no_more_is_booked_than_was_reserved():
    assert whole(PartialUsage(), TEXT * 100).output_tokens == REQUEST.max_output_tokens


@given(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_what_is_told_stays(told):
    assert whole(told) is told


CUT_OFF = [  # text, output tokens, reasoning tokens, of which the row is told
    ("", 100, 100, 100),
    ("", 5, 2, 2),
    ("", 100, 0, 100),  # Claude tells how much came out, and not what of it was thought
    ("  \n", 100, 96, 96),
    ("  \n", 100, 0, 0),  # blanks until the cap: no thought
    ("<think>Let me see", 100, 0, 100),
    ("<think>Let me see</think>", 100, 0, 100),
    ('<think>Let me see</think>{"a', 100, 80, 0),
    ('{"name": "a', 100, 90, 0),
]


@pytest.mark.parametrize(("text", "output", "reasoning", "told"), CUT_OFF)
def test_an_answer_that_was_cut_off_while_it_was_thought_of(text, output, reasoning, told):
    usage = Usage(output_tokens=output, reasoning_tokens=reasoning)
    assert all_reasoning(Answer(text, Stop.TRUNCATED, "length", usage)) == told


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded answers are not part of the repository")
@pytest.mark.parametrize(
    ("file", "wire", "told"),
    [
        ("openai/chat-length-empty-content-all-reasoning.json", OpenAIWire, 100),
        ("gemini/max_tokens-no-parts-thinking.json", GeminiWire, 2),
        ("gemini/max_tokens.json", GeminiWire, 0),
    ],
)
def test_recorded_answers_that_were_cut_off(file, wire, told):
    body = json.dumps(json.loads((RECORDINGS / file).read_text())["body"]).encode()
    model = Model(provider="openai", name="m", max_output_tokens=100)
    answer = wire(model, AnswerShape("Thing", "json_schema", {}, strict=True)).reply(HttpAnswer(200, {}, body))
    assert answer.stop is Stop.TRUNCATED
    assert all_reasoning(answer) == told
