"""Rows whose files workers read: what these say of them is looked up here, and each is begun, dropped, or left."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from msgspec.structs import replace

from pipeline.engine.feed import Batch, Decided, Decisions, RowTask, Selection
from pipeline.engine.ray.errand import Kit
from pipeline.engine.ray.messages import RowDecided, RowRead
from pipeline.engine.ray.rows import RowQueue
from pipeline.engine.ray.seat import Seat
from pipeline.errors import LedgerError
from pipeline.extraction.plan import Plan
from pipeline.ledger.records import RowEntry
from pipeline.types import Outcome, Row

Told = tuple[Seat, RowTask, RowRead]


class Owner(Protocol):
    """Who gives rows out."""

    def row_dropped(self, seat: Seat, row: int) -> None: ...

    def cannot_write(self, error: LedgerError) -> None: ...

    def broke(self, error: Exception) -> None:
        """A bug, or the machine."""
        ...

    def changed(self) -> None: ...


class RowDecider:
    """What is told while the last of it is looked up is looked up next, all of it at once."""

    def __init__(self, kit: Kit, queue: RowQueue, owner: Owner) -> None:
        self._kit, self._queue, self._owner = kit, queue, owner
        self._decisions: Decisions | None = None
        self._told: list[Told] = []
        self._deciding: asyncio.Task[None] | None = None

    def open(self, selection: Selection) -> None:
        """Of a job over tables nothing is looked up here."""
        if self._kit.prepared.source.documents:
            self._decisions = Decisions(self._kit.prepared, self._kit.ledger.path, selection, cut=False)

    @property
    def earlier(self) -> Sequence[Plan]:
        """Plans of earlier jobs, whose keys are wanted of each row."""
        return () if self._decisions is None else self._decisions.plans

    def told(self, seat: Seat, message: RowRead) -> None:
        """A worker has read a row's file."""
        if (task := seat.rows.get(message.row)) is None:
            return
        seat.found(message.row, message.chars)
        self._told.append((seat, task, message))
        if self._deciding is None:
            self._deciding = asyncio.create_task(self._decide())
            self._deciding.add_done_callback(self._decided)

    def enter_unread(self, tasks: Iterable[RowTask]) -> None:
        """Those whose files nobody comes to any more, as the run ends: they stay pending."""
        try:
            self._kit.ledger.enter_unread([_unread(task) for task in tasks if task.file is not None and not task.doc])
        except LedgerError as error:
            self._owner.cannot_write(error)

    async def close(self) -> None:
        if self._deciding is not None:
            await asyncio.wait([self._deciding])
        if self._decisions is not None:
            self._decisions.close()

    async def _decide(self) -> None:
        assert self._decisions is not None  # noqa: S101 (it was opened)
        while self._told:
            told, self._told = self._told, []
            look = self._queue.recent.look()
            try:
                found = await asyncio.to_thread(self._decisions.of, *_keys(told, len(self.earlier)))
            except BaseException:
                for seat, task, _ in [*told, *self._told]:
                    self._drop(seat, task)
                raise
            self._carry_out(told, found)
            self._queue.recent.looked(look)
            self._owner.changed()

    def _carry_out(self, told: Sequence[Told], found: Sequence[Decided]) -> None:
        batch = Batch()
        for (seat, given, _), decided in zip(told, found, strict=True):
            if seat.rows.get(given.row.index) is not given:  # its worker has died meanwhile
                continue
            batch.take(decided)
            if decided.task is None:
                self._drop(seat, given)
            else:
                self._begin(seat, replace(decided.task, file=given.file))
        self._kit.ledger.enter_rows(batch.entries)
        self._kit.tally.ok += batch.ok
        self._kit.tally.failed.update(batch.failed)

    def _begin(self, seat: Seat, task: RowTask) -> None:
        claim = self._queue.claim(task)
        if claim is True:
            seat.rows[task.row.index] = task
            seat.channel.send(RowDecided(task.row.index, task.stale_session))
            return
        if isinstance(claim, Outcome):
            self._kit.tally.concluded(claim)
        self._drop(seat, task)

    def _drop(self, seat: Seat, task: RowTask) -> None:
        if task.row.index in seat.rows:
            seat.channel.send(RowDecided(task.row.index))
            self._owner.row_dropped(seat, task.row.index)

    def _decided(self, task: "asyncio.Task[None]") -> None:
        self._deciding = None
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LedgerError):
            self._owner.cannot_write(error)
        elif isinstance(error, Exception):
            self._owner.broke(error)


def _keys(told: Sequence[Told], plans: int) -> tuple[Sequence[tuple[Row, bytes | None]], Sequence[Mapping[int, bytes]]]:
    """What `Decisions.of` is asked. `plans`: how many earlier ones there are."""
    rows = [(replace(task.row, problem=word.problem, document=word.document), word.doc) for _, task, word in told]
    keyed = [(word.row, word.earlier) for _, _, word in told if word.earlier]
    return rows, [{row: doc for row, docs in keyed if (doc := docs[number])} for number in range(plans)]


def _unread(task: RowTask) -> RowEntry:
    """Under a key that no content has."""
    row = task.row
    key = blake2b(f"unread\x00{row.id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return RowEntry(row.index, row.id, key, None, row.tenant)
