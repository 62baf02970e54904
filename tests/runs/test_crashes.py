"""kill -9 at every place between two durable steps, and at random: nothing is lost, and no answer is paid for twice.

"Sent" and "paid" are counted by the server, not believed.
"""

import json
import os
import random
import re
import signal
import time
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from job_folder import LASTING
from places import REPO
from scripted_server import Scripted

from pipeline.commands.verify import verify
from pipeline.crash_points import POINTS

SOURCE = REPO / "pipeline"
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(24)]
BROKEN = "document 3"  # its first answer needs a repair
CALLS = len(ROWS) + 1
LEDGER = ("ledger.sqlite", "ledger.sqlite-head")
LIVE = [point for point in POINTS if not point.startswith(("batch-", "line-"))]  # the others: test_batches.py
READ = ("ledger.sqlite-wal", "ledger.sqlite-shm")  # while somebody reads


def script(document, nth, body):
    repair = len(body["messages"]) > 2
    if document == BROKEN and not repair:
        return Scripted(text="no JSON")
    return Scripted(text=json.dumps({"name": document[:40], "total": "1"}), delay_s=0.005)


@pytest.fixture
def run(job, server):
    server.script = script
    return job.write(server.url, rows=ROWS, limits={"concurrency": 4})


@pytest.fixture(scope="module")
def expected():
    """What every run ends with, crash or no crash."""
    return [
        (number, f"r{number}", "ok", {"name": name, "total": Decimal(1)}, name == BROKEN)
        for number, name in enumerate(f"document {number}" for number in range(len(ROWS)))
    ]


def ended_well(run, server, expected):
    """One place for every row, one answer paid for each, but for calls that are named as lost; nothing lies about."""
    manifest = run.reconcile()
    table = pq.read_table(run.out / "results.parquet", columns=LASTING).to_pylist()
    found = [
        (line["row"], line["id"], line["status"], line["record"],
         line["repaired"])
        for line in table
    ]  # fmt: skip
    assert found == expected
    lost = [call for call in run.calls() if call["error_code"] == "lost"]
    assert server.sent <= manifest["calls"] <= server.sent + len(lost)
    assert sum(server.paid.values()) <= CALLS + len(lost)
    assert all(check.problem is None for check in verify(run.out))
    names = {path.name for path in run.out.iterdir()}
    assert names <= {"results.parquet", "calls.parquet", "run.json", ".lock", *LEDGER, *READ}, names
    return manifest, lost


def test_the_places_are_those_in_the_code():
    """Each is tested below, and none is only in the list."""
    used = set()
    for path in SOURCE.rglob("*.py"):
        used |= set(re.findall(r'crash_point\("([^"]+)"\)', path.read_text()))
    files = {
        f"{name}-{step}"
        for name in ("results.parquet", "calls.parquet", "run.json")
        for step in ("written", "replaced")
    }
    assert used | files == set(POINTS)


@pytest.mark.parametrize("place", [*LIVE, "committed:9", "run.json-written:2"])
def test_a_run_that_dies_at_any_place_is_taken_up_by_the_next(run, server, expected, place):
    """Same results as without the crash; calls in flight are named, and nothing else is paid for again."""
    run.env["PIPELINE_CRASH_AT"] = place
    run.process("run", run.file, code=-signal.SIGKILL)
    del run.env["PIPELINE_CRASH_AT"]
    run.run()
    manifest, lost = ended_well(run, server, expected)
    assert manifest["state"] == "finished"
    assert len(lost) <= 4
    assert sum(server.paid.values()) - CALLS <= len(lost)
    at_risk = manifest.get("at_risk", {"calls": 0, "usd": "0"})
    assert at_risk["calls"] == len(lost)
    assert (Decimal(at_risk["usd"]) > 0) == bool(lost)
    told = run.pipeline("status", run.out, code=0).out
    assert ("more may have been billed" in told) == bool(lost)


def test_five_kills_under_load(job, server, expected):
    """At whatever moment; the server's count says that only what was in flight may have been paid for again."""
    chance = random.Random(7)
    server.script = script
    job.write(server.url, rows=ROWS, limits={"concurrency": 4})
    killed, named = 0, 0
    while killed < 5:
        process = job.start("run", job.file)
        after = server.sent + chance.randint(0, 4)
        while process.poll() is None and server.sent < after:
            time.sleep(0.001)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        _, err = process.communicate()
        named += "calls in flight" in err
        if process.returncode == 0:
            break
    assert killed >= 3
    named += "calls in flight" in job.run().err
    _, lost = ended_well(job, server, expected)
    assert len(lost) <= 4 * killed
    assert bool(named) == bool(lost)


def test_a_second_run_on_one_folder_is_refused_with_who_and_since_when(run, server):
    """It touches nothing, and the first goes on."""
    server.script = lambda document, nth, body: Scripted(text='{"name": "x", "total": "1"}', delay_s=1.0)
    first = run.start("run", run.file, fresh=True)
    deadline_s = time.monotonic() + 20
    while server.sent == 0:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    refused = run.run(code=2)
    assert re.search(rf"in use by another run: pipeline run, process {first.pid} on \S+, since 20\d\d-", refused.err)
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 130
    assert run.reconcile()["rows"]["ok"] == sum(server.paid.values())
