"""One request to its answer: found on record, waited for where a twin asks already, or sent by a lane.

A twin of a request in flight waits for its answer and pays nothing.
"""

import asyncio
from collections.abc import Callable

from pipeline.admission.gate import TenantOverBudget
from pipeline.codes import AnswerFrom
from pipeline.engine.ask import Abandoned, FileGone, Lane, RowLife
from pipeline.ledger.records import StoredAnswer
from pipeline.ledger.remote import CallBooks
from pipeline.types import Answer, Request


class Caller:
    """An `Ask` over a ledger and one lane."""

    def __init__(self, ledger: CallBooks, lane: Lane) -> None:
        self._ledger = ledger
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._open: dict[bytes, asyncio.Future[Answer]] = {}  # by key: asked, and not yet found by it on record

    def now_s(self) -> float:
        """On the clock of `RowLife.first_sent_s`."""
        return self._loop.time()

    async def ask(self, request: Request, life: RowLife, reusable: Callable[[StoredAnswer], bool]) -> Answer:
        """As `Ask.ask`."""
        while True:
            while (twin := self._open.get(request.key)) is not None:
                try:
                    reply = await asyncio.shield(twin)
                except (Abandoned, FileGone, TenantOverBudget):
                    continue  # nobody is asking any more: it is this row's own to ask
                life.sources.add(AnswerFrom.DUPLICATE)
                return reply
            found = self._ledger.answer(request.key)
            if not isinstance(found, asyncio.Future):
                break
            found = await found
            if request.key not in self._open:  # else a twin has begun to ask meanwhile
                break
        if found is not None and reusable(found):
            if found.run == self._ledger.run:
                life.sources.add(AnswerFrom.DUPLICATE)
            else:
                life.sources.add(AnswerFrom.LEDGER)
                life.reused_runs.add(found.run)
            return found.reply
        return await self._paid(request, life)

    async def _paid(self, request: Request, life: RowLife) -> Answer:
        promise: asyncio.Future[Answer] = self._loop.create_future()
        promise.add_done_callback(_seen)
        self._open[request.key] = promise
        try:
            delivered = await self._lane.answer(request, life)
        except BaseException as error:
            del self._open[request.key]
            promise.set_exception(Abandoned() if isinstance(error, asyncio.CancelledError) else error)
            del promise  # it holds the error, and the error this frame: by batch a circle for each row
            raise
        delivered.durable.add_done_callback(lambda _: self._open.pop(request.key, None))
        life.sources.add(AnswerFrom.CALL)
        promise.set_result(delivered.reply)
        return delivered.reply


def _seen(promise: "asyncio.Future[Answer]") -> None:
    """Mark the exception as looked at: nobody may have been waiting for it."""
    if not promise.cancelled():
        promise.exception()
