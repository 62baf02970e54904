"""Whose turn it is among runs that share an account's limits."""

from collections import Counter
from decimal import Decimal

from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.charges import Need
from pipeline.admission.lines import Lines

NEED = Need(1, 1, Decimal(0))


def served(lines):
    """Everybody, in the order that they are served in."""
    found = []
    while (head := lines.head()) is not None:
        found.append((head.run, head.key))
        lines.served()
    return found


def test_runs_take_turns_however_many_calls_each_has_waiting():
    """A run of few rows is not behind all of one of many."""
    lines = Lines()
    for key in range(5):
        lines.add("many", key, NEED, retry=False)
    for key in range(2):
        lines.add("few", key, NEED, retry=False)
    assert served(lines) == [
        ("many", 0), ("few", 0), ("many", 1), ("few", 1), ("many", 2), ("many", 3), ("many", 4),
    ]  # fmt: skip


def test_within_a_run_retries_go_first():
    lines = Lines()
    lines.add("a", 1, NEED, retry=False)
    lines.add("a", 2, NEED, retry=True)
    assert served(lines) == [("a", 2), ("a", 1)]


def test_the_head_stays_the_head_until_it_is_served():
    """A large call that waits for tokens is not passed over by small ones, for ever."""
    lines = Lines()
    lines.add("a", 1, NEED, retry=False)
    lines.add("b", 1, NEED, retry=False)
    assert [lines.head().run for _ in range(3)] == ["a", "a", "a"]


def test_who_leaves_is_not_served():
    lines = Lines()
    for run in "ab":
        for key in range(3):
            lines.add(run, key, NEED, retry=False)
    assert lines.drop("a", 1)
    assert not lines.drop("a", 1)
    assert not lines.drop("c", 1)
    lines.leave("b")
    assert served(lines) == [("a", 0), ("a", 2)]


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=40)


@examples(200)
@given(STEPS)
def test_nobody_waits_for_more_than_one_call_of_each_other_run(steps):
    """Counted at each serving: of others, between two of its own, or since it began to wait."""
    lines, waiting, since = Lines(), Counter(), {}
    for key, (run, serve, retry) in enumerate(steps):
        lines.add(run, key, NEED, retry=retry)
        waiting[run] += 1
        since.setdefault(run, Counter())
        for _ in range(serve):
            if (head := lines.head()) is None:
                break
            lines.served()
            waiting[head.run] -= 1
            for other, seen in since.items():
                seen[head.run] += other != head.run and waiting[other] > 0
                assert seen[head.run] <= 1
            since[head.run] = Counter()
    assert len(served(lines)) == sum(waiting.values())
