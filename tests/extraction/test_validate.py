"""An answer → a record or what is wrong with it."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, field_validator

from pipeline.extraction.validate import MOST_ANSWER_CHARS, MOST_BYTES, MOST_ERRORS, Invalid, Valid, check, repair_turns
from pipeline.parts import text_parts
from pipeline.types import Turn


class Line(BaseModel):
    what: str
    usd: Decimal | None = None


class Bill(BaseModel):
    number: str | None = None
    seller: Line | None = None
    lines: list[Line] = []
    rate: float | None = None


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


RAISED = {"value": ValueError, "key": KeyError, "exit": SystemExit, "mute": Speechless, "deep": RecursionError}


class Touchy(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: Any = None

    @field_validator("n")
    @classmethod
    def _raise(cls, n):
        raise RAISED[n]("x" * 10_000)


def same(data):
    return data


WRONG = (
    '|no|[]|null|"{}"|{} {}|Here it is: {}|```json\n{}|{"lines": 3}|{"number": 3}|{"rate": NaN}|{"rate": -Infinity}|'
    '{"rate": "x"}|{"number": "\\ud800"}'
)
BOTH = pytest.mark.parametrize("restore", [None, same], ids=["as it is", "restored"])


@BOTH
@pytest.mark.parametrize("text", ["{}", "```json\n{}\n```", "```\n{}```", "\ufeff{}", "\ufeff ```JSON\n{}\n```\n"])
def test_a_fence_or_a_byte_order_mark_is_no_error(restore, text):
    assert isinstance(check(Bill, restore, text), Valid)


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        *WRONG.split("|"),
        "[" * 100_000,
        '{"lines":' * 50_000,
        '{"rate": ' + "9" * 5000 + "}",
        '{"seller": {"usd": 1e99999999999999999999, "what": 1}}',
    ],
)
def test_a_wrong_answer_is_told_in_few_words(restore, text):
    """Never an exception, and never an error as long as the answer."""
    found = check(Bill, restore, text)
    assert isinstance(found, Invalid)
    assert 1 <= len(found.errors) <= MOST_ERRORS + 1
    assert all(len(error) < 600 for error in found.errors)


@BOTH
@given(text=st.text() | st.text(st.sampled_from('{}[]":,\\ \n`1eE.-NaIu')))
def test_any_text_has_a_verdict(restore, text):
    assert isinstance(check(Touchy, restore, text) if "n" not in text else check(Bill, restore, text), Valid | Invalid)


@BOTH
def test_words_that_look_like_no_number_are_words(restore):
    assert check(Bill, restore, '{"number": "NaN Infinity"}').record.number == "NaN Infinity"


@pytest.mark.parametrize("raised", RAISED)
def test_whatever_a_validator_raises_is_the_answers_error(raised):
    (told,) = check(Touchy, None, json.dumps({"n": raised})).errors
    assert len(told) < 600


def test_errors_are_bounded_in_number_and_length():
    """Names in an error come from the answer: they can be as long and as many as it likes."""
    found = check(Touchy, None, json.dumps({f"{n}" + "k" * 10_000: "v" * 10_000 for n in range(50)}))
    assert len(found.errors) == MOST_ERRORS + 1
    assert found.errors[-1] == f"and {50 - MOST_ERRORS} more"
    assert all(len(error) < 600 for error in found.errors)
    assert "more than" in check(Bill, None, " " * (MOST_BYTES + 1)).errors[0]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=12))
def test_no_digit_of_an_amount_is_lost_on_the_way_back(usd):
    """A restored answer passes through Python: its amounts do not pass through a float that drops digits."""
    assert check(Line, same, f'{{"what": "x", "usd": {usd:f}}}').record.usd == usd


def test_a_repair_asks_with_the_answer_and_its_errors():
    turns = repair_turns((Turn("user", text_parts("q")),), "{" * 100_000, ("a: wrong", "b: missing"))
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert len(turns[1].text) == MOST_ANSWER_CHARS
    assert "- a: wrong\n- b: missing\n" in turns[2].text
    assert repair_turns((), "", ())[0].text  # no provider takes an empty message
