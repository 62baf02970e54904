"""What a ledger writes and answers of batches: their plans, their lines, and how each of these ended."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pipeline.ledger import batches, statements
from pipeline.ledger.answer_keys import AnswerKeys
from pipeline.ledger.batches import BatchItem, BatchRecord
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.head import Head, gained
from pipeline.ledger.records import Call
from pipeline.ledger.writer import Writer
from pipeline.types import Answer


class BatchBooks:
    """A part of `Ledger`."""

    path: Path
    run: int
    session: int
    _reader: Connection
    _keys: AnswerKeys

    @property
    def _w(self) -> Writer:
        raise NotImplementedError

    async def plan_batch(self, batch: BatchRecord, items: Sequence[BatchItem]) -> None:
        """A batch and its lines on record, before anything of it leaves."""
        planned = await asyncio.to_thread(batches.planned, batch, items)
        await self._w.put_durably(*planned, gain=Head(named=len(items)))

    def change_batch(self, nonce: str, **fields: object) -> "asyncio.Future[None]":
        """What has become known of a batch."""
        return self._w.put_durably(batches.changed(nonce, **fields))

    def withdraw_batch(self, nonce: str, lines: int, error: str) -> "asyncio.Future[None]":
        """No line of it was billed."""
        return self._w.put_durably(*batches.withdrawn(nonce, error), gain=Head(named=-lines))

    def settle_line(
        self, call: Call, fate: str, run: int, key: bytes | None = None, reply: Answer | None = None
    ) -> "asyncio.Future[None]":
        """The end of a line: its call, its answer if it has one, and its fate, in one transaction.

        `run`: of its batch, on whose books it is.
        """
        answers = () if key is None or reply is None else ((key, reply),)
        self._keys.add(answers)
        made = statements.line_ended(call, fate, run, self.session, answers, key)
        return self._w.put_durably(*made, gain=gained(call, answers=len(answers)))

    def open_batches(self) -> list[BatchRecord]:
        return batches.open_batches(self._reader)

    async def items_of(self, nonce: str) -> dict[str, BatchItem]:
        """By name. Read aside: there may be fifty thousand."""

        def found() -> dict[str, BatchItem]:
            with reading(self.path) as db:
                return batches.items_of(db, nonce)

        return await asyncio.to_thread(found)

    def last_item(self, key: bytes) -> BatchItem | None:
        return batches.last_item(self._reader, key)

    def batch_deadline_us(self) -> int | None:
        return batches.deadline_us(self._reader, self.run)

    def held_units(self) -> int:
        """What lines of this run that are out may cost at the most."""
        return batches.held_units(self._reader, self.run)

    def called_off(self) -> bool:
        """Whether batches of this run were, for its deadline."""
        return batches.called_off(self._reader, self.run)

    def held_units_by_tenant(self) -> dict[str, int]:
        """Over all runs and days: each is let go once its fate is known."""
        return batches.held_units_by_tenant(self._reader)
