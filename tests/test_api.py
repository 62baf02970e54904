"""From Python: what the command line does, as values, and nothing of the host process is changed for it."""

import ast
import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from places import REPO
from scripted_server import Scripted

import pipeline
from pipeline import console

UNTOUCHED = """
import atexit, gc, signal, sys

hooks, register = [], atexit.register
atexit.register = lambda hook, *args: (hooks.append(hook.__module__), register(hook, *args))[0] or hook

def host():
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    finders = [one for one in sys.meta_path if "six" not in repr(one)]  # pandas brings it
    return handlers, finders, gc.get_threshold(), gc.get_freeze_count()

before = host()
import pipeline
result = pipeline.run(job := pipeline.Job.load(sys.argv[1]))
list(result), pipeline.results(result.output), pipeline.check(job), pipeline.estimate(job)
assert host() == before, (before, host())
assert not [name for name in hooks if name.startswith("pipeline")], hooks
print(result.state)
"""


@pytest.fixture
def paid(job, server, monkeypatch):
    """A job of three rows, one of which fails, as a program loads it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-api")
    server.script = lambda document, nth, body: Scripted(text="no JSON") if document == "bad" and nth < 3 else None
    rows = [{"id": "a", "text": "one"}, {"id": "b", "text": "bad"}, {"id": "c"}]
    return job.write(server.url, rows=rows)


def loaded(job, **settings):
    return pipeline.Job.load(job.file, set=settings)


def test_a_job_is_checked_estimated_run_and_read(paid, server, capfd):
    """Records come as instances of the schema, money as Decimal; and nothing is printed."""
    job = loaded(paid, **{"limits.concurrency": 2})
    assert job.limits.concurrency == 2
    assert {finding.level for finding in pipeline.check(job)} <= {"ok", "warning"}
    estimate = pipeline.estimate(job)
    assert estimate.low_usd <= estimate.expected_usd <= estimate.high_usd
    assert (estimate.rows, estimate.requests, server.sent) == (3, 2, 0)
    result = pipeline.run(job)
    assert (result.state, result.exit_code, result.output) == ("finished", 1, paid.out)
    assert (result.rows.total, result.rows.ok, result.rows.failed, result.rows.pending) == (3, 1, 2, 0)
    assert result.cost_usd == Decimal(paid.manifest()["cost_usd"]) > 0
    first, bad, empty = result
    assert (first.id, first.status, first.record.total, first.error) == ("a", "ok", Decimal("1.50"), None)
    assert type(first.record).__name__ == "Thing"
    assert (bad.record, bad.error_code, empty.error_code) == (None, "invalid_output", "bad_row")
    assert "JSON" in bad.error
    assert [result.table().num_rows, result.frame().height, len(result.to_pandas())] == [3, 3, 3]
    assert capfd.readouterr() == ("", "")


def test_a_retry_runs_what_failed_and_nothing_else(paid, server):
    """All that failed, or one code; where there is nothing to retry the result is that of the last run."""
    job = loaded(paid)
    pipeline.run(job)
    sent = server.sent
    assert [row.status for row in pipeline.retry(job, where={"error_code": "timeout"})] == ["ok", "failed", "failed"]
    assert server.sent == sent
    assert [row.status for row in pipeline.retry(job)] == ["ok", "ok", "failed"]
    assert server.sent == sent + 1
    with pytest.raises(pipeline.JobError, match="give error_code, one of bad_row"):
        pipeline.retry(job, where={"code": "timeout"})


def test_a_run_that_parks_is_a_result(paid, server):
    """With its state, its reason and the exit code of the command line; the same run goes on."""
    result = pipeline.run(loaded(paid, **{"budget.max_usd": 0}))
    assert (result.state, result.reason, result.exit_code, server.sent) == ("parked", "budget", 3, 0)
    assert "budget.max_usd" in result.message
    assert [row.status for row in result] == ["pending", "pending", "failed"]
    assert pipeline.results(paid.out).exit_code == 3
    assert pipeline.run(loaded(paid)).rows.ok == 1


def test_it_works_inside_an_event_loop(paid):
    """A notebook has one that is running."""

    async def cell():
        return pipeline.run(loaded(paid))

    assert asyncio.run(cell()).state == "finished"


def test_what_is_wrong_is_an_exception_that_says_so(paid, tmp_path):
    """As on the command line."""
    with pytest.raises(pipeline.JobError, match="no such job file"):
        pipeline.Job.load(tmp_path / "nothing.toml")
    with pytest.raises(pipeline.JobError, match=r"limits\.concurency|concurrency"):
        loaded(paid, **{"limits.concurency": 2})
    with pytest.raises(pipeline.JobError, match="no results here"):
        pipeline.results(tmp_path)


@pytest.mark.parametrize("progress", [False, True])
def test_a_warning_is_heard_when_progress_is_asked_for(paid, server, capfd, progress):
    """On standard error, and only for this run."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.0 if document == "one" else 0.8)  # time to be told
    pipeline.run(loaded(paid, **{"budget.alert_at": 0.000001, "budget.max_usd": 1}), progress=progress)
    assert (capfd.readouterr().err != "", console.in_json()) == (progress, False)
    console.say("warning", "after the run")
    assert capfd.readouterr() == ("", "")


def test_nothing_of_the_host_process_is_changed(paid):
    """No signal handler, no finder, no garbage collector, no hook at its end."""
    words = [sys.executable, "-c", UNTOUCHED, str(paid.file)]
    done = subprocess.run(words, env=paid.env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr.strip().splitlines()[-1:]) == ("finished\n", [])


def test_a_process_of_its_own_is_set_up_where_that_is_asked_for(paid):
    """Garbage is looked for as the command line has it."""
    run = "pipeline.run(pipeline.Job.load(sys.argv[1]), own_process=True)"
    code = f"import gc, sys, pipeline; {run}; print(gc.get_threshold())"
    words = [sys.executable, "-c", code, str(paid.file)]
    done = subprocess.run(words, env=paid.env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "(20000, 20, 20)\n"


def test_names_and_types_agree():
    """What `import pipeline` offers is what its stub tells type checkers."""
    stub = ast.parse((REPO / "pipeline/__init__.pyi").read_text())
    told = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == {*pipeline.__all__}
    assert all(getattr(pipeline, name) for name in pipeline.__all__)
    assert {*pipeline.__all__} <= {*dir(pipeline)}
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        pipeline.runn  # noqa: B018


def test_nothing_is_loaded_before_it_is_asked_for():
    """`import pipeline` costs a millisecond."""
    code = "import sys, pipeline; print([name for name in sys.modules if name.startswith('pipeline.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=True)
    assert done.stdout == "[]\n"
