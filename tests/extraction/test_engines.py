"""What a job cannot have on a cluster is said before anything is sent, and before anything of Ray is imported."""

import importlib.util
import sys

import pytest

from pipeline.extraction import engines
from pipeline.job.settings import Engine, Job

ROWS = [{"id": "a", "text": "t"}]
RAY = {"on": "ray"}


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: object())


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"limits": {"workers": 2}}, "limits.workers = 2 is of this machine and does not go with engine.on = 'ray'"),
        ({"model": {"lane": "batch"}}, "engine.on = 'ray' does not go with model.lane = 'batch'"),
        ({"engine": {**RAY, "address": "ray://head:10001"}}, "should be HOST:PORT of the cluster's head"),
        ({"engine": {**RAY, "workers": 0}}, "engine.workers = 0 should be more than 0"),
        ({"engine": {**RAY, "cpus_per_worker": 0}}, "engine.cpus_per_worker = 0"),
        ({"engine": {"on": "rai"}}, "engine.on = 'rai' should be one of local, ray. Did you mean 'ray'?"),
    ],
)
def test_what_does_not_go_together_is_named(job, installed, sections, told):
    """With what to do."""
    job.write("http://127.0.0.1:9/v1", rows=ROWS, **{"engine": RAY, **sections})
    assert told in job.run(code=2).err


def test_without_ray_the_extra_is_named(job, server, monkeypatch):
    """Nothing is sent, and nothing of it imported; a job that does not ask for it does not look for it."""
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "ray" else importlib.util.find_spec(name))
    job.write(server.url, rows=ROWS)
    assert "engine.on = 'ray' needs Ray:  pip install 'ledger-pipeline[ray]'" in job.run("--on", "ray", code=2).err
    assert server.sent == 0
    job.run()
    assert "ray" not in sys.modules


def test_a_job_says_of_its_engine_only_what_it_asks_for(job, server):
    """run.json of other jobs stays as it was."""
    job.write(server.url, rows=ROWS)
    job.run()
    assert "engine" not in job.manifest()["job"]
    assert "workers" not in job.manifest()
    assert Engine() == Engine(on="local", address="auto", workers=4, cpus_per_worker=1.0)


def test_check_tells_what_a_cluster_is_asked_for_and_what_only_this_machine_has(job, installed):
    """The cluster itself is not asked."""
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "a.txt").write_text("a bill")
    sandbox = {"provider": "sandbox", "base_url": ""}
    job.write("", input={"path": "inbox", "id": ""}, engine={**RAY, "address": "10.0.0.5:6379"}, model=sandbox)
    told = [line for line in job.pipeline("check", job.file, code=0).out.splitlines() if " engine:" in line]
    assert "4 workers, 1 CPUs each, on the Ray cluster at 10.0.0.5:6379" in told[0]
    assert "listens on this machine alone" in told[1]
    assert "each node needs" in told[2]
    job.write("http://10.0.0.6/v1", input={"path": "s3://bills/", "id": ""}, engine=RAY)
    (only,) = engines.told_of_engine(Job.load(job.file), documents=True)
    assert "on the Ray cluster of this machine" in only.detail


def test_check_says_nothing_of_an_engine_where_rows_stay_here(job, server):
    job.write(server.url, rows=ROWS)
    assert "engine" not in job.pipeline("check", job.file, code=0).out
