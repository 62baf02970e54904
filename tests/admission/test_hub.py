"""Runs of one account at one hub, in virtual time: as fast as one run, fair, and everything given back."""

import asyncio
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
import virtual_time
from places import REPO

from pipeline.admission.charges import Need, Used
from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.hub import Hub, OwnSeat
from pipeline.admission.queue import Admission
from pipeline.admission.report import NEVER_SENT, CallEnd, Report
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.types import Dimension

sys.path.append(str(REPO / "benchmarks" / "admission"))

from ours import Ours, rules_for
from provider import Limit, Rules
from scenarios import Scenario
from simulate import ours, simulate

OK = Report(Used(1, 1, Decimal(0)), CallEnd.ANSWERED)


class Given:
    """The needs of tests: what is asked for is the need."""

    def of(self, request):
        return request

    def observe(self, *_):
        """Nothing is learned."""


def runs_at_one_hub(*governors):
    clock = asyncio.get_running_loop().time
    hub = Hub(governors[0].limits, clock)
    hub.limits.concurrency = sum(one.concurrency for one in governors)
    found = []
    for governor in governors:
        governor.limits = hub.limits
        admission = Admission(governor, Given(), clock)
        admission.share(OwnSeat(hub, admission))
        found.append(admission)
    return hub, found


def need(usd=0, tokens=1):
    return Need(tokens, 1, Decimal(usd))


# ── whole runs against a provider ───────────────────────────────────────────────────────────────────────────────────


def at_one_hub(ends):
    """A client for the simulator: `scenario.clients` runs, each with its own part of the rows."""

    async def client(scenario, provider, rows, seed):
        made = [
            Ours(provider, rules_for(scenario), iter(rows[number :: scenario.clients]), seed + number)
            for number in range(scenario.clients)
        ]
        hub = Hub(made[0].governor.limits, provider.loop.time)
        hub.limits.concurrency = sum(one.governor.concurrency for one in made)
        for one in made:
            one.governor.limits = hub.limits
            one.admission.share(OwnSeat(hub, one.admission))

        async def to_its_end(one):
            await one.run()
            ends.append(provider.now_s)

        await asyncio.gather(*map(to_its_end, made))
        assert hub.limits.in_flight == 0

    return client


@pytest.mark.parametrize("told", [True, False])
def test_two_runs_under_a_limit_that_neither_knows_are_as_one(told):
    """3,000 requests a minute: 6 % slower at the most, no more 429s, and neither is through long before the other."""
    rules = Rules((Limit(Dimension.REQUESTS, 3000, span_s=10.0, told=told),), hint="whole")
    profile = "openai" if told else "bedrock"
    scenario = Scenario("X", "", rules, 2000, known=told, failing=0.0, profile=profile)
    ends = []
    one, two = simulate(scenario, ours, 1), simulate(replace(scenario, clients=2), at_one_hub(ends), 1)
    assert two.makespan_s <= 1.06 * one.makespan_s
    assert two.throttled <= (0 if told else 1.1 * one.throttled + 5)
    assert max(ends) - min(ends) <= 0.25 * two.makespan_s


# ── one by one ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_without_money_holds_up_nobody_else():
    """Its own budget is asked first: what it cannot afford is never in the common line."""

    async def main():
        poor, rich = Governor(LimitRules(concurrency=4, max_usd=Decimal(1))), Governor(LimitRules(concurrency=4))
        hub, (first, second) = runs_at_one_hub(poor, rich)
        held = await first.admit(need(usd=1))
        waits = asyncio.create_task(first.admit(need(usd=1)))
        await asyncio.sleep(0)
        for _ in range(20):
            second.finish(await second.admit(need()), OK)
        assert not waits.done()
        first.finish(held, OK)
        first.finish(await waits, OK)
        assert hub.limits.in_flight == poor.in_flight == rich.in_flight == 0

    virtual_time.run(main())


def test_each_runs_own_concurrency_bounds_that_run():
    async def main():
        small, large = Governor(LimitRules(concurrency=2)), Governor(LimitRules(concurrency=5))
        _, (first, second) = runs_at_one_hub(small, large)
        waiting = [asyncio.create_task(one.admit(need())) for one in (first, second) for _ in range(10)]
        await asyncio.sleep(1)
        assert (first.in_flight, second.in_flight) == (2, 5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    virtual_time.run(main())


def test_a_run_whose_slots_are_all_waiting_there_says_what_for():
    """Slots that are taken by calls that wait for the account's limit are not what is short."""

    async def main():
        governor = Governor(LimitRules(concurrency=2, requests_per_minute=60, count_gamma=1.0))
        _, (admission,) = runs_at_one_hub(governor)
        waiting = [asyncio.create_task(admission.admit(need())) for _ in range(8)]
        for _ in range(8):
            await asyncio.sleep(0.5)
            for task in waiting:
                if task.done() and not task.cancelled():
                    admission.finish(task.result(), OK)
            waiting = [task for task in waiting if not task.done()]
        assert waiting
        assert admission.why_waiting == "requests"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    virtual_time.run(main())


def test_a_run_that_stops_leaves_the_line_and_the_others_go_on():
    """Those who wait are told; nothing of it stays reserved anywhere."""

    async def main():
        rules = LimitRules(concurrency=8, requests_per_minute=60, count_gamma=1.0)
        one, two = Governor(rules), Governor(rules)
        hub, (first, second) = runs_at_one_hub(one, two)
        waiting = [asyncio.create_task(run.admit(need())) for run in (first, second) for _ in range(8)]
        await asyncio.sleep(2.0)
        first.stop(ParkReason.INTERRUPTED, "enough")
        found = await asyncio.gather(*waiting, return_exceptions=True)
        stopped = [error for error in found[:8] if isinstance(error, Stopped)]
        assert stopped
        assert not [error for error in found[8:] if isinstance(error, Exception)]
        for run, tickets in ((first, found[:8]), (second, found[8:])):
            for ticket in tickets:
                if not isinstance(ticket, Exception):
                    run.finish(ticket, NEVER_SENT)
        assert (hub.limits.in_flight, one.in_flight, two.in_flight) == (0, 0, 0)
        assert one.money.run.reserved_usd == 0

    virtual_time.run(main())


def test_back_to_ones_own_limits_nobody_loses_their_place():
    """What was asked for is asked for again, in the order that it had, retries first."""

    async def main():
        governor = Governor(LimitRules(concurrency=8, requests_per_minute=60, count_gamma=1.0))
        _, (admission,) = runs_at_one_hub(governor)
        order = []
        await admission.admit(need())

        async def one(name, *, retry):
            await admission.admit(need(), retry=retry)
            order.append(name)

        tasks = [asyncio.create_task(one(name, retry=name == "retry")) for name in ("a", "b", "retry", "c")]
        await asyncio.sleep(0)
        admission.share(None)
        assert admission.waiting == 4
        await asyncio.gather(*tasks)
        assert order == ["retry", "a", "b", "c"]
        assert governor.in_flight == governor.limits.in_flight == 5

    virtual_time.run(main())


def test_what_a_run_waits_for_is_told_as_if_it_were_alone():
    async def main():
        rules = LimitRules(concurrency=8, requests_per_minute=60, count_gamma=1.0)
        _, (first, second) = runs_at_one_hub(Governor(rules), Governor(rules))
        waiting = [asyncio.create_task(run.admit(need())) for run in (first, second) for _ in range(4)]
        await asyncio.gather(*waiting)
        assert list(second.snapshot().waited_s) == ["requests"]

    virtual_time.run(main())
