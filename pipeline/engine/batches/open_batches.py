"""The batches of a ledger that are open, each with the file of its lines; and whether their API answers."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pipeline.admission.gate import Gate
from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.batches.collect import Books
from pipeline.engine.batches.lane import BATCHES
from pipeline.errors import CallFailed, Kind
from pipeline.ledger.batches import COLLECTED, LINE_OPEN, WITHDRAWN, BatchRecord

PASSING = {Kind.CONNECTION, Kind.TIMEOUT, Kind.OVERLOADED, Kind.NO_ANSWER, Kind.THROTTLED, Kind.DAMAGED}


class OpenBatches:
    """`by_nonce` is what the ledger has: each step of a batch is on record before the next one is taken."""

    def __init__(self, books: Books, gate: Gate[Any], outage_s: float) -> None:
        self.books = books
        self.folder = books.ledger.path.parent / BATCHES
        self.by_nonce: dict[str, BatchRecord] = {}
        self.withdrawn = 0  # lines of this session
        self._gate = gate
        self._outage_s = outage_s
        self._down_since_s: float | None = None

    async def change(self, batch: BatchRecord, **fields: Any) -> BatchRecord:  # noqa: ANN401 (of a BatchRecord)
        """On record, and as it is then."""
        await self.books.ledger.change_batch(batch.nonce, **fields)
        changed = replace(batch, **fields)
        if changed.state in {COLLECTED, WITHDRAWN}:
            self.by_nonce.pop(batch.nonce, None)
        else:
            self.by_nonce[batch.nonce] = changed
        return changed

    async def withdraw(self, batch: BatchRecord, words: str) -> None:
        """None of its lines was billed, and each may be asked again."""
        items = (await self.books.ledger.items_of(batch.nonce)).values()
        still = [item for item in items if item.fate == LINE_OPEN]
        await self.books.ledger.withdraw_batch(batch.nonce, len(still), words)
        self.withdrawn += len(still)
        for item in still:
            self.books.money.let_go(item, Decimal(0), batch.run)
        self.forget(batch)

    def forget(self, batch: BatchRecord) -> None:
        """It is done with."""
        self.by_nonce.pop(batch.nonce, None)
        self.artifact(batch).unlink(missing_ok=True)

    def artifact(self, batch: BatchRecord) -> Path:
        """The file of its lines."""
        return self.folder / f"{batch.nonce}.jsonl"

    def sweep(self, kept: set[str]) -> None:
        """Files of batches that were never on record, or are done with: a session that died has left them."""
        for path in self.folder.glob("*"):
            if path.stem not in kept or path.suffix != ".jsonl":
                path.unlink(missing_ok=True)

    def down(self, failure: CallFailed) -> None:
        """The API does not answer; for too long, and the run parks."""
        now_s = time.monotonic()
        if self._down_since_s is None:
            self._down_since_s = now_s
            say("notice", f"the batch API does not answer: {failure}; asked again")
        elif now_s - self._down_since_s >= self._outage_s:
            self._gate.stop(ParkReason.OUTAGE, f"the batch API has been down for {self._outage_s:g} s: {failure}")

    def up(self) -> None:
        """It does."""
        self._down_since_s = None
