"""What of the chunks before goes with the next one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction.context import WINDOW_HEAD, window_of

RECORDS = st.lists(st.lists(st.text("{}ab", min_size=1, max_size=30), max_size=3), max_size=8)
HEAD = len(WINDOW_HEAD)


@given(RECORDS, st.integers(1, 9), st.integers(0, 300))
def test_the_last_records_that_fit_in_order_and_the_oldest_are_out_first(groups, chunks, most):
    """Never more than the budget, and none is left out that would have fitted."""
    found = window_of(groups, chunks, most, len)
    recent = [one for group in groups[-chunks:] for one in group]
    assert list(found) == recent[len(recent) - len(found) :]
    used = HEAD + sum(len(one) + 1 for one in found)
    assert not found or used <= most
    if len(found) < len(recent):
        assert used + len(recent[-len(found) - 1]) + 1 > most


@given(RECORDS, st.integers(0, 9))
def test_with_room_for_all_those_of_so_many_chunks_go(groups, chunks):
    recent = groups[len(groups) - min(chunks, len(groups)) :]
    assert list(window_of(groups, chunks, 10**6, len)) == [one for group in recent for one in group]


@pytest.mark.parametrize("most", [HEAD, HEAD + 3, HEAD + 4])
def test_one_that_is_too_large_leaves_none_before_it(most):
    """Whoever reads on must not take an older record for the last."""
    assert window_of([["a"], ["bbbb"]], 2, most, len) == ()
