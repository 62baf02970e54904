"""One worker as its run has it: what it has been given, and what it says."""

import asyncio
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.engine.feed import RowTask
from pipeline.engine.ray.books import ServedLedger
from pipeline.engine.ray.messages import FromCarrier, RowGiven
from pipeline.engine.workers.messages import Channel
from pipeline.engine.workers.served import ServedGate
from pipeline.extraction.template import as_text


class Seat(Struct):
    """A worker, from the wish for it to its end."""

    number: int  # from 1, given once
    channel: Channel[FromCarrier]
    gate: ServedGate
    books: ServedLedger
    node: str = ""  # its address, once it is there
    prefix: str = ""  # of its request ids, once it takes rows
    rows: dict[int, RowTask] = field(default_factory=dict)  # that it was given and that have not ended
    ended: int = 0
    leaving: bool = False  # it is given no more
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # it has said its last word, or never will

    @property
    def name(self) -> str:
        """As people are told of it."""
        return f"worker {self.number} on {self.node}" if self.node else f"worker {self.number}"

    def fact(self) -> dict[str, Any]:
        """As run.json tells it."""
        return {"worker": self.number, "node": self.node, "rows": self.ended, "calls": self.books.calls}

    @property
    def takes(self) -> bool:
        return bool(self.prefix) and not self.leaving

    def given(self, task: RowTask) -> RowGiven:
        """A row as it is told: its columns are text, as its prompt has them."""
        self.rows[task.row.index] = task
        row = task.row
        if row.values:
            row = replace(row, values={name: as_text(value) for name, value in row.values.items()})
        return RowGiven(row, task.doc, task.stale_session)
