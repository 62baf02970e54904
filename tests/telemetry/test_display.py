"""What a run shows while it goes on: never wider than the terminal."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import reading

from pipeline.console import say
from pipeline.telemetry.display import Panel, PlainLines, display_for, line, panel, panel_lines


def test_the_line_says_how_far_how_fast_how_dear_and_why_not_faster():
    """In one line, the scarcest limit named."""
    told = line(reading())
    for part in (
        "1,204/2,000 rows", "64/64 calls", "$0.42 of $5", "38.2 rows/s", "about 21 s left",
        "input tokens 38k in use, 12k left of 200k a minute (headers)", "waiting for input tokens: 61 %",
    ):  # fmt: skip
        assert part in told


def test_the_panel_has_a_line_for_each_limit_and_for_the_money():
    """Failures by cause, the slots, what is expected."""
    told = "\n".join(panel_lines(reading(), 200))
    for part in (
        "60%", "12 repaired · 14 failed (9 timeout, 5 refused)", "$0.42 spent · $0.6977 expected · $5 cap",
        "64 in flight of 64 slots (128 at most)", "limit   requests 12 in use, 2.4k left of 3k a minute (job)",
    ):  # fmt: skip
        assert part in told


def test_what_does_not_fit_on_a_line_goes_on_the_next():
    """On 60 columns nothing of the figures is cut."""
    shown = panel(reading(), 60).plain
    assert "…" not in shown
    assert "(128 at most) · 1,300 answered · 3 × 429" in " ".join(shown.split())


@given(st.integers(20, 220), st.text(max_size=300), st.integers(0, 10**9))
def test_no_line_of_the_panel_is_wider_than_the_terminal(width, name, total):
    """Nor does a name act on it."""
    shown = panel(reading(name=name, total=total, ok=min(total, 5), failed={}), width).plain
    assert all(len(one) <= width for one in shown.split("\n"))
    assert "\x1b" not in shown


@pytest.mark.parametrize(("tty", "kind"), [(True, Panel), (False, PlainLines)])
def test_a_terminal_gets_a_panel_and_a_log_gets_lines(tty, kind):
    """By what standard error is."""
    stream = io.StringIO()
    stream.isatty = lambda: tty
    assert isinstance(display_for(stream), kind)


def test_the_panel_is_drawn_and_taken_away(monkeypatch):
    """And what is written meanwhile stands above it."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    shown = Panel(stream)
    shown.show(reading())
    say("warning", "half of it is spent")
    shown.show(reading())
    shown.close()
    assert "1,204/2,000 rows" in stream.getvalue()
    assert "warning: half of it is spent" in stream.getvalue()
