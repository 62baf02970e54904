"""What `check` says of the lane."""

import os

import pytest

from pipeline.commands.check import check
from pipeline.job.settings import Job

URL = "http://127.0.0.1:9/v1"
KEY = {**os.environ, "OPENAI_API_KEY": "sk-test"}


def lane(job, rows=3, **sections):
    sections["model"] = {"lane": "batch", **sections.get("model", {})}
    job.write(URL, rows=[{"id": f"r{n}", "text": "one"} for n in range(rows)], **sections)
    return [(one.level, one.detail) for one in check(Job.load(job.file), KEY) if one.what == "lane"]


def test_a_live_job_says_nothing_of_lanes(job):
    assert lane(job, model={"lane": "live"}) == []


def test_share_batches_repairs_and_deadline_are_told(job):
    ((level, told),) = lane(job, rows=7, batch={"max_rows": 3, "deadline_h": 6})
    assert level == "ok"
    for words in ("half of the price", "7 rows make about 3 batches of 3 requests", "second questions go live", "6 h"):
        assert words in told


@pytest.mark.parametrize(("repair", "words"), [("batch", "go by batch too"), ("live", "at the live price")])
def test_where_second_questions_go(job, repair, words):
    assert words in lane(job, batch={"repair": repair})[0][1]


def test_one_process_plans_whatever_the_workers(job):
    assert "limits.workers = 3 makes no difference" in lane(job, limits={"workers": 3})[0][1]


def test_auto_says_that_it_goes_live_and_why(job):
    assert lane(job, model={"lane": "auto"}) == [
        ("ok", "auto: requests go live, as there are fewer than 200 rows"),
    ]
    ((_, told),) = lane(job, rows=200, model={"lane": "auto"})
    assert "auto: requests go by batch" in told


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"model": {"name": "my-own-model"}, "prices": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}},
         "no batch price is known"),
        ({"batch": {"max_rows": 60_000}}, "60,000 is more than openai takes: 50,000"),
        ({"batch": {"poll_s": 7200, "deadline_h": 2}}, "batch.poll_s = 7200 is longer"),
        ({"batch": {"poll_s": 0.1}}, "asks more often"),
        ({"batch": {"deadline_h": 0.5}}, "called off half way"),
        ({"model": {"service_tier": "flex"}, "limits": {"timeout_s": 900}}, "a batch has its own price"),
        ({"model": {"transport": "sdk"}}, "batches go over HTTP"),
    ],
)  # fmt: skip
def test_what_is_worth_a_second_look(job, sections, words):
    warned = [told for level, told in lane(job, **sections) if level == "warning"]
    assert [words in told for told in warned] == [True]


def test_the_sandbox_within_a_run_ends_with_it(job):
    """One by itself goes on, as a provider does."""
    built_in = {"provider": "sandbox", "lane": "batch", "base_url": ""}
    assert "the built-in sandbox ends with its run" in lane(job, model=built_in)[1][1]
    assert len(lane(job, model={**built_in, "base_url": URL})) == 1


def test_an_own_batch_price_is_a_batch_price(job):
    own = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "batch_share": 0.4}
    ((level, told),) = lane(job, model={"name": "my-own-model"}, prices=own)
    assert (level, "40% of the price" in told) == ("ok", True)


def test_azure_with_its_deployment_is_fine(job):
    azure = {"provider": "azure", "api_version": "2024-10-21", "base_url": "https://r.openai.azure.com"}
    job.write(URL, rows=[{"id": "a", "text": "one"}], model={**azure, "lane": "batch"}, batch={"deployment": "night"})
    environ = {**os.environ, "AZURE_OPENAI_API_KEY": "k"}
    found = [one for one in check(Job.load(job.file), environ) if one.what == "lane"]
    assert [one.level for one in found] == ["ok"]
