"""A ledger that is kept in another process: what a worker writes to it and asks of it, as messages, and its answers.

Nothing here counts as kept before the other end has said so. What a worker has written and nobody has acknowledged when
it dies is not on record; that the call was made is, for its name was there before it left.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Protocol

from msgspec import Struct

from pipeline.ledger.key_filter import Keys
from pipeline.ledger.records import Call, Send, StoredAnswer
from pipeline.types import Answer, Stop, Usage


class CallBooks(Protocol):
    """What those who make calls need of a ledger, wherever it is kept; as `Ledger` documents it."""

    @property
    def run(self) -> int: ...

    def intend(self, send: Send) -> "asyncio.Future[None]": ...

    def withdraw(self, send: Send) -> "asyncio.Future[None]": ...

    def record(self, call: Call, key: bytes | None = None, reply: Answer | None = None) -> "asyncio.Future[None]": ...

    def answer(self, key: bytes) -> "StoredAnswer | asyncio.Future[StoredAnswer | None] | None":
        """The answer to this very request; of a ledger that is kept elsewhere it may have to be waited for."""
        ...


class Intended(Struct, frozen=True, array_like=True, tag="intended"):
    """A request that is about to leave."""

    number: int
    send: Send


class Withdrawn(Struct, frozen=True, array_like=True, tag="withdrawn"):
    """One that never left."""

    number: int
    send: Send


class KeptText(Struct, frozen=True, array_like=True):
    """What a ledger keeps of an answer; its usage is in its call."""

    key: bytes
    text: str
    stop: Stop
    finish_reason: str
    model_version: str | None

    @property
    def reply(self) -> Answer:
        return Answer(self.text, self.stop, self.finish_reason, Usage(), self.model_version)


class Recorded(Struct, frozen=True, array_like=True, tag="recorded"):
    """An attempt, and its answer if it has one."""

    number: int
    call: Call
    answer: KeptText | None = None


class Looked(Struct, frozen=True, array_like=True, tag="looked"):
    """Is there an answer to this request?"""

    number: int
    key: bytes


class Durable(Struct, frozen=True, array_like=True, tag="durable"):
    """What was said under these numbers would survive a power cut."""

    numbers: Sequence[int]


class OnRecord(Struct, frozen=True, array_like=True, tag="on_record"):
    """What was looked for, or that it is not there."""

    number: int
    found: StoredAnswer | None


LedgerWrite = Intended | Withdrawn | Recorded
LedgerAsked = Intended | Withdrawn | Recorded | Looked
LedgerTold = Durable | OnRecord


class RemoteLedger:
    """A worker's end: `CallBooks`. `send` takes a message; what comes back is given to `heard`.

    `keys`: of all answers that were on record as the worker began (`packed_keys`); None: any may be.
    `salts`: by run on record, its job's.
    """

    def __init__(
        self, send: Callable[[Struct], None], run: int, keys: bytes | None, salts: Mapping[int, bytes]
    ) -> None:
        self.run = run
        self._salts = salts
        self._send = send
        self._keys = None if keys is None else unpacked_keys(keys)
        self._loop = asyncio.get_running_loop()
        self._numbers = count()
        self._writes: dict[int, asyncio.Future[None]] = {}
        self._looks: dict[int, asyncio.Future[StoredAnswer | None]] = {}

    def intend(self, send: Send) -> "asyncio.Future[None]":
        number, done = self._write()
        self._send(Intended(number, send))
        return done

    def withdraw(self, send: Send) -> "asyncio.Future[None]":
        number, done = self._write()
        self._send(Withdrawn(number, send))
        return done

    def record(self, call: Call, key: bytes | None = None, reply: Answer | None = None) -> "asyncio.Future[None]":
        number, done = self._write()
        answer = None
        if key is not None and reply is not None:
            answer = KeptText(key, reply.text, reply.stop, reply.finish_reason, reply.model_version)
            if self._keys is not None:
                self._keys.add(key)
        self._send(Recorded(number, call, answer))
        return done

    def answer(self, key: bytes) -> "StoredAnswer | asyncio.Future[StoredAnswer | None] | None":
        if self._keys is not None and key not in self._keys:
            return None
        number = next(self._numbers)
        look: asyncio.Future[StoredAnswer | None] = self._loop.create_future()
        self._looks[number] = look
        self._send(Looked(number, key))
        return look

    def salts_of(self, runs: Sequence[int]) -> list[bytes]:
        """As `Ledger.salts_of`."""
        return list(dict.fromkeys(self._salts[run] for run in runs if run in self._salts))

    def heard(self, message: LedgerTold) -> None:
        if isinstance(message, OnRecord):
            look = self._looks.pop(message.number)
            if not look.done():
                look.set_result(message.found)
            return
        for number in message.numbers:
            done = self._writes.pop(number)
            if not done.done():
                done.set_result(None)

    @property
    def unacknowledged(self) -> "Sequence[asyncio.Future[None]]":
        """What was written and is not yet known to be kept."""
        return list(self._writes.values())

    def _write(self) -> "tuple[int, asyncio.Future[None]]":
        number, done = next(self._numbers), self._loop.create_future()
        self._writes[number] = done
        return number, done


def packed_keys(keys: Keys) -> bytes:
    """For sending: some KB where there are few, a MB with a million."""
    return zlib.compress(keys.places, 1)


def unpacked_keys(packed: bytes) -> Keys:
    return Keys(zlib.decompress(packed))
