"""`pipeline cancel`: what is out is called off once, and collected by the next run; nothing is paid twice."""

import json

import pytest
from sandbox_process import counters, sandbox, turn

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(7)]


@pytest.fixture
def slow():
    """A sandbox whose batches take an hour."""
    with sandbox("--batch-s", "3600") as url:
        yield url


@pytest.fixture
def left_out(job, slow):
    """Two batches, left there by a run that did not wait."""
    model = {"provider": "sandbox", "name": "gpt-4o-mini", "lane": "batch", "base_url": f"{slow}/v1"}
    job.write("", rows=ROWS, model=model, batch={"poll_s": 0.05, "max_rows": 4}).run("--no-wait", code=5)
    return job


def states(job):
    return {one["batch_id"]: one["state"] for one in status(job)["batches"]}


def status(job):
    return json.loads(job.pipeline("status", job.file, "--json", code=0).out)


def cancelled(job, *words, code=0):
    return job.pipeline("cancel", *(words or (job.file,)), code=code)


@pytest.mark.parametrize("place", ["job", "folder"])
def test_all_are_called_off_and_the_next_run_asks_for_the_rest(left_out, slow, place):
    told = cancelled(left_out, left_out.file if place == "job" else left_out.out, "--json")
    assert sorted(json.loads(told.out)["cancelled"]) == sorted(states(left_out))
    assert set(states(left_out).values()) == {"cancelling"}
    turn(slow, 1800)
    left_out.run("--set", "model.lane=live")
    assert left_out.reconcile()["rows"]["ok"] == 7
    assert counters(slow)["billed_twice"] == 0


def test_one_is_called_off_by_its_id(left_out):
    one, other = states(left_out)
    assert f"{one}: called off" in cancelled(left_out, left_out.file, one).out
    assert states(left_out) == {one: "cancelling", other: "out"}


def test_an_id_that_is_not_out_is_told_with_those_that_are(left_out):
    told = cancelled(left_out, left_out.file, "batch_nobody", code=2).err
    assert all(one in told for one in states(left_out))


def test_nothing_out_is_said_and_is_no_error(job, server):
    job.write(server.url, rows=ROWS[:1]).run()
    assert "nothing is out" in cancelled(job).out


def test_a_folder_without_a_run_is_an_error(job):
    job.write("", rows=ROWS)
    assert "no run here yet" in cancelled(job, code=2).err


def test_a_provider_that_is_not_reached_leaves_them_out(left_out, slow):
    """And says so: they go on, and are paid for."""
    with_other = left_out.out / "run.json"
    manifest = json.loads(with_other.read_text())
    manifest["job"]["model"]["base_url"] = "http://127.0.0.1:9/v1"
    with_other.write_text(json.dumps(manifest))
    told = cancelled(left_out, left_out.out, code=2).out
    assert "not called off: it was submitted with another key or at another place" in told
    assert counters(slow)["batch_lines_billed"] == 0


def test_a_provider_that_says_no_leaves_it_as_it_was(left_out, slow):
    turn(slow, 7200)  # it has ended meanwhile
    told = cancelled(left_out, code=2).out
    assert "the provider said no" in told
    assert set(states(left_out).values()) == {"out"}


def test_a_run_that_goes_on_does_it_and_ends(job, slow):
    model = {"provider": "sandbox", "name": "gpt-4o-mini", "lane": "batch", "base_url": f"{slow}/v1"}
    job.write("", rows=ROWS, model=model, batch={"poll_s": 0.05})
    process = job.start("run", job.file)
    for line in process.stderr:
        if "submitted" in line:
            break
    told = cancelled(job)
    _, err = process.communicate(timeout=60)
    assert "called off" in told.out
    assert "its batches were called off" in err
    assert set(states(job).values()) == {"cancelling"}
    assert counters(slow)["batches_created"] == 1
