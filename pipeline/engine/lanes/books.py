"""What a lane writes of a call when it has ended, and of what came back; of one about several rows, row by row."""

import asyncio

from msgspec.structs import replace

from pipeline.codes import AttemptCode
from pipeline.engine.ask import Delivered
from pipeline.extraction.pack_shares import shares_of
from pipeline.extraction.packs import apart
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Call, Send, Share
from pipeline.ledger.remote import CallBooks
from pipeline.money import Rate
from pipeline.types import Answer, Request, Stop

MISMATCH = "not one record for each document, by its number: each is asked for alone"


class Books:
    """`rate` None: the model has no price."""

    def __init__(self, ledger: CallBooks, rate: Rate | None) -> None:
        self._ledger = ledger
        self._rate = rate

    def named(self, send: Send, request: Request) -> "asyncio.Future[None]":
        """A call that is about to leave, and the rows that it is about, where these are several."""
        if not request.pack:
            return self._ledger.intend(send)
        return self._of_packs.intend(send, [Share(one.row, one.row_id, one.chunk) for one in request.pack])

    @property
    def _of_packs(self) -> Ledger:
        """A job that packs has its ledger in this process."""
        assert isinstance(self._ledger, Ledger)  # noqa: S101 (`pack_problem` sees to it)
        return self._ledger

    def answered(self, call: Call, request: Request, reply: Answer) -> Delivered:
        """The call and its answer, in one transaction; an answer to several rows under the key of each."""
        if not request.pack:
            return Delivered(reply, self._ledger.record(call, request.key, reply))
        texts = apart(reply.text, reply.stop, len(request.pack))
        if texts is None and reply.stop is Stop.DONE:
            call = replace(call, error_code=AttemptCode.PACK_MISMATCH, error=MISMATCH)
        shares = shares_of(request.pack, call, self._rate, texts, request.key)
        items = tuple(
            replace(reply, text=text, usage=share.usage) for text, share in zip(texts or (), shares, strict=False)
        )
        keyed = [(member.key, item) for member, item in zip(request.pack, items, strict=False)]
        durable = self._of_packs.record_pack(call, shares, keyed or [(request.key, reply)])
        return Delivered(reply, durable, items)

    def ended(self, call: Call, request: Request) -> None:
        """A call that brought no answer."""
        if request.pack:
            self._of_packs.record_pack(call, shares_of(request.pack, call, self._rate, None, None), ())
        else:
            self._ledger.record(call)
