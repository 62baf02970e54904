"""A server's kept connections are trusted as long as few of them turn out to have ended."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.transport.trust import DOUBT, MOST, Trust


def after(events):
    trust = Trust()
    for good in events:
        trust.answered() if good else trust.ended()
    return trust


def test_a_few_in_quick_succession_are_the_end_of_it():
    """And what comes after makes up for nothing."""
    assert not after([False] * (MOST - 1)).lost
    assert after([False] * MOST).lost
    assert after([False] * MOST + [True] * 10_000).lost


@given(gaps=st.lists(st.integers(DOUBT, 3 * DOUBT), max_size=50))
def test_who_makes_up_for_each_is_trusted_however_long_a_run_lasts(gaps):
    """One in `DOUBT` answers, or fewer."""
    assert not after([good for gap in gaps for good in [False, *[True] * gap]]).lost


@given(before=st.integers(0, 10_000))
def test_a_server_that_begins_to_refuse_is_known_as_soon_after_a_million_answers(before):
    assert after([True] * before + [False] * MOST).lost
