"""`pipeline tune`, and `status --watch`: another terminal looks at a run, and changes it."""

import json
import time

import pytest
from scripted_server import Scripted

from pipeline.commands import tune
from pipeline.commands.tune import tune_request, workers_told
from pipeline.errors import JobError
from pipeline.output.manifest import TABLES

WORKERS = [{"worker": n, "node": "a", "rows": 9, "calls": 9, "cpu_s": 9.0, "cpu_share": 0.96} for n in (1, 2)]
ANSWER = json.dumps({"name": "x", "total": "1"})


@pytest.mark.parametrize(("asked", "said"), [((None, None), "nothing to change"), ((None, "much"), "--max-usd 'much'")])
def test_a_wish_that_is_none_is_an_error(asked, said):
    """Before any run hears of it."""
    with pytest.raises(JobError, match=said):
        tune_request(*asked)


def slow(job, server, rows=60, **more):
    """A run of one call at a time: a fifth of a second and 210 millionths of a dollar an answer."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.2, usage=(1000, 100), text=ANSWER)
    lines = [{"id": f"r{n}", "text": f"document {n}"} for n in range(rows)]
    job.write(server.url, rows=lines, limits={"concurrency": 1}, **more)
    running = job.start("run", job.file)
    wait_for(lambda: server.sent >= 1)
    return running


def wait_for(what, patience_s=30.0):
    deadline_s = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return found


def test_a_running_run_takes_a_higher_concurrency(job, server):
    """More calls at once than the job's own window of rows has room for; logged, and kept in run.json."""
    running = slow(job, server)
    told = json.loads(job.pipeline("tune", job.file, "--concurrency", "50", "--json", code=0).out)
    assert told == {"applied": {"concurrency": 50, "max_usd": None}}
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "tuned: limits.concurrency = 50, by process" in err
    assert server.most_at_once > 20
    (event,) = job.reconcile()["events"]
    assert event["before"]["concurrency"] == 1
    assert event["after"] == {"concurrency": 50, "max_usd": None}
    assert not [path.name for path in job.out.iterdir() if "tune" in path.name or "live" in path.name]


def test_a_lower_cap_parks_a_running_run(job, server):
    """Exit code 3; the same command goes on under the job's own cap."""
    running = slow(job, server)
    job.pipeline("tune", job.file, "--max-usd", "0.0001", code=0)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "To go on under the job's own cap:  pipeline run" in err
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert manifest["rows"]["pending"] > 0


def test_there_is_nothing_to_tune_where_nothing_runs(job, server):
    """Says how to start with the flag."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}])
    assert "no run is going on here" in job.pipeline("tune", job.file, "--concurrency", "2", code=2).err
    job.run()
    assert "pipeline run JOB" in job.pipeline("tune", job.file, "--concurrency", "2", code=2).err


def test_status_watches_until_the_run_has_ended(job, server):
    """What is in flight and why it is not faster, an object a line; the last is the final state."""
    running = slow(job, server, rows=12)
    watched = job.pipeline("status", job.file, "--watch", "--every", "0.2", "--json", code=0)
    running.communicate(timeout=60)
    lines = [json.loads(line) for line in watched.out.splitlines()]
    assert [line["state"] for line in lines[:-1]] == ["running"] * (len(lines) - 1)
    assert lines[-1]["state"] == "finished"
    now = [line["now"] for line in lines if line["now"]]
    assert now
    assert all(one["slots"] == 1 for one in now)
    assert any(one["waited_share"].get("slots") for one in now)


@pytest.mark.parametrize(
    ("cores", "on", "told"),
    [
        (8, "local", "--set limits.workers=4 may be faster; a run that goes on keeps those it has"),
        (2, "local", "all 2 cores of this machine busy: more of them would not be faster here"),
        (2, "ray", "--set engine.workers=4 may be faster; a run that goes on keeps those it has"),
    ],
)
def test_of_a_run_with_workers_it_is_told_whether_more_would_do(job, monkeypatch, cores, on, told):
    """By what they say of their CPU now; a cluster's cores are not this machine's."""
    monkeypatch.setattr(tune, "usable_cores", lambda: cores)
    monkeypatch.setattr(tune, "ask", lambda folder, wish: True)  # a run that takes all wishes
    settings = {"name": "x", **{table: {} for table in TABLES}, "engine": {"on": on}}
    (job.folder / "run.json").write_text(json.dumps({"state": "running", "job": settings}))
    change = ("tune", job.folder, "--concurrency", "9", "--json")
    assert json.loads(job.pipeline(*change, code=0).out) == {"applied": {"concurrency": 9, "max_usd": None}}
    (job.folder / ".live.json").write_text(json.dumps({"workers": WORKERS}))
    assert workers_told(job.folder).endswith(told)
    assert json.loads(job.pipeline(*change, code=0).out)["advice"] == [workers_told(job.folder)]
    assert f"advice: {workers_told(job.folder)}" in job.pipeline(*change[:-1], code=0).out
