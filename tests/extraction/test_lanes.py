"""Which way requests go, and what stands in the way of a batch; said before anything is sent."""

import pytest

from pipeline.errors import JobError
from pipeline.extraction.lanes import LEAST_ROWS, lane_problem, live_because
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job

NOT_COUNTED = pytest.fail
HAIKU, ROLE = "anthropic.claude-haiku-4-5-20251001-v1:0", "arn:aws:iam::123456789012:role/batch"


def loaded(job, **sections):
    sections["model"] = {"lane": "batch", **sections.get("model", {})}
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}], **sections)
    return Job.load(job.file)


def of(provider, name="gpt-4o-mini", **batch):
    return {"model": {"provider": provider, "name": name, "base_url": ""}, "batch": batch}


def key_of(provider, name):
    return {"model": {"provider": provider, "name": name, "base_url": "", "api_key_env": "MINE"}}


REFUSED = {
    "rolling": ({"chunks": {"context": "rolling"}}, "chunks.context = 'rolling'"),
    "bedrock without a role": (of("bedrock", HAIKU), "bedrock needs batch.role_arn"),
    "bedrock with half a role": (of("bedrock", HAIKU, role_arn="batch-role"), "batch.role_arn = 'batch-role' is none"),
    "bedrock without a bucket": (of("bedrock", HAIKU, role_arn=ROLE), "bedrock needs batch.s3_url"),
    "bedrock at Google's": (of("bedrock", HAIKU, role_arn=ROLE, s3_url="gs://mine"), "batch.s3_url = 'gs://mine'"),
    "a key of Bedrock's": (
        {**of("bedrock", HAIKU, role_arn=ROLE, s3_url="s3://mine/in"), **key_of("bedrock", HAIKU)},
        "model.api_key_env names an API key, which opens no bucket",
    ),
    "vertex without a bucket": (of("vertex", "gemini-2.5-flash"), "vertex needs batch.gcs_url"),
    "vertex with no bucket's name": (
        of("vertex", "gemini-2.5-flash", gcs_url="gs:///in"),
        "batch.gcs_url = 'gs:///in'",
    ),
    "window": ({"chunks": {"context": "window"}}, "chunks.context = 'window'"),
    "instructor": (of("instructor:mistral", "mistral-small-latest"), "has no batch API that is spoken here"),
    "azure": ({"model": {"provider": "azure", "api_version": "2024-10-21"}}, "batch.deployment"),
    "remote output": ({"output": {"path": "s3://bucket/out"}}, "two machines could both know"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_batch_cannot_do_is_refused_before_anything_is_sent(job, name):
    sections, told = REFUSED[name]
    found = loaded(job, **sections)
    problem = lane_problem(found)
    assert told in problem
    assert "model.lane = 'live'" in problem
    with pytest.raises(JobError) as raised:
        prepare(found)
    assert problem in str(raised.value)


@pytest.mark.parametrize("name", REFUSED)
def test_auto_goes_live_then_and_says_why(job, name):
    sections, told = REFUSED[name]
    found = loaded(job, **{**sections, "model": {**sections.get("model", {}), "lane": "auto"}})
    assert lane_problem(found) is None
    assert told in live_because(found, NOT_COUNTED)


def test_a_run_on_auto_says_that_it_goes_live_and_does(job, server):
    model = {"lane": "auto", "name": "my-own-model"}
    said = job.write(server.url, rows=[{"id": "a", "text": "one"}], model=model).run().err
    assert "requests go live, as no batch price is known for my-own-model" in said
    assert job.calls()[0]["lane"] == "live"
    said = (
        job.write(server.url, rows=[{"id": "a", "text": "two"}], model=model, chunks={"context": "rolling"}).run().err
    )
    assert "requests go live, as chunks.context = 'rolling'" in said


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
