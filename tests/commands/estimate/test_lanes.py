"""Live, flex and batch side by side."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.commands.estimate.lanes import LONGEST_S, Ways, batch_seconds, lanes_of, told
from pipeline.job.settings import Batch
from pipeline.money import Band, Rate

RATE = Rate(Decimal(2), Decimal(1), Decimal(2), Decimal(8), source="made up")
CHEAP = replace(RATE, input=Decimal(1), output=Decimal(4))
COST = Band(Decimal(2), Decimal(4), Decimal(8))
SECONDS = Band(1.0, 2.0, 3.0)
HALF = Decimal("0.5")


def by_name(ways, cost=COST):
    return {one.lane: one for one in lanes_of(ways, RATE, cost, SECONDS)}


def test_each_lane_has_its_price_and_one_is_the_jobs():
    found = by_name(Ways(batch_share=HALF, flex=CHEAP))
    assert {name: one.cost_usd.expected for name, one in found.items()} == {"live": 4, "flex": 2, "batch": 2}
    assert [name for name, one in found.items() if one.chosen] == ["live"]
    assert [name for name, one in by_name(Ways("batch", HALF)).items() if one.chosen] == ["batch"]


def test_a_batch_is_paid_by_the_standard_price_whatever_the_tier():
    """The job's own figures are of flex, at half of the standard price."""
    lanes = lanes_of(Ways(batch_share=HALF, standard=RATE), CHEAP, COST, SECONDS)
    assert lanes[1].cost_usd.expected == 4


def test_without_a_price_the_lane_of_the_job_has_its_time():
    found = by_name(Ways("batch", HALF), cost=None)
    assert (found["batch"].cost_usd, found["batch"].chosen) == (None, True)
    assert list(by_name(Ways(batch_share=HALF), cost=None)) == ["live"]


@given(st.floats(0.001, 1000), st.sampled_from(["live", "batch"]))
def test_the_time_of_a_batch_is_a_band_and_within_the_deadline(deadline_h, chosen):
    low, expected, high = batch_seconds(Batch(deadline_h=deadline_h), chosen)
    assert 0 < low <= expected <= high <= LONGEST_S
    assert chosen == "live" or high <= deadline_h * 3600


@pytest.mark.parametrize(
    ("after", "words"), [("live", "is asked live: $8.00 at the most"), ("wait", "stays pending: the cost is at most")]
)
def test_what_the_deadline_does_is_told(after, words):
    ways = Ways("batch", HALF, batch=Batch(deadline_h=6, after_deadline=after))
    assert any(words in line and "6 h" in line for line in told(ways, lanes_of(ways, RATE, COST, SECONDS)))
    assert list(told(Ways(batch_share=HALF), [])) == []


def estimated(job, **flags):
    sets = [word for key, value in flags.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]
    return json.loads(job.pipeline("estimate", job.file, "--json", *sets, code=0).out)


def test_the_headline_is_that_of_the_lane_that_the_job_takes(job):
    job.write("", rows=[{"id": f"r{n}", "text": "one"} for n in range(5)])
    live, batch = estimated(job), estimated(job, model__lane="batch", batch__deadline_h=6)
    assert (live["lane"], batch["lane"]) == ("live", "batch")
    assert batch["cost_usd"] == live["batch_cost_usd"] == batch["batch_cost_usd"]
    assert Decimal(batch["cost_usd"]["high"]) * 2 == pytest.approx(
        Decimal(live["cost_usd"]["high"]), abs=Decimal("2e-6")
    )
    assert batch["seconds"]["high"] == 6 * 3600
    assert [one["lane"] for one in live["lanes"]] == [one["lane"] for one in batch["lanes"]] == ["live", "batch"]
    assert estimated(job, model__lane="auto")["lane"] == "live"  # a few rows


def test_a_rehearsal_counts_the_usual_half(job):
    """As its books do: nobody sells batches of the sandbox."""
    job.write("", rows=[{"id": "a", "text": "one"}], model={"provider": "sandbox", "lane": "batch"})
    live, batch = (Decimal(one["cost_usd"]["high"]) for one in estimated(job)["lanes"])
    assert live == pytest.approx(2 * batch, abs=Decimal("2e-6"))
    assert [one["lane"] for one in estimated(job, model__lane="live")["lanes"]] == ["live"]


def test_both_lanes_are_lines_of_the_text(job):
    job.write("", rows=[{"id": "a", "text": "one"}], model={"lane": "batch"})
    text = job.pipeline("estimate", job.file, code=0).out
    (line,) = [line for line in text.splitlines() if "<- this job" in line]
    assert line.split()[0] == "batch"
    assert "from 5 min 0 s to 24 h" in line


def test_a_model_with_a_flex_tier_shows_it(job):
    job.write("", rows=[{"id": "a", "text": "one"}], model={"name": "gpt-5-mini"})
    lanes = {one["lane"]: Decimal(one["cost_usd"]["expected"]) for one in estimated(job)["lanes"]}
    assert list(lanes) == ["live", "flex", "batch"]
    assert lanes["flex"] < lanes["live"]


def test_a_model_that_is_not_known_to_be_sold_on_flex_shows_none(job):
    """Google's factor is of all models."""
    job.write("", rows=[{"id": "a", "text": "one"}], model={"provider": "gemini", "name": "gemini-2.5-flash"})
    job.env["GEMINI_API_KEY"] = "a-key-of-tests"
    assert [one["lane"] for one in estimated(job)["lanes"]] == ["live", "batch"]


def test_a_question_before_much_is_spent_names_the_batch_price(job, server):
    some = [{"id": f"r{n}", "text": f"{n} word " * 50} for n in range(40)]
    job.write(server.url, rows=some, budget={"confirm_above_usd": 0.0001})
    asked = {lane: job.run("--set", f"model.lane={lane}", code=2).err for lane in ("live", "batch")}
    assert "by batch. budget.confirm_above_usd" in asked["batch"]
    assert "by batch" not in asked["live"]


def test_a_pilot_goes_live(job, server):
    """It is for the same evening; the server has no batch API at all."""
    job.write(server.url, rows=[{"id": f"r{n}", "text": f"document {n}"} for n in range(12)], model={"lane": "batch"})
    job.pipeline("estimate", job.file, "--pilot", "10", "--max-usd", "1", code=0)
    assert {call["lane"] for call in job.calls()} == {"live"}
