"""The way from a snapshot through the log: in order, without a gap, and past those who had lost the output."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger.log_chain import START, Position, Stretch, chain, position_of, stretch_of


def cut(term, after, ends):
    """Stretches of one session: from `after`, up to each of these commits."""
    places = [after, *(Position(term, end) for end in ends)]
    return [Stretch(one, other) for one, other in pairwise(places)]


ENDS = st.sets(st.integers(1, 400), min_size=1, max_size=30).map(sorted)


@given(ENDS, st.integers(0, 400), st.randoms())
def test_it_goes_on_from_wherever_a_snapshot_stands(ends, commit, chance):
    """In whatever order the segments are listed, and though some are listed twice."""
    log = cut(1, START, ends)
    listed = log * 2
    chance.shuffle(listed)
    found = chain(Position(1, commit) if commit else START, listed)
    assert found.stretches == tuple(one for one in log if one.upto.commit > commit)
    assert found.beyond == ()


@given(ENDS, st.data())
def test_it_stops_at_the_first_gap_and_knows_that_there_is_more(ends, data):
    log = cut(1, START, ends)
    missing = data.draw(st.integers(0, len(log) - 1))
    found = chain(START, log[:missing] + log[missing + 1 :])
    assert found.stretches == tuple(log[:missing])
    assert set(found.beyond) == set(log[missing + 1 :])


@given(ENDS, ENDS, ENDS, st.data())
def test_who_had_lost_the_output_and_went_on_leads_nowhere(first, late, second, data):
    """The next session took up at some segment; what the first shipped after that is passed over."""
    log = cut(1, START, first)
    fork = data.draw(st.sampled_from([START, *(one.upto for one in log)]))
    kept = [one for one in log if one.upto <= fork]
    later = cut(1, log[-1].upto, [log[-1].upto.commit + end for end in late])
    successor = cut(2, fork, second)
    found = chain(START, [*log, *later, *successor])
    assert found.stretches == (*kept, *successor)
    assert found.beyond == ()


@given(st.integers(0, 10**7), st.integers(0, 10**11), st.integers(0, 10**7), st.integers(0, 10**11))
def test_names_are_read_as_they_were_written(term, commit, other_term, other_commit):
    at, other = sorted([Position(term, commit), Position(other_term, other_commit)])
    assert position_of(str(at)) == at
    assert stretch_of(str(Stretch(at, other))) == (Stretch(at, other) if at < other else None)


def test_what_is_no_name_is_none():
    assert position_of(None) == position_of("") == position_of("x.y") == START
    assert [stretch_of(text) for text in ("", "-", "1.2-1.3", "00000001.000000000002")] == [None] * 4
