"""A worker far from the run: it is given rows, asks the run for every admission, and keeps nothing itself."""

import asyncio
import gc
import os
import time
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from msgspec import Struct

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.engine.ask import Deferred
from pipeline.engine.executors.local import Outcomes, paid_as
from pipeline.engine.feed import RowTask, plan_under
from pipeline.engine.frames import Channel, Frames
from pipeline.engine.ray.messages import (
    Bye,
    Dismissed,
    Entrusted,
    Errand,
    Here,
    Pulse,
    Ready,
    RowBroke,
    RowDecided,
    RowEnded,
    RowGiven,
    RowLeft,
    ToCarrier,
    Trusted,
    Unfit,
    Work,
)
from pipeline.engine.ray.reading import RowReader
from pipeline.engine.ray.sources import laid_out
from pipeline.engine.ray.versions import versions
from pipeline.engine.threads import in_thread_if_long
from pipeline.engine.workers.carrying import Held, carrying, gates_for
from pipeline.engine.workers.gate import RemoteGate, hear
from pipeline.engine.workers.messages import Granted, ModelHealth, ModelPlace, Refused, RunStopped
from pipeline.errors import JobError, machine_words
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.extraction.routing import MAIN
from pipeline.job.settings import Job
from pipeline.ledger.remote import Durable, OnRecord, RemoteLedger
from pipeline.runtime import settle_garbage, spare_pandas
from pipeline.telemetry.tally import Tally

PULSE_S = 1.0
ACKNOWLEDGED_S = 10.0  # how long the last words are waited for once all has ended


class RowCarrier:
    """`write` takes bytes for the run; `hear` gets those that come from it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._channel = Channel(Frames[ToCarrier](ToCarrier), self._heard, lambda: None)
        self._channel.attach(write)
        self._gate = RemoteGate(self._channel.send)
        self._ledger: RemoteLedger | None = None
        self._prepared: Prepared | None = None
        self._gates: dict[str, RemoteGate] = {}
        self._outcomes: Outcomes | None = None
        self._closing = AsyncExitStack()
        self._reader: RowReader | None = None
        self._rows: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._pulsing: asyncio.Task[None] | None = None
        self._channel.send(Here(versions(documents=True)))

    def hear(self, data: bytes) -> None:
        self._channel.data_received(data)

    def _heard(self, message: ToCarrier) -> None:
        match message:
            case Granted() | Refused() | RunStopped() | ModelHealth():
                hear(message, self._gate, self._gates)
            case Durable() | OnRecord() if self._ledger is not None:
                self._ledger.heard(message)
            case Work():
                for given in message.rows:
                    task = asyncio.get_running_loop().create_task(self._row(given))
                    self._rows.add(task)
                    task.add_done_callback(self._rows.discard)
            case RowDecided() if self._reader is not None:
                self._reader.told(message)
            case Entrusted():
                os.environ.update(message.environ)  # where each provider's own chain of credentials looks
                self._channel.send(Trusted())
            case Errand():
                self._begin(message)
            case Dismissed():
                if self._ending is not None:
                    self._ending.cancel()
                self._ending = asyncio.create_task(self._end(cut=message.cut))

    # ── what it is made of ──────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, errand: Errand) -> None:
        try:
            self._make(errand)
        except JobError as error:
            self._channel.send(Unfit(str(error)))
        except Exception as error:  # noqa: BLE001 (the user's modules may raise anything; the run says it)
            self._channel.send(Unfit(machine_words(error) or f"{type(error).__name__}: {error}"))

    def _make(self, errand: Errand) -> None:
        with laid_out(errand.job, errand.sources) as job:
            self._make_of(errand, job)

    def _make_of(self, errand: Errand, job: Job) -> None:
        prepared = prepare(job, documents=errand.documents)
        if (prepared.plan.request_hash, prepared.plan.outcome_salt) != errand.hashes:
            raise JobError("the same job is another one there: a module that its schema imports differs")
        spare_pandas()
        settle_garbage()
        gc.collect()
        self._ledger = RemoteLedger(self._channel.send, errand.run, errand.keys, errand.salts)
        self._gates, prefixes = gates_for(prepared.job, self._gate, self._channel.send), list[str]()
        held = Held(self._ledger, Tally(), prefixes.append, self._closing, named_by_run=True)
        places = {MAIN: ModelPlace(errand.model, errand.base_url), **errand.models}
        self._prepared = prepared
        self._outcomes = carrying(prepared, places, self._gates, held, errand.from_model)
        if errand.documents:
            earlier = [plan_under(prepared.plan, salt, columns) for salt, columns in errand.earlier]
            self._reader = RowReader(prepared, earlier, self._channel.send)
            self._closing.callback(self._reader.close)
        self._channel.send(Ready(prefixes))
        self._pulsing = asyncio.create_task(self._pulse())

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _row(self, given: RowGiven) -> None:
        place = given.row.index
        try:
            if (ended := await self._done(given)) is not None:
                self._channel.send(ended)
        except (Stopped, Deferred):
            self._channel.send(RowLeft(place))
        except JobError as error:
            self._channel.send(RowLeft(place))
            self._channel.send(Unfit(str(error)))
        except TenantOverBudget as error:
            self._channel.send(RowLeft(place, error.tenant, str(error)))
        except Exception as error:  # noqa: BLE001 (the boundary of one row: a bug ends the run, with all answers kept)
            self._channel.send(self._broken(place, error))

    async def _done(self, given: RowGiven) -> RowEnded | None:
        """None: it was not to be done, after all."""
        if given.file is None:
            return await self._outcome(given)
        assert self._reader is not None and self._prepared is not None  # noqa: S101, PT018 (rows are files)
        if (read := await self._reader.read(given)) is None:
            return None
        try:
            return await self._outcome(read)
        finally:
            self._prepared.source.release(read.row)

    async def _outcome(self, given: RowGiven) -> RowEnded:
        prepared, ledger, row = self._prepared, self._ledger, given.row
        assert prepared is not None and ledger is not None and self._outcomes is not None  # noqa: S101, PT018 (ready)
        cut = await in_thread_if_long(row.text, partial(prepared.cut, row, exact=prepared.exact))
        task = RowTask(row, given.doc, cut.chunks, given.stale_session, cut.skipped)
        outcome = await self._outcomes.outcome(task)
        return RowEnded(row.index, outcome, paid_as(prepared, ledger, task, outcome))

    def _broken(self, place: int, error: Exception) -> Struct:
        if (told := machine_words(error)) is not None:
            self._gate.stop(ParkReason.MACHINE, told)
            return RowLeft(place)
        return RowBroke(place, repr(error), "".join(traceback.format_exception(error)))

    async def _end(self, *, cut: bool) -> None:
        if cut:
            for task in self._rows:
                task.cancel()
        await asyncio.gather(*self._rows, return_exceptions=True)
        if self._ledger is not None and (left := self._ledger.unacknowledged):
            await asyncio.wait(left, timeout=ACKNOWLEDGED_S)
        await self._closing.aclose()
        if self._pulsing is not None:
            self._pulsing.cancel()
        self._channel.send(Pulse(time.process_time()))
        self._channel.send(Bye())

    async def _pulse(self) -> None:
        while True:
            self._channel.send(Pulse(time.process_time()))
            await asyncio.sleep(PULSE_S)
