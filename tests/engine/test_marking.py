"""The watermark raised while a run goes on: calls wait for it, the loop does not; a store that fails parks."""

import asyncio
import threading
from decimal import Decimal
from types import SimpleNamespace

import pytest
from s3_server import AWS, emptied

from pipeline.admission.charges import Need, Used
from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.queue import Admission
from pipeline.admission.report import CallEnd, Report
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.engine.marking import RemoteSpending
from pipeline.output.remote.objects import Lost, Objects, StoreFailed
from pipeline.output.remote.watermark import Watermark

CALL_USD = Decimal(1)
UNLIMITED = 10**9


class Remote:
    """What is on record elsewhere; `hold` keeps a writing from being done, `failing` makes it fail."""

    patience_s = 0.0

    def __init__(self, marked=0, whole=False):
        self.marks, self._marked, self._whole = [], Decimal(marked), whole
        self.hold, self.failing, self.settled = threading.Event(), None, None
        self.hold.set()

    def marked_usd(self, _run):
        return self._marked

    def whole(self, _run):
        return self._whole

    def mark(self, _run, upto_usd):
        self.hold.wait(10)
        if self.failing is not None:
            raise self.failing
        self.marks.append(upto_usd)

    def settle(self, _run, usd):
        self.settled = usd


def run(script, remote, cap=100, spent=0, **begin):
    """`script(admission, spending)` with a governor that knows no limit but money and 50 slots."""

    async def main():
        rules = LimitRules(concurrency=50, requests_per_minute=UNLIMITED, max_usd=cap, spent_usd=Decimal(spent))
        governor = Governor(rules)
        needs = SimpleNamespace(of=lambda _request: Need(1, 1, CALL_USD), observe=None, served_at=None)
        admission = Admission(governor, needs, asyncio.get_running_loop().time)
        spending = RemoteSpending(remote, "run", governor.money.run, admission)
        spending.begin(**{"fresh": False, "with_loss": False, **begin})
        async with asyncio.timeout(20):
            return await script(admission, spending, governor.money.run)

    return asyncio.run(main())


def test_no_call_leaves_before_the_mark_covers_it_and_the_loop_goes_on_meanwhile():
    remote = Remote()

    async def script(admission, _spending, account):
        remote.hold.clear()
        asked = [asyncio.create_task(admission.admit(None)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in asked)
        assert admission.why_waiting == "watermark"
        remote.hold.set()
        await asyncio.gather(*asked)
        assert account.committed_usd == 5 <= account.marked_usd == remote.marks[-1]

    run(script, remote)
    assert len(remote.marks) <= 2, "the first raise has room for all who wait"


def test_it_is_raised_ahead_so_that_calls_one_after_another_do_not_wait():
    """By half a step: only the very first call waits."""
    remote = Remote()

    async def script(admission, spending, account):
        waited = 0
        for _ in range(100):
            turn = admission.enqueue(None)
            waited += not turn.done()
            ticket = await turn
            admission.finish(ticket, Report(Used(1, 1, ticket.need.usd), CallEnd.ANSWERED))  # all that it may
            if spending._raising is not None:
                await spending._raising
        return waited

    assert run(script, remote, cap=10_000) <= 1
    assert remote.marks[-1] <= 10_000


def test_a_store_that_does_not_answer_parks_the_run_with_why():
    remote = Remote()
    remote.failing = StoreFailed("s3://out/night/spending.json: no route to host")

    async def script(admission, spending, _account):
        with pytest.raises(Stopped, match="no route to host"):
            await admission.admit(None)
        assert admission.stopped is ParkReason.INTERRUPTED
        assert "budget.max_usd would not hold" in admission.stop_message
        await spending.settle(Decimal(0))

    run(script, remote)


def test_who_has_lost_the_output_stops_at_once():
    remote = Remote()
    remote.failing = Lost("spending.json")

    async def script(admission, _spending, _account):
        with pytest.raises(Stopped, match="taken over by another run"):
            await admission.admit(None)

    run(script, remote)


@pytest.mark.parametrize(
    ("remote", "begin", "assumed"),
    [
        (Remote(marked=7), {}, 4),
        (Remote(marked=7, whole=True), {}, 0),
        (Remote(marked=7, whole=True), {"with_loss": True}, 4),
        (Remote(marked=7), {"fresh": True}, 0),
        (Remote(marked=2), {}, 0),
        (Remote(), {}, 0),
    ],
    ids=["lost", "all here", "all here but its end", "fresh", "known", "first"],
)
def test_what_is_assumed_is_what_the_mark_has_beyond_the_ledger_and_it_stays_so(remote, begin, assumed):
    """At the end it is in the mark that is left behind."""

    async def script(_admission, spending, _account):
        assert spending.assumed_usd == assumed
        await spending.settle(Decimal(3))

    run(script, remote, spent=3, **begin)
    assert remote.settled == 3 + assumed


def test_a_session_that_has_begun_keeps_all_before_it_from_raising(s3, monkeypatch):
    """In a real bucket: whoever slept through the loss of its lease cannot be let spend more."""
    emptied(s3, "out")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    objects = Objects("s3://out/night", {**AWS, "AWS_ENDPOINT_URL": s3})
    first, second = Watermark(objects), Watermark(objects)
    first.begin(1)
    first.set("run", 50)
    second.begin(2)
    with pytest.raises(Lost):
        first.set("run", 60)
    assert (second.of("run").term, second.of("run").upto_units) == (1, 50)
    second.set("run", 70)
    third = Watermark(objects)
    third.begin(3)
    assert (third.of("run").term, third.of("run").upto_usd) == (2, "0.0000000070")


def test_a_mark_that_cannot_be_read_is_not_passed_over(s3, monkeypatch):
    emptied(s3, "out")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    objects = Objects("s3://out/night", {**AWS, "AWS_ENDPOINT_URL": s3})
    objects.write("spending.json", b"{")
    with pytest.raises(StoreFailed, match="is damaged"):
        Watermark(objects).begin(1)
