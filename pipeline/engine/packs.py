"""Rows that wait for others to go with, and the calls that they go in.

A pack leaves when it is full, when its first row has waited for long enough, or when the input has no more. What does
not come back as one record for each falls apart: its rows are asked about one by one, as if there were no packs.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field

from pipeline.admission.stop import Stopped
from pipeline.codes import AnswerFrom, ErrorCode
from pipeline.console import say
from pipeline.engine.ask import Lane, RowFailed, RowLife, TooLong
from pipeline.extraction.packs import PackItem, PackPlan, pack_request, takes
from pipeline.extraction.plan import Plan
from pipeline.ledger.ledger import Ledger
from pipeline.types import Answer

LINGER_S = 0.2  # how long the first row of a pack waits for others: little beside what a call takes

LOOKED_AT, LEAST_APART = 20, 5  # of the last packs: if most fell apart, and so many, there are no more
MOST_ALONE = 2**16  # more rows than are ever under way

Promise = asyncio.Future[Answer | None]


class _Waiting(Struct):
    """A row in a pack, and who waits for its answer."""

    item: PackItem
    promise: Promise
    life: RowLife


class _OpenPack(Struct):
    timer: asyncio.TimerHandle
    rows: list[_Waiting] = field(default_factory=list)


class Packs:
    """A `Together` over a ledger and one lane. Of two tenants nothing ever goes together."""

    def __init__(self, plan: Plan, pack: PackPlan, ledger: Ledger, lane: Lane) -> None:
        self._plan = plan
        self._pack = pack
        self._ledger = ledger
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._open: dict[str | None, _OpenPack] = {}  # by tenant
        self._asked: dict[bytes, Promise] = {}  # by key: asked for, and not yet found by it on record
        self._alone: dict[bytes, None] = {}  # keys of rows whose packs fell apart, the last so many
        self._fates: deque[bool] = deque(maxlen=LOOKED_AT)  # of the last packs, whether each fell apart
        self._given_up = False
        self._calls: set[asyncio.Task[None]] = set()
        self._linger_s = LINGER_S

    async def answer(self, item: PackItem, life: RowLife) -> Answer | None:
        """As `Together.answer`."""
        key = item.member.key
        if (twin := self._asked.get(key)) is not None:
            reply = await asyncio.shield(twin)
            if reply is not None:
                life.sources.add(AnswerFrom.DUPLICATE)
            return reply
        if key in self._alone:
            return None
        if (found := self._ledger.answer(key)) is not None:
            if found.run == self._ledger.run:
                life.sources.add(AnswerFrom.DUPLICATE)
            else:
                life.sources.add(AnswerFrom.LEDGER)
                life.reused_runs.add(found.run)
            return found.reply
        if self._given_up or self._ledger.answer(item.request.key) is not None:
            return None  # in the latter case it was asked about alone before, and that is as good
        promise: Promise = self._loop.create_future()
        promise.add_done_callback(_seen)
        self._asked[key] = promise
        self._join(_Waiting(item, promise, life))
        return await asyncio.shield(promise)

    def no_more(self) -> None:
        """Every row of the input has begun: nobody waits for others any more."""
        self._linger_s = 0.0
        for tenant, pack in self._open.items():
            pack.timer.cancel()
            pack.timer = self._loop.call_later(0.0, self._close, tenant)

    async def aclose(self) -> None:
        """Cut what is still under way."""
        for pack in self._open.values():
            pack.timer.cancel()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _join(self, row: _Waiting) -> None:
        tenant = row.item.request.tenant
        pack = self._open.get(tenant)
        if pack is not None and not takes(self._pack, [one.item for one in pack.rows], row.item):
            self._close(tenant)
            pack = None
        if pack is None:
            pack = self._open[tenant] = _OpenPack(self._loop.call_later(self._linger_s, self._close, tenant))
        pack.rows.append(row)
        if len(pack.rows) == self._pack.rows:
            self._close(tenant)

    def _close(self, tenant: str | None) -> None:
        pack = self._open.pop(tenant)
        pack.timer.cancel()
        call = self._loop.create_task(self._carried(sorted(pack.rows, key=lambda one: one.item.member.row)))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _carried(self, rows: Sequence[_Waiting]) -> None:
        """One pack to its end; a row that found no other goes alone."""
        if len(rows) == 1:
            self._fall_apart(rows)
            return
        life = RowLife()
        try:
            delivered = await self._lane.answer(pack_request(self._plan, self._pack, [one.item for one in rows]), life)
        except (TooLong, RowFailed) as failure:
            if isinstance(failure, RowFailed) and failure.code is ErrorCode.RATE_LIMITED:
                self._fail(rows, failure)  # each would wait as long again
            else:
                self._fall_apart(rows)
        except BaseException as error:
            self._fail(rows, error)
            if not isinstance(error, Stopped | Exception):
                raise
        else:
            if not delivered.items:
                self._fall_apart(rows)
                return
            self._fates.append(False)
            keys = [one.item.member.key for one in rows]
            delivered.durable.add_done_callback(lambda _: [self._asked.pop(key, None) for key in keys])
            for one, reply in zip(rows, delivered.items, strict=True):
                one.life.sources.add(AnswerFrom.CALL)
                one.promise.set_result(reply)
        finally:
            for one in rows:
                one.life.first_sent_s = life.first_sent_s

    def _fall_apart(self, rows: Sequence[_Waiting]) -> None:
        for one in rows:
            self._alone[one.item.member.key] = None
            del self._asked[one.item.member.key]
            one.promise.set_result(None)
        while len(self._alone) > MOST_ALONE:
            del self._alone[next(iter(self._alone))]
        if len(rows) > 1:
            self._fates.append(True)
            self._give_up_where_most_do()

    def _give_up_where_most_do(self) -> None:
        """Each was paid for in vain: where it is most of them, the model does not do it."""
        apart = sum(self._fates)
        if not self._given_up and apart >= LEAST_APART and 2 * apart > len(self._fates):
            self._given_up = True
            told = f"{apart} of the last {len(self._fates)} calls about several rows fell apart"
            say("warning", f"chunks.pack: {told}: from now on each row is asked about alone. Lower chunks.pack")

    def _fail(self, rows: Sequence[_Waiting], error: BaseException) -> None:
        for one in rows:
            del self._asked[one.item.member.key]
            if isinstance(error, asyncio.CancelledError):
                one.promise.cancel()
            else:
                one.promise.set_exception(error)


def _seen(promise: Promise) -> None:
    """Mark the exception as looked at: nobody may have been waiting for it."""
    if not promise.cancelled():
        promise.exception()
