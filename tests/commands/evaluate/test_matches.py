"""Items of lists are assigned so that most is in common, the same way every time, at a bounded cost."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.evaluate import matches
from pipeline.commands.evaluate.matches import matched

ITEMS = st.lists(st.frozensets(st.integers(0, 5), max_size=4), min_size=1, max_size=5)


def in_common(left, right, pairs):
    return sum(len(left[one] & right[other]) for one, other in pairs)


@given(ITEMS, ITEMS)
def test_as_many_pairs_as_the_shorter_list_has_each_place_once(left, right):
    pairs = matched(left, right)
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert len(pairs) == min(len(left), len(right))


@given(ITEMS, ITEMS)
def test_of_few_items_no_assignment_has_more_in_common(left, right):
    """All are tried. Greedy pairs would not do: the best pair may spoil two others."""
    short, long = sorted((left, right), key=len)
    most = max(in_common(short, long, enumerate(order)) for order in permutations(range(len(long)), len(short)))
    assert in_common(left, right, matches._best(left, right)) == most


def test_the_best_pair_is_given_up_where_two_others_gain_more():
    left, right = [{1, 2, 3}, {1, 2, 4}], [{1, 2, 3, 4}, {3, 9}]
    assert matched(left, right) == [(0, 1), (1, 0)]


def test_equal_items_stay_in_order_and_what_has_nothing_in_common_goes_in_order():
    assert matched([{1}, {1}, {2}], [{1}, {2}, {1}]) == [(0, 0), (1, 2), (2, 1)]
    assert matched([{1}, {2}], [{8}, {9}, {7}]) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(("items", "most_pairs"), [(200, 1_000_000), (200, 2_000)])
def test_many_items_are_matched_best_first_however_many_pairs_may_be_looked_at(monkeypatch, items, most_pairs):
    """Each differs in one fact, and stands a few places further on."""
    monkeypatch.setattr(matches, "MOST_PAIRS", most_pairs)
    left = [{("what", place), ("count", 1), ("amount", place)} for place in range(items)]
    right = [{("what", -1), ("count", 1), ("amount", place)} for place in range(items)]
    shifted = right[3:] + right[:3]
    pairs = matched(left, shifted)
    assert pairs[3:] == [(place, place - 3) for place in range(3, items)]
    assert len(pairs) == items
