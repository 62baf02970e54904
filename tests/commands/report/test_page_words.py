"""What the page says of each cause."""

from pipeline.codes import ErrorCode
from pipeline.commands.report import beside
from pipeline.commands.report.page import WHAT_TO_DO
from pipeline.extraction import review


def test_every_code_that_a_row_may_fail_with_is_told_what_to_do_about():
    """A code that is new has its words here, or this fails."""
    assert {*WHAT_TO_DO} == {str(code) for code in ErrorCode}
    assert all(WHAT_TO_DO.values())


def test_every_reason_to_look_at_a_row_has_its_words():
    """In the order that they are told in."""
    assert list(beside.REASONS) == list(review.REASONS)
