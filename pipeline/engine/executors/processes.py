"""Several processes for one job: each carries its share of the rows, all are admitted here.

There is one governor, so that limits and budgets hold to the call; one ledger, which all of them write to in turn; and
one result. A worker that dies is replaced: its calls in flight are booked as lost, at their worst, as after any crash,
and the next one goes on from what the ledger holds.
"""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.queue import Admission
from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.executors import RunIssues
from pipeline.engine.executors.deaths import Deaths, deadly_text
from pipeline.engine.feed import Selection, Share, feed
from pipeline.engine.frames import Channel, Frames
from pipeline.engine.workers.ending import wait_or_kill
from pipeline.engine.workers.facts import ended_fact
from pipeline.engine.workers.messages import (
    Admit,
    Begun,
    CallSeen,
    CannotGoOn,
    Finish,
    Leave,
    ModelHealth,
    OutcomeSeen,
    RowNow,
    RunStopped,
    StopRun,
    ToRun,
    Widen,
    WorkDone,
    WorkerAssignment,
    WorkerCounts,
)
from pipeline.engine.workers.served import Served, ServedGate
from pipeline.engine.workers.slot import WorkerSlot, total_of
from pipeline.errors import JobError, LedgerError
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import MAIN
from pipeline.job.settings import Model
from pipeline.ledger.ledger import Ledger
from pipeline.telemetry.snapshot import ModelNow
from pipeline.telemetry.tally import Tally
from pipeline.telemetry.workers import LOST

if TYPE_CHECKING:
    from pipeline.engine.several import Way

ROOT = Path(__file__).parents[3]  # the folder that holds the package
DEATHS_MOST = 3  # of one share's workers: what kills so many kills the next as well
STOP_S = 10.0


class WorkerFailed(Exception):
    """A bug in a worker; it has printed where."""


class Where(Struct):
    """What workers need beside the job: the wire's settings, and who looks on."""

    model: Model
    base_url: str
    environ: Mapping[str, str]
    observed: bool
    ways: Mapping[str, "Way"] = {}  # of a job with several models


class ProcessExecutor:
    """An `Executor` in `limits.workers` processes."""

    def __init__(self, prepared: Prepared, ledger: Ledger, admission: Admission, tally: Tally, where: Where) -> None:
        self.issues = RunIssues()
        self._prepared = prepared
        self._ledger = ledger
        self._admission = admission
        self._tally = tally
        self._where = where
        self._before = WorkerCounts(tally.ok, dict(tally.failed), 0, 0, 0, 0)
        self._seats: dict[int, WorkerSlot] = {}
        self._past: list[dict[str, Any]] = []  # workers that have died
        self._of = prepared.job.limits.workers
        self._ledger_error = ""
        self._frames = Frames[ToRun](ToRun)
        self._gates: dict[str, Served] = {name: way.gate for name, way in where.ways.items()} or {MAIN: admission}
        for name, way in where.ways.items():
            way.gate.on_health = partial(self._tell_health, name)
        self.models: Callable[[], tuple[ModelNow, ...]] = tuple  # how those of a job with several do
        self._others_stop, admission.on_stop = admission.on_stop, self._tell_stop

    def widen(self, calls: int) -> None:
        for seat in self._seats.values():
            seat.channel.send(Widen(-(-calls // self._of)))

    def workers(self) -> Sequence[dict[str, Any]]:
        """Every worker that there was, as run.json tells it."""
        return [*self._past, *(seat.fact() for seat in self._seats.values())]

    async def work(self, selection: Selection) -> None:
        """Every chosen row to its outcome.

        Raises:
            LedgerError: a worker cannot go on; what it had in flight is at risk.
        """
        shares = [asyncio.create_task(self._share(Share(number, self._of), selection)) for number in range(self._of)]
        try:
            await asyncio.gather(*shares)
        finally:
            for task in shares:
                task.cancel()
            await asyncio.gather(*shares, return_exceptions=True)
            for seat in self._seats.values():
                await self._dismissed(seat)
        if self._ledger_error:
            raise LedgerError(self._ledger_error)

    async def _share(self, share: Share, selection: Selection) -> None:
        """One share to its end, by as many workers as it takes."""
        deaths = Deaths(doubted=1, most=DEATHS_MOST - 1)  # which rows the first has died with nobody knows
        for death in range(1, DEATHS_MOST + 1):
            seat = await self._started(share, selection, None if death == 1 else deaths)
            await seat.gone.wait()
            code = await self._left(seat)
            if seat.finished or self._ledger_error:
                return
            await self._book_lost(seat, f"exit code {code}")
            told = f"worker {share.number + 1} died {death} times; what kills it may be said above, or in a system log"
            say("warning", f"worker {share.number + 1} died (exit code {code}); its rows are taken up again")
            deadly = deaths.died(seat.rows)
            if deadly is not None:
                told = deadly_text(seat.rows[deadly], DEATHS_MOST - 1)
            if death == DEATHS_MOST:
                self._admission.stop(ParkReason.INTERRUPTED, told)
            if self._admission.stopped is not None:
                await self._enter_rest(share, selection)
                return

    async def _enter_rest(self, share: Share, selection: Selection) -> None:
        """The rows that no worker of this share has come to: they stay pending, and are in the results."""
        read = 0
        try:
            async for batch in feed(self._prepared, self._ledger.path, selection, share, cut=False):
                self._ledger.enter_rows(batch.entries)
                read += batch.read
            self._ledger.end_rows(read)
        except JobError as error:
            self.issues.input = self.issues.input or error
        except OSError as error:  # no room for a copy of a document
            self.issues.machine = self.issues.machine or error

    async def _started(self, share: Share, selection: Selection, deaths: Deaths | None) -> WorkerSlot:
        ours, theirs = socket.socketpair()
        gone = asyncio.Event()
        channel = Channel(self._frames, lambda message: self._heard(seat, message), gone.set)
        seat = WorkerSlot(share, channel, ServedGate(self._gates, channel.send), gone)
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
        path = os.pathsep.join(filter(None, (str(ROOT), self._where.environ.get("PYTHONPATH"), *self._seen_here())))
        with theirs:
            kept = (theirs.fileno(), self._ledger.lock_descriptor)  # the folder is locked until the last is gone
            words = [sys.executable, "-P", "-m", "pipeline.engine.workers", str(theirs.fileno())]
            seat.process = await asyncio.create_subprocess_exec(
                *words,
                stdin=DEVNULL,
                stdout=DEVNULL,
                pass_fds=kept,
                env={**self._where.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        self._seats[share.number] = seat
        ways = self._where.ways
        errand = WorkerAssignment(
            self._prepared.job,
            self._where.model,
            self._where.base_url,
            selection,
            share,
            str(self._ledger.path.parent),
            self._ledger.run,
            self._ledger.session,
            self._where.observed,
            {name: way.place for name, way in ways.items() if name},
            self._prepared.plan.outcome_salt,
            deaths is not None,
            () if deaths is None else deaths.suspects,
        )
        channel.send(errand)
        if self._admission.stopped is not None:
            channel.send(RunStopped(self._admission.stopped, self._admission.stop_message))
        return seat

    def _seen_here(self) -> list[str]:
        """Where a schema that is named as a module may lie, as this process has found it."""
        if self._prepared.job.extract.schema.rpartition(":")[0].endswith(".py"):
            return []
        return [folder or str(Path.cwd()) for folder in sys.path]

    async def _dismissed(self, seat: WorkerSlot) -> None:
        """Let it keep what it has; it then ends by itself."""
        if not seat.gone.is_set():
            seat.channel.close()
        await self._left(seat)

    async def _left(self, seat: WorkerSlot) -> int | None:
        """Wait for its end, and kill it, by its own id, if that does not come; give back what it held."""
        process = seat.process
        if process is not None and process.returncode is None:
            await wait_or_kill(process, STOP_S)
        seat.gate.gone()
        return None if process is None else process.returncode

    async def _book_lost(self, seat: WorkerSlot, why: str) -> None:
        self._past.append(ended_fact(seat.fact(), LOST, why, datetime.now(UTC)))
        del self._seats[seat.share.number]
        for prefix in seat.prefixes:
            await self._ledger.lose(prefix)
        if seat.counts is not None:  # its rows are counted anew by who comes next; its calls were made
            self._before = total_of([self._before, replace(seat.counts, ok=0, failed={}, repaired=0)])
            seat.counts = None

    def _heard(self, seat: WorkerSlot, message: ToRun) -> None:  # noqa: C901 (a table, written as cases)
        match message:
            case Admit():
                seat.gate.admit(message)
            case Finish():
                seat.gate.finish(message.number, message.report)
            case Leave():
                seat.gate.leave(message.number)
            case CallSeen() if self._tally.on_call is not None:
                self._tally.on_call(message.call)
            case OutcomeSeen() if self._tally.on_outcome is not None:
                self._tally.on_outcome(message.outcome)
            case WorkerCounts():
                seat.counts = message
                seat.cpu.heard(message.cpu_s, asyncio.get_running_loop().time())
                self._count()
            case Begun():
                seat.prefixes.append(message.prefix)
            case RowNow(begins=True):
                seat.rows[message.row] = message.id
            case RowNow():
                seat.rows.pop(message.row, None)
            case StopRun():
                seat.gate.stop(message)
            case CannotGoOn():
                self._ledger_error = message.message
                self._admission.stop(ParkReason.INTERRUPTED, message.message)
            case WorkDone():
                seat.finished = True
                self._ended(message)

    def _count(self) -> None:
        now = total_of([self._before, *(seat.counts for seat in self._seats.values() if seat.counts is not None)])
        tally = self._tally
        tally.ok, tally.failed, tally.repaired = now.ok, Counter(now.failed), now.repaired
        tally.calls, tally.rate_limited, tally.usd_units = now.calls, now.rate_limited, now.usd_units

    def _ended(self, done: WorkDone) -> None:
        issues = self.issues
        issues.input = issues.input or (None if done.unread is None else JobError(done.unread))
        issues.bug = issues.bug or (None if done.bug is None else WorkerFailed(done.bug))
        issues.over_budget = {**done.over_budget, **issues.over_budget}

    def _tell_health(self, model: str, cause: str, told: str) -> None:
        for seat in self._seats.values():
            seat.channel.send(ModelHealth(model, cause, told))

    def _tell_stop(self, reason: ParkReason, message: str) -> None:
        if self._others_stop is not None:
            self._others_stop(reason, message)
        for seat in self._seats.values():
            seat.channel.send(RunStopped(reason, message))
