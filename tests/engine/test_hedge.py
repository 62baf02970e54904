"""Long tails: timeouts of every kind, and a second call for one that is stuck at the end of a run."""

import asyncio
import json
import socket
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Scripted
from virtual_time import run as in_virtual_time

from pipeline.engine.hedge import ENOUGH, FACTOR, KEPT, LEAST_S, SUPERSEDED, Latencies, first_answer

SECONDS = st.lists(st.floats(0, 1000), min_size=ENOUGH, max_size=60)


@given(SECONDS, st.floats(0, 0.999))
def test_a_call_is_overdue_after_a_quantile_of_what_others_took(seconds, quantile):
    """Times one and a half; never under a second."""
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    expected = sorted(seconds)[int(quantile * len(seconds))]
    assert latencies.hedge_s(quantile) == max(LEAST_S, FACTOR * expected)


def test_nothing_is_overdue_before_there_is_something_to_go_by_and_old_latencies_are_forgotten():
    """The first twenty answers; the last thousand."""
    latencies = Latencies()
    for _ in range(ENOUGH - 1):
        latencies.add(100.0)
    assert latencies.hedge_s(0.9) is None
    for _ in range(KEPT):
        latencies.add(2.0)
    assert latencies.hedge_s(0.99) == 3.0


class Calls:
    """Each ends after its seconds with its result, or raises it."""

    def __init__(self, *plans):
        self._plans = list(plans)
        self.called_off = []

    async def __call__(self):
        seconds, result = self._plans.pop(0)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError as cancelled:
            self.called_off.append(cancelled.args)
            raise
        if isinstance(result, Exception):
            raise result
        return result


FIRST, SECOND = RuntimeError("first"), RuntimeError("second")


@pytest.mark.parametrize(
    ("plans", "overdue", "ends", "called_off"),
    [
        ([(1, "a")], False, "a", 0),
        ([(1, FIRST)], False, FIRST, 0),
        ([(100, "a"), (1, "b")], True, "b", 1),
        ([(3, "a"), (100, "b")], True, "a", 1),
        ([(3, FIRST), (5, "b")], True, "b", 0),
        ([(100, "a"), (1, SECOND)], True, "a", 0),
        ([(3, FIRST), (5, SECOND)], True, FIRST, 0),
    ],
)
def test_the_first_answer_counts(plans, overdue, ends, called_off):
    """A failure only when there is no answer from either; the loser hears why it is called off."""
    calls = Calls(*plans)

    async def scenario():
        try:
            return await first_answer(calls, lambda: overdue)
        except RuntimeError as error:
            return error

    assert in_virtual_time(scenario()) is ends
    assert calls.called_off == [(SUPERSEDED,)] * called_off


def test_who_is_cancelled_from_outside_was_overtaken_by_nobody():
    """The second Ctrl-C: both calls hear that they are cancelled, and neither that another has answered."""
    calls = Calls((100, "a"), (100, "b"))

    async def scenario():
        waiting = asyncio.create_task(first_answer(calls, lambda: True))
        await asyncio.sleep(10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    in_virtual_time(scenario())
    assert calls.called_off == [(), ()]


# ── a run ───────────────────────────────────────────────────────────────────────────────────────────────────────────

ANSWER = json.dumps({"name": "x", "total": "1"})


def stuck(job, server, **limits):
    """Forty rows; the first call of the last one is not answered for a minute."""
    server.script = lambda document, nth, body: Scripted(
        delay_s=60.0 if document == "document 39" and nth == 1 else 0.01, text=ANSWER
    )
    lines = [{"id": f"r{n}", "text": f"document {n}"} for n in range(40)]
    return job.write(server.url, rows=lines, limits={"concurrency": 8, **limits})


def test_a_stuck_call_does_not_hold_the_end_of_a_run(job, server):
    """It is sent once more; the call that was given up is on the books with what it may have cost at the most."""
    stuck(job, server, hedge_after=0.9).run()
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == 40
    assert manifest["seconds"] < 30
    assert manifest["calls"] == 41
    (hedged,) = [call for call in job.calls() if call["error_code"] == "hedged"]
    assert (hedged["id"], hedged["attempt"], hedged["http_status"], hedged["cost_usd"]) == ("r39", 1, None, None)
    shown = json.loads(job.pipeline("show", job.file, "r39", "--json", code=0).out)
    assert [call["attempt"] for call in shown["rows"][0]["calls"]] == [2, 1]
    assert float(shown["rows"][0]["calls"][1]["at_risk_usd"]) > 0
    job.pipeline("verify", job.out, code=0)


def test_nothing_is_hedged_unless_the_job_asks_for_it(job, server):
    """A stuck call runs into its timeout, and is then tried again."""
    stuck(job, server, timeout_s=2).run()
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == 40
    assert [call["error_code"] for call in job.calls() if call["id"] == "r39"] == ["timeout", None]


def test_a_host_that_does_not_take_the_connection_is_a_timeout(job):
    """A full backlog on loopback: no connection comes about, nothing was sent, nothing is at risk."""
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            limits = {"timeout_s": 0.5, "max_attempts": 1}
            job.write(f"http://127.0.0.1:{port}/v1", rows=[{"id": "a", "text": "x"}], limits=limits).run(code=1)
    job.reconcile()
    assert job.results()[0]["error_code"] == "timeout"
