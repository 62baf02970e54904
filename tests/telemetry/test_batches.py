"""Batches in words."""

from datetime import timedelta

from batches_told import NOW, told
from readings import reading

from pipeline.telemetry.batches import MOST_NAMED, batches_out, leaving_words_of, lines_of, out_words
from pipeline.telemetry.display import PlainLines, line, panel_lines

BOTH = [told(), told("batch_2"), told("batch_3", state="collected", rows=4000, reserved_usd="0.0000000000")]


def test_what_is_out_is_summed_and_what_has_ended_is_not():
    told_so = "2 batches out: 5,000 rows, 1,240 done, for 1 h 50 min, deadline in 22 h 10 min, $1.20 reserved"
    assert out_words(batches_out(BOTH), NOW) == told_so
    assert batches_out(BOTH[2:]) is None


def test_a_batch_that_nobody_has_seen_yet_has_no_age_and_nothing_done():
    out = batches_out([told(state="planned", done=None, submitted_at=None)])
    assert out_words(out, NOW) == "1 batch out: 2,500 rows, 0 done, deadline in 22 h 10 min, $0.60 reserved"


def test_a_deadline_that_has_passed_says_so():
    assert "deadline 50 min 0 s ago" in out_words(batches_out(BOTH), NOW + timedelta(hours=23))


def test_each_that_is_out_has_a_line_and_the_others_are_counted():
    lines = list(lines_of([*BOTH, told("batch_4", state="withdrawn", rows=10)], NOW))
    assert lines[0].startswith("batch_1 out: 620 of 2,500 rows done, for 1 h 50 min, deadline in 22 h 10 min")
    assert lines[2:] == ["1 batch collected, of 4,000 rows", "1 batch withdrawn, of 10 rows"]
    many = list(lines_of([told(f"b{n}") for n in range(MOST_NAMED + 3)], NOW))
    assert (len(many), many[-1]) == (MOST_NAMED + 1, "and 3 more")


def test_who_stops_a_run_is_told_what_goes_on():
    assert leaving_words_of(BOTH).startswith(
        "2 batches with 5,000 rows, $1.20 reserved, go on at the provider; the same"
    )
    assert leaving_words_of([]) == ""


def test_the_line_and_the_panel_have_them_and_only_where_there_are_any():
    with_them = reading(out=batches_out(BOTH), now=NOW)
    assert "2 batches out" in line(with_them)
    assert any("batches 2 batches out" in one for one in panel_lines(with_them, 200))
    assert "batch" not in line(reading())
    assert with_them.as_json()["batches"]["reserved_usd"] == "1.2000000000"
    assert "batches" not in reading().as_json()


def test_a_plain_terminal_gets_a_line_when_something_moves_and_now_and_then(monkeypatch):
    written = []
    monkeypatch.setattr("pipeline.console.write", written.append)
    lines, same = PlainLines(), reading(out=batches_out(BOTH), now=NOW)
    for _ in range(61):
        lines.show(same)
    assert len(written) == 3  # in ten minutes
    lines.show(reading(out=batches_out([told(done=621), told("batch_2")]), now=NOW))
    lines.show(reading())
    lines.show(reading())
    assert len(written) == 6  # and as ever, with nothing out
