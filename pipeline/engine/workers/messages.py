"""Messages between a run and its workers: tagged structs as MessagePack, those of one turn of the loop in one frame.

What text MessagePack cannot hold (a lone surrogate, which JSON can write as an escape) makes its frame one of JSON.
"""

import asyncio
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct, convert, msgpack, to_builtins

from pipeline.admission.report import Report
from pipeline.engine.feed import Selection, Share
from pipeline.job.settings import Job, Model
from pipeline.ledger.records import Call
from pipeline.types import Outcome, ParkReason

LENGTH = struct.Struct("!I")
PACKED, WRITTEN = b"\x00", b"\x01"  # what follows is MessagePack, or JSON


# ── what a run tells a worker ───────────────────────────────────────────────────────────────────────────────────────


class ModelPlace(Struct, frozen=True, array_like=True):
    """One more model of the job: as its wire wants it, and the URL of its embedded sandbox, or ""."""

    model: Model
    base_url: str


class WorkerAssignment(Struct, frozen=True, array_like=True, tag="assignment"):
    """Once, at its start."""

    job: Job
    model: Model  # as the wire wants it
    base_url: str  # of the embedded sandbox, or ""
    selection: Selection
    share: Share
    folder: str
    run: int
    session: int
    observed: bool  # somebody wants to see every call and outcome
    models: Mapping[str, ModelPlace] = {}  # NAME → of a job that has several


class Granted(Struct, frozen=True, array_like=True, tag="granted"):
    """The turn of what was asked for under this number has come. `usd`: the most that it may cost."""

    number: int
    usd: Decimal


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """It never will; `why` as of `gate.portable`."""

    number: int
    why: tuple[str, ...]


class RunStopped(Struct, frozen=True, array_like=True, tag="stopped"):
    """Nothing more is admitted."""

    reason: ParkReason
    message: str


class Widen(Struct, frozen=True, array_like=True, tag="widen"):
    """Make room for as many calls at once."""

    calls: int


class ModelHealth(Struct, frozen=True, array_like=True, tag="health"):
    """A model is down, and why; cause "": it is well again."""

    model: str
    cause: str
    told: str


ToWorker = WorkerAssignment | Granted | Refused | RunStopped | Widen | ModelHealth


# ── what a worker tells the run ─────────────────────────────────────────────────────────────────────────────────────


class Begun(Struct, frozen=True, array_like=True, tag="begun"):
    """`prefix`: of its request ids."""

    prefix: str


class SizedRequest(Struct, frozen=True, array_like=True):
    """What the run has to know of a request to admit it."""

    input_tokens: int
    input_tokens_ceiling: int
    max_output_tokens: int
    tenant: str | None
    standard_tier: bool
    file_tokens: int


class Admit(Struct, frozen=True, array_like=True, tag="admit"):
    """Ask for an admission. `number` is its name; `model`: NAME of the model, "" the job's [model]."""

    number: int
    asked: SizedRequest
    retry: bool
    model: str = ""


class Leave(Struct, frozen=True, array_like=True, tag="leave"):
    """It is wanted no more."""

    number: int


class Finish(Struct, frozen=True, array_like=True, tag="finish"):
    """The call that was admitted is over."""

    number: int
    report: Report


class StopRun(Struct, frozen=True, array_like=True, tag="stop"):
    """End the run early, for what this model has met, unless its rows go on elsewhere for that."""

    reason: ParkReason
    message: str
    model: str = ""
    nowhere_else: bool = False  # the row that has met it has been at all that it could go on to


class WorkerCounts(Struct, frozen=True, array_like=True, tag="counts"):
    """A worker's tally so far."""

    ok: int
    failed: dict[str, int]
    repaired: int
    calls: int
    rate_limited: int
    usd_units: int


class CallSeen(Struct, frozen=True, array_like=True, tag="call"):
    """To who looks on."""

    call: Call


class OutcomeSeen(Struct, frozen=True, array_like=True, tag="outcome"):
    """To who looks on."""

    outcome: Outcome


class CannotGoOn(Struct, frozen=True, array_like=True, tag="cannot"):
    """What of the machine has failed it: what it had in flight is at risk."""

    message: str


class WorkDone(Struct, frozen=True, array_like=True, tag="done"):
    """All is on disk. What came in the way: the input that could not be read, a bug, tenants' budgets."""

    unread: str | None
    bug: str | None
    over_budget: Mapping[str, str]


ToRun = Begun | Admit | Leave | Finish | StopRun | WorkerCounts | CallSeen | OutcomeSeen | CannotGoOn | WorkDone

# ── how they get there ──────────────────────────────────────────────────────────────────────────────────────────────

_PACK = msgpack.Encoder().encode
M = TypeVar("M")


class Frames(Generic[M]):
    """Frames of messages of one kind: `ToRun` or `ToWorker`.

    Example:
        >>> Frames[ToWorker](ToWorker).read(packed([Widen(3)]))
        [Widen(calls=3)]
    """

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 (a union of structs is no type to mypy)
        self._kind = list[kind]
        self._unpack = msgpack.Decoder(self._kind).decode

    def read(self, frame: bytes | memoryview) -> list[M]:
        view = memoryview(frame)
        if view[:1] == PACKED:
            return cast("list[M]", self._unpack(view[1:]))
        return cast("list[M]", convert(json.loads(view[1:].tobytes()), self._kind))


def packed(messages: Sequence[Struct]) -> bytes:
    """These messages as one frame."""
    try:
        return PACKED + _PACK(messages)
    except UnicodeEncodeError:
        return WRITTEN + json.dumps(to_builtins(messages)).encode()


class Channel(asyncio.Protocol, Generic[M]):
    """`on_message` is called with each message in order, `on_closed` once, when the other end is gone."""

    def __init__(
        self,
        frames: Frames[M],
        on_message: Callable[[M], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._on_message = on_message
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[Struct] = []
        self._incoming = bytearray()

    def send(self, message: Struct) -> None:
        """Send it soon, with what else is sent in this turn; nothing happens once the other end is gone."""
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(message)

    def flush(self) -> None:
        if self._outgoing and self._transport is not None:
            data = packed(self._outgoing)
            self._transport.write(LENGTH.pack(len(data)) + data)
        self._outgoing = []

    def close(self) -> None:
        """What was sent still gets there."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        incoming = self._incoming
        incoming += data
        while len(incoming) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(incoming)[0]
            if len(incoming) < end:
                return
            messages = self._frames.read(memoryview(incoming)[LENGTH.size : end].tobytes())
            del incoming[:end]
            for message in messages:
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (the other end is gone, however)
        self._transport = None
        self._on_closed()
