"""What batch APIs have in common: states in any spelling, times in any form, limits in a message."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.batch_words import moment_s, state_of, waiting_most
from pipeline.providers.batches import RemoteState

STATES = {"inprogress": RemoteState.ENDED}


@pytest.mark.parametrize("word", ["in_progress", "In Progress", "IN-PROGRESS", "InProgress"])
def test_a_state_in_any_spelling(word):
    assert state_of(word, STATES) is RemoteState.ENDED


@given(st.text())
def test_a_word_that_nobody_knows_is_of_one_that_runs(word):
    assert state_of(f"{word}q", STATES) is RemoteState.RUNNING


@each_case(
    ("value", "expected"),
    [
        (1_796_000_523, 1_796_000_523),
        (1_796_000_523.5, 1_796_000_523.5),
        ("2026-11-30T01:02:03Z", 1_796_000_523),
        ("2026-11-30T02:02:03+01:00", 1_796_000_523),
        ("2026-11-30T01:02:03", 1_796_000_523),
        ("2026-11-30T01:02:03.500000001Z", 1_796_000_523.5),
        (0, None),
        (-1, None),
        (1e30, None),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        ([], None),
    ],
)
def test_a_time_in_any_form(value, expected):
    assert moment_s(value) == expected


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str))
def test_no_time_raises(value):
    assert moment_s(value) is None or isinstance(moment_s(value), float)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Enqueued token limit reached for x in organization y. Limit: 90,000 enqueued tokens.", 90_000),
        ("Limit: 2000000 enqueued tokens. Please try again.", 2_000_000),
        ("limit 1_000 tokens", 1000),
        ("Limit: 5 requests", None),
        ("", None),
    ],
)
def test_how_many_may_wait(message, expected):
    assert waiting_most(message) == expected
