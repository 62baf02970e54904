"""Pace, cost and waiting as they are told while a run goes on: never more than is known."""

import pytest
from readings import reading

from pipeline.telemetry.display import line, panel_lines
from pipeline.telemetry.snapshot import BASIS_ROWS, WINDOW_S, Pace, waited_for


def test_nothing_is_said_before_there_is_a_basis():
    """Neither of the time left nor of what all will cost."""
    early = reading(ok=BASIS_ROWS - 1, failed={}, rows_per_s=None)
    assert early.left_s is None
    assert early.expected_usd is None
    assert "left" not in line(early).replace("left of", "")
    assert "expected" not in "\n".join(panel_lines(early, 200))


def test_rows_of_earlier_runs_count_neither_for_the_pace_nor_for_the_cost():
    """1,000 of 2,000 were there before; 100 have cost a dollar since."""
    later = reading(begun_done=1000, ok=1100, failed={}, spent_units=10**10)
    assert later.expected_usd == 10
    pace = Pace()
    assert pace.look(0.0, 1000) is None
    assert pace.look(10.0, 1100) == 10.0


def test_the_pace_is_of_the_last_minute():
    """A slow start is forgotten."""
    pace = Pace()
    for second in range(int(WINDOW_S) + 1):
        pace.look(float(second), second)
    for second in range(1, int(WINDOW_S) + 1):
        found = pace.look(WINDOW_S + second, int(WINDOW_S) + 100 * second)
    assert found == pytest.approx(100, rel=0.02)


def test_shares_are_told_with_the_longest_first_and_small_ones_not_at_all():
    """Three causes at the most, in words that people know."""
    shares = {"retry_after": 0.5, "tokens": 0.3, "slots": 0.15, "budget": 0.046, "circuit": 0.004}
    assert waited_for(shares) == "a Retry-After: 50 %, tokens: 30 %, free slots: 15 %"
    assert waited_for({}) == ""
