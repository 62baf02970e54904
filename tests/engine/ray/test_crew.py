"""A worker that dies leaves nothing on the ledger: what it had named is booked, and no more is named for it."""

import asyncio
import json
from contextlib import closing

import pytest
from ray_here import LinkHere
from scripted_server import Scripted

from pipeline.commands.verify import verify
from pipeline.engine.executors import ray as executor
from pipeline.engine.ray import crew
from pipeline.engine.ray.places import SeatDraining
from pipeline.extraction import engines
from pipeline.job.folder import LEDGER
from pipeline.ledger.files import connect
from pipeline.ledger.ledger import Ledger

ROWS = [{"id": f"r{number}", "text": f"bill {number}"} for number in range(30)]


@pytest.fixture
def run(job, server, monkeypatch):
    """A job on two workers."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    server.script = lambda *_: Scripted(text=json.dumps({"name": "Blue Mill", "total": "1"}))
    limits = {"concurrency": 3, "timeout_s": 1.0}
    return job.write(server.url, rows=ROWS, engine={"on": "ray", "workers": 2}, limits=limits)


@pytest.fixture
def losing(run, monkeypatch):
    """Its first worker dies at the fifth answer, and is booked late."""
    record, lose, answered, more = Ledger.record, Ledger.lose, [], []

    def recorded(ledger, call, *rest):
        answered.append(call)
        if len(answered) == 5:
            asyncio.get_running_loop().call_soon(LinkHere.last.lose, 1)
        if len(answered) == 10:
            more[0].set()
        return record(ledger, call, *rest)

    async def lost_late(ledger, prefix):
        more.append(asyncio.Event())
        found = await lose(ledger, prefix)
        await more[0].wait()  # others go on meanwhile, and their slots come free
        return found

    monkeypatch.setattr(Ledger, "record", recorded)
    monkeypatch.setattr(Ledger, "lose", lost_late)
    return run


def test_nothing_is_named_for_a_worker_once_it_is_gone(losing, server):
    losing.run()
    assert losing.reconcile()["rows"]["ok"] == len(ROWS)
    with closing(connect(losing.out / LEDGER)) as db:
        assert db.execute("SELECT COUNT(*) FROM sends").fetchone() == (0,)
    assert [check.problem for check in verify(losing.out) if check.problem] == []


def test_a_budget_is_one_for_all(run, server):
    """It parks the run below its cap; what is left is done when there is more, and nothing is paid for twice."""
    run.run("--max-usd", "0.0006", code=3)
    manifest = run.manifest()
    assert float(manifest["cost_usd"]) <= 0.0006
    assert 0 < manifest["rows"]["ok"] < len(ROWS)
    run.run()
    assert (run.reconcile()["rows"]["ok"], server.sent) == (len(ROWS), len(ROWS))
    assert [check.problem for check in verify(run.out) if check.problem] == []


def test_a_worker_that_is_taken_away_ends_what_it_has_and_is_given_no_more(run, server, monkeypatch):
    """Another takes its place; nothing is lost, and run.json says how it ended."""
    monkeypatch.setattr(executor, "SPARE", 0)  # it has few rows, and ends long before the run
    answers = iter(range(1000))

    def script(*_):
        if next(answers) == 5:
            link = LinkHere.last
            link.loop.call_soon_threadsafe(link.say, SeatDraining(1, 25.0))
        return Scripted(text=json.dumps({"name": "Blue Mill", "total": "1"}), delay_s=0.01)

    server.script = script
    assert "worker 1 on here: its node goes away in 25 s; it is replaced" in run.run().err
    ends = {one["worker"]: one.get("ended") for one in run.manifest()["workers"]}
    assert ends == {1: "drained", 2: None, 3: None}
    assert (run.reconcile()["rows"]["ok"], server.sent) == (len(ROWS), len(ROWS))
