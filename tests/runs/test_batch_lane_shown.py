"""What a user sees of a run by batch: while it goes on, when it is stopped, afterwards, and how it is called off."""

import json
import signal
from decimal import Decimal

import pytest
from sandbox_process import counters, sandbox, turn


def things(count):
    return [{"id": f"r{n}", "text": f"document {n}"} for n in range(count)]


def by_batch(job, url="", rows=6, **sections):
    model = {"provider": "sandbox", "name": "gpt-4o-mini", "lane": "batch", "base_url": url}
    sections = {"batch": {"poll_s": 0.05}, "sandbox": {"batch_s": 0.1}, **sections}
    return job.write(url, rows=things(rows), model=model, **sections)


def status(job):
    return job.pipeline("status", job.file, code=0).out


def test_the_summary_and_status_tell_what_was_collected(job):
    told = by_batch(job).run(code=0).err
    assert "batches   1 batch collected, of 6 rows" in told
    assert "batches   1 batch collected, of 6 rows" in status(job)


def test_a_live_job_is_told_nothing_of_batches(job, server):
    ended = job.write(server.url, rows=things(2)).run()
    assert "batch" not in ended.out + ended.err + status(job)


def test_show_tells_lane_batch_fate_and_the_price_of_both_lanes(job):
    by_batch(job).run()
    (row,) = json.loads(job.pipeline("show", job.file, "r3", "--json", code=0).out)["rows"]
    (call,), (line,) = row["calls"], row["batch_lines"]
    assert (call["lane"], call["batch_id"], line["fate"]) == ("batch", line["batch_id"], "answered")
    assert Decimal(call["cost_live_usd"]) == 2 * Decimal(call["cost_usd"]) > 0
    assert (line["reserved_usd"], line["batch_state"]) == ("0.0000000000", "collected")


def test_show_tells_of_a_line_that_is_out_what_is_held_for_it(job, slow):
    by_batch(job, slow).run("--no-wait", code=5)
    (row,) = json.loads(job.pipeline("show", job.file, "r3", "--json", code=0).out)["rows"]
    assert (row["status"], row["calls"], row["batch_lines"][0]["fate"]) == ("pending", [], "out")
    assert Decimal(row["batch_lines"][0]["reserved_usd"]) > 0


@pytest.mark.parametrize("which", ["all", "last"])
def test_costs_by_lane_are_those_of_the_calls(job, which):
    by_batch(job, rows=3).run()
    by_batch(job, rows=8).run("--set", "model.lane=live")
    found = json.loads(job.pipeline("costs", job.out, "--by", "lane", "--run", which, "--json", code=0).out)["groups"]
    calls = {one["lane"]: one["calls"] for one in found}
    assert calls["live"] == 5
    assert calls.get("batch") == (3 if which == "all" else None)


def test_the_report_has_a_section_of_batches_and_none_without(job, server):
    by_batch(job).run()
    job.pipeline("report", job.out, code=0)
    text, manifest = (job.out / "report.html").read_text(), job.manifest()
    assert "<h2>Batches</h2>" in text
    assert manifest["batches"][0]["batch_id"] in text
    job.write(server.url, rows=things(2)).run("--fresh", "--yes-rerun")
    job.pipeline("report", job.out, code=0)
    assert "<h2>Batches</h2>" not in (job.out / "report.html").read_text()


@pytest.fixture
def slow():
    """A sandbox whose batches take an hour."""
    with sandbox("--batch-s", "3600") as url:
        yield f"{url}/v1"


def test_no_wait_leaves_them_out_and_status_says_what_is_reserved(job, slow):
    told = by_batch(job, slow).run("--no-wait", code=5)
    assert "out: 0 of 6 rows done" in told.err
    shown = status(job)
    assert "deadline in 23 h 59 min" in shown or "deadline in 24 h 0 min" in shown
    assert "reserved" in shown


def test_ctrl_c_says_that_they_go_on_and_what_is_reserved(job, slow):
    by_batch(job, slow)
    process = job.start("run", job.file)
    for told in process.stderr:
        if "submitted" in told:
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=60)
    assert "1 batch with 6 rows, $" in err
    assert "reserved, go on at the provider; the same command collects them" in err
    assert "out: 0 of 6 rows done" in err
    assert counters(slow.removesuffix("/v1"))["batches_created"] == 1


def test_a_run_that_goes_on_shows_them_in_status_and_json_lines(job, slow):
    by_batch(job, slow)
    process = job.start("run", job.file, "--log-format", "json")
    for told in process.stderr:
        if "submitted" in told:
            break
    live = job.out / ".live.json"
    while True:
        if live.exists() and "batches" in (seen := json.loads(live.read_text())):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert (seen["batches"]["batches"], seen["batches"]["rows"]) == (1, 6)


def test_a_later_run_that_does_not_wait_collects_what_has_come_back(job, slow):
    """As cron starts it, over and over."""
    by_batch(job, slow).run("--no-wait", code=5)
    turn(slow.removesuffix("/v1"), 7200)
    job.run("--no-wait", code=0)
    assert job.reconcile()["rows"]["ok"] == 6
    assert counters(slow.removesuffix("/v1"))["billed_twice"] == 0


def test_runs_that_do_not_wait_keep_the_deadline_too(job, slow):
    """The second finds it passed, and calls off; the third asks live for what was not billed."""
    by_batch(job, slow, batch={"deadline_h": 0.000001}).run("--no-wait", code=5)
    job.run("--no-wait", code=5)
    assert [one["state"] for one in job.manifest()["batches"]] == ["cancelling"]
    turn(slow.removesuffix("/v1"), 1800)
    job.run("--no-wait", code=0)
    assert {call["lane"] for call in job.calls() if call["error_code"] is None} == {"live"}
    assert job.reconcile()["rows"]["ok"] == 6
    assert counters(slow.removesuffix("/v1"))["billed_twice"] == 0
