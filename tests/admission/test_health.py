"""When a model whose rows have another to go to is asked again."""

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.health import CALM_S, PROBE_MOST_S, WELL_AFTER, Health


def down(now_s=100.0, cause="outage"):
    health = Health()
    assert health.failed(cause, "down", now_s)
    return health


def probed(health, now_s):
    assert health.lets_in(now_s)
    assert health.taken()
    return health


def test_a_model_that_is_well_lets_all_in_and_none_is_a_probe():
    health = Health()
    assert health.lets_in(0.0)
    assert not health.taken()


def test_one_probe_at_a_time_once_it_is_due():
    health = down()
    assert not health.lets_in(100.9)
    probed(health, 101.0)
    assert not health.lets_in(200.0), "one is out"
    health.given_back()
    assert health.lets_in(200.0)


def test_each_that_fails_makes_the_next_wait_twice_as_long():
    health, now_s, waits = down(), 100.0, []
    for _ in range(8):
        due_s = health._probe_at_s
        waits.append(due_s - now_s)
        probed(health, due_s)
        assert not health.failed("outage", "still", due_s), "no news"
        now_s = due_s
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert PROBE_MOST_S["outage"] == 30


def test_it_is_well_after_so_many_answers_in_a_row():
    health = probed(down(), 101.0)
    for number in range(WELL_AFTER - 1):
        assert not health.answered(102.0 + number)
        probed(health, 102.0 + number)
    assert health.answered(110.0)
    assert health.lets_in(110.0)
    assert not health.taken()


def test_what_fails_late_is_no_news_and_moves_nothing():
    """Sent before it was known to be down."""
    health = down()
    assert not health.failed("outage", "late", 100.5)
    assert health.lets_in(101.0)


def test_one_that_is_down_again_soon_is_looked_at_later():
    for pause_s, wait_s in ((1.0, 2.0), (CALM_S + 1, 1.0)):
        health = probed(down(), 101.0)
        for _ in range(WELL_AFTER):
            health.taken()
            health.answered(102.0)
        assert health.failed("outage", "again", 102.0 + pause_s)
        assert not health.lets_in(102.0 + pause_s + wait_s - 0.01)
        assert health.lets_in(102.0 + pause_s + wait_s)


@given(events=st.lists(st.tuples(st.sampled_from(["fail", "answer", "enter", "back"]), st.floats(0, 100)), max_size=60))
def test_there_is_never_more_than_one_probe(events):
    health, now_s, out = Health(), 0.0, 0
    for what, seconds in events:
        now_s += seconds
        if what == "enter" and health.lets_in(now_s):
            out += health.taken()
        elif what == "fail":
            health.failed("outage", "x", now_s)
            out = 0 if not health.probing else out
        elif what == "answer" and health.probing:
            health.answered(now_s)
            out = 0
        elif what == "back":
            health.given_back()
            out = 0
        assert out <= 1
        assert health.lets_in(math.inf) or health.probing
