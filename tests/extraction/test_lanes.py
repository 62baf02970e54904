"""Which way requests go, and what stands in the way of a batch; said before anything is sent."""

import pytest

from pipeline.errors import JobError
from pipeline.extraction.lanes import LEAST_ROWS, lane_problem, live_because
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job

NOT_COUNTED = pytest.fail


def loaded(job, **sections):
    sections["model"] = {"lane": "batch", **sections.get("model", {})}
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}], **sections)
    return Job.load(job.file)


def of(provider, name="gpt-4o-mini"):
    return {"model": {"provider": provider, "name": name, "base_url": ""}}


REFUSED = {
    "rolling": ({"chunks": {"context": "rolling"}}, "chunks.context = 'rolling'"),
    "window": ({"chunks": {"context": "window"}}, "chunks.context = 'window'"),
    "bedrock": (of("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"), "has no batch API that is spoken here"),
    "instructor": (of("instructor:mistral", "mistral-small-latest"), "has no batch API that is spoken here"),
    "azure": ({"model": {"provider": "azure", "api_version": "2024-10-21"}}, "batch.deployment"),
    "remote output": ({"output": {"path": "s3://bucket/out"}}, "two machines could both know"),
}


@pytest.mark.parametrize("lane", ["batch", "auto"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_batch_cannot_do_is_refused_before_anything_is_sent(job, name, lane):
    sections, told = REFUSED[name]
    found = loaded(job, **{**sections, "model": {**sections.get("model", {}), "lane": lane}})
    problem = lane_problem(found)
    assert told in problem
    assert "model.lane = 'live'" in problem
    with pytest.raises(JobError) as raised:
        prepare(found)
    assert problem in str(raised.value)


@pytest.mark.parametrize("name", REFUSED)
def test_the_same_job_goes_live(job, name):
    sections, _ = REFUSED[name]
    assert lane_problem(loaded(job, **{**sections, "model": {**sections.get("model", {}), "lane": "live"}})) is None


def test_a_run_is_refused_with_2_and_leaves_nothing_behind(job):
    loaded(job, chunks={"context": "rolling"})
    assert "chunks.context" in job.run(code=2).err
    assert not job.out.exists()


@pytest.mark.parametrize(
    ("model", "batch", "rows", "why"),
    [
        ({}, {}, LEAST_ROWS, ""),
        ({}, {}, LEAST_ROWS - 1, "fewer than 200 rows"),
        ({}, {"deadline_h": 1.5}, LEAST_ROWS, "batch.deadline_h = 1.5"),
        ({"name": "my-own-model"}, {}, LEAST_ROWS, "no batch price is known"),
        ({"provider": "sandbox"}, {}, LEAST_ROWS, ""),  # as in the sandbox, so at the provider
    ],
)
def test_auto_goes_by_batch_where_it_is_worth_it_and_there_is_time(job, model, batch, rows, why):
    found = live_because(loaded(job, model={"lane": "auto", **model}, batch=batch), lambda: rows)
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(("lane", "live"), [("batch", False), ("live", True)])
def test_what_the_job_says_holds_without_a_count(job, lane, live):
    assert bool(live_because(loaded(job, model={"lane": lane}), NOT_COUNTED)) == live
