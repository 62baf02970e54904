"""Several processes for one job: the same results, limits that hold to the call, and nothing lost however one dies."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from job_folder import LASTING
from many_workers import COUNT, ROWS, good, mixed
from many_workers import whole as kit_whole
from scripted_server import Scripted

from pipeline.commands.verify import verify

WORKERS = 3


@pytest.fixture
def run(job, server):
    server.script = lambda document, _nth, _body: good(document)
    return job.write(server.url, rows=ROWS, limits={"concurrency": 6, "workers": WORKERS})


def workers_of(process):
    """The process ids of a run's children."""
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sources(run):
    """Where answers came from, row by row; which of two equal rows paid is chance."""
    return sorted(str(line["answer_from"]) for line in run.results())


def lasting(run):
    return run.table().select(LASTING).to_pylist()


def whole(run, server):
    """And nothing of taking turns is left."""
    lost = kit_whole(run, server)
    assert not (run.out / ".turns").exists()
    return lost


def counted(job, workers):
    """The calls of as many workers, which together brought all rows to their end that could be used."""
    told = job.manifest().get("workers", [])
    assert [(one["worker"], one["node"]) for one in told] == [(number + 1, "localhost") for number in range(workers)]
    assert sum(one["rows"] for one in told) == (COUNT if workers else 0)
    assert all(one["cpu_s"] > 0 for one in told)
    return sum(one["calls"] for one in told)


def test_the_results_are_those_of_one_process(job, server):
    """With duplicates, a row that cannot be used, a repair, a refusal and a 429; a second run sends nothing."""
    rows = [*ROWS, *ROWS[10:20], {"id": "bad"}]
    found = []
    for workers in (1, WORKERS):
        server.script = mixed
        server.seen.clear()
        before = server.sent
        job.write(server.url, rows=rows, limits={"concurrency": 6, "workers": workers, "max_failed_share": 1.0})
        job.run("--fresh")
        job.reconcile()
        assert [check.problem for check in verify(job.out) if check.problem] == []
        found.append((lasting(job), server.sent - before, job.manifest()["rows"], sources(job)))
        assert counted(job, WORKERS if workers > 1 else 0) == (server.sent - before if workers > 1 else 0)
    assert found[0] == found[1]
    sent = server.sent
    job.run()
    assert server.sent == sent


def test_calls_at_once_are_those_of_the_job_and_not_of_each_worker(run, server):
    """The server counts them."""
    run.run()
    assert whole(run, server) == []
    assert 2 <= server.most_at_once <= 6


def test_a_budget_is_one_for_all(run, server):
    """It parks the run below its cap; what is left is done when there is more."""
    run.run("--max-usd", "0.0006", code=3)
    manifest = run.manifest()
    assert float(manifest["cost_usd"]) <= 0.0006
    assert 0 < manifest["rows"]["ok"] < COUNT
    run.run()
    assert whole(run, server) == []


@pytest.mark.parametrize("status", [401, 403])
def test_what_ends_the_run_ends_it_for_all(run, server, status):
    """A key that is no good: each worker's calls in flight, and no more."""
    server.script = lambda _document, _nth, _body: Scripted(status=status, error={"message": "invalid api key"})
    run.run(code=4)
    assert server.sent <= 6
    assert run.manifest()["rows"]["pending"] == COUNT


@pytest.fixture
def under_way(run, server):
    """A run that has just had its 20th request, and `signal` to one of its processes does what it does."""
    reached = threading.Event()

    def script(document, _nth, _body):
        if server.sent == 20:
            reached.set()
        return good(document)

    server.script = script
    process = run.start("run", run.file)
    assert reached.wait(60)
    yield process
    process.stdout.close()
    process.stderr.close()


def test_a_worker_that_is_killed_is_replaced(run, server, under_way):
    """Its calls in flight are booked as lost, and its rows are done by the next."""
    os.kill(workers_of(under_way)[0], signal.SIGKILL)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 0, out + err
    lost = whole(run, server)
    assert len(lost) <= 6
    assert "died (exit code -9); its rows are taken up again" in err
    workers = run.manifest()["workers"]
    assert [one["why"] for one in workers if one.get("ended") == "lost"] == ["exit code -9"]
    assert len(workers) == WORKERS + 1
    told = json.loads(run.pipeline("status", run.file, "--json", code=0).out)
    assert told["workers"] == workers
    assert f"localhost: {WORKERS + 1} workers (1 lost)" in run.pipeline("status", run.file, code=0).out
    run.pipeline("report", run.out, code=0)
    assert "UTC: exit code -9</li>" in (run.out / "report.html").read_text()


def test_workers_do_not_outlive_a_run_that_is_killed(run, server, under_way):
    """The next command waits for the last of them, and then goes on where they stopped."""
    workers = workers_of(under_way)
    under_way.kill()
    under_way.wait()
    run.run()
    assert not any(map(alive, workers))
    assert len(whole(run, server)) <= 6


def test_the_first_signal_drains_all_of_them(run, server, under_way):
    """What is in flight is kept; the next run does the rest."""
    under_way.send_signal(signal.SIGINT)
    under_way.communicate(timeout=60)
    assert under_way.returncode == 130
    assert run.manifest()["state"] == "interrupted"
    run.run()
    assert whole(run, server) == []


def test_a_second_signal_cuts_them_off(run, server, under_way):
    """Calls that were cut are named by the next run."""
    server.script = lambda document, _nth, _body: Scripted(text=good(document).text, delay_s=6)
    taken = server.sent
    under_way.send_signal(signal.SIGINT)
    assert any("stopping" in line for line in under_way.stderr)  # two at once would be one
    under_way.send_signal(signal.SIGINT)
    under_way.communicate(timeout=5)  # less than those calls would take
    assert under_way.returncode == 130
    assert server.sent <= taken + 6
    server.script = lambda document, _nth, _body: good(document)
    run.run()
    whole(run, server)


def test_a_row_that_kills_every_worker_ends_the_run_and_is_named(job, server):
    """A validator that takes the process down: what it had just been answered is booked as lost, each time."""
    schema = job.folder / "thing.py"
    deadly = "    @model_validator(mode='after')\n    def deadly(self):\n        import os\n        "
    deadly += "if self.name == 'document 7': os._exit(9)\n        return self\n"
    schema.write_text(schema.read_text() + "\n" + deadly)
    server.script = lambda document, _nth, _body: good(document)
    job.write(server.url, rows=ROWS, limits={"concurrency": 6, "workers": 2})
    found = job.process("run", job.file, code=130)
    assert "row r7: 2 workers have died while they had it" in found.err, "and one before them, which told of no rows"
    ends = [one.get("ended") for one in job.manifest()["workers"]]
    assert ends == ["lost"] * 3 + [None], "the last one is not told of twice"
    assert (
        server.paid["document 7"] <= [call["row"] for call in job.calls() if call["error_code"] == "lost"].count(7) + 1
    )
    rows = job.reconcile()["rows"]
    assert rows["ok"] > 0
    assert rows["pending"] == COUNT - rows["ok"]


def test_workers_that_die_of_no_row_are_told_by_number(job, server):
    """What kills them is said somewhere else."""
    schema = job.folder / "thing.py"
    deadly = "import os, sys\nif sys.argv[0].endswith('workers/__main__.py'): os._exit(9)\n"
    schema.write_text(deadly + schema.read_text())
    job.write(server.url, rows=ROWS, limits={"concurrency": 6, "workers": 2})
    told = job.process("run", job.file, code=130).err
    assert "died 3 times; what kills it may be said above, or in a system log" in told
    assert server.sent == 0
    assert job.reconcile()["rows"] == {"total": COUNT, "ok": 0, "failed": 0, "pending": COUNT}, "none is left out"


def test_the_number_has_to_make_sense(run):
    """As other numbers do."""
    found = run.run("--set", "limits.workers=0", code=2)
    assert "limits.workers = 0 should be more than 0" in found.err
