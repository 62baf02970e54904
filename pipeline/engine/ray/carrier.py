"""A worker far from the run: it is given rows, asks the run for every admission, and keeps nothing itself."""

import asyncio
import gc
import importlib.util
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.engine.ask import Deferred
from pipeline.engine.executors.local import Outcomes
from pipeline.engine.feed import RowTask
from pipeline.engine.ray.messages import (
    Bye,
    Dismissed,
    Entrusted,
    Errand,
    Here,
    Pulse,
    Ready,
    RowBroke,
    RowEnded,
    RowGiven,
    RowLeft,
    ToCarrier,
    Trusted,
    Unfit,
    Work,
)
from pipeline.engine.ray.versions import versions
from pipeline.engine.workers.carrying import Held, carrying, gates_for
from pipeline.engine.workers.frames import Channel, Frames
from pipeline.engine.workers.gate import RemoteGate, RemoteModelGate, raised
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


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _with_sources(job: Job, sources: Mapping[str, str], scratch: Path) -> Job:
    """The job with its own Python files, as they lie here; a module that is installed here is taken as it is."""
    places = {}
    for number, (place, text) in enumerate(sources.items()):
        if not place.endswith(".py") and _importable(place):
            continue
        here = scratch / str(number) / (Path(place).name if place.endswith(".py") else f"{place}.py")
        here.parent.mkdir()
        here.write_text(text, encoding="utf-8")
        places[place] = str(here)

    def moved(named: str) -> str:
        place, _, name = named.rpartition(":")
        return f"{places.get(place, place)}:{name}"

    extract = job.extract
    tools = tuple(map(moved, extract.tools))
    return replace(job, extract=replace(extract, schema=moved(extract.schema), tools=tools))


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
        self._rows: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._pulsing: asyncio.Task[None] | None = None
        self._channel.send(Here(versions()))

    def hear(self, data: bytes) -> None:
        self._channel.data_received(data)

    def _heard(self, message: ToCarrier) -> None:  # noqa: C901 (a table of cases)
        match message:
            case Granted():
                self._gate.granted(message.number, message.usd)
            case Durable() | OnRecord() if self._ledger is not None:
                self._ledger.heard(message)
            case Work():
                for given in message.rows:
                    task = asyncio.get_running_loop().create_task(self._row(given))
                    self._rows.add(task)
                    task.add_done_callback(self._rows.discard)
            case Refused():
                self._gate.refused(message.number, raised(message.why))
            case RunStopped():
                self._gate.stopped_by_run(message.reason, message.message)
            case ModelHealth() if isinstance(gate := self._gates.get(message.model), RemoteModelGate):
                gate.down(message.cause, message.told)
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
        with tempfile.TemporaryDirectory(prefix="pipeline-worker-") as scratch:  # read once: nothing of it stays
            self._make_of(errand, _with_sources(errand.job, errand.sources, Path(scratch)))

    def _make_of(self, errand: Errand, job: Job) -> None:
        if errand.folder and not Path(errand.folder).exists():
            raise JobError(f"{errand.folder} is not there: documents lie in a bucket, or where all nodes find them")
        prepared = prepare(job, documents=errand.documents)
        if (prepared.plan.request_hash, prepared.plan.outcome_salt) != errand.hashes:
            raise JobError("the same job is another one there: a module that its schema imports differs")
        spare_pandas()
        settle_garbage()
        gc.collect()
        self._ledger = RemoteLedger(self._channel.send, errand.run, errand.keys)
        self._gates, prefixes = gates_for(prepared.job, self._gate, self._channel.send), list[str]()
        held = Held(self._ledger, Tally(), prefixes.append, self._closing)
        places = {MAIN: ModelPlace(errand.model, errand.base_url), **errand.models}
        self._prepared = prepared
        self._outcomes = carrying(prepared, places, self._gates, held, errand.from_model)
        self._channel.send(Ready(prefixes))
        self._pulsing = asyncio.create_task(self._pulse())

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _row(self, given: RowGiven) -> None:
        place = given.row.index
        try:
            self._channel.send(await self._done(given))
        except (Stopped, Deferred):
            self._channel.send(RowLeft(place))
        except TenantOverBudget as error:
            self._channel.send(RowLeft(place, error.tenant, str(error)))
        except Exception as error:  # noqa: BLE001 (the boundary of one row: a bug ends the run, with all answers kept)
            self._channel.send(self._broken(place, error))

    async def _done(self, given: RowGiven) -> Struct:
        assert self._prepared is not None and self._outcomes is not None  # noqa: S101, PT018 (it was ready)
        row = given.row
        cut = self._prepared.cut(row, exact=self._prepared.exact)
        task = RowTask(row, given.doc, cut.chunks, given.stale_session, cut.skipped)
        with self._prepared.source.lying_at(given.urls):
            return RowEnded(row.index, await self._outcomes.outcome(task))

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
            await asyncio.sleep(PULSE_S)
            self._channel.send(Pulse(time.process_time()))
