"""Waiting for one's turn, and whole runs against a simulated provider, in virtual time."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
import virtual_time
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.first_calls import WRITES_CACHE, FirstCalls
from pipeline.admission.gate import NeverFits, TenantOverBudget
from pipeline.admission.governor import Governor, LimitRules, Need, Ticket, Used
from pipeline.admission.queue import Admission
from pipeline.admission.report import FATE_UNKNOWN, CallEnd, Report
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.types import Dimension, LimitSeen


class Watched(Governor):
    """A governor that counts, and checks at every admission what must always hold."""

    def __init__(self, rules):
        super().__init__(rules)
        self.readings = 0
        self.opens_s = self.gate_until_s
        self.taken = []
        self.settled = Counter()

    def offer(self, need, now_s):
        self.readings += 1
        ticket = super().offer(need, now_s)
        if isinstance(ticket, Ticket):
            assert self.in_flight <= self.concurrency
            assert now_s >= self.opens_s
            self.taken.append(ticket)
        self.opens_s = self.gate_until_s
        return ticket

    def finish(self, ticket, report, now_s):
        super().finish(ticket, report, now_s)
        self.opens_s = self.gate_until_s
        self.settled[id(ticket)] += 1

    def check_at_rest(self):
        """Every ticket was settled exactly once and nothing is held any more."""
        assert len(self.settled) == len(self.taken)
        assert set(self.settled.values()) <= {1}
        assert (self.in_flight, self.money.run.reserved_usd, self.limits._probes) == (0, 0, 0)
        assert all(abs(dimension._open) < 1e-6 for dimension in self.limits._dimensions._dimensions.values())


def make(outage_s=600.0, concurrency=4, **rules):
    """To be called inside the loop."""
    gov = Watched(LimitRules(concurrency=concurrency, **rules))
    return gov, Admission(gov, Called(), asyncio.get_running_loop().time, outage_s)


def need(inputs=1, usd=0):
    return lambda: Need(inputs, 1, Decimal(usd))


SPENT = Used(1, 1, Decimal(0))
ENDS = {"ok": CallEnd.ANSWERED, "throttled": CallEnd.THROTTLED, "down": CallEnd.OVERLOADED}


class Called:
    """The needs of tests: whoever waits is asked when its turn has come."""

    def of(self, need):
        return need()

    def least_usd(self, need):
        return need().usd


async def call(admission, done, name, *, seconds=1.0, retry=False, **how):
    ticket = await admission.admit(need(**how), retry=retry)
    done.append(name)
    try:
        await asyncio.sleep(seconds)
    finally:
        admission.finish(ticket, Report(SPENT))


# ── the clock of these tests ────────────────────────────────────────────────────────────────────────────────────────


def test_a_day_passes_in_no_time_and_a_deadlock_is_an_error():
    """What the tests below stand on."""

    async def day():
        begun_s = asyncio.get_running_loop().time()
        for _ in range(24 * 60):
            await asyncio.sleep(60)
        return asyncio.get_running_loop().time() - begun_s

    assert virtual_time.run(day()) == pytest.approx(86_400)

    async def for_ever():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_time.Deadlock):
        virtual_time.run(for_ever())


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_first_come_first_served_and_retries_before_new():
    """Also among retries."""

    async def main():
        gov, admission = make(concurrency=1)
        done = []
        names = ["first", "new1", "new2", "retry1", "new3", "retry2"]
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(call(admission, done, name, retry=name.startswith("retry")))
                await asyncio.sleep(0.01)
        assert done == ["first", "retry1", "retry2", "new1", "new2", "new3"]
        gov.check_at_rest()

    virtual_time.run(main())


def test_a_big_request_is_not_starved_by_small_ones():
    """It keeps its place: whoever came after it goes after it."""

    async def main():
        gov, admission = make(concurrency=1000, input_tokens_per_minute=1000)
        done = []
        async with asyncio.TaskGroup() as group:
            for number in range(600):
                group.create_task(call(admission, done, number, inputs=900 if number == 300 else 10))
                await asyncio.sleep(0.05)
        assert done == list(range(600))
        gov.check_at_rest()

    virtual_time.run(main())


def test_waiting_costs_no_polling_and_admission_is_constant_work():
    """An hour at a closed gate with 5,000 in line takes a handful of readings, and then a few for each admission."""

    async def main():
        gov, admission = make(concurrency=50, first_window=50)
        gov.limits.hint(3600, asyncio.get_running_loop().time())
        done = []
        tasks = [asyncio.create_task(call(admission, done, number)) for number in range(5000)]
        await asyncio.sleep(3599)
        assert (gov.readings <= 2, admission.waiting, done) == (True, 5000, [])
        await asyncio.gather(*tasks)
        assert gov.readings < 5 * 5000
        assert admission.snapshot().waited_s["retry_after"] == pytest.approx(3602, abs=1)  # and slots one by one
        gov.check_at_rest()

    virtual_time.run(main())


# ── cancellation ────────────────────────────────────────────────────────────────────────────────────────────────────

LIVES = st.lists(
    st.tuples(
        st.floats(0, 3),  # arrives
        st.one_of(st.none(), st.floats(0, 6)),  # is cancelled
        st.floats(0, 2),  # takes
        st.booleans(),  # is a retry
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=40,
)


@examples(80)
@given(lives=LIVES, concurrency=st.integers(1, 4), stop_s=st.one_of(st.none(), st.floats(0, 6)))
def test_no_slot_leaks_whenever_somebody_is_cancelled(lives, concurrency, stop_s):
    """Every ticket is settled exactly once, the line is empty at the end, and the slots all work."""

    async def live(admission, arrive_s, seconds, retry, inputs):
        await asyncio.sleep(arrive_s)
        await call(admission, [], None, seconds=seconds, retry=retry, inputs=inputs)

    async def main():
        gov, admission = make(concurrency=concurrency, input_tokens_per_minute=600)
        loop, tasks = asyncio.get_running_loop(), []
        for arrive_s, cancel_s, seconds, retry, inputs in lives:
            tasks.append(asyncio.create_task(live(admission, arrive_s, seconds, retry, inputs)))
            if cancel_s is not None:
                loop.call_later(cancel_s, tasks[-1].cancel)
        if stop_s is not None:
            loop.call_later(stop_s, admission.stop, ParkReason.INTERRUPTED, "enough")
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(end is None or isinstance(end, asyncio.CancelledError | Stopped) for end in ended)
        gov.check_at_rest()
        assert admission.waiting == 0

    virtual_time.run(main())


def test_who_is_cancelled_with_a_ticket_in_hand_gives_it_back():
    """Between being handed the ticket and waking up; it never left, so it costs no request either."""

    async def main():
        gov, admission = make(concurrency=1, requests_per_minute=2)
        held = await admission.admit(need())
        waiter = asyncio.create_task(admission.admit(need()))
        await asyncio.sleep(40)
        admission.finish(held, Report(SPENT))
        assert gov.in_flight == 1  # handed over in that very moment
        waiter.cancel()
        with suppress(asyncio.CancelledError):
            await waiter
        gov.check_at_rest()
        assert admission.snapshot().dimensions[0].level == 1

    virtual_time.run(main())


def test_who_leaves_the_head_of_the_line_lets_the_next_go():
    """A big request that gave up no longer holds up a small one."""

    async def main():
        _, admission = make(input_tokens_per_minute=100)
        first = await admission.admit(need(inputs=60))
        big = asyncio.create_task(admission.admit(need(inputs=90)))
        small = asyncio.create_task(admission.admit(need(inputs=1)))
        await asyncio.sleep(50)
        assert not small.done()
        big.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert small.done()
        for ticket in (first, small.result()):
            admission.finish(ticket, Report(SPENT))

    virtual_time.run(main())


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_reaches_all_who_wait_and_lets_calls_in_flight_end():
    """In line and in back-off; nothing more is admitted, and the first cause counts."""

    async def main():
        gov, admission = make(concurrency=2)
        done = []
        out = [asyncio.create_task(call(admission, done, n, seconds=5)) for n in range(2)]
        line = [asyncio.create_task(call(admission, done, n, retry=n % 2 == 0)) for n in range(10, 20)]
        backing_off = asyncio.create_task(admission.pause(1000))
        await asyncio.sleep(1)
        admission.stop(ParkReason.QUOTA, "the account is empty")
        admission.stop(ParkReason.INTERRUPTED, "too late")
        ends = await asyncio.gather(*line, backing_off, return_exceptions=True)
        assert {(type(end), end.reason, str(end)) for end in ends} == {
            (Stopped, ParkReason.QUOTA, "the account is empty")
        }
        with pytest.raises(Stopped):
            await admission.admit(need())
        assert (admission.stopped, admission.in_flight) == (ParkReason.QUOTA, 2)
        await asyncio.gather(*out)
        assert (done, admission.in_flight) == ([0, 1], 0)
        gov.check_at_rest()

    virtual_time.run(main())


def test_a_request_that_never_fits_is_refused_at_its_turn_and_holds_up_nobody():
    """Neither does one whose need cannot be told."""

    def broken():
        raise LookupError("no price")

    async def main():
        gov, admission = make(input_tokens_per_minute=100)
        tasks = [asyncio.create_task(admission.admit(one)) for one in (need(inputs=101), broken, need(inputs=5))]
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end).__name__ for end in ends] == ["NeverFits", "LookupError", "Ticket"]
        assert isinstance(ends[0], NeverFits)
        assert "input_tokens_per_minute = 100" in str(ends[0])
        admission.finish(ends[2], Report(SPENT))
        gov.check_at_rest()

    virtual_time.run(main())


def test_a_spent_budget_waits_for_what_is_in_flight_and_then_parks():
    """Calls that may cost 1 and do cost 0.4: with a cap of 3, as many as are sure to fit, and no more."""

    async def pay(admission):
        ticket = await admission.admit(need(usd=1))
        await asyncio.sleep(1)
        admission.finish(ticket, Report(Used(1, 1, Decimal("0.4"))))

    async def main():
        gov, admission = make(concurrency=10, max_usd=Decimal(3))
        ends = await asyncio.gather(*(pay(admission) for _ in range(20)), return_exceptions=True)
        assert ends.count(None) == 6  # 5 x 0.4 leaves room for one more, 6 x 0.4 does not
        assert {end.reason for end in ends if end} == {ParkReason.BUDGET}
        assert gov.money.run.spent_usd == Decimal("2.4")
        assert gov.money.run.enough_usd == Decimal("3.4"), "what is gone, and the next call"
        gov.check_at_rest()

    virtual_time.run(main())


def test_the_ceilings_can_be_moved_while_all_wait():
    """`tune`: more slots let the next ones go at once."""

    async def main():
        _, admission = make(concurrency=1)
        tasks = [asyncio.create_task(admission.admit(need())) for _ in range(5)]
        await asyncio.sleep(1)
        assert admission.in_flight == 1
        admission.set_concurrency(4)
        await asyncio.sleep(0)
        assert (admission.in_flight, admission.waiting) == (4, 1)
        for task in tasks[:4]:
            admission.finish(task.result(), Report(SPENT))
        await asyncio.sleep(0)
        admission.finish(tasks[4].result(), Report(SPENT))

    virtual_time.run(main())


def spend(tenant, usd):
    return lambda: Need(1, 1, Decimal(usd), tenant=tenant)


def test_a_tenant_that_has_spent_its_day_holds_up_nobody():
    """Its calls are refused by name while they can't fit any more; the others go on in order."""

    async def main():
        gov, admission = make(concurrency=1, tenant_max_usd_per_day=Decimal(2), spent_by_tenant={"a": Decimal("1.5")})
        names = ["a", "b", "a", "b"]
        tasks = [asyncio.create_task(admission.admit(spend(name, 1))) for name in names]
        for _ in range(2):
            await asyncio.sleep(1)
            ticket = next(t.result() for t in tasks if t.done() and not t.exception() and not t.result().settled)
            admission.finish(ticket, Report(SPENT))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end).__name__ for end in ends] == ["TenantOverBudget", "Ticket", "TenantOverBudget", "Ticket"]
        assert isinstance(ends[0], TenantOverBudget)
        assert (ends[0].tenant, "tenant_max_usd_per_day" in str(ends[0])) == ("a", True)
        gov.check_at_rest()

    virtual_time.run(main())


def test_who_waits_for_its_tenants_money_stands_aside_and_keeps_its_place():
    """Calls of `a` may cost 1 of 2 and do cost 0.1: two at once, and after each that ended the next, in order."""

    async def pay(admission, done, number, tenant):
        ticket = await admission.admit(spend(tenant, 1))
        done.append((asyncio.get_running_loop().time(), number))
        await asyncio.sleep(10 if tenant == "a" else 1)
        admission.finish(ticket, Report(Used(1, 1, Decimal("0.1"))))

    async def main():
        gov, admission = make(concurrency=10, tenant_max_usd_per_day=Decimal(2))
        done, begun_s = [], asyncio.get_running_loop().time()
        tenants = "aaaaaabbb"
        await asyncio.gather(*(pay(admission, done, n, tenant) for n, tenant in enumerate(tenants)))
        assert [n for _, n in done if tenants[n] == "a"] == [0, 1, 2, 3, 4, 5]
        assert max(at_s for at_s, n in done if tenants[n] == "b") < begun_s + 2
        assert admission.waiting == 0
        gov.check_at_rest()

    virtual_time.run(main())


def test_a_smaller_call_does_not_overtake_its_own_tenants_bigger_one():
    """It would fit at once; and who is called back goes before those who came later, whatever their tenant."""

    async def pay(admission, done, name, usd, seconds):
        ticket = await admission.admit(spend(name[0], usd))
        done.append(name)
        await asyncio.sleep(seconds)
        admission.finish(ticket, Report(Used(1, 1, Decimal(0))))

    async def main():
        gov, admission = make(concurrency=2, tenant_max_usd_per_day=Decimal(2))
        done, calls = [], [("a1", 1, 10), ("a2", "1.5", 1), ("a3", "0.5", 1), *((f"b{n}", 0, 1) for n in range(30))]
        await asyncio.gather(*(pay(admission, done, *one) for one in calls))
        assert [name for name in done if name[0] == "a"] == ["a1", "a2", "a3"]
        assert done.index("a2") <= 13
        gov.check_at_rest()

    virtual_time.run(main())


def test_what_is_given_back_lets_the_next_go_before_its_time():
    """It waits for the minute to pass, and then the call before it turns out to have used little."""

    async def main():
        _, admission = make(input_tokens_per_minute=100)
        first = await admission.admit(need(inputs=80))
        second = asyncio.create_task(admission.admit(need(inputs=80)))
        await asyncio.sleep(55)
        assert not second.done()
        admission.finish(first, Report(Used(1, 1, Decimal(0))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert second.done()
        admission.finish(second.result(), Report(SPENT))

    virtual_time.run(main())


def test_while_only_time_can_tell_nobody_asks():
    """At an even pace, an answer wakes nobody: two readings for a call, one at its turn and one for the next."""

    async def main():
        gov, admission = make(concurrency=500, requests_per_minute=6000)
        gov.limits._dimensions._dimensions[Dimension.REQUESTS].burst.most = 1.0
        await asyncio.gather(*(call(admission, [], number, seconds=3) for number in range(2000)))
        assert gov.readings <= 2.1 * 2000

    virtual_time.run(main())


@examples(60)
@given(lives=LIVES, stop_s=st.one_of(st.none(), st.floats(0, 6)))
def test_nobody_who_stands_aside_is_forgotten(lives, stop_s):
    """Whatever is cancelled when: all end, and nothing is held at the end."""

    async def live(admission, arrive_s, seconds, retry, number):
        await asyncio.sleep(arrive_s)
        ticket = await admission.admit(spend("ab"[number % 2], Decimal(number % 5)), retry=retry)
        try:
            await asyncio.sleep(seconds)
        finally:
            admission.finish(ticket, Report(Used(1, 1, Decimal(0))))

    async def main():
        gov, admission = make(concurrency=8, tenant_max_usd_per_day=Decimal(5))
        loop, tasks = asyncio.get_running_loop(), []
        for arrive_s, cancel_s, seconds, retry, number in lives:
            tasks.append(asyncio.create_task(live(admission, arrive_s, seconds, retry, number)))
            if cancel_s is not None:
                loop.call_later(cancel_s, tasks[-1].cancel)
        if stop_s is not None:
            loop.call_later(stop_s, admission.stop, ParkReason.INTERRUPTED, "enough")
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(end is None or isinstance(end, asyncio.CancelledError | Stopped) for end in ended)
        gov.check_at_rest()
        assert admission.waiting == 0

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("first", "answer_s", "went_s"),
    [
        (FirstCalls(), 20.0, [0.0] * 5 + [0.5] * 5 + [2.0] * 10),
        (FirstCalls(), 0.1, [0.0] * 5 + [0.1] * 15),
        (WRITES_CACHE, 20.0, [0.0] + [20.0] * 19),
    ],
    ids=["a slow answer", "a quick answer", "one that writes a cache"],
)
def test_a_few_calls_go_first(first, answer_s, went_s):
    """Until one is answered or, where nothing but a rejection is waited for, half a second; and it says so."""

    async def main():
        loop, went = asyncio.get_running_loop(), []
        _, admission = make(concurrency=64, requests_per_minute=60_000, first=first)
        began_s = loop.time()

        async def one():
            ticket = await admission.admit(need())
            went.append(round(loop.time() - began_s, 3))
            await asyncio.sleep(answer_s)
            admission.finish(ticket, Report(SPENT, CallEnd.ANSWERED))

        await asyncio.gather(*(one() for _ in range(20)))
        assert [round(at_s, 2) for at_s in went] == went_s
        assert admission.snapshot().waited_share == {"first_answer": 1.0}

    virtual_time.run(main())


def test_the_snapshot_tells_what_the_head_of_the_line_waits_for():
    """With shares of the time waited, the one that is going on included, and where each limit comes from."""

    async def main():
        _, admission = make(concurrency=1, input_tokens_per_minute=600)
        ticket = await admission.admit(need(inputs=600))
        waiter = asyncio.create_task(admission.admit(need(inputs=600)))
        await asyncio.sleep(10)
        assert admission.snapshot().waited_share == {"slots": 1.0}
        admission.finish(ticket, Report(Used(600, 1, Decimal(0))))
        await asyncio.sleep(30)
        told = admission.snapshot()
        assert told.waited_share == pytest.approx({"input_tokens": 0.75, "slots": 0.25})
        assert (told.dimensions[0].name, told.dimensions[0].source, told.dimensions[0].level) == (
            "input_tokens",
            "job",
            0,
        )
        admission.finish(await waiter, Report(Used(1, 1, Decimal(0))))

    virtual_time.run(main())


# ── whole runs ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Provider:
    """A bucket that refills all the time, with `burst` requests at the most; what remains is told as of the arrival."""

    rpm: float = 3000
    burst: float = 3000
    latency_s: float = 1.0
    headers: bool = True
    hint_s: float | None = 1.0
    down: tuple = (0.0, 0.0)  # from, to: seconds since the start
    script: object = None  # (nth, seconds since the start) -> hint of a 429, or None
    sent: list = field(default_factory=list)  # seconds since the start
    refused: int = 0
    level: float = 0.0
    at_s: float = -1.0

    def arrive(self, now_s):
        """ok, throttled or down, and what remains."""
        if self.at_s < 0:
            self.at_s, self.level, self.begun_s = now_s, self.burst, now_s
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rpm / 60)
        self.at_s = now_s
        self.sent.append(now_s - self.begun_s)
        if self.down[0] <= self.sent[-1] < self.down[1]:
            return "down", 0.0
        if self.script is not None and (hint := self.script(len(self.sent), self.sent[-1])) is not None:
            self.hint_s = hint
            return "throttled", self.level
        if self.level < 1 - 1e-9:
            self.refused += 1
            return "throttled", self.level
        self.level -= 1
        return "ok", self.level

    def seen(self, remaining):
        return [LimitSeen(Dimension.REQUESTS, self.rpm, float(int(remaining)), None)] if self.headers else []


def latencies(provider, rows, seed=1):
    """Of each row's answer; drawn beforehand, so that an oracle can be given the same."""
    chance = random.Random(seed)
    return [provider.latency_s * chance.lognormvariate(0, 0.5) for _ in range(rows)]


def oracle(provider, rows, most_per_s=1e9):
    """Seconds that the same rows take for one who knows the provider's bucket and sends as soon as it grants."""
    delays = latencies(provider, rows)
    times = [max(0.0, n / most_per_s, (n + 1 - provider.burst) * 60 / provider.rpm) for n in range(rows)]
    return max(at_s + delay_s for at_s, delay_s in zip(times, delays, strict=True))


async def row(admission, provider, chance, latency_s):
    """One row's life, as the engine does it; its attempts that failed."""
    failures, attempts = 0, 0
    while True:
        ticket = await admission.admit(need(), retry=attempts > 0)
        attempts += 1
        report = FATE_UNKNOWN
        try:
            end, remaining = provider.arrive(asyncio.get_running_loop().time())
            await asyncio.sleep(latency_s if end == "ok" else 0.08)
            used = SPENT if end == "ok" else Used(0, 0, Decimal(0), rejected=end == "throttled")
            hint_s = provider.hint_s if end == "throttled" else None
            report = Report(used, ENDS[end], tuple(provider.seen(remaining)), hint_s, chance.random())
        finally:
            admission.finish(ticket, report)
        if end == "ok":
            return failures
        if end == "down":
            failures += 1
            await admission.pause(chance.random() * min(30, 0.5 * 2 ** (failures - 1)))


def simulate(provider, rows=1500, clients=1, seed=1, **rules):
    """Seconds until all rows are done, and the failed attempts of each; `clients` don't know of each other."""

    async def main():
        chance, loop = random.Random(seed), asyncio.get_running_loop()
        made = [make(**{"concurrency": 500, **rules}) for _ in range(clients)]
        begun_s = loop.time()
        delays = latencies(provider, rows)
        jobs = [row(made[number % clients][1], provider, chance, delays[number]) for number in range(rows)]
        failures = await asyncio.gather(*jobs)
        for gov, _ in made:
            gov.check_at_rest()
        return loop.time() - begun_s, failures

    return virtual_time.run(main())


@pytest.mark.parametrize("latency_s", [0.2, 1.0, 4.0])
@pytest.mark.parametrize(
    ("headers", "rules"), [(True, {}), (False, {"requests_per_minute": 3000}), (True, {"requests_per_minute": 3000})]
)
def test_a_strict_limit_is_used_up_without_429s(latency_s, headers, rules):
    """3,000 a minute, 50 at once, known by headers or by the job: 1,500 rows within 3 % of the oracle.

    And the second that one step too fast costs, and the first answer where headers are to be waited for.
    """
    provider = Provider(burst=50, latency_s=latency_s, headers=headers)
    took_s, _ = simulate(provider, **rules)
    assert took_s <= 1.03 * oracle(provider, 1500) + 1.1 + (0.0 if rules else latency_s)
    assert provider.refused < 0.005 * len(provider.sent)


def test_a_limit_that_nobody_tells_is_found():
    """No headers, no hints, nothing in the job: the same 2,000 a minute."""
    provider = Provider(rpm=2000, burst=33, headers=False, hint_s=None)
    took_s, _ = simulate(provider, rows=6000)
    assert took_s < 1.08 * 6000 / (2000 / 60)
    assert provider.refused < 0.02 * len(provider.sent)


@pytest.mark.parametrize("rows", [1500, 9000])
def test_a_whole_minute_at_once_is_used_where_headers_show_it(rows):
    """A bucket of a minute's worth: at four times the refill while it lasts, then at the refill; no 429.

    Two seconds to get there step by step.
    """
    provider = Provider(burst=3000)
    took_s, _ = simulate(provider, rows=rows)
    assert took_s <= 1.03 * oracle(provider, rows, most_per_s=200) + 2.0
    assert provider.refused == 0


def test_a_limit_of_the_job_holds_in_every_minute_of_a_run():
    """Also where the provider would take more."""
    provider = Provider(rpm=60_000, burst=60_000, headers=True)
    took_s, _ = simulate(provider, rows=4000, requests_per_minute=1000)
    assert took_s >= 3 * 60
    for number, at_s in enumerate(provider.sent[1000:]):
        assert at_s - provider.sent[number] > 60.0


def test_two_clients_on_one_key_share_it_without_knowing():
    """Each finds the other in what remains."""
    provider = Provider(burst=3000)
    took_s, _ = simulate(provider, rows=9000, clients=2)
    assert provider.refused < 0.005 * len(provider.sent)
    assert took_s <= 1.03 * oracle(provider, 9000)


def test_retry_after_stops_everybody_and_nobody_rushes_out_of_it():
    """One 429 with 30 s: nothing is sent for 30 s, by anyone, and then not all at once."""
    provider = Provider(rpm=60_000, burst=60_000, script=lambda nth, _: 30.0 if nth == 200 else None)
    took_s, _ = simulate(provider, rows=1000, concurrency=100)
    refused_s = provider.sent[199]
    later = [at_s for at_s in provider.sent if at_s > refused_s + 0.081]
    assert min(later) >= refused_s + 30.0
    assert sum(1 for at_s in later if at_s < min(later) + 0.1) <= 10
    assert took_s < 30 + 1000 / 100 * 1.3 + 8


def test_an_overstated_limit_costs_few_429s():
    """The job says 3,000, the provider grants 2,000 and says nothing: found by what is refused."""
    provider = Provider(rpm=2000, burst=33, headers=False)
    took_s, _ = simulate(provider, rows=6000, requests_per_minute=3000)
    assert took_s < 1.08 * 6000 / (2000 / 60)
    assert provider.refused < 0.025 * len(provider.sent)


@pytest.mark.parametrize("headers", [True, False])
def test_faults_that_look_like_limits_do_not_slow_a_run_to_a_crawl(headers):
    """5 % of calls answered 429 at random and with a short hint: plenty remains, or nothing is known."""
    chance = random.Random(3)
    script = lambda *_: 0.05 if chance.random() < 0.05 else None  # noqa: E731
    provider = Provider(rpm=60_000, burst=60_000, script=script, headers=headers)
    took_s, _ = simulate(provider, rows=2000, concurrency=100)
    assert took_s < 3 * 2000 / 100


def test_an_outage_of_minutes_loses_few_attempts():
    """Down for 120 s: probes alone are sent, and the run goes on by itself."""
    provider = Provider(rpm=60_000, burst=60_000, down=(5.0, 125.0))
    took_s, failures = simulate(provider, rows=2000, concurrency=100)
    assert took_s < 125 + 8 + 2000 / 100 * 1.4 + 8
    during = [at_s for at_s in provider.sent if 10.0 <= at_s < 125.0]
    assert len(during) <= 30
    assert sum(failures) <= 100 + 30


def test_an_outage_parks_after_its_time():
    """`outage_s` after nothing has succeeded any more."""

    async def main():
        gov, admission = make(concurrency=20, outage_s=60.0)
        provider, chance = Provider(down=(0.0, 1e9)), random.Random(1)
        begun_s = asyncio.get_running_loop().time()
        ends = await asyncio.gather(*(row(admission, provider, chance, 1.0) for _ in range(50)), return_exceptions=True)
        assert {getattr(end, "reason", end) for end in ends} == {ParkReason.OUTAGE}
        assert 60 <= asyncio.get_running_loop().time() - begun_s <= 75
        gov.check_at_rest()

    virtual_time.run(main())
