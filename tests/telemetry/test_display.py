"""What a run shows while it goes on: never wider than the terminal, never more than it knows."""

import io
import json
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import console as saying
from pipeline.admission.governor import DimensionView, Snapshot
from pipeline.console import say, speak
from pipeline.telemetry.display import JsonLines, Panel, PlainLines, display_for, line, panel, panel_lines
from pipeline.telemetry.snapshot import BASIS_ROWS, WINDOW_S, Pace, RunReading, waited_for
from pipeline.text import inert


def reading(**changes):
    dimensions = (
        DimensionView("requests", 3000, 2400, 12, "job"),
        DimensionView("input_tokens", 200_000, 12_345, 38_000, "headers"),
    )
    waited = {"input_tokens": 61.0, "slots": 39.0}
    limits = Snapshot(64, 128, 64, 0.0, None, Decimal(0), Decimal(0), Decimal(0), waited, dimensions)
    values = {
        "name": "invoices", "total": 2000, "ok": 1190, "repaired": 12, "failed": {"timeout": 9, "refused": 5},
        "begun_done": 0, "calls": 1300, "rate_limited": 3, "spent_units": 4_200_000_000, "cap_usd": Decimal(5),
        "limits": limits, "why_waiting": "input_tokens", "rows_per_s": 38.2,
    }  # fmt: skip
    return RunReading(**{**values, **changes})


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


@given(st.integers(20, 220), st.text(max_size=300), st.integers(0, 10**9))
def test_no_line_of_the_panel_is_wider_than_the_terminal(width, name, total):
    """Nor does a name act on it."""
    shown = panel(reading(name=name, total=total, ok=min(total, 5), failed={}), width).plain
    assert all(len(one) <= width for one in shown.split("\n"))
    assert "\x1b" not in shown


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


@pytest.fixture
def in_json():
    speak("json")
    yield
    speak("text")


def test_in_json_every_line_is_an_object_with_its_event(in_json, capsys):
    """Progress, notices and warnings alike."""
    assert isinstance(display_for(sys.stderr), JsonLines)
    JsonLines().show(reading())
    say("notice", "two\nlines", cost="1")
    progress, notice = (json.loads(one) for one in capsys.readouterr().err.splitlines())
    assert (progress["event"], progress["seconds_left"], progress["limits"][1]["left"]) == ("progress", 20.8, 12345)
    assert (notice["event"], notice["message"], notice["cost"]) == ("notice", "two\nlines", "1")


def test_a_whole_run_in_json_writes_nothing_else(job, server):
    """Every line on standard error can be read by a program; the calls are among them."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}, {"id": "b"}])
    ended = job.run("--log-format", "json", code=1)
    events = [json.loads(one)["event"] for one in ended.err.splitlines()]
    assert events == ["call", "summary"]
    assert ended.out == ""


def test_standard_error_that_is_gone_costs_nothing(monkeypatch):
    """A terminal that was closed, a pipe whose reader left."""

    class Gone:
        def write(self, _text):
            raise BrokenPipeError

    monkeypatch.setattr(saying.sys, "stderr", Gone())
    say("warning", "nobody hears it")


@given(st.text())
def test_inert_text_has_nothing_that_a_terminal_acts_on(text):
    """Control characters, escapes and changes of direction are spelled out; the rest stays as it is."""
    shown = inert(text)
    controls = {chr(code) for code in (*range(32), *range(127, 160), 0x202E, 0x2066)} - {"\n"}
    assert not controls & set(shown)
    if text.isprintable():
        assert shown == text
