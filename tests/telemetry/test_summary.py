"""What people are told of a wait that is long: until when."""

from datetime import UTC, datetime

import pytest
from readings import reading

from pipeline.errors import CallFailed, Kind
from pipeline.ledger.records import Send
from pipeline.telemetry.display import line, panel_lines
from pipeline.telemetry.estimate_text import _pack_lines
from pipeline.telemetry.snapshot import opening
from pipeline.telemetry.summary import _now_lines, lost_text, parked_text
from pipeline.types import Purpose

NOW = datetime(2026, 11, 30, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "seconds", "told"),
    [
        (Kind.QUOTA, 54_000.0, ". By the provider's own word that ends at 2026-12-01 00:00 UTC, in 15 h 0 min"),
        (Kind.THROTTLED, 7_200.0, ". By the provider's own word that ends at 2026-11-30 11:00 UTC, in 2 h 0 min"),
        (Kind.THROTTLED, 1e10, ". By the provider's own word that does not end within a year"),
        (Kind.QUOTA, 43.0, ""),  # a day's allowance does not come back in less than a minute
        (Kind.QUOTA, None, ""),
        (Kind.AUTH, 0.0, ""),
    ],
)
def test_a_parked_run_says_until_when(kind, seconds, told):
    """By the provider's word, where that can be."""
    failure = CallFailed(kind, "no", retry_after_s=seconds)
    assert parked_text(failure, NOW) == f"{failure}{told}"


def test_a_run_that_waits_for_long_says_until_when():
    """On its line, in the panel, and to `status`; an everyday Retry-After is not worth a word."""
    assert opening(130.0, 100.0, NOW) is None
    assert opening(1e9, 100.0, NOW) is None
    closed = reading(opens_at=opening(3_700.0, 100.0, NOW))
    assert "closed until 10:00 UTC" in line(closed)
    assert "  closed  until 2026-11-30 10:00 UTC: a Retry-After" in panel_lines(closed, 100)
    assert closed.as_json()["opens_at"] == "2026-11-30T10:00:00+00:00"
    assert "  closed    until 2026-11-30 10:00 UTC: a Retry-After" in _now_lines(closed.as_json())
    assert "closed" not in line(reading()) + "".join(_now_lines(reading().as_json()))


@pytest.mark.parametrize(
    ("usd", "tokens", "told"),
    [
        ("0.0832", 480_000, "saves $0.0832 (480,000 input tokens)"),
        ("-0.0000", -160, "costs $0.0000 more (160 input tokens)"),
        (None, 80, "saves an unknown amount (80 input tokens)"),
        (None, -80, "costs an unknown amount more (80 input tokens)"),
    ],
)
def test_packs_that_save_nothing_are_told_as_what_they_cost(usd, tokens, told):
    """Rows that find few others of their tenant have the words around them, and little to share."""
    saved = {"requests": 14, "requests_alone": 18, "rows": 6, "input_tokens_saved": tokens, "usd_saved": usd}
    assert _pack_lines(saved) == [f"  chunks    chunks.pack: 14 requests instead of 18, {told}"]


def test_a_lost_call_about_several_rows_is_told_with_all_of_them_up_to_ten():
    sends = [Send(name, 7, "g", 0, Purpose.EXTRACT, 1, 0, 10**8, None) for name in ("alone", "pack", "large")]
    rows = {"pack": [(7, "g"), (9, "i")], "large": [(n, f"r{n}") for n in range(14)]}
    first, *told = lost_text(sends, rows).splitlines()
    assert first == "the last session died with 3 calls in flight, which may have cost up to $0.03:"
    assert told[0] == "  row 7 ('g'), chunk 0, extract, call alone"
    assert told[1] == "  rows 7 ('g'), 9 ('i'), extract, call pack"
    assert told[2].startswith("  rows 0 ('r0'), 1 ('r1')")
    assert told[2].endswith("9 ('r9') and 4 more, extract, call large")
