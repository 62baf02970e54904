"""Full and read-only disks, damaged ledgers, signals at every stage, terminals gone: drain, keep, park, say so."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from places import REPO
from scripted_server import Scripted

from pipeline.commands.verify import verify

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(40)]
ANSWER = json.dumps({"name": "x", "total": "1"})
SOURCE = REPO / "pipeline"


def wait_for(what, patience_s=30.0):
    deadline_s = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


# ── disks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 22 MB, of which the ballast takes 16; `resize(options)` mounts it anew."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=22m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can't be mounted here")

    def resize(options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    yield folder, resize
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_parks_the_run_and_what_was_answered_is_kept(job, server, small_disk):
    """Exit code 4; with room again the same command pays for the rest only."""
    folder, resize = small_disk
    long = json.dumps({"name": "x" * 400_000, "total": "1"})
    server.script = lambda document, nth, body: Scripted(text=long, delay_s=0.01)
    job.write(server.url, rows=ROWS, output={"path": str(folder / "out")}, limits={"concurrency": 4})
    job.out = folder / "out"
    parked = job.run(code=None)
    assert parked.returncode in {2, 4}, parked.err
    assert "no space left" in parked.err or "disk" in parked.err
    assert 5 < server.sent < len(ROWS)
    resize("size=400m")
    job.run()
    assert job.reconcile()["rows"]["ok"] == len(ROWS)
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    assert sum(server.paid.values()) <= len(ROWS) + len(lost)
    assert all(check.problem is None for check in verify(job.out))


def test_a_read_only_disk_is_told_before_anything_is_sent(job, server, small_disk):
    """And the results that are there stay readable."""
    folder, resize = small_disk
    job.write(server.url, rows=ROWS[:5], output={"path": str(folder / "out")})
    job.out = folder / "out"
    job.run()
    sent = server.sent
    resize("ro")
    job.pipeline("status", job.file, code=0)
    job.pipeline("show", job.file, "r1", code=0)
    job.pipeline("verify", job.out, code=0)
    job.write(server.url, rows=ROWS, output={"path": str(folder / "out")})
    ended = job.run(code=2)
    assert "writable" in ended.err or "read-only" in ended.err.lower()
    assert "Traceback" not in ended.err
    assert server.sent == sent
    resize("rw")


# ── ledgers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def overwritten(path, at, what):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


DAMAGE = {
    "header": lambda path: overwritten(path, 0, b"\x00" * 64),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "a page": lambda path: overwritten(path, 4096, b"\xff" * 4096),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ledger_ends_with_the_way_out(job, server, damage):
    """Exit code 2 and nothing sent; starting over works, and the old one is kept."""
    job.write(server.url, rows=ROWS[:5]).run()
    sent = server.sent
    DAMAGE[damage](job.out / "ledger.sqlite")
    job.write(server.url, rows=ROWS[:6])
    ended = job.run(code=None)
    assert "Traceback" not in ended.err
    assert ended.returncode == 2, ended.err
    assert "--fresh" in ended.err
    assert server.sent == sent
    job.run("--fresh", "--yes")
    assert job.reconcile()["rows"]["ok"] == 6
    assert [path.name for path in job.out.glob("ledger-*.sqlite")]


# ── signals and terminals ───────────────────────────────────────────────────────────────────────────────────────────


def started(job, server, **options):
    server.script = lambda document, nth, body: Scripted(text=ANSWER, delay_s=0.1)
    job.write(server.url, rows=ROWS, limits={"concurrency": 4})
    return job.start("run", job.file, **options)


STAGES = {
    "as soon as the folder is taken": lambda job, server: (job.out / ".lock").exists(),
    "with calls in flight": lambda job, server: server.sent >= 6,
    "while the last answers come": lambda job, server: server.sent >= len(ROWS) - 1,
}


FIRST, FLYING, LAST = STAGES


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        *((stage, signal.SIGTERM) for stage in STAGES),
        (FIRST, signal.SIGINT),
        (FLYING, signal.SIGINT),
        (FLYING, signal.SIGHUP),
    ],
)
def test_a_signal_at_any_stage_drains_and_the_run_can_go_on(job, server, stage, number):
    """130 and the command that resumes, or finished if nothing was left to stop; no answer is paid for twice."""
    process = started(job, server)
    wait_for(lambda: STAGES[stage](job, server))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in ({130} if stage == FLYING else {130, 0}), err
    assert "Traceback" not in err
    if stage == FLYING:
        manifest = job.reconcile()
        assert manifest["state"] == "interrupted"
        assert 0 < manifest["rows"]["pending"] < len(ROWS)
        assert sum(server.paid.values()) == manifest["rows"]["ok"]
        assert f"pipeline run {job.file}" in err
    job.run()
    assert job.reconcile()["rows"]["ok"] == len(ROWS)
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    assert sum(server.paid.values()) <= len(ROWS) + len(lost)
    assert not lost
    assert all(check.problem is None for check in verify(job.out))


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("publishing", signal.SIGTERM),
        ("calls.parquet-written", signal.SIGINT),
        ("session-ended", signal.SIGHUP),
    ],
)
def test_a_signal_while_results_are_written_lets_them_be_written(job, server, place, number):
    """All answers are here: the run ends as it would have, and what is published is whole."""
    job.env.update({"PIPELINE_CRASH_AT": place, "PIPELINE_CRASH_BY": "SIGSTOP"})
    process = started(job, server)
    wait_for(lambda: _held(process.pid))
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "the results are being written" in err
    assert job.reconcile()["rows"]["ok"] == len(ROWS)
    assert all(check.problem is None for check in verify(job.out))


def _held(pid):
    """Whether the process is stopped, by Linux's word."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_drain_can_be_given_a_bound(job, server):
    """A container that is killed 10 s after its SIGTERM publishes before; what was cut off is named."""
    server.script = lambda document, nth, body: Scripted(text=ANSWER, delay_s=20.0 if server.sent > 4 else 0.01)
    job.write(server.url, rows=ROWS, limits={"concurrency": 2})
    job.env["PIPELINE_DRAIN_S"] = "0.5"
    process = job.start("run", job.file, fresh=True)
    wait_for(lambda: server.sent >= 6)
    began_s = time.monotonic()
    process.terminate()
    process.communicate(timeout=60)
    assert time.monotonic() - began_s < 10
    assert process.returncode == 130
    server.script = lambda document, nth, body: Scripted(text=ANSWER)
    assert "calls in flight, which may have cost" in job.run().err
    assert job.reconcile()["rows"]["ok"] == len(ROWS)


def test_a_standard_error_that_nobody_reads_costs_nothing(job, server):
    """The reader of the log is gone before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    process = job_without_reader(job, server, writer)
    assert process.wait(60) == 0
    assert job.reconcile()["rows"]["ok"] == len(ROWS)


def job_without_reader(job, server, writer):
    server.script = lambda document, nth, body: Scripted(text=ANSWER)
    job.write(server.url, rows=ROWS, limits={"concurrency": 4})
    words = [os.sys.executable, "-m", "pipeline", "run", str(job.file), "--log-format", "json"]
    process = subprocess.Popen(words, cwd=job.folder, env=job.env, stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    return process


# ── the clock ───────────────────────────────────────────────────────────────────────────────────────────────────────

WALL = re.compile(r"time\.time(_ns)?\(|datetime\.now\(|date\.today\(|utcnow\(")
TOLD = {  # who looks at the clock on the wall: to say when something was, to sign, for a Retry-After that is a date;
    # batches last hours, over runs: their deadline is a time of day
    "commands/cancel.py", "engine/batches/call_off.py", "engine/batches/desk.py", "engine/batches/lane.py",
    "engine/batches/remote.py", "engine/batches/submission.py", "engine/batches/waves.py", "telemetry/summary.py",
    "catalog/prices.py", "commands/estimate/exact.py", "commands/tune.py", "console.py", "engine/lanes/live.py",
    "engine/control.py", "engine/run.py", "engine/watch.py", "ledger/ledger.py", "ledger/lock.py",
    "providers/credentials/entra.py", "providers/credentials/google.py", "providers/hints.py",
    "providers/transport/http.py", "providers/transport/sdk.py", "providers/transport/sdk_httpx.py",
    "output/manifest.py", "output/publish.py", "output/remote/lease.py", "output/remote/sync.py",
    "telemetry/alerts.py", "telemetry/prometheus.py", "engine/ray/crew.py", "engine/shared/sharing.py",
    "output/remote/take_up.py", "engine/executors/processes.py", "engine/workers/served.py",
}  # fmt: skip


def test_no_decision_looks_at_the_clock_on_the_wall():
    """It may jump by days: limits, waits and time-outs go by the loop's clock; this is all who read the other."""
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if "sandbox" not in path.parts and WALL.search(path.read_text())
    }
    assert found <= TOLD, found - TOLD
