"""Workers by their nodes, in words, and how many would do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.telemetry.workers import NodeFigures, by_node, workers_advice, workers_lines


def one(node, rows, calls, **more):
    return {"worker": 1, "node": node, "rows": rows, "calls": calls, "cpu_s": 1.2, **more}


def sharing(*shares):
    return [one("a", 1, 1, **({} if share is None else {"cpu_share": share})) for share in shares]


def test_they_are_told_of_by_their_nodes():
    """Busiest first, with who was lost; nothing where there are none, and not every one of a thousand nodes."""
    assert list(workers_lines(())) == []
    told = list(workers_lines([one("a", 1, 2), one("b", 1000, 1200), one("b", 5, 7, ended="lost", ended_at="…")]))
    assert told == [
        "b: 2 workers (1 lost), 1,005 rows, 1,207 calls, 2 s of CPU",
        "a: 1 worker, 1 rows, 2 calls, 1 s of CPU",
    ]
    many = list(workers_lines([one(f"n{number}", 1, 1) for number in range(13)]))
    assert (len(many), many[-1]) == (11, "3 nodes more, which run.json has")


def test_the_share_of_a_core_is_of_those_at_work():
    """Not of who was lost, nor of who has just begun."""
    found = by_node([*sharing(0.9, 0.5, None), one("a", 1, 1, cpu_share=0.1, ended="drained")])
    assert found == [NodeFigures("a", 4, 3, 0, 4, 4, pytest.approx(4.8), pytest.approx(0.7))]
    assert list(workers_lines(sharing(0.9, 0.5))) == ["a: 2 workers, 2 rows, 2 calls, 2 s of CPU, 70 % of a core each"]


@pytest.mark.parametrize(
    ("shares", "cores", "told"),
    [
        ([], None, ""),
        ([None, None], 4, ""),  # too early
        ([0.6, 0.7], None, ""),
        ([0.95, 0.93], None, "each of 2 workers keeps 94 % of a core busy, which holds rows up: --set x.workers=4 may"),
        ([0.95, 0.93, 0.97], 4, "which holds rows up: --set x.workers=4 may be faster"),
        ([0.95, 0.93], 2, "workers keep all 2 cores of this machine busy: more of them would not be faster here"),
        ([0.45, 0.45, 0.45, 0.45], 2, "workers keep all 2 cores of this machine busy"),
        ([0.1, 0.2, 0.15, 0.15], 8, "each of 4 workers keeps 15 % of a core busy: --set x.workers=1 would do"),
        ([0.25] * 8, None, "each of 8 workers keeps 25 % of a core busy: --set x.workers=3 would do"),
        ([0.02], None, ""),  # one is the least
        ([0.9], None, "the worker keeps 90 % of a core busy"),
    ],
)
def test_how_many_would_do_goes_by_the_cpu_that_they_take(shares, cores, told):
    """More where each is busy all the time, fewer where they wait; on one machine not beyond its cores."""
    found = workers_advice(sharing(*shares), "x.workers", cores)
    assert told in found
    assert bool(found) == bool(told)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20), st.none() | st.integers(1, 64))
def test_what_is_proposed_is_another_number_that_fits(shares, cores):
    """At least one, other than now, with room for what they do; never more than the machine has cores."""
    found = workers_advice(sharing(*shares), "x.workers", cores)
    if "--set" not in found:
        return
    proposed = int(found.partition("x.workers=")[2].split()[0])
    assert proposed >= 1
    assert proposed != len(shares)
    assert sum(shares) <= proposed
    assert cores is None or proposed <= max(cores, len(shares))
