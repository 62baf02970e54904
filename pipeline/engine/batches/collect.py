"""Result files of an ended batch → calls, answers and fates on the ledger, line by line, each once."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from msgspec import Struct

from pipeline.codes import AttemptCode
from pipeline.crash_points import crash_point
from pipeline.engine.batches.lane import BATCHES, Refused
from pipeline.engine.batches.money import BatchMoney
from pipeline.engine.batches.remote import Remote
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import KIND_CODES, STOP_CODES
from pipeline.ledger.batches import LINE_MISSING, LINE_OPEN, BatchItem, BatchRecord
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Call, Send
from pipeline.money import Rate, cost_usd, from_units, to_units
from pipeline.providers import Wire
from pipeline.providers.batches import BatchLine, Fate, RemoteBatch
from pipeline.telemetry.tally import Tally
from pipeline.types import Answer, PartialUsage, Usage

NO_RESULT = "the batch ended without a result for this line, which may have been billed"
AT_ONCE = 128  # lines that are read, then booked, in one piece
SHORT_S = 60.0  # for which a batch may have ended, and some of its results not be there yet
GONE_S = 600.0  # the same of files that are not found, after which they have aged out
GONE, BARRED = {404, 410}, {401, 403}
FATE_CODES = {
    Fate.EXPIRED: AttemptCode.BATCH_EXPIRED,
    Fate.CANCELLED: AttemptCode.BATCH_CANCELLED,
    Fate.REFUSED: AttemptCode.PROVIDER_ERROR,
}


_End = tuple[BatchItem, Call, Answer | None, str]  # of a line: its call, its answer if it has one, and its fate


class Books(Struct, frozen=True):
    """Where what a line cost is written. `rate` None: the model has no price; it is the batch API's own."""

    ledger: Ledger
    money: BatchMoney
    tally: Tally
    rate: Rate | None
    refused: dict[bytes, Refused]  # by key: what lines of this session were refused for


class Collector:
    """`wire` reads what a line holds."""

    def __init__(self, remote: Remote, wire: Wire, books: Books) -> None:
        self.remote = remote
        self._wire = wire
        self._books = books
        self._folder = books.ledger.path.parent / BATCHES
        self.unanswered = 0  # lines of this session that came back so

    async def collect(self, batch: BatchRecord, seen: RemoteBatch, age_s: float) -> int | None:
        """Settle every line that has a result; `age_s`: since it was first seen to have ended.

        Returns how many lines have none, and stay at risk; None: they may yet come.

        Raises:
            CallFailed: the files did not come whole. What came is settled.
        """
        items = await self._books.ledger.items_of(batch.nonce)
        left = {name: item for name, item in items.items() if item.fate == LINE_OPEN}
        if left:
            await self._read_all(batch, seen, left, age_s)
        if seen.rest is not None and seen.done == batch.rows - len(left):
            unrun = [(item, *self._read(batch, item, BatchLine(name, seen.rest))) for name, item in left.items()]
            left.clear()
            await self._settle_some(batch, unrun)
        if left and age_s < SHORT_S:
            return None
        lost = [self._lost(batch, item) for item in left.values()]
        await self._settle_some(batch, lost)
        return len(lost)

    async def _settle_some(self, batch: BatchRecord, ends: Sequence[_End]) -> None:
        for first in range(0, len(ends), AT_ONCE):
            await self._settle(batch, ends[first : first + AT_ONCE])

    async def _read_all(self, batch: BatchRecord, seen: RemoteBatch, left: dict[str, BatchItem], age_s: float) -> None:
        """Settle what the result files tell; what is settled is taken out of `left`."""
        await self._settle_all(batch, seen.inlined, left)
        for number, ask in enumerate(self.remote.wire.results(seen)):
            path = self._folder / f"{batch.nonce}.results{number}"
            answer = await self.remote.fetch(ask, path)
            if answer.status in GONE and age_s >= GONE_S:
                continue
            if answer.status != 200:
                kind = Kind.AUTH if answer.status in BARRED else Kind.NO_ANSWER
                raise CallFailed(kind, f"HTTP {answer.status}", status=answer.status)
            try:
                await self._settle_all(batch, _lines(path), left)
            finally:
                path.unlink(missing_ok=True)

    async def _settle_all(self, batch: BatchRecord, lines: Iterable[bytes], left: dict[str, BatchItem]) -> None:
        """Lines are read in a thread, some at a time; what they cost is booked on the loop."""
        secret = await self.remote.secret()
        coming = iter(lines)

        def some() -> list[_End] | None:
            taken = list(islice(coming, AT_ONCE))
            return [end for line in taken if (end := self._end(batch, secret.redacted(line), left))] if taken else None

        while (ends := await asyncio.to_thread(some)) is not None:
            await self._settle(batch, ends)

    async def _settle(self, batch: BatchRecord, ends: Iterable[_End]) -> None:
        waiting = []
        for item, call, reply, fate in ends:
            used = None if call.at_risk_units else from_units(call.cost_units or 0)
            self._books.money.let_go(item, used, batch.run)
            self._books.tally.called(call)
            self.unanswered += reply is None
            if call.error_code is not None and reply is None:
                self._books.refused[item.key] = Refused(call.error_code, call.error or "")
            key = item.key if reply is not None else None
            waiting.append(self._books.ledger.settle_line(call, fate, batch.run, key, reply))
            if fate != LINE_MISSING:
                crash_point("line-collected")
        await asyncio.gather(*waiting)

    def _end(self, batch: BatchRecord, line: bytes, left: dict[str, BatchItem]) -> _End | None:
        """What a line of a result file settles; None: it is not ours, or told twice: the first counts."""
        told = self.remote.wire.read(line)
        item = None if told is None else left.pop(told.name, None)
        return None if told is None or item is None else (item, *self._read(batch, item, told))

    def _lost(self, batch: BatchRecord, item: BatchItem) -> _End:
        """The batch ended without a result for it."""
        send = item.send(batch.submitted_us or batch.created_us, batch.remote_id)
        call = Call(send, None, 0, Usage(), None, item.at_risk_units, error_code=AttemptCode.LOST, error=NO_RESULT)
        return item, call, None, LINE_MISSING

    def _read(self, batch: BatchRecord, item: BatchItem, line: BatchLine) -> tuple[Call, Answer | None, str]:
        """The line as a call on the books, its answer if it has one, and its fate."""
        send = item.send(batch.submitted_us or batch.created_us, batch.remote_id)
        if line.answer is None:
            code, words = FATE_CODES.get(line.fate, AttemptCode.PROVIDER_ERROR), line.error or line.error_code or None
            return Call(send, None, 0, Usage(), 0, error_code=code, error=words), None, str(line.fate)
        try:
            reply = self._wire.reply(line.answer)
        except CallFailed as failure:
            return self._refused(send, item, failure, line), None, str(Fate.REFUSED)
        cost, at_risk = self._cost(reply.usage, item)
        call = Call(
            send, None, 0, reply.usage, cost, at_risk, http_status=line.answer.status,
            provider_request_id=reply.provider_request_id, model_version=reply.model_version,
            error_code=STOP_CODES.get(reply.stop), finish_reason=reply.finish_reason,
        )  # fmt: skip
        return call, reply, str(Fate.ANSWERED)

    def _refused(self, send: Send, item: BatchItem, failure: CallFailed, line: BatchLine) -> Call:
        """A line that brought no answer; one that came with 200 may have been billed."""
        usage = failure.usage or Usage()
        cost, at_risk = self._cost(usage, item) if failure.usage is not None else (0, 0)
        if failure.usage is None and line.fate is Fate.ANSWERED:
            cost, at_risk = None, item.at_risk_units
        return Call(
            send, None, 0, usage, cost, at_risk, http_status=failure.status,
            provider_request_id=failure.provider_request_id, model_version=failure.model_version,
            error_code=KIND_CODES[failure.kind], error=failure.message, finish_reason=failure.finish_reason,
        )  # fmt: skip

    def _cost(self, usage: Usage, item: BatchItem) -> tuple[int | None, int]:
        """(cost, at risk) in units; what is not told of usage is at risk, and not free."""
        if isinstance(usage, PartialUsage):
            return None, item.at_risk_units
        if self._books.rate is None:
            return None, 0
        return to_units(cost_usd(usage, self._books.rate)), 0


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
