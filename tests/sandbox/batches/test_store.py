"""What becomes of a batch's lines, on a clock that is an argument: every line has one fate, and keeps it."""

import math
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.sandbox.batches.faults import Course, Lines
from pipeline.sandbox.batches.store import ENDS, Batch, Fate, Phase, Plan, Store

DAY_S = 86_400.0
shares = st.sampled_from([0.0, 0.3, 1.0])
plans = st.builds(
    Plan,
    created_s=st.just(1000.0),
    count=st.integers(1, 60),
    length_s=st.sampled_from([0.0, 1.0, 3600.0, DAY_S, 3 * DAY_S]),
    life_s=st.sampled_from([DAY_S, 2 * DAY_S]),
    forfeits=st.booleans(),
    failed=st.booleans(),
    stuck=st.booleans(),
    never_cancelled=st.booleans(),
)
steps = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 60.0, 3600.0, DAY_S / 2]), st.booleans()), max_size=12)


def batch_of(plan, cancel="", **lines):
    return Batch("b", "seed", "account", plan, Course(cancel=cancel), Lines(**lines), {})


def settled(batch, now_s):
    """The fates that fall due by now."""
    return [batch.settle(number) for number in range(batch.settled, batch.plan.due(now_s))]


@given(plans, steps, shares, shares, st.sampled_from(["", "race"]))
@example(Plan(1000.0, 10, 3600.0, DAY_S), [(3600.0 / 2, True), (0.3, True)], 0.3, 0.3, "")
def test_every_line_has_exactly_one_fate_and_keeps_it(plan, walk, expired, refused, cancel):
    batch, now_s, fates = batch_of(plan, cancel, expired=expired, refused=refused), plan.created_s, []
    for advance_s, cancels in walk:
        now_s += advance_s
        fates += settled(batch, now_s)
        if cancels:
            batch.cancel(now_s)
        assert batch.plan.due(now_s) >= len(fates)
    before = batch.phase(now_s)
    now_s += 10 * DAY_S
    fates += settled(batch, now_s)
    assert batch.phase(now_s) in ENDS
    assert before not in ENDS or before is batch.phase(now_s), "an end is the end"
    assert len(fates) == (0 if batch.phase(now_s) is Phase.FAILED else plan.count)
    assert Counter(fates) == batch.fates
    assert fates == [batch.fate(number) for number in range(len(fates))]
    if plan.forfeits and batch.plan.end()[0] is not Phase.COMPLETED:
        assert Fate.ANSWERED not in batch.fates


@given(plans, st.floats(0, 5 * DAY_S), st.floats(0, 5 * DAY_S))
def test_progress_never_goes_back(plan, one_s, other_s):
    early_s, late_s = sorted((plan.created_s + one_s, plan.created_s + other_s))
    assert plan.reached(early_s) <= plan.reached(late_s) <= plan.count
    assert plan.due(early_s) <= plan.due(late_s) <= plan.count


@pytest.mark.parametrize(
    ("at", "phase", "reached"),
    [(0, "validating", 0), (100, "running", 0), (500, "running", 5), (900, "finalizing", 10), (1000, "completed", 10)],
)
def test_a_batch_takes_its_length(at, phase, reached):
    plan = Plan(0.0, 10, 1000.0, DAY_S)
    assert (plan.phase(at), plan.reached(at)) == (phase, reached)


def test_what_is_not_written_down_has_not_ended():
    batch = batch_of(Plan(0.0, 2, 10.0, DAY_S))
    assert batch.phase(10.0) is Phase.FINALIZING
    settled(batch, 10.0)
    assert batch.phase(10.0) is Phase.COMPLETED


def test_lines_are_settled_in_their_order():
    with pytest.raises(ValueError, match="line 1"):
        batch_of(Plan(0.0, 2, 10.0, DAY_S)).settle(1)


def test_a_batch_without_an_end_of_life_runs_on():
    plan = Plan(0.0, 2, 10.0, math.inf, stuck=True)
    assert plan.phase(1000 * DAY_S) is Phase.RUNNING


def test_ids_of_another_start_are_others():
    assert Store(0).new_id(1.0) != Store(0).new_id(2.0)
    store = Store(0)
    assert store.new_id(1.0) != store.new_id(1.0)
