"""A request to its answer: on record, from a twin that asks already, or paid for. Never paid for twice.

The lane and the ledger are stand-ins that answer when and how the test says.
"""

import asyncio
import contextlib
import gc
import weakref
from collections import Counter

import pytest
from virtual_time import run as in_virtual_time

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import AnswerFrom, ErrorCode, ParkReason
from pipeline.engine.ask import Abandoned, Deferred, Delivered, FileGone, RowFailed, RowLife, TooLong
from pipeline.engine.call import Caller
from pipeline.ledger.records import StoredAnswer
from pipeline.parts import text_parts
from pipeline.types import Answer, Purpose, Request, Stop, Turn, Usage

THIS_RUN, THIS_SESSION, DURABLE_S = 4, 9, 5.0


def request_of(key):
    return Request(
        key=key.encode() * 16,
        row=0,
        row_id="r0",
        chunk=0,
        purpose=Purpose.EXTRACT,
        system="",
        turns=(Turn("user", text_parts("")),),
        max_output_tokens=100,
        input_tokens=10,
        input_tokens_ceiling=20,
    )


def reply(text):
    return Answer(text, Stop.DONE, "stop", Usage())


class Books:
    """A ledger that knows `kept`, and what has become durable since. It is asked by key."""

    run = THIS_RUN

    def __init__(self, kept):
        self.answers = dict(kept)
        self.looked_up = Counter()

    def answer(self, key):
        self.looked_up[key] += 1
        return self.answers.get(key)


class OneWay:
    """A lane on which every call takes a second; its n-th brings `ends[n]`, and then answers that say which they are.

    An answer is on record `DURABLE_S` after it came.
    """

    def __init__(self, books, ends):
        self._books = books
        self._ends = list(ends)
        self.calls = []  # keys, in order

    async def answer(self, request, life):
        self.calls.append(request.key)
        nth, loop = len(self.calls), asyncio.get_running_loop()
        life.first_sent_s = loop.time()
        end = self._ends.pop(0) if self._ends else None
        await asyncio.sleep(1)
        if isinstance(end, Exception):
            raise end
        came, durable = reply(f"answer {nth}"), loop.create_future()

        def written():
            self._books.answers[request.key] = StoredAnswer(came, THIS_RUN, THIS_SESSION)
            durable.set_result(None)

        loop.call_later(DURABLE_S, written)
        return Delivered(came, durable)


class Bed:
    def __init__(self, kept=(), ends=()):
        self.books = Books(kept)
        self.lane = OneWay(self.books, ends)
        self.caller = Caller(self.books, self.lane)
        self.judged = []

    async def ask(self, key="a", *, good=True):
        """The text of the answer, or what was raised, and where it came from; only who paid has sent anything."""
        life = RowLife()

        def reusable(answer):
            self.judged.append(answer)
            return good

        try:
            found = (await self.caller.ask(request_of(key), life, reusable)).text
        except (Abandoned, RowFailed, Stopped, TenantOverBudget, TooLong) as error:
            found = error
        else:
            assert (life.first_sent_s is not None) == (AnswerFrom.CALL in life.sources)
        return found, *sorted(life.sources)

    def start(self, key="a", **how):
        return asyncio.create_task(self.ask(key, **how))


def kept(run):
    return {request_of("a").key: StoredAnswer(reply("on record"), run, 1)}


CALL, TWIN, OLD = AnswerFrom.CALL, AnswerFrom.DUPLICATE, AnswerFrom.LEDGER
RECORD = "on record"


# ── on record ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("on_record", "good", "expected", "paid"),
    [
        pytest.param({}, True, ("answer 1", CALL), 1, id="none"),
        pytest.param(kept(THIS_RUN), True, (RECORD, TWIN), 0, id="of-this-run"),
        pytest.param(kept(THIS_RUN - 1), True, (RECORD, OLD), 0, id="of-an-earlier-run"),
        pytest.param(kept(THIS_RUN), False, ("answer 1", CALL), 1, id="of-this-run-and-not-good-enough"),
        pytest.param(kept(THIS_RUN - 1), False, ("answer 1", CALL), 1, id="of-an-earlier-run-and-not-good-enough"),
    ],
)
def test_an_answer_on_record_is_taken_where_it_is_good_enough_and_paid_for_else(on_record, good, expected, paid):
    """An equal row of this run paid for it, or an earlier run did; the row itself says what is good enough."""

    async def scenario():
        bed = Bed(on_record)
        assert await bed.ask(good=good) == expected
        assert bed.judged == list(on_record.values())
        assert len(bed.lane.calls) == paid

    in_virtual_time(scenario())


# ── twins ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_twins_of_a_request_in_flight_wait_and_pay_nothing():
    """However many; another request is none of theirs."""

    async def scenario():
        bed = Bed()
        *twins, other = await asyncio.gather(*(bed.ask() for _ in range(5)), bed.ask("b"))
        assert twins == [("answer 1", CALL), *[("answer 1", TWIN)] * 4]
        assert other == ("answer 2", CALL)
        assert bed.lane.calls == [request_of("a").key, request_of("b").key]

    in_virtual_time(scenario())


def test_an_answer_is_shared_until_it_is_found_on_record():
    """Between its coming and its being safe on disk it is on no record, and would else be paid for again."""

    async def scenario():
        bed, key = Bed(), request_of("a").key
        assert await bed.ask() == ("answer 1", CALL)
        for _ in range(4):
            await asyncio.sleep(1)
            assert await bed.ask() == ("answer 1", TWIN)
        assert bed.books.looked_up[key] == 1
        await asyncio.sleep(2)
        assert await bed.ask() == ("answer 1", TWIN)
        assert bed.books.looked_up[key] == 2
        assert len(bed.lane.calls) == 1
        assert bed.caller._open == {}

    in_virtual_time(scenario())


def test_a_twin_takes_a_fresh_answer_in_place_of_the_stale_one_on_record():
    """It was asked for a moment ago because the old one is not good enough: nobody asks a second time."""

    async def scenario():
        bed = Bed(kept(THIS_RUN - 1))
        first = bed.start(good=False)
        await asyncio.sleep(0.5)
        twin = bed.start(good=False)
        assert (await first, await twin) == (("answer 1", CALL), ("answer 1", TWIN))
        assert len(bed.judged) == 1

    in_virtual_time(scenario())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RowFailed(ErrorCode.PROVIDER_ERROR, "busy"), id="failed"),
        pytest.param(TooLong("too long"), id="too-long"),
        pytest.param(Stopped(ParkReason.QUOTA, "empty"), id="stopped"),
    ],
)
def test_the_failure_of_the_first_is_the_failure_of_its_twins(error):
    """They would have met the same; whoever comes later asks anew."""

    async def scenario():
        bed = Bed(ends=[error])
        assert await asyncio.gather(*(bed.ask() for _ in range(3))) == [(error,)] * 3
        assert len(bed.lane.calls) == 1
        assert await bed.ask() == ("answer 2", CALL)

    in_virtual_time(scenario())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Abandoned(), id="abandoned"),
        pytest.param(FileGone(ErrorCode.BAD_ROW, "changed"), id="file-gone"),
        pytest.param(TenantOverBudget("t", "no"), id="over-budget"),
    ],
)
def test_a_twin_asks_itself_where_the_first_has_given_up_for_its_own_reasons(error):
    """Its row failed, or its tenant has nothing left: one of the twins asks, and the others wait for that one."""

    async def scenario():
        bed = Bed(ends=[error])
        first, *twins = await asyncio.gather(*(bed.ask() for _ in range(4)))
        assert first == (error,)
        assert twins == [("answer 2", CALL), *[("answer 2", TWIN)] * 2]
        assert len(bed.lane.calls) == 2

    in_virtual_time(scenario())


def test_a_twin_asks_itself_where_the_first_was_cancelled():
    """The one who is cancelled hears of it; nobody else does."""

    async def scenario():
        bed = Bed()
        first, twin = bed.start(), bed.start()
        await asyncio.sleep(0.5)
        first.cancel()
        assert await twin == ("answer 2", CALL)
        assert first.cancelled()
        assert len(bed.lane.calls) == 2

    in_virtual_time(scenario())


def test_a_twin_that_is_cancelled_takes_nothing_from_the_others():
    """The first goes on, and so does whoever else waits for it."""

    async def scenario():
        bed = Bed()
        first, gone, twin = bed.start(), bed.start(), bed.start()
        await asyncio.sleep(0.5)
        gone.cancel()
        assert (await first, await twin) == (("answer 1", CALL), ("answer 1", TWIN))
        assert gone.cancelled()
        assert len(bed.lane.calls) == 1

    in_virtual_time(scenario())


def test_twins_that_give_up_one_after_the_other_leave_the_last_to_ask():
    """Each of them for itself, and nobody waits for one who is gone."""

    async def scenario():
        bed = Bed(ends=[Abandoned(), TenantOverBudget("t", "no"), Abandoned()])
        ends = await asyncio.gather(*(bed.ask() for _ in range(4)))
        assert [type(end[0]) for end in ends] == [Abandoned, TenantOverBudget, Abandoned, str]
        assert ends[-1] == ("answer 4", CALL)

    in_virtual_time(scenario())


def test_a_failure_that_no_twin_waits_for_is_nobody_s_complaint():
    """No "exception was never retrieved" on standard error in the middle of the night."""

    async def scenario():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        bed = Bed(ends=[RowFailed(ErrorCode.PROVIDER_ERROR, "busy"), Stopped(ParkReason.QUOTA, "empty")])
        await bed.ask()
        await bed.ask()
        cancelled = bed.start()
        await asyncio.sleep(0.5)
        cancelled.cancel()
        await asyncio.sleep(0.5)
        del cancelled
        gc.collect()
        assert complaints == []

    in_virtual_time(scenario())


def test_the_clock_is_the_loop_s():
    """The one that a row's first sending is read on."""

    async def scenario():
        assert Bed().caller.now_s() == asyncio.get_running_loop().time()

    in_virtual_time(scenario())


def test_a_request_that_is_left_for_later_leaves_no_circle_behind():
    """By batch all rows of a pass are left so: circles wait for the garbage collector, and it stops the loop."""

    class Later:
        async def answer(self, *_asked):
            raise Deferred

    async def scenario():
        caller = Caller(Books({}), Later())

        def reusable(answer):
            return True

        with contextlib.suppress(Deferred):
            await caller.ask(request_of("a"), RowLife(), reusable)
        return weakref.ref(reusable)

    gc.disable()
    try:
        assert in_virtual_time(scenario())() is None
    finally:
        gc.enable()
