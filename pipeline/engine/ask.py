"""What a row needs of the rest of a run: to ask. Who answers, and by which lane a request leaves, is behind it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from pipeline.codes import AnswerFrom, ErrorCode
from pipeline.extraction.packs import PackItem
from pipeline.ledger.records import StoredAnswer
from pipeline.types import Answer, Request


class RowFailed(Exception):
    """The row ends here, with this code."""

    def __init__(self, code: ErrorCode, message: str, *, reply: Answer | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.finish_reason = reply.finish_reason if reply else None
        self.model_version = reply.model_version if reply else None


class FileGone(RowFailed):
    """Its file cannot be read, or is another than it was: another row with the same content may still have it."""


class TooLong(Exception):
    """The provider refused the length: smaller chunks may help."""


class Abandoned(Exception):
    """Another chunk of this row failed, so that this request, not yet sent, would be wasted."""


class Deferred(Exception):
    """The answer comes with a batch: the row is left for the pass after it."""


class RowLife(Struct):
    """What the requests of one row share."""

    alive: bool = True
    first_sent_s: float | None = None  # on the loop's clock
    sources: set[AnswerFrom] = field(default_factory=set)
    reused_runs: set[int] = field(default_factory=set)  # earlier runs whose answers it took


class Ask(Protocol):
    """A request's answer, from wherever it comes."""

    def now_s(self) -> float:
        """On the clock of `RowLife.first_sent_s`."""
        ...

    async def ask(self, request: Request, life: RowLife, reusable: Callable[[StoredAnswer], bool]) -> Answer:
        """The answer to `request`, paid for at most once; one on record is taken where it is `reusable`.

        Raises:
            RowFailed, TooLong: as `policy.decide` says. Stopped: the run ends early. TenantOverBudget: this row is
            left for another day. Abandoned: nobody wants it now.
        """
        ...


class Together(Protocol):
    """The answer to a row that may go with others."""

    async def answer(self, item: PackItem, life: RowLife) -> Answer | None:
        """Its own, from wherever it comes; None: it is to be asked for alone.

        Raises:
            Stopped: the run ends early. RowFailed: as `Ask.ask`.
        """
        ...


class Delivered(Struct, frozen=True):
    """An answer that has come by a lane; `durable` is done once it is safe on disk.

    `items`: of a request about several rows, the answer for each of them; none where there is not one for each.
    """

    reply: Answer
    durable: "asyncio.Future[None]"
    items: tuple[Answer, ...] = ()


class Lane(Protocol):
    """A way to the provider: live calls, or its batch API. On the ledger before it leaves, settled exactly once."""

    async def answer(self, request: Request, life: RowLife) -> Delivered:
        """Have it answered, whatever that takes.

        Raises:
            As `Ask.ask` does.
        """
        ...
