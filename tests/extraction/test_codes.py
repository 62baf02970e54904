"""The codes of attempts: in ledgers and files that users have, so that none of the words may change."""

import pytest
from each_case import each_case

from pipeline.codes import AnswerFrom, AttemptCode, ErrorCode
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import KIND_CODES, Action, Policy, Tried, after_reply, decide, row_code
from pipeline.types import Stop

WORDS = {
    Kind.THROTTLED: "rate_limited",
    Kind.OVERLOADED: "provider_error",
    Kind.NO_ANSWER: "provider_error",
    Kind.DAMAGED: "provider_error",
    Kind.TIMEOUT: "timeout",
    Kind.CONNECTION: "timeout",
    Kind.NOT_PROCESSED: "invalid_request",
}


@each_case("kind", Kind)
def test_every_kind_of_failure_is_booked_by_the_word_it_always_had(kind):
    """Its own, but for those that a user need not tell apart."""
    assert KIND_CODES[kind] == WORDS.get(kind, kind.value)


@each_case("kind", Kind)
def test_a_row_that_a_failure_ends_has_the_code_of_the_attempt(kind):
    decision = decide(CallFailed(kind, "no"), 99, Policy(), 0.5)
    assert decision.action is not Action.RETRY
    if decision.action is Action.FAIL:
        assert isinstance(decision.code, ErrorCode)
        assert decision.code == KIND_CODES[kind]


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (Stop.DONE, ErrorCode.INVALID_OUTPUT),
        (Stop.TRUNCATED, ErrorCode.TRUNCATED),
        (Stop.REFUSED, ErrorCode.REFUSED),
        (Stop.BLOCKED, ErrorCode.BLOCKED),
        (Stop.TOOLS, ErrorCode.INVALID_OUTPUT),
    ],
)
def test_an_answer_of_no_use_ends_the_row_with_the_code_of_its_end(stop, code):
    tried = Tried(repaired=True, raised_cap=True)
    assert row_code(stop) is code is after_reply(stop, valid=False, tried=tried).code


def test_the_words_in_users_files_stay_as_they_are():
    assert [*AnswerFrom] == ["call", "duplicate", "ledger", "previous"]
    assert {*AttemptCode} == {*KIND_CODES.values()} | {
        "truncated", "refused", "lost", "hedged", "pack_mismatch", "batch_expired", "batch_cancelled",
    }  # fmt: skip
