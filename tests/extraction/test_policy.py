"""The two tables: what follows a failure, and what follows an answer."""

import math

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ErrorCode, ParkReason
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import Action, Next, Policy, Tried, after_reply, backoff_s, decide
from pipeline.types import Stop

POLICY = Policy(max_attempts=6)
JITTER = st.floats(0, 1, exclude_max=True)


def failed(kind, hint=None):
    return CallFailed(kind, "no", retry_after_s=hint)


@each_case(
    ("kind", "first", "last"),
    [
        (Kind.THROTTLED, Action.WAIT, Action.WAIT),
        (Kind.OVERLOADED, Action.RETRY, ErrorCode.PROVIDER_ERROR),
        (Kind.NO_ANSWER, Action.RETRY, ErrorCode.PROVIDER_ERROR),
        (Kind.TIMEOUT, Action.RETRY, ErrorCode.TIMEOUT),
        (Kind.CONNECTION, Action.RETRY, ErrorCode.TIMEOUT),
        (Kind.CONTEXT_EXCEEDED, Action.SHRINK, Action.SHRINK),
        (Kind.INVALID_REQUEST, ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST),
        (Kind.BLOCKED, ErrorCode.BLOCKED, ErrorCode.BLOCKED),
        (Kind.AUTH, ParkReason.AUTH, ParkReason.AUTH),
        (Kind.QUOTA, ParkReason.QUOTA, ParkReason.QUOTA),
        (Kind.MODEL_UNAVAILABLE, ParkReason.MODEL_UNAVAILABLE, ParkReason.MODEL_UNAVAILABLE),
    ],
)
def test_the_table_of_failures(kind, first, last):
    """The contract's section 4, at the first attempt and at the last."""
    for attempt, expected in ((1, first), (5, first), (6, last), (10_000, last)):
        decision = decide(failed(kind), attempt, POLICY, 0.5)
        assert expected in (decision.action, decision.code, decision.park)
        assert (decision.code is not None) == (decision.action is Action.FAIL)
        assert (decision.park is not None) == (decision.action is Action.PARK)


def test_a_file_that_could_not_be_processed_has_three_attempts():
    """It comes and goes for good files (anthropic-sdk-python#903); each is an upload."""
    actions = [decide(failed(Kind.NOT_PROCESSED), attempt, POLICY, 0.5) for attempt in (1, 2, 3, 9)]
    assert [decision.action for decision in actions] == [Action.RETRY] * 2 + [Action.FAIL] * 2
    assert actions[2].code is ErrorCode.INVALID_REQUEST
    assert decide(failed(Kind.NOT_PROCESSED), 1, Policy(max_attempts=1), 0.5).action is Action.FAIL


def test_every_kind_of_failure_is_in_the_table():
    """A new kind without a row here would be a KeyError in the middle of the night."""
    for kind in Kind:
        for attempt in (1, 6):
            assert decide(failed(kind), attempt, POLICY, 0.5).action in Action


@given(attempt=st.integers(1, 10_000), jitter=JITTER)
def test_back_off_has_full_jitter_under_a_cap(attempt, jitter):
    """From 0 to 0.5, 1, 2, 4, 8, 16, 30, 30 … s; no overflow at attempt 10,000."""
    most_s = min(30.0, 0.5 * 2 ** min(attempt - 1, 20))
    assert backoff_s(attempt, jitter) == pytest.approx(jitter * most_s)
    assert backoff_s(attempt, 0.0) == 0.0


@given(attempt=st.integers(1, 5), jitter=JITTER, hint=st.floats(allow_nan=True, allow_infinity=True))
def test_a_hint_is_the_least_wait_and_no_number_breaks_it(attempt, jitter, hint):
    """Never shortened, up to 30 years; NaN and negative count as none."""
    wait_s = decide(failed(Kind.OVERLOADED, hint), attempt, POLICY, jitter).wait_s
    assert backoff_s(attempt, jitter) <= wait_s <= 1e9
    if 0 <= hint <= 1e9:
        assert wait_s >= hint


def test_a_deadline_ends_a_row_that_would_wait_beyond_it():
    """The only way to `rate_limited`."""
    hurried = Policy(max_wait_s=60.0)
    assert decide(failed(Kind.THROTTLED, 60.0), 1, hurried, 0.5).action is Action.WAIT
    assert decide(failed(Kind.THROTTLED, math.nan), 1, hurried, 0.5).action is Action.WAIT
    assert decide(failed(Kind.THROTTLED, 61.0), 1, hurried, 0.5).code is ErrorCode.RATE_LIMITED
    assert decide(failed(Kind.THROTTLED, 1.0), 1, hurried, 0.5, waited_s=59.0).action is Action.WAIT
    assert decide(failed(Kind.THROTTLED, 1.0), 1, hurried, 0.5, waited_s=59.1).code is ErrorCode.RATE_LIMITED
    assert decide(failed(Kind.OVERLOADED, 1.0), 1, hurried, 0.5, waited_s=59.1).action is Action.RETRY
    assert decide(failed(Kind.THROTTLED, 3600.0), 1, POLICY, 0.5).action is Action.WAIT


def test_a_pause_of_hours_parks_the_run():
    """It is an allowance that is used up, and no reason to hold slots for a day."""
    assert decide(failed(Kind.THROTTLED, 3601.0), 1, POLICY, 0.5).park is ParkReason.QUOTA
    assert decide(failed(Kind.THROTTLED, 1e9), 1, POLICY, 0.5).park is ParkReason.QUOTA


@each_case(
    ("stop", "valid", "tried", "expected"),
    [
        (Stop.DONE, True, Tried(), Next.ACCEPT),
        (Stop.DONE, True, Tried(repaired=True, raised_cap=True, shrunk=True), Next.ACCEPT),
        (Stop.DONE, False, Tried(), Next.REPAIR),
        (Stop.DONE, False, Tried(raised_cap=True, shrunk=True), Next.REPAIR),
        (Stop.DONE, False, Tried(repaired=True), ErrorCode.INVALID_OUTPUT),
        (Stop.TRUNCATED, False, Tried(), Next.RAISE_CAP),
        (Stop.TRUNCATED, False, Tried(repaired=True), Next.RAISE_CAP),
        (Stop.TRUNCATED, False, Tried(raised_cap=True), ErrorCode.TRUNCATED),
        (Stop.TRUNCATED, True, Tried(raised_cap=True), ErrorCode.TRUNCATED),
        (Stop.REFUSED, False, Tried(), ErrorCode.REFUSED),
        (Stop.BLOCKED, False, Tried(), ErrorCode.BLOCKED),
    ],
)
def test_the_table_of_answers(stop, valid, tried, expected):
    """Each remedy once; a truncated answer is never accepted, however well it parses."""
    step = after_reply(stop, valid, tried)
    assert expected in (step.next, step.code)
    assert (step.code is not None) == (step.next is Next.FAIL)


def test_no_answer_goes_round_for_ever():
    """Whatever answers come, the remedies run out."""
    for stop in Stop:
        tried = Tried(repaired=True, raised_cap=True, shrunk=True)
        assert after_reply(stop, False, tried).next is Next.FAIL
