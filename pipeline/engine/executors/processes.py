"""Several processes for one job: each carries its share of the rows, all are admitted here.

There is one governor, so that limits and budgets hold to the call; one ledger, which all of them write to in turn; and
one result. A worker that dies is replaced: its calls in flight are booked as lost, at their worst, as after any crash,
and the next one goes on from what the ledger holds.
"""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.admission.governor import Ticket
from pipeline.admission.queue import Admission, Turn
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT, Report
from pipeline.console import say
from pipeline.engine.executors import RunIssues
from pipeline.engine.feed import Selection, Share
from pipeline.engine.workers.gate import SizedRequest, portable
from pipeline.engine.workers.messages import Channel, Message
from pipeline.engine.workers.process import WorkerAssignment, WorkerCounts
from pipeline.errors import JobError, LedgerError
from pipeline.extraction.prepare import Prepared
from pipeline.job.settings import Model
from pipeline.ledger.ledger import Ledger
from pipeline.telemetry.tally import Tally
from pipeline.types import ParkReason

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


class _WorkerSlot(Struct):
    """One share, and who works on it."""

    share: Share
    channel: Channel
    process: Process | None = None
    prefix: str = ""  # of its request ids
    turns: dict[int, Turn] = field(default_factory=dict)
    tickets: dict[int, Ticket] = field(default_factory=dict)
    counts: WorkerCounts | None = None
    finished: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class ProcessExecutor:
    """An `Executor` in `limits.workers` processes."""

    def __init__(self, prepared: Prepared, ledger: Ledger, admission: Admission, tally: Tally, where: Where) -> None:
        self.issues = RunIssues()
        self._prepared = prepared
        self._ledger = ledger
        self._admission = admission
        self._tally = tally
        self._where = where
        self._before = WorkerCounts(tally.ok, Counter(tally.failed), 0, 0, 0, 0)
        self._seats: dict[int, _WorkerSlot] = {}
        self._of = prepared.job.limits.workers
        self._ledger_error = ""
        admission.on_stop = self._tell_stop

    def widen(self, calls: int) -> None:
        for seat in self._seats.values():
            seat.channel.send("widen", -(-calls // self._of))

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
        for death in range(1, DEATHS_MOST + 1):
            seat = await self._started(share, selection)
            await seat.gone.wait()
            code = await self._left(seat)
            if seat.finished or self._ledger_error:
                return
            await self._book_lost(seat)
            say("warning", f"worker {share.number + 1} died (exit code {code}); its rows are taken up again")
            if death == DEATHS_MOST:
                told = (
                    f"worker {share.number + 1} died {death} times; what kills it may be said above, or in a system log"
                )
                self._admission.stop(ParkReason.INTERRUPTED, told)
            if self._admission.stopped is not None:
                return

    async def _started(self, share: Share, selection: Selection) -> _WorkerSlot:
        ours, theirs = socket.socketpair()
        channel = Channel(lambda message: self._heard(seat, message), lambda: self._lost(seat))
        seat = _WorkerSlot(share, channel)
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
        )
        channel.send("errand", errand)
        if self._admission.stopped is not None:
            channel.send("stopped", self._admission.stopped, self._admission.stop_message)
        return seat

    def _seen_here(self) -> list[str]:
        """Where a schema that is named as a module may lie, as this process has found it."""
        if self._prepared.job.extract.schema.rpartition(":")[0].endswith(".py"):
            return []
        return [folder or str(Path.cwd()) for folder in sys.path]

    async def _dismissed(self, seat: _WorkerSlot) -> None:
        """Let it keep what it has; it then ends by itself."""
        if not seat.gone.is_set():
            seat.channel.close()
        await self._left(seat)

    async def _left(self, seat: _WorkerSlot) -> int | None:
        """Wait for its end, and kill it, by its own id, if that does not come; give back what it held."""
        process = seat.process
        if process is not None and process.returncode is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        for turn in list(seat.turns.values()):
            self._admission.leave(turn)
        for ticket in seat.tickets.values():
            self._admission.finish(ticket, FATE_UNKNOWN)
        seat.turns.clear()
        seat.tickets.clear()
        return None if process is None else process.returncode

    async def _book_lost(self, seat: _WorkerSlot) -> None:
        if seat.prefix:
            await self._ledger.lose(seat.prefix)
        if seat.counts is not None:  # its rows are counted anew by who comes next; its calls were made
            made = replace(seat.counts, ok=0, failed=Counter(), repaired=0)
            self._before = WorkerCounts.total([self._before, made])
            seat.counts = None

    # ── what workers say ────────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, seat: _WorkerSlot, message: Message) -> None:
        name, *parts = message
        getattr(self, f"_on_{name}")(seat, *parts)

    def _lost(self, seat: _WorkerSlot) -> None:
        seat.gone.set()

    def _on_begun(self, seat: _WorkerSlot, prefix: str) -> None:
        seat.prefix = prefix

    def _on_admit(self, seat: _WorkerSlot, number: int, asked: SizedRequest, retry: bool) -> None:  # noqa: FBT001 (a message)
        try:
            turn = self._admission.enqueue(asked, retry=retry)
        except Exception as error:  # noqa: BLE001 (sent to who asked)
            seat.channel.send("refused", number, portable(error))
            return
        seat.turns[number] = turn
        turn.add_done_callback(partial(self._turned, seat, number))

    def _turned(self, seat: _WorkerSlot, number: int, turn: Turn) -> None:
        """Its turn has come, or never will."""
        if seat.turns.pop(number, None) is None or turn.cancelled():
            return
        error = turn.exception()
        if error is not None:
            seat.channel.send("refused", number, portable(error))
            return
        ticket = turn.result()
        seat.tickets[number] = ticket
        seat.channel.send("granted", number, ticket.need.usd)

    def _on_leave(self, seat: _WorkerSlot, number: int) -> None:
        turn, ticket = seat.turns.pop(number, None), seat.tickets.pop(number, None)
        if turn is not None:
            self._admission.leave(turn)
        elif ticket is not None:  # granted, and the word had not yet come
            self._admission.finish(ticket, NEVER_SENT)

    def _on_finish(self, seat: _WorkerSlot, number: int, report: Report) -> None:
        self._admission.finish(seat.tickets.pop(number), report)

    def _on_stop(self, _seat: _WorkerSlot, reason: ParkReason, message: str) -> None:
        self._admission.stop(reason, message)

    def _on_tally(self, seat: _WorkerSlot, counts: WorkerCounts) -> None:
        seat.counts = counts
        now = WorkerCounts.total(
            [self._before, *(one.counts for one in self._seats.values() if one.counts is not None)]
        )
        tally = self._tally
        tally.ok, tally.failed, tally.repaired = now.ok, now.failed, now.repaired
        tally.calls, tally.rate_limited, tally.usd_units = now.calls, now.rate_limited, now.usd_units

    def _on_call(self, _seat: _WorkerSlot, call: Any) -> None:  # noqa: ANN401 (a message)
        if self._tally.on_call is not None:
            self._tally.on_call(call)

    def _on_outcome(self, _seat: _WorkerSlot, outcome: Any) -> None:  # noqa: ANN401 (a message)
        if self._tally.on_outcome is not None:
            self._tally.on_outcome(outcome)

    def _on_ledger(self, _seat: _WorkerSlot, message: str) -> None:
        self._ledger_error = message
        self._admission.stop(ParkReason.INTERRUPTED, message)

    def _on_finished(self, seat: _WorkerSlot, unread: str | None, bug: str | None, over_budget: dict[str, str]) -> None:
        seat.finished = True
        issues = self.issues
        issues.input = issues.input or (None if unread is None else JobError(unread))
        issues.bug = issues.bug or (None if bug is None else WorkerFailed(bug))
        issues.over_budget.update(
            {tenant: why for tenant, why in over_budget.items() if tenant not in issues.over_budget}
        )

    def _tell_stop(self, reason: ParkReason, message: str) -> None:
        for seat in self._seats.values():
            seat.channel.send("stopped", reason, message)
