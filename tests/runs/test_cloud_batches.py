"""Batches of Bedrock and Vertex AI through the command line, from bucket to bucket: nothing is paid twice."""

import json
import signal

import pytest
from batch_server import agrees, providing
from clouds import CLOUDS, LEAST, at, google_account, rows

from pipeline.engine.batches import collect, submission, waves

each = pytest.mark.parametrize("cloud", CLOUDS)


@pytest.fixture
def provider():
    with providing() as running:
        yield running


@pytest.fixture(autouse=True)
def account(job, tmp_path, monkeypatch):
    """No search or wait that takes minutes."""
    monkeypatch.setattr(submission, "ABSENT_GAP_S", 0.3)
    monkeypatch.setattr(collect, "SHORT_S", 0.1)
    monkeypatch.setattr(collect, "GONE_S", 0.3)
    monkeypatch.setattr(waves, "FULL_S", 0.01)
    with google_account(tmp_path) as environment:
        job.env |= environment
        yield


@each
def test_all_go_in_one_batch_and_come_back(job, provider, cloud):
    at(cloud, job, provider).run()
    manifest = agrees(job, provider)
    assert (manifest["state"], manifest["rows"]["ok"]) == ("finished", LEAST)
    (batch,) = manifest["batches"]
    assert (batch["state"], batch["rows"], batch["done"]) == ("collected", LEAST, LEAST)
    served = provider.counters()
    assert (served["lanes"]["live"]["lines"], served["uploads"], served["deletions"]) == (0, 1, 3)


@each
def test_files_may_stay(job, provider, cloud):
    at(cloud, job, provider, batch={"keep_remote_files": True}).run()
    agrees(job, provider)
    assert provider.counters()["deletions"] == 0


@each
@pytest.mark.parametrize(("what", "share"), [("refused", 0.3), ("expired", 0.2)])
def test_lines_that_were_not_billed_are_asked_again(job, provider, cloud, what, share):
    """Bedrock says nothing of records that it has not run, but counts the others; what is left is too few for a job."""
    provider.faults(lines={what: share, "shuffled": True, "duplicated": 0.2, "foreign": 0.2})
    at(cloud, job, provider, limits={"max_attempts": 8}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == LEAST
    unbilled = {call["error_code"] for call in job.calls() if call["error_code"]}
    told = what == "expired" and cloud == "bedrock"  # Vertex says it as an error of the line
    assert unbilled == {"batch_expired" if told else "provider_error"}
    assert bool(provider.counters()["lanes"]["live"]["lines"]) == (cloud == "bedrock")


@each
def test_a_line_without_a_result_may_have_been_billed(job, provider, cloud):
    provider.faults(lines={"missing": 0.1})
    at(cloud, job, provider, limits={"max_attempts": 8}).run()
    lost = sum(call["error_code"] == "lost" for call in job.calls())
    assert lost
    assert agrees(job, provider, missing=lost, twice=lost)["rows"]["ok"] == LEAST


def test_a_job_of_bedrock_without_counts_has_them_in_its_manifest(job, provider):
    provider.faults(lines={"expired": 0.2}, batches={"hide": ["output"]})
    at("bedrock", job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST
    assert {call["error_code"] for call in job.calls()} == {None, "batch_expired"}


def test_records_without_a_result_are_at_risk_where_bedrocks_counts_do_not_agree(job, provider):
    """Some were not run, and some were: which, nobody says."""
    provider.faults(lines={"missing": 0.1, "expired": 0.1}, batches={"times": 1})
    at("bedrock", job, provider, limits={"max_attempts": 8}).run()
    codes = {call["error_code"] for call in job.calls()}
    lost = sum(call["error_code"] == "lost" for call in job.calls())
    assert codes == {None, "lost"}
    billed = provider.counters()["lanes"]["batch"]["lines"]
    assert LEAST - lost < billed < LEAST
    assert job.manifest()["rows"]["ok"] == LEAST


@each
def test_what_is_called_off_is_collected_as_far_as_it_went(job, cloud):
    with providing(batch_s=1000.0) as provider:
        at(cloud, job, provider).run("--no-wait", code=5)
        provider.turn(500.0)
        job.pipeline("cancel", job.file, code=0)
        provider.turn(300.0)
        provider.faults()
        job.run("--no-wait", code=None)
        provider.turn(2000.0)
        job.run()
        manifest, served = agrees(job, provider), provider.counters()
    assert manifest["rows"]["ok"] == LEAST
    cancelled = sum(call["error_code"] == "batch_cancelled" for call in job.calls())
    assert 0 < cancelled < LEAST
    assert served["batch_lines_billed"] + served["lanes"]["live"]["lines"] == LEAST


@each
def test_what_never_began_when_it_was_called_off_is_withdrawn(job, cloud):
    with providing(batch_s=1000.0) as provider:
        provider.faults(batches={"stuck": True, "times": 1})
        at(cloud, job, provider).run("--no-wait", code=5)
        job.pipeline("cancel", job.file, code=0)
        provider.turn(300.0)
        job.run("--no-wait", code=5)
        provider.turn(2000.0)
        job.run()
        manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == LEAST
    assert all(call["error_code"] in {None, "batch_cancelled"} for call in job.calls())


@each
@pytest.mark.parametrize("words", [["lost"], ["503*2"]], ids=str)
def test_a_submission_without_a_clear_answer_is_looked_for_before_it_is_made_again(job, provider, cloud, words):
    provider.faults(on={"create": words, "list": ["500", "429"]})
    at(cloud, job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST
    assert provider.counters()["batches_created"] == 1


def test_a_job_of_bedrock_that_no_listing_shows_is_made_again_with_its_token(job, provider):
    """And is the same one."""
    provider.faults(on={"create": ["lost"]}, batches={"listed_after_s": 1e6})
    at("bedrock", job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST
    assert provider.counters()["batches_created"] == 1


@each
def test_what_costs_nothing_is_asked_again(job, provider, cloud):
    looks = {"look": ["500*3", "429"], "content": ["cut*2", "404", "500"], "delete": ["500"]}
    provider.faults(on={"upload": ["lost", "503 after"], **looks})
    at(cloud, job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST
    assert provider.counters()["batches_created"] == 1


@each
def test_a_full_queue_is_waited_for(job, provider, cloud):
    provider.faults(on={"create": ["full*2"]})
    at(cloud, job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST


def test_results_in_several_files_and_pages_are_all_read(job, provider):
    provider.faults(lines={"refused": 0.2}, list_page=1)
    at("vertex", job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST


BAD = {
    "no role to pass": ("bedrock", {"role_arn": "arn:aws:iam::123456789012:role/forbidden"}, "Allow iam:PassRole"),
    "no bucket of AWS's": ("bedrock", {"s3_url": "s3://missing-bucket/in"}, "Make the bucket"),
    "no right to write at AWS": ("bedrock", {"s3_url": "s3://forbidden-bucket"}, "Allow s3:PutObject"),
    "a bucket elsewhere": ("bedrock", {"s3_url": "s3://elsewhere-bucket/in"}, "The bucket is in eu-west-1"),
    "no bucket of Google's": ("vertex", {"gcs_url": "gs://missing-bucket/in"}, "Make the bucket"),
    "no right to write at Google": ("vertex", {"gcs_url": "gs://forbidden-bucket"}, "Allow storage.objects.create"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_cloud_refuses_parks_the_run_and_says_what_to_mend(job, provider, name):
    cloud, batch, told = BAD[name]
    run = at(cloud, job, provider, batch=batch).run(code=None)
    assert run.returncode not in {0, 1}
    assert told in run.out + run.err
    assert job.manifest()["rows"]["pending"] == LEAST
    at(cloud, job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST


@pytest.mark.parametrize(
    ("cloud", "name", "told"),
    [
        ("bedrock", "amazon.titan-text-express-v1", "is not supported for batch inference"),
        ("vertex", "publishers/google/models/gemma-9", "does not support batch prediction"),
    ],
)
def test_a_model_that_takes_no_batches_parks_the_run(job, provider, cloud, name, told):
    run = at(cloud, job, provider, model={"name": name}).run(code=None)
    assert run.returncode not in {0, 1}
    assert told in run.out + run.err
    assert provider.counters()["batches_created"] == 0


@pytest.mark.parametrize("name", ["endpoints/123", "publishers/anthropic/models/claude-haiku-4-5"])
def test_a_model_that_no_job_of_vertex_can_name_is_refused_before_anything_is_sent(job, provider, name):
    at("vertex", job, provider, model={"name": name})
    for command in ("check", "run"):
        ended = job.pipeline(command, job.file, code=2)
        assert "a batch of Vertex AI needs" in ended.out + ended.err
    assert provider.counters()["uploads"] == 0


def test_too_few_rows_for_a_job_of_bedrock_go_live_and_check_says_so(job, provider):
    at("bedrock", job, provider, rows(LEAST - 1))
    assert "no batch of fewer than 100 requests" in job.pipeline("check", job.file, code=2).out
    estimate = job.pipeline("estimate", job.file, "--json").out
    assert json.loads(estimate)["lane"] == "live"
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST - 1
    assert provider.counters()["lanes"]["live"]["lines"] == LEAST - 1


def test_a_last_part_that_is_too_small_goes_live(job, provider):
    at("bedrock", job, provider, rows(LEAST + 7), batch={"max_rows": 10}).run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST + 7
    assert provider.counters()["lanes"]["live"]["lines"] == 7


def test_a_last_part_that_is_too_small_may_wait(job, provider):
    at("bedrock", job, provider, rows(LEAST + 7), batch={"max_rows": LEAST, "after_deadline": "wait"})
    assert "after_deadline = 'live'" in job.run(code=5).err
    manifest = agrees(job, provider)
    assert (manifest["rows"]["ok"], manifest["rows"]["pending"]) == (LEAST, 7)
    assert provider.counters()["lanes"]["live"]["lines"] == 0


def test_another_region_leaves_batches_alone(job, provider):
    """They are of the run that the job was then."""
    at("vertex", job, provider).run("--no-wait", code=5)
    assert "at another place" in at("vertex", job, provider, model={"region": "europe-west4"}).run(code=5).err
    assert provider.counters()["batches_created"] == 1
    at("vertex", job, provider).run()
    assert job.manifest()["rows"]["ok"] == provider.counters()["batch_lines_billed"] == LEAST
    job.pipeline("verify", job.out, code=0)


@each
def test_a_bucket_that_was_changed_meanwhile_is_read_where_it_was(job, provider, cloud):
    at(cloud, job, provider).run("--no-wait", code=5)
    key, scheme = ("s3_url", "s3") if cloud == "bedrock" else ("gcs_url", "gs")
    at(cloud, job, provider, batch={key: f"{scheme}://another/place"}).run()
    assert job.manifest()["rows"]["ok"] == provider.counters()["batch_lines_billed"] == LEAST
    assert provider.counters()["batches_created"] == 1
    job.pipeline("verify", job.out, code=0)


NIGHTS = [
    ("bedrock", "batch-uploaded"),
    ("bedrock", "batch-created"),
    ("bedrock", "batch-collected"),
    ("vertex", "batch-submitting"),
    ("vertex", "batch-created"),
    ("vertex", "line-collected:2"),
]


@pytest.mark.parametrize(("cloud", "place"), NIGHTS)
def test_a_night_that_is_killed_is_billed_once(job, provider, cloud, place):
    at(cloud, job, provider, rows(of=place))
    job.env["PIPELINE_CRASH_AT"] = place
    job.process("run", job.file, code=-signal.SIGKILL)
    del job.env["PIPELINE_CRASH_AT"]
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == LEAST
    assert provider.counters()["batches_created"] == 1


@each
def test_check_online_asks_for_batches_and_bucket_too(job, provider, cloud):
    key, scheme = ("s3_url", "s3") if cloud == "bedrock" else ("gcs_url", "gs")
    told = at(cloud, job, provider).pipeline("check", job.file, "--online").out
    assert told.count("lets it be listed") == 2
    at(cloud, job, provider, batch={key: f"{scheme}://missing-bucket/in"})
    assert "Make the bucket" in job.pipeline("check", job.file, "--online", code=2).out
    assert provider.counters()["uploads"] == 0
