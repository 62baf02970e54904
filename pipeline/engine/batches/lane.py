"""The batch lane: a request becomes a line of a batch, and its row is left for the pass after the answer.

Lines are written as they come; a batch and its lines are on the ledger, with what they may cost, before it leaves.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct, field

from pipeline.admission.gate import Gate, TenantOverBudget
from pipeline.codes import AttemptCode, ErrorCode, ParkReason
from pipeline.crash_points import crash_point
from pipeline.engine.ask import Deferred, Delivered, Lane, RowFailed, RowLife, TooLong
from pipeline.engine.batches.money import COMES_BACK, BatchMoney
from pipeline.engine.lanes.files import FileLoader, holds_files
from pipeline.ledger.batches import LINE_OPEN, LINE_WITHDRAWN, PLANNED, BatchItem, BatchRecord
from pipeline.ledger.ledger import Ledger
from pipeline.money import to_units
from pipeline.platforms import CLOSED_ON_EXEC
from pipeline.providers import Wire
from pipeline.providers.batches import BatchLimits, BatchWire
from pipeline.types import Purpose, Request

FILLED = 0.95  # of what a provider lets into a batch
FEW_REPAIRS = 100  # of a pass, that go live where batch.repair = "auto"
UNRUN = {AttemptCode.BATCH_EXPIRED, AttemptCode.BATCH_CANCELLED}
BATCHES = "batches"  # the folder of artifacts, beside the ledger


class Refused(Struct, frozen=True):
    """What a line of this session was refused for."""

    code: AttemptCode
    error: str


class Terms(Struct, frozen=True):
    """What the lane of a run goes by."""

    provider: str
    account: str
    model: str
    share: Decimal  # of the price
    max_attempts: int
    repair: str
    deadline_h: float
    few_go_live: bool = True  # where a batch would be smaller than the provider takes


class Room(Struct):
    """What one batch may hold: less, once the provider has found one too much."""

    rows: int
    size_bytes: int
    full: bool = False  # of this pass: what follows would be refused too


def room_of(limits: BatchLimits, max_rows: int) -> Room:
    """For a job's batches, at a provider that takes so much."""
    return Room(min(max_rows, int(limits.rows * FILLED)), int(limits.size_bytes * FILLED))


class _Draft(Struct):
    """A batch that is being written."""

    nonce: str
    path: Path
    file: BinaryIO
    items: list[BatchItem] = field(default_factory=list)
    size_bytes: int = 0


class Ways(Struct, frozen=True):
    """How requests leave. `live`: for what is not to wait. `submit`: takes each batch that is on record."""

    wire: Wire  # of a line's body
    batches: BatchWire
    live: Lane
    submit: Callable[[BatchRecord], Awaitable[None]]
    refused: dict[bytes, Refused]  # by key, of this session's batches
    room: Room
    files: FileLoader | None = None


class BatchLane:
    """A `Lane`."""

    def __init__(self, terms: Terms, ways: Ways, ledger: Ledger, gate: Gate[Any], money: BatchMoney) -> None:
        self.terms = terms
        self._ways = ways
        self._ledger = ledger
        self._gate = gate
        self._money = money
        self._folder = ledger.path.parent / BATCHES
        self._writing = asyncio.Lock()
        self._draft: _Draft | None = None
        self._drafted: set[bytes] = set()
        self._few: set[bytes] = set()  # keys of too few requests for a batch, which go live
        self.live_only = False
        self.resting = False  # nothing more is planned: it stays pending
        self.planned = 0  # of this pass
        self.rested = 0  # likewise: requests that were not planned
        self.too_few = 0  # likewise: that were left over, fewer than a batch may hold
        self.elsewhere = 0  # likewise: requests whose line is out already
        self.short_of_money = 0  # likewise: lines that fit once others have come back
        self.crowded = 0  # likewise: requests that came after the queue there was full
        self._repairs = 0

    @property
    def limits(self) -> BatchLimits:
        return self._ways.batches.limits

    @property
    def room(self) -> Room:
        return self._ways.room

    def start_pass(self) -> None:
        self.planned = self.rested = self.too_few = self.elsewhere = self.short_of_money = 0
        self.crowded = self._repairs = 0
        self.room.full = False

    async def answer(self, request: Request, life: RowLife) -> Delivered:
        """As `Lane.answer`; or Deferred."""
        if request.key in self._drafted:
            raise Deferred
        last = self._ledger.last_item(request.key)
        if last is not None and last.fate == LINE_OPEN:
            self.elsewhere += 1
            raise Deferred
        if (refused := self._ways.refused.get(request.key)) is not None:
            self._tell(refused, 0 if last is None else last.attempt)
        if self.live_only or request.key in self._few or self._goes_live(request):
            return await self._ways.live.answer(request, life)
        await self._gate.pause(0)  # raises Stopped
        if self.resting:
            self.rested += 1
            raise Deferred
        if self.room.full:
            self.crowded += 1
            raise Deferred
        await self._plan(request, _attempt_after(last))
        raise Deferred

    async def flush(self) -> None:
        """The end of a pass: what is written goes on record, and out."""
        async with self._writing:
            items = [] if self._draft is None else self._draft.items
            if len(items) >= self.limits.least_rows:
                await self._close()
            elif items:
                self.too_few = len(items)
                self._few |= {item.key for item in items if self.terms.few_go_live}
                self.discard()

    def discard(self) -> None:
        """A pass that was cut off: what is not on record was never planned."""
        if self._draft is not None:
            self._draft.file.close()
            self._draft.path.unlink(missing_ok=True)
            for item in self._draft.items:
                self._money.let_go(item, Decimal(0), self._ledger.run)
            self._draft = None
        self._drafted.clear()

    def _goes_live(self, request: Request) -> bool:
        if request.purpose is not Purpose.REPAIR or self.terms.repair == "batch":
            return False
        self._repairs += 1
        return self.terms.repair == "live" or self._repairs <= FEW_REPAIRS

    def _tell(self, refused: Refused, attempts: int) -> None:
        """What the row is to know of a line that was refused; nothing where asking again may help."""
        if refused.code is AttemptCode.CONTEXT_EXCEEDED:
            raise TooLong(refused.error)
        if refused.code in {AttemptCode.INVALID_REQUEST, AttemptCode.BLOCKED}:
            raise RowFailed(ErrorCode(str(refused.code)), refused.error)
        if self.live_only and refused.code in UNRUN:  # nobody has tried it
            return
        if attempts >= self.terms.max_attempts:
            known = {str(one) for one in ErrorCode}
            code = ErrorCode(str(refused.code)) if str(refused.code) in known else ErrorCode.PROVIDER_ERROR
            raise RowFailed(code, refused.error)

    async def _plan(self, request: Request, attempt: int) -> None:
        usd = self._money.worst_usd(request, self.terms.share)
        if (why := self._money.short(request.tenant, usd)) is not None:
            await self._without_money(why)
        self._money.hold(request.tenant, usd)
        self._drafted.add(request.key)
        try:
            body = await self._body(request)
            async with self._writing:
                await self._write(request, attempt, usd, body)
        except BaseException:
            self._drafted.discard(request.key)
            self._money.free(request.tenant, usd)
            raise

    async def _without_money(self, why: str | TenantOverBudget) -> None:
        if isinstance(why, TenantOverBudget):
            raise why
        if why == COMES_BACK:
            self.short_of_money += 1
            raise Deferred
        self._gate.stop(ParkReason.BUDGET, why)
        await self._gate.pause(0)

    async def _body(self, request: Request) -> bytes:
        if self._ways.files is None or not holds_files(request):
            return bytes(self._ways.wire.body(request))
        with await self._ways.files.loaded(request) as loaded:
            return bytes(self._ways.wire.body(loaded.request))

    async def _write(self, request: Request, attempt: int, usd: Decimal, body: bytes) -> None:
        draft = self._draft
        if draft is not None and self._full(draft, len(body)):
            await self._close()
            draft = None
        if draft is None:
            draft = self._draft = self._begun()
        name = f"{draft.nonce}-{len(draft.items)}"
        line = self._ways.batches.line(name, body) + b"\n"
        draft.file.write(line)
        draft.size_bytes += len(line)
        item = BatchItem(
            name=name,
            key=request.key,
            row=request.row,
            id=request.row_id,
            chunk=request.chunk,
            purpose=str(request.purpose),
            attempt=attempt,
            tenant=request.tenant,
            at_risk_units=to_units(usd),
        )
        draft.items.append(item)
        self.planned += 1

    def _full(self, draft: _Draft, more: int) -> bool:
        rows = max(self.limits.least_rows, self.room.rows)
        return len(draft.items) >= rows or draft.size_bytes + more > self.room.size_bytes

    def _begun(self) -> _Draft:
        self._folder.mkdir(exist_ok=True)
        nonce = secrets.token_hex(8)
        path = self._folder / f"{nonce}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CLOSED_ON_EXEC, 0o600)
        return _Draft(nonce, path, os.fdopen(descriptor, "wb"))

    async def _close(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        await asyncio.to_thread(_synced, draft.file)
        now_us = time.time_ns() // 1000
        deadline_us = self._ledger.batch_deadline_us() or now_us + round(self.terms.deadline_h * 3600e6)
        record = BatchRecord(
            draft.nonce, self._ledger.run, self._ledger.session, self.terms.provider, self.terms.account,
            self.terms.model, PLANNED, len(draft.items), draft.size_bytes, now_us, deadline_us,
        )  # fmt: skip
        await self._ledger.plan_batch(record, draft.items)
        crash_point("batch-planned")
        self._drafted.difference_update(item.key for item in draft.items)
        await self._ways.submit(record)


def _attempt_after(last: BatchItem | None) -> int:
    """A line that was withdrawn was never tried."""
    if last is None:
        return 1
    return last.attempt + (last.fate != LINE_WITHDRAWN)


def _synced(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
