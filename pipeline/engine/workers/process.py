"""A worker: one process that carries its share of the rows, and asks the run for every admission.

It writes to the run's ledger itself, hears no signal of the terminal's, and lives as long as the socket to the run:
when that closes, what has been answered is kept, and it ends.
"""

import asyncio
import socket
import sys
import time
import traceback
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from pipeline.codes import ParkReason
from pipeline.engine.executors.local import LocalExecutor
from pipeline.engine.frames import Channel, Frames
from pipeline.engine.workers.carrying import Held, carrying, gates_for
from pipeline.engine.workers.gate import RemoteGate, hear
from pipeline.engine.workers.messages import (
    Begun,
    CallSeen,
    CannotGoOn,
    Granted,
    ModelHealth,
    ModelPlace,
    OutcomeSeen,
    Refused,
    RowNow,
    RunStopped,
    ToWorker,
    Widen,
    WorkDone,
    WorkerAssignment,
    WorkerCounts,
)
from pipeline.errors import machine_words
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.extraction.routing import MAIN, calls_at_once
from pipeline.ledger.ledger import Ledger
from pipeline.runtime import spare_pandas
from pipeline.telemetry.tally import Tally
from pipeline.types import Row

TELL_EVERY_S = 0.1


def counts_of(tally: Tally) -> WorkerCounts:
    return WorkerCounts(
        tally.ok,
        dict(tally.failed),
        tally.repaired,
        tally.calls,
        tally.rate_limited,
        tally.usd_units,
        tally.ended,
        time.process_time(),
    )


class Worker:
    """One end of the socket; `main` is its whole life."""

    def __init__(self) -> None:
        self._errand: asyncio.Future[WorkerAssignment] = asyncio.get_running_loop().create_future()
        self._working: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self._executor: LocalExecutor | None = None
        self.channel = Channel(Frames[ToWorker](ToWorker), self._heard, self._lost)
        self._gate = RemoteGate(self.channel.send)
        self._gates: dict[str, RemoteGate] = {}

    async def main(self) -> None:
        """Everything from the errand to the last word."""
        try:
            errand = await self._errand
        except asyncio.CancelledError:  # the run was gone at once
            return
        found = prepare(errand.job)
        prepared = replace(found, plan=replace(found.plan, outcome_salt=errand.outcome_salt))
        spare_pandas()
        ledger = Ledger.joined(Path(errand.folder), errand.run, errand.session)
        with ledger:
            full = "no space left on the disk"
            ledger.start_writing(lambda: self._gate.stop(ParkReason.DISK_FULL, full), shared=True)
            self._working = asyncio.create_task(self._work(errand, prepared, ledger))
            if self.closed.is_set():
                self._working.cancel()
            try:
                await asyncio.wait([self._working])
            finally:
                await ledger.stop_writing()
            if not self._working.cancelled():
                self._working.result()
            if self._executor is not None and self._executor.issues.machine is not None:
                raise self._executor.issues.machine
        self._tell_end()

    async def _work(self, errand: WorkerAssignment, prepared: Prepared, ledger: Ledger) -> None:
        tally = Tally()
        if errand.observed:
            tally.on_call = lambda call: self.channel.send(CallSeen(call))
            tally.on_outcome = lambda outcome: self.channel.send(OutcomeSeen(outcome))
        self._gates = gates_for(errand.job, self._gate, self.channel.send)
        places, calls = {MAIN: ModelPlace(errand.model, errand.base_url), **errand.models}, calls_at_once(errand.job)
        async with AsyncExitStack() as closing:
            held = Held(ledger, tally, lambda prefix: self.channel.send(Begun(prefix)), closing)
            outcomes = carrying(prepared, places, self._gates, held, errand.selection.from_model)
            self._executor = LocalExecutor(prepared, ledger, outcomes, self._gate, tally, errand.share, calls=calls)
            self._executor.alone = frozenset(errand.alone)
            if errand.tell_rows:
                self._executor.on_row = self._tell_row
            telling = asyncio.create_task(self._telling(tally))
            try:
                await self._executor.work(errand.selection)
            finally:
                telling.cancel()
                self.channel.send(counts_of(tally))

    def _tell_row(self, row: Row, begins: bool) -> None:  # noqa: FBT001 (as `LocalExecutor.on_row`)
        self.channel.send(RowNow(row.index, row.id, begins))
        if begins:
            self.channel.flush()  # it may be its last word

    async def _telling(self, tally: Tally) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            self.channel.send(counts_of(tally))

    def _tell_end(self) -> None:
        """What came in the way, and that all is on disk."""
        if self._executor is None:
            return
        issues = self._executor.issues
        unread = None if issues.input is None else str(issues.input)
        bug = None if issues.bug is None else repr(issues.bug)
        self.channel.send(WorkDone(unread, bug, issues.over_budget))

    def _heard(self, message: ToWorker) -> None:
        match message:
            case WorkerAssignment():
                self._errand.set_result(message)
            case Granted() | Refused() | RunStopped() | ModelHealth():
                hear(message, self._gate, self._gates)
            case Widen() if self._executor is not None:
                self._executor.widen(message.calls)

    def _lost(self) -> None:
        """The run is gone, or wants no more."""
        self.closed.set()
        self._errand.cancel()
        if self._working is not None:
            self._working.cancel()


async def live(descriptor: int) -> int:
    """The exit code of a worker on this socket."""
    worker = Worker()
    await asyncio.get_running_loop().create_connection(lambda: worker.channel, sock=socket.socket(fileno=descriptor))
    code = 1
    try:
        await worker.main()
        code = 0
    except Exception as error:  # noqa: BLE001 (the last resort: the run starts another, or gives up)
        if (told := machine_words(error)) is not None:
            worker.channel.send(CannotGoOn(told))
        else:
            traceback.print_exc(file=sys.stderr)
    worker.channel.close()
    await worker.closed.wait()
    return code
