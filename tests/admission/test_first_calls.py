"""The first calls of a run: who refuses every request does so before many have left."""

import heapq
import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.first_calls import SECOND_CALLS_S, FirstCalls, Opening
from pipeline.admission.report import Refusal

ALIKE = Refusal("400 no such form", "the provider refuses every request alike", 10)
MOST_SENT = 20


def sent_before_the_end(first, latencies_s, refusals, slots=64):
    """How many calls leave of a queue without end, each refused after its latency; and what is said at the end."""
    opening, now_s, flying, sent = Opening(first), 0.0, [], 0
    latencies_s, refusals = iter(latencies_s), iter(refusals)
    while opening.parks is None and sent < 3 * slots:
        while len(flying) < slots and opening.wait_s(len(flying), now_s) == 0.0:
            opening.taken(now_s)
            heapq.heappush(flying, now_s + next(latencies_s, 0.1))
            sent += 1
        may_go_s = now_s + (opening.wait_s(len(flying), now_s) or math.inf)
        if may_go_s < flying[0]:
            now_s = may_go_s
            continue
        now_s = heapq.heappop(flying)
        opening.refused(next(refusals, ALIKE))
    return sent, opening.parks


@given(
    first=st.sampled_from([FirstCalls(), FirstCalls(1, math.inf)]),
    latencies_s=st.lists(st.floats(0.001, SECOND_CALLS_S - 0.001)),
)
def test_a_run_that_is_refused_alike_ends_within_twenty_calls(first, latencies_s):
    """However the first ones overtake each other."""
    sent, told = sent_before_the_end(first, latencies_s, ())
    assert told == ALIKE.told
    assert ALIKE.most <= sent < MOST_SENT


@given(at=st.integers(0, 8), other=st.sampled_from([Refusal("400 another", "", 10), None]))
def test_two_that_differ_and_an_answer_end_the_doubt(at, other):
    """For good: what follows is each document's own."""
    opening = Opening(FirstCalls())
    for _ in range(at):
        opening.refused(ALIKE)
    if other is None:
        opening.answered()
    else:
        opening.refused(ALIKE)
        opening.refused(other)
    for _ in range(50):
        opening.refused(ALIKE)
    assert opening.parks is None
    assert opening.wait_s(1000, 0.0) == 0.0


def test_once_refused_only_five_go_until_one_is_answered():
    """Time alone opens nothing any more; a 429 does not either."""
    opening = Opening(FirstCalls())
    opening.taken(0.0)
    opening.refused(ALIKE)
    opening.let_in()
    assert opening.wait_s(4, 100.0) == 0.0
    assert opening.wait_s(5, 100.0) == math.inf
    opening.answered()
    assert opening.wait_s(5, 100.0) == 0.0
