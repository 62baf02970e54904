"""Runs whose machine is gone for good, with all that was only there: what the bucket has is enough for the cap to hold.

`benchmarks/caps.py --machine-lost` has two hundred of them.
"""

import json
import os
import shutil
import signal
import sys
import time
from decimal import Decimal

import pytest
from bucket_job import URL, in_bucket
from places import REPO
from s3_server import emptied
from scripted_server import Scripted

sys.path.append(str(REPO / "benchmarks"))

from machine_lost import night, no_sign_of_life

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(30)]
CAP = "0.01"
WORST_USD = Decimal("0.0003")  # of one call, and more


@pytest.fixture
def bucket(s3):
    return emptied(s3, "out")


@pytest.fixture
def job(job, s3, bucket, server):
    """Under a cap, with its output in a bucket that hears of it every 50 ms and gets no snapshot; on machine "a"."""
    in_bucket(job, s3, server, delay_s=0.02, PIPELINE_SNAPSHOT_S="3600", PIPELINE_SHIP_S="0.05")
    job.write(server.url, rows=ROWS, output={"path": URL}, limits={"concurrency": 2}, budget={"max_usd": float(CAP)})
    return job


def killed(job, server, after):
    """Kill -9, once so many requests have come in and the log of the first of them is in the bucket."""
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < after:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def lost(job, server, s3, after=12):
    """The same, and nothing is left of machine "a"."""
    killed(job, server, after)
    shutil.rmtree(job.folder / "a")
    no_sign_of_life(s3)
    return job.machine("b")


def marked(bucket):
    """How far the run is marked as spent."""
    runs = json.loads(bucket.get_object(Bucket="out", Key="night/spending.json")["Body"].read())["runs"]
    return Decimal(next(iter(runs.values()))["upto_usd"])


def segments(bucket):
    listed = bucket.list_objects_v2(Bucket="out", Prefix="night/ledger.log/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def manifest(bucket):
    return json.loads(bucket.get_object(Bucket="out", Key="night/run.json")["Body"].read())


@pytest.mark.parametrize("seed", range(2))
def test_the_bill_of_all_machines_is_never_above_max_usd(seed, tmp_path, s3, server):
    """Lost once or twice at any request, at whatever the bucket had by then."""
    one = night(seed, tmp_path, s3, server)
    assert one.billed_usd <= one.cap_usd
    assert (one.code, one.verified, one.assumed) == (3, 0, True)


def test_with_several_workers_as_well(tmp_path, s3, server):
    """All of them write the log that is shipped."""
    one = night(3, tmp_path, s3, server, workers=2)
    assert one.billed_usd <= one.cap_usd
    assert one.verified == 0


def test_what_was_answered_a_moment_before_is_not_paid_again_and_what_was_in_flight_is_booked(job, bucket, server, s3):
    """No snapshot since the start: all of that was in the log. What may be missing is told in dollars."""
    lost(job, server, s3, after=20)
    there = segments(bucket)
    paid = set(server.paid)
    ended = job.run()
    assert there
    assert "calls in flight, which may have cost up to" in ended.err
    assert "assumed spent" in ended.err
    again = sum(server.paid.values()) - len(ROWS)
    assert again <= 10, "more than a tenth of a second of answers, and what was in flight"
    assert len(paid) >= 15
    assert segments(bucket) == []
    told = manifest(bucket)
    assert Decimal(told["assumed_usd"]) + Decimal(told["cost_usd"]) <= marked(bucket) <= Decimal(CAP)
    status = job.pipeline("status", URL, code=0).out
    assert "may have been spent by a machine that was lost" in status
    assert json.loads(job.pipeline("status", URL, "--json", code=0).out)["assumed_usd"] == told["assumed_usd"]
    job.pipeline("verify", URL, code=0)


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_log_that_is_damaged_is_followed_up_to_there_and_that_is_said(harm, job, bucket, server, s3):
    lost(job, server, s3, after=20)
    victim = segments(bucket)[2]
    content = bucket.get_object(Bucket="out", Key=victim)["Body"].read()
    if harm == "gone":
        bucket.delete_object(Bucket="out", Key=victim)
    else:
        bucket.put_object(Bucket="out", Key=victim, Body=content[:-3])
    ended = job.run()
    assert "the log of the run before ends early" in ended.err
    assert {"cut": "checksum", "gone": "is not there"}[harm] in ended.err
    assert manifest(bucket)["rows"]["ok"] == len(ROWS)
    job.pipeline("verify", URL, code=0)


def test_the_machine_itself_knows_what_it_spent_and_assumes_nothing(job, bucket, server, s3):
    """Kill -9 of the process alone: its ledger has all, though the bucket has not."""
    job.env["PIPELINE_SHIP_S"] = "3600"
    killed(job, server, 12)
    before = marked(bucket)
    ended = job.run()
    assert "assumed" not in ended.err
    assert "assumed_usd" not in manifest(bucket)
    assert marked(bucket) < before + WORST_USD * 2


def test_a_run_that_ends_leaves_its_mark_at_what_it_spent(job, bucket, server):
    """So that the next one, on whatever machine, has the rest of the cap."""
    job.run("--limit", "10")
    assert marked(bucket) == Decimal(manifest(bucket)["cost_usd"])
    assert "assumed" not in job.machine("b").run().err
    assert marked(bucket) == Decimal(manifest(bucket)["cost_usd"])


def test_when_the_lost_machine_comes_back_what_it_knows_is_no_longer_assumed(job, bucket, server, s3):
    """Its ledger is folded into the other's: a call is counted as what it cost, once."""
    job.env["PIPELINE_SHIP_S"] = "3600"
    killed(job, server, 14)
    no_sign_of_life(s3)
    job.machine("b").run("--limit", "3")
    assumed = Decimal(manifest(bucket)["assumed_usd"])
    mark = marked(bucket)
    job.machine("a").run()
    told = manifest(bucket)
    left = Decimal(told.get("assumed_usd", "0"))
    assert left < assumed
    assert mark <= Decimal(told["cost_usd"]) + left + WORST_USD * 4


def test_calls_that_are_cut_at_the_end_are_in_the_mark_and_not_taken_for_what_was_lost(job, bucket, server, s3):
    """The second machine is stopped with calls in flight: the third assumes as much as it did, beside these."""
    lost(job, server, s3)
    answers, server.script = server.script, lambda *_: Scripted(delay_s=60)
    job.env["PIPELINE_DRAIN_S"] = "0.1"
    process, before = job.start("run", job.file), server.sent
    deadline_s = time.monotonic() + 30
    while server.sent < before + 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    process.terminate()
    process.communicate(timeout=60)
    assumed, server.script = manifest(bucket)["assumed_usd"], answers
    assert Decimal(assumed) > 0
    assert f"with {server.sent - before} calls in flight" in job.machine("c").run().err
    assert manifest(bucket)["assumed_usd"] == assumed


def test_a_cap_that_is_reached_says_how_much_of_it_is_assumed(job, bucket, server, s3):
    job.write(server.url, budget={"max_usd": 0.0007}, output={"path": URL}, limits={"concurrency": 2})
    lost(job, server, s3)
    ended = job.run(code=3)
    assert "are assumed spent by a machine that was lost" in ended.err
    assert sum(server.paid.values()) * Decimal("0.000027") <= Decimal("0.0007")


def test_started_over_it_assumes_nothing(job, bucket, server, s3):
    lost(job, server, s3)
    assert "assumed spent" not in job.run("--fresh", "--yes").err


def test_without_a_cap_nothing_is_marked(job, bucket, server, s3):
    job.write(server.url, budget={"max_usd": 0.0}, output={"path": URL}, limits={"concurrency": 2})
    (job.file).write_text(job.file.read_text().replace("max_usd = 0.0", ""))
    lost(job, server, s3)
    assert "assumed" not in job.run().err
    assert json.loads(bucket.get_object(Bucket="out", Key="night/spending.json")["Body"].read())["runs"] == {}


def test_a_machine_that_only_slept_cannot_spend_more_than_it_had_marked(job, bucket, server, s3):
    """Frozen past its lease, and woken after another went on: what it does then is not seen."""
    job.env["PIPELINE_LEASE_S"] = "4"
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < 8:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGSTOP)
    no_sign_of_life(s3)
    job.machine("b").run("--limit", "12")
    before = marked(bucket)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert marked(bucket) == before, "its own end says nothing of what the other spent"
    assert manifest(bucket)["rows"]["ok"] == 12
    job.machine("c").run()
    assert sum(server.paid.values()) * Decimal("0.000027") <= marked(bucket) <= Decimal(CAP)
    job.pipeline("verify", URL, code=0)
