"""Rows that wait for others, in virtual time: how long, for whom, and what becomes of those that nobody answers."""

import asyncio

import pytest
import virtual_time

from pipeline.admission.stop import Stopped
from pipeline.codes import ErrorCode, ParkReason
from pipeline.console import speaking
from pipeline.engine.ask import Delivered, RowFailed, RowLife, TooLong
from pipeline.engine.packs import LINGER_S, Packs
from pipeline.extraction.packs import PackItem, PackPlan
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.template import Template
from pipeline.types import Answer, Member, Purpose, Request, Stop, Usage

PACK = PackPlan(4, 1000, 100, 400, 10, 4096, b"k" * 16, Examples(), None)
PLAN = Plan("", Template(("", ""), ("text",)), 100, 200, 10, 40, 1000, 0, b"q" * 16, b"d" * 16)


def item(number, tenant=None, key=None):
    key = key or b"%016d" % number
    request = Request(key[::-1], number, f"r{number}", 0, Purpose.EXTRACT, "", (), 100, 60, 60, tenant=tenant)
    return PackItem(request, Member(key, number, f"r{number}", 0, 50), f"document {number}")


class Nothing:
    """A ledger with no answer on record."""

    run = 1

    def answer(self, key):  # noqa: ARG002 (as a ledger has it)
        return None


class Bench:
    """A lane that answers, or fails as it is told, and notes who went when."""

    def __init__(self, failure=None, *, takes_s=1.0):
        self.left = []
        self.failure = failure
        self.takes_s = takes_s

    async def answer(self, request, life):
        loop = asyncio.get_running_loop()
        self.left.append((loop.time() - 1000.0, [member.row for member in request.pack]))
        life.first_sent_s = loop.time()
        await asyncio.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        durable = loop.create_future()
        loop.call_later(0.05, durable.set_result, None)
        reply = Answer("", Stop.DONE, "stop", Usage())
        return Delivered(reply, durable, tuple(reply for _ in request.pack))


def packed(lane, script):
    async def go():
        packs = Packs(PLAN, PACK, Nothing(), lane)
        try:
            return await script(packs)
        finally:
            await packs.aclose()

    return virtual_time.run(go())


def test_a_full_pack_leaves_at_once_and_the_rest_after_a_while():
    lane = Bench()

    async def script(packs):
        lives = [RowLife() for _ in range(6)]
        found = await asyncio.gather(*(packs.answer(item(n), life) for n, life in enumerate(lives)))
        assert all(found)
        assert all(life.first_sent_s is not None and life.sources for life in lives)

    packed(lane, script)
    assert [rows for _, rows in lane.left] == [[0, 1, 2, 3], [4, 5]]
    assert [at_s for at_s, _ in lane.left] == pytest.approx([0.0, LINGER_S], abs=0.001)


def test_once_the_input_has_no_more_nobody_waits():
    """Those that are waiting leave, and so do those that come now, all that come at once together."""
    lane = Bench()

    async def script(packs):
        first = [asyncio.create_task(packs.answer(item(n), RowLife())) for n in range(2)]
        await asyncio.sleep(0.05)
        packs.no_more()
        await asyncio.sleep(0.05)
        await asyncio.gather(*first, *(packs.answer(item(n), RowLife()) for n in (2, 3, 4)))

    packed(lane, script)
    assert [rows for _, rows in lane.left] == [[0, 1], [2, 3, 4]]
    assert [at_s for at_s, _ in lane.left] == pytest.approx([0.05, 0.1], abs=0.001)


def test_tenants_wait_apart_and_one_alone_goes_alone():
    lane = Bench()

    async def script(packs):
        rows = [(0, "a"), (1, "b"), (2, "a"), (3, None), (4, "b")]
        return await asyncio.gather(*(packs.answer(item(n, who), RowLife()) for n, who in rows))

    found = packed(lane, script)
    assert sorted(rows for _, rows in lane.left) == [[0, 2], [1, 4]]
    assert [one is None for one in found] == [False, False, False, True, False]


@pytest.mark.parametrize(
    "failure", [TooLong("too long"), RowFailed(ErrorCode.INVALID_REQUEST, "no"), RowFailed(ErrorCode.TIMEOUT, "no")]
)
def test_what_fails_for_all_is_asked_for_one_by_one_by_twins_too(failure):
    lane = Bench(failure)

    async def script(packs):
        found = await asyncio.gather(*(packs.answer(item(n % 4), RowLife()) for n in range(6)))
        return [*found, *await asyncio.gather(*(packs.answer(item(n), RowLife()) for n in range(2)))]

    assert packed(lane, script) == [None] * 8
    assert len(lane.left) == 1


@pytest.mark.parametrize(
    "failure", [Stopped(ParkReason.BUDGET, "spent"), RowFailed(ErrorCode.RATE_LIMITED, "waited"), ValueError("a bug")]
)
def test_what_ends_a_run_or_has_waited_long_enough_ends_every_row_of_the_pack(failure):
    lane = Bench(failure)

    async def script(packs):
        return await asyncio.gather(*(packs.answer(item(n), RowLife()) for n in range(4)), return_exceptions=True)

    assert packed(lane, script) == [failure] * 4


def test_where_most_fall_apart_there_are_no_more(capsys):
    """Each is paid for in vain; those that are on their way are the last."""
    lane = Bench(RowFailed(ErrorCode.TRUNCATED, "cut off"))

    async def script(packs):
        for start in range(0, 60, 4):
            await asyncio.gather(*(packs.answer(item(start + n), RowLife()) for n in range(4)))

    with speaking("text"):
        packed(lane, script)
    assert len(lane.left) == 5
    assert "chunks.pack: 5 of the last 5 calls about several rows fell apart" in capsys.readouterr().err


def test_equal_rows_go_once_even_before_the_answer_is_on_disk():
    lane = Bench()

    async def script(packs):
        same = item(0).member.key
        await asyncio.gather(*(packs.answer(item(n), RowLife()) for n in range(4)))
        life = RowLife()
        assert await packs.answer(item(9, key=same), life) is not None
        assert list(life.sources) == ["duplicate"]

    packed(lane, script)
    assert len(lane.left) == 1


def test_what_is_cut_off_leaves_nothing_behind():
    async def script(packs):
        rows = [asyncio.create_task(packs.answer(item(n), RowLife())) for n in range(5)]
        await asyncio.sleep(0.1)
        for row in rows:
            row.cancel()
        await asyncio.gather(*rows, return_exceptions=True)
        await packs.aclose()
        assert len(asyncio.all_tasks()) == 1

    packed(Bench(takes_s=100.0), script)
