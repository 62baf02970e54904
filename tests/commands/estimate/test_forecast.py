"""The statistics of an estimate, against the books."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.estimate.forecast import hits_of, share_of, student_t, total_of


def test_a_line_through_points_on_a_line_is_that_line():
    band = total_of([1, 2, 3, 4], [3, 5, 7, 9], 10, 6.0)
    assert band.expected == pytest.approx(10 * 13)
    assert band.high - band.low == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),  # from printed tables of Student's t
    [(0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 5, 2.571), (0.99, 18, 2.552), (0.99, 8, 2.896), (0.975, 60, 2.000)],
)
def test_students_t_is_that_of_the_tables(probability, freedom, value):
    assert student_t(probability, freedom) == pytest.approx(value, rel=0.01)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 10**6))
def test_a_share_stays_a_share_and_a_count_within_its_number(hits, more, count):
    share, band = share_of(hits, hits + more), hits_of(hits, hits + more, count)
    assert 0 <= share.low <= share.expected <= share.high <= 1
    assert 0 <= band.low <= band.expected <= band.high <= count + 1e-6
