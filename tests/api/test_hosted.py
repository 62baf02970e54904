"""A run in somebody's process: told of by a function, stopped from outside, and in nobody's way."""

import asyncio
import os
import signal
import threading

import pytest
from scripted_server import Scripted

import pipeline
from pipeline.engine.signals import Interrupt


@pytest.fixture
def paid(job, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hosted")
    job.write(server.url, rows=[{"id": str(n), "text": f"t{n}"} for n in range(6)], limits={"concurrency": 2})
    return pipeline.Job.load(job.file)


@pytest.fixture
def held(server):
    """Answers wait until `go_on`; `begun` says that one is in flight."""
    begun, go_on = threading.Event(), threading.Event()

    def script(document, nth, body):
        begun.set()
        assert go_on.wait(30)

    server.script = script
    server.begun, server.go_on = begun, go_on
    yield server
    go_on.set()


@pytest.fixture
def interrupted(monkeypatch):
    """Says that the run has been told to end."""
    heard, interrupt = threading.Event(), Interrupt.__call__

    def told(self):
        interrupt(self)
        heard.set()

    monkeypatch.setattr(Interrupt, "__call__", told)
    return heard


def test_a_run_leaves_the_event_loop_to_others(paid, held):
    """While answers are waited for, other tasks go on."""

    async def main():
        run = asyncio.create_task(pipeline.run_async(paid))
        await asyncio.to_thread(held.begun.wait, 30)
        assert not run.done()
        held.go_on.set()
        return await run

    assert asyncio.run(main()).state == "finished"


def test_a_cancellation_drains_as_a_signal_does(paid, held):
    """What is in flight comes in and is kept, nothing more is sent, and the same call goes on."""

    async def main():
        run = asyncio.create_task(pipeline.run_async(paid))
        await asyncio.to_thread(held.begun.wait, 30)
        run.cancel()
        await asyncio.sleep(0)  # it is heard
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    left = pipeline.results(paid.output.path)
    assert (left.state, left.exit_code) == ("interrupted", 130)
    assert 1 <= left.rows.ok == held.sent < 6
    assert pipeline.run(paid).rows.ok == 6
    assert held.sent == 6


def test_ctrl_c_in_a_program_drains_too(paid, held, interrupted):
    """And is raised when the answers are kept: nobody's signal handler is replaced for it."""
    before = signal.getsignal(signal.SIGINT)

    def press():
        assert held.begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted.wait(30)
        held.go_on.set()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(paid)
    presser.join()
    assert signal.getsignal(signal.SIGINT) is before
    left = pipeline.results(paid.output.path)
    assert left.rows.ok + left.rows.pending == 6
    assert left.rows.ok == held.sent


def test_what_an_orchestrator_raises_to_stop_a_task_drains_too(paid, held, interrupted):
    """Dagster, Prefect and Airflow have a signal raise an exception of their own, which is no Exception."""

    class TaskStopped(BaseException):
        pass

    def stop(*_):
        raise TaskStopped

    def press():
        assert held.begun.wait(30)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupted.wait(30)
        held.go_on.set()

    before = signal.signal(signal.SIGTERM, stop)
    presser = threading.Thread(target=press)
    presser.start()
    try:
        with pytest.raises(TaskStopped):
            pipeline.run(paid)
    finally:
        presser.join()
        signal.signal(signal.SIGTERM, before)
    left = pipeline.results(paid.output.path)
    assert left.state == "interrupted"
    assert left.rows.ok == held.sent < 6


def test_progress_is_told_to_a_function(paid, server):
    """At the end once more, with everything done."""
    told = []
    result = pipeline.run(paid, progress=told.append)
    last = told[-1]
    assert (last.done, last.total, last.ok, last.failed, last.in_flight) == (6, 6, 6, 0, 0)
    assert last.cost_usd == result.cost_usd


def test_what_progress_raises_ends_the_run_and_comes_out(paid, server):
    """With what was answered kept."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.3)

    def tell(progress):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        pipeline.run(paid, progress=tell)
    left = pipeline.results(paid.output.path)
    assert (left.rows.ok, left.rows.total) == (server.sent, 6)


def test_signals_are_refused_where_there_are_none(paid):
    """In an event loop that is the program's."""

    async def main():
        pipeline.run(paid, signals=True)

    with pytest.raises(pipeline.JobError, match="use run_async"):
        asyncio.run(main())
