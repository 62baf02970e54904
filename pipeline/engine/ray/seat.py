"""One worker as its run has it: what it has been given, and what it says."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.engine.feed import RowTask
from pipeline.engine.frames import Channel
from pipeline.engine.ray.books import ServedLedger
from pipeline.engine.ray.messages import FromCarrier, RowBroke, RowEnded, RowGiven, RowLeft, RowRead
from pipeline.engine.ray.rows import size_of
from pipeline.engine.workers.facts import CpuSeen, worker_fact
from pipeline.engine.workers.served import ServedGate
from pipeline.errors import LedgerError
from pipeline.extraction.template import as_text


class Seat(Struct):
    """A worker, from the wish for it to its end."""

    number: int  # from 1, given once
    channel: Channel[FromCarrier]
    gate: ServedGate
    books: ServedLedger
    node: str = ""  # its address, once it is there
    prefixes: Sequence[str] = ()  # of its request ids, once it takes rows
    rows: dict[int, RowTask] = field(default_factory=dict)  # that it was given and that have not ended
    sizes: dict[int, int] = field(default_factory=dict)  # of their texts, as far as these are known
    size: int = 0  # of them all
    ended: int = 0
    cpu: CpuSeen = field(default_factory=CpuSeen)
    leaving: bool = False  # it is given no more
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # it has said its last word, or never will

    @property
    def name(self) -> str:
        """As people are told of it."""
        return f"worker {self.number} on {self.node}" if self.node else f"worker {self.number}"

    def back(self, row: int) -> RowTask:
        """A row that it has done with."""
        self.size -= self.sizes.pop(row)
        return self.rows.pop(row)

    def found(self, row: int, chars: int) -> None:
        """A file of its rows has so much text."""
        self.size += chars - self.sizes[row]
        self.sizes[row] = chars

    def fact(self) -> dict[str, Any]:
        """As run.json tells it."""
        return worker_fact(self.number, self.node, self.ended, self.books.calls, self.cpu)

    @property
    def takes(self) -> bool:
        return bool(self.prefixes) and not self.leaving

    def given(self, task: RowTask) -> RowGiven:
        """A row as it is told: its columns are text, as its prompt has them, but for what its file is to say."""
        row, unread = task.row, task.file is not None
        self.rows[row.index] = task
        self.sizes[row.index] = size_of(task)
        self.size += size_of(task)
        if row.values:
            values = {name: None if value is None and unread else as_text(value) for name, value in row.values.items()}
            row = replace(row, values=values)
        return RowGiven(row, task.doc, task.stale_session, task.file)


RowTold = RowRead | RowEnded | RowLeft | RowBroke


class Told(Protocol):
    """Who gives the rows out, and hears of what becomes of them."""

    def row_told(self, seat: Seat, message: RowTold) -> None: ...

    def rows_back(self, rows: Sequence[RowTask]) -> None:
        """Of a worker that has died."""
        ...

    def unfit(self, why: str) -> None:
        """The workers can do nothing of this job."""
        ...

    def cannot_write(self, error: LedgerError) -> None: ...

    def changed(self) -> None:
        """There may be room for rows, or an end."""
        ...
