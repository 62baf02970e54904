"""Outputs in a bucket, against a local S3 server: whole objects, one run at a time, another machine that goes on."""

import json
import os
import signal
import time

import pyarrow.parquet as pq
import pytest
from bucket_job import URL, in_bucket
from packed import Model, rows
from s3_server import emptied
from scripted_server import Scripted

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(40)]


@pytest.fixture
def bucket(s3):
    """The bucket `out`, empty."""
    return emptied(s3, "out")


@pytest.fixture
def job(job, s3, bucket, server):
    """A job whose answers take a moment, with its output in the bucket; `machine("b")` is another one."""
    in_bucket(job, s3, server, delay_s=0.05, PIPELINE_SNAPSHOT_S="0.2", PIPELINE_LEASE_S="2")
    return job.write(server.url, rows=ROWS, output={"path": URL}, limits={"concurrency": 2})


def fetched(bucket, folder):
    """The objects as they are in the bucket."""
    folder.mkdir()
    for entry in bucket.list_objects_v2(Bucket="out")["Contents"]:
        name = entry["Key"].removeprefix("night/")
        (folder / name).write_bytes(bucket.get_object(Bucket="out", Key=entry["Key"])["Body"].read())
    return folder


def test_a_run_leaves_whole_files_in_the_bucket(job, bucket, server):
    """The four files that a folder would have; run.json names the URL; a second run sends nothing."""
    job.run()
    folder = fetched(bucket, job.folder / "fetched")
    assert {"results.parquet", "calls.parquet", "run.json", "ledger.sqlite"} <= {path.name for path in folder.iterdir()}
    assert pq.read_table(folder / "results.parquet").num_rows == len(ROWS)
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["state"], manifest["job"]["output"]) == ("finished", {"path": URL})
    job.pipeline("verify", folder, code=0)
    sent = server.sent
    job.run()
    assert server.sent == sent


def test_another_machine_reads_it_and_goes_on_without_paying_again(job, bucket, server):
    """status, verify, costs, report and export by the URL; the next night pays for new rows only."""
    job.run()
    job.machine("b")
    assert json.loads(job.pipeline("status", job.file, "--json", code=0).out)["rows"]["ok"] == len(ROWS)
    for verb in ("verify", "costs", "report", "export"):
        job.pipeline(verb, URL, code=0)
    sent = server.sent
    job.run()
    assert server.sent == sent
    job.write(server.url, rows=[*ROWS, {"id": "new", "text": "new"}], output={"path": URL}).run()
    assert server.sent == sent + 1


def test_people_are_told_of_the_bucket_and_not_of_the_mirror(job, bucket):
    """Diff names its sides by their URLs, also where they lack something; a report lies where one who asked is."""
    job.run()
    mirrors = job.env["PIPELINE_WORKDIR"]
    same = job.pipeline("diff", URL, f"{URL}/", code=0)
    assert same.out.startswith(f"left   {URL} ")
    assert json.loads(job.pipeline("diff", job.file, URL, "--json").out)["left"]["folder"] == URL
    nothing = job.pipeline("diff", URL, "s3://out/nothing", code=2)
    assert "s3://out/nothing: no results.parquet here" in nothing.err
    written = job.pipeline("report", URL, code=0)
    assert written.out.startswith("report.html  (")
    assert "<html" in (job.folder / "report.html").read_text()
    job.pipeline("report", job.file, "--to", "night.html", code=0)
    assert (job.folder / "night.html").is_file()
    without = job.pipeline("report", "s3://out/nothing", code=2)
    assert "s3://out/nothing: no published run here" in without.err
    assert mirrors not in "".join(one.out + one.err for one in (same, nothing, written, without))


def test_a_machine_that_died_is_taken_over_from_its_last_snapshot(job, bucket, server):
    """Kill -9 there; here every row ends in one place, and only what came after the snapshot is paid for again."""
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < 20 or not bucket.list_objects_v2(Bucket="out", Prefix="night/ledger.sqlite").get("Contents"):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = server.sent
    job.machine("b")
    ended = job.run()
    assert "taken over" in ended.err
    folder = fetched(bucket, job.folder / "fetched")
    assert pq.read_table(folder / "results.parquet")["status"].to_pylist() == ["ok"] * len(ROWS)
    job.pipeline("verify", folder, code=0)
    again = sum(server.paid.values()) - len(ROWS)
    assert again <= 14, "more than half a second's worth of answers"
    assert server.sent - before < len(ROWS)


def test_what_only_the_dead_machine_knew_comes_back_with_it(job, bucket, server):
    """Its own ledger is folded into the one that went on: nothing that was paid for is lost."""
    job.env["PIPELINE_SNAPSHOT_S"] = "3600"
    job.run("--limit", "5")
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < 15:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    job.machine("b").run("--limit", "6")
    sent = server.sent
    ended = job.machine("a").run()
    assert "answers that only this one had are kept" in ended.err
    assert server.sent - sent <= len(ROWS) - 12
    folder = fetched(bucket, job.folder / "fetched")
    assert pq.read_table(folder / "results.parquet")["status"].to_pylist() == ["ok"] * len(ROWS)


def test_two_machines_never_run_at_once(job, bucket, server):
    """The second is refused with who and since when; it sends nothing."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": document, "total": "1"}), delay_s=1.0)
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    refused = job.machine("b").run(code=2)
    assert f"is in use by another run: pipeline run, process {process.pid}" in refused.err
    sent = server.sent
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(server.paid) == sum(server.paid.values()) >= sent - 2


def test_sigterm_leaves_everything_in_the_bucket(job, bucket, server):
    """As a container's stop does: drained, uploaded, exit code 130."""
    process = job.start("run", job.file)
    deadline_s = time.monotonic() + 30
    while server.sent < 8:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    manifest = json.loads(bucket.get_object(Bucket="out", Key="night/run.json")["Body"].read())
    assert (manifest["state"], manifest["reason"]) == ("interrupted", "interrupted")
    job.machine("b").run()
    assert sum(server.paid.values()) == len(ROWS)


def test_a_store_that_cannot_be_used_is_told_before_anything_is_sent(job, bucket, server):
    """By check and by run, with the store's own words."""
    job.write(server.url, rows=ROWS, output={"path": "s3://no-such-bucket/x"})
    assert "no-such-bucket" in job.run(code=2).err
    assert "no-such-bucket" in job.pipeline("check", job.file, code=2).out
    assert server.sent == 0


def test_rows_that_went_together_are_taken_up_by_another_machine(job, bucket, server):
    """With what each has of its call; nothing is paid for again, and the files hold together."""
    server.script = Model()
    job.write(server.url, rows=rows(10), chunks={"pack": 4}, output={"path": URL}).run()
    more = [*rows(10), {"id": "new", "text": "new"}]
    job.machine("b").write(server.url, rows=more, chunks={"pack": 4}, output={"path": URL}).run()
    assert (len(server.script.packs), server.script.alone) == (3, ["new"])
    assert set(server.script.paid.values()) == {1}
    job.pipeline("verify", URL, code=0)
