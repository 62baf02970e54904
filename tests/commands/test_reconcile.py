"""Our books against providers' usage exports, whatever their columns are called."""

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands.reconcile import reconcile
from pipeline.errors import JobError

DAY = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
NIGHT = datetime(2026, 11, 25, 0, 10, tzinfo=UTC)
VERSION = "gpt-4o-mini-2024-07-18"
CALLS = [
    {"sent_at": DAY, "model_version": VERSION, "input_tokens": 1000, "output_tokens": 200, "cost": "0.00027"},
    {"sent_at": NIGHT, "model_version": VERSION, "input_tokens": 500, "output_tokens": 100, "cost": "3.5"},
    {"sent_at": NIGHT, "model_version": None, "input_tokens": 0, "output_tokens": 0, "cost": None, "http_status": 429},
]


@pytest.fixture
def folder(tmp_path):
    """An output folder with three calls on two days (UTC), one of them a 429."""
    money = pa.decimal128(20, 10)
    table = pa.table(
        {
            "sent_at": pa.array([call["sent_at"] for call in CALLS], pa.timestamp("us", tz="UTC")),
            "model": ["gpt-4o-mini"] * len(CALLS),
            "model_version": [call["model_version"] for call in CALLS],
            "http_status": pa.array([call.get("http_status", 200) for call in CALLS], pa.int32()),
            "input_tokens": [call["input_tokens"] for call in CALLS],
            "output_tokens": [call["output_tokens"] for call in CALLS],
            "cost_usd": pa.array([None if c["cost"] is None else Decimal(c["cost"]) for c in CALLS], money),
        }
    )
    pq.write_table(table, tmp_path / "calls.parquet")
    return tmp_path


def export(folder, lines):
    path = folder / "usage.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path


OPENAI = [
    {"start_time_iso": "2026-11-24T00:00:00+00:00", "model": "gpt-4o-mini-2024-07-18", "num_model_requests": 1,
     "input_tokens": 1000, "input_cached_tokens": 0, "output_tokens": 200},
    {"start_time_iso": "2026-11-25T00:00:00+00:00", "model": "gpt-4o-mini-2024-07-18", "num_model_requests": 1,
     "input_tokens": 500, "input_cached_tokens": 300, "output_tokens": 100},
]  # fmt: skip
ANTHROPIC = [
    {"usage_date_utc": "2026-11-24", "model_version": "gpt-4o-mini-2024-07-18", "usage_input_tokens_no_cache": 600,
     "usage_input_tokens_cache_write_5m": 300, "usage_input_tokens_cache_read": 100, "usage_output_tokens": 200},
    {"usage_date_utc": "2026-11-25", "model_version": "gpt-4o-mini-2024-07-18", "usage_input_tokens_no_cache": 500,
     "usage_input_tokens_cache_write_5m": 0, "usage_input_tokens_cache_read": 0, "usage_output_tokens": 100},
]  # fmt: skip
COSTS = [
    {"start_time": "1795478400", "amount_value": "0.0003", "line_item": "gpt-4o-mini-2024-07-18, input"},
    {"start_time": "1795564800", "amount_value": "2.00", "line_item": "gpt-4o-mini-2024-07-18, input"},
    {"start_time": "1795564800", "amount_value": "1.50", "line_item": "gpt-4o-mini-2024-07-18, output"},
]


@pytest.mark.parametrize("lines", [OPENAI, ANTHROPIC, COSTS], ids=["openai usage", "anthropic usage", "openai costs"])
def test_books_that_agree_do(folder, lines):
    """Day by day and model by model, under the export's own names; a 429 is nobody's request."""
    found = reconcile(folder, export(folder, lines))
    assert found["agrees"]
    assert [group["day"] for group in found["groups"]] == ["2026-11-24", "2026-11-25"]


@pytest.mark.parametrize("column", ["num_model_requests", "input_tokens", "output_tokens"])
def test_a_call_that_we_do_not_know_is_seen(folder, column):
    """In its own day and measure, with the difference."""
    lines = [dict(line) for line in OPENAI]
    lines[1][column] += 7
    found = reconcile(folder, export(folder, lines))
    first, second = found["groups"]
    assert first["agrees"]
    assert not second["agrees"]
    assert not found["agrees"]
    measure = column.replace("num_model_requests", "requests")
    assert second[measure]["difference"] == "7"


def test_a_day_that_only_one_side_has_is_seen(folder):
    """Nothing is left out of the comparison."""
    found = reconcile(folder, export(folder, OPENAI[:1]))
    assert [(group["day"], group["agrees"]) for group in found["groups"]] == [
        ("2026-11-24", True),
        ("2026-11-25", False),
    ]


def test_a_cost_may_differ_by_a_cent_or_a_hundredth(folder):
    """Exports are rounded; more than that is told."""
    for amount, agrees in (("3.53", True), ("3.60", False)):
        lines = [{"date": "2026-11-24", "cost": "0.00"}, {"date": "2026-11-25", "cost": amount}]
        assert reconcile(folder, export(folder, lines))["agrees"] is agrees


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"colour": "red"}], "none of its columns"),
        ([{"date": "yesterday", "cost": "1"}], "line 2: 'yesterday' is no day"),
        ([{"date": "2026-11-24", "cost": "much"}], "line 2: cost = 'much' is no amount"),
        ([{"date": "2026-11-24", "cost": "NaN"}], "line 2: cost = 'NaN' is no amount"),
    ],
)
def test_an_export_that_cannot_be_used_says_why(folder, lines, said):
    """By line and column."""
    with pytest.raises(JobError, match=said):
        reconcile(folder, export(folder, lines))


def test_the_command_ends_with_1_when_they_disagree(job, server):
    """A line for each measure, and how much may be missing on our side."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run()
    (call,) = job.calls()
    line = {"date": call["sent_at"].date().isoformat(), "model": "gpt-4o-mini", "input_tokens": call["input_tokens"]}
    usage = export(job.folder, [line])
    assert "they agree" in job.pipeline("costs", job.out, "--against", usage, code=0).out
    usage = export(job.folder, [{**line, "input_tokens": 1}])
    ended = job.pipeline("costs", job.out, "--against", usage, "--json", code=1)
    assert not json.loads(ended.out)["agrees"]
