"""The rows of a job carried by workers on a Ray cluster, all admitted and all written down here.

Ray gives places and processes, never truth: who has which row, what a call may cost and what is durable is known in
this process alone. A worker that dies is replaced; its calls in flight are booked as lost, at their worst, and hold
their slots for as long as the provider may still work on them. Without the bridge there is no cluster: the run parks.
"""

import asyncio
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pipeline.codes import ParkReason
from pipeline.crash_points import crash_point
from pipeline.engine.executors import RunIssues
from pipeline.engine.executors.deaths import deadly_text
from pipeline.engine.executors.doubts import Doubts
from pipeline.engine.executors.processes import WorkerFailed
from pipeline.engine.feed import RowTask, Selection, feed
from pipeline.engine.ray.crew import Crew
from pipeline.engine.ray.deciding import RowDecider
from pipeline.engine.ray.errand import Kit
from pipeline.engine.ray.messages import RowBroke, RowEnded, RowGiven, RowLeft, RowRead, Work
from pipeline.engine.ray.rows import DEATHS_MOST, RowQueue
from pipeline.engine.ray.seat import RowTold, Seat
from pipeline.engine.workers.messages import ModelHealth, RunStopped
from pipeline.errors import JobError, LedgerError, machine_words
from pipeline.extraction.routing import calls_at_once
from pipeline.telemetry.snapshot import ModelNow
from pipeline.types import Outcome

AHEAD = 256  # rows that are read and not yet given out
MOST_SIZE = 16 * 1024 * 1024  # of texts, in characters, and of files, in bytes, that a worker has at once
SPARE = 16  # rows that a worker has at least beyond its share of the calls: a word takes its time to get there


class RayExecutor:
    """An `Executor` on the nodes of a Ray cluster."""

    def __init__(self, kit: Kit) -> None:
        self.issues = RunIssues()
        self._prepared = kit.prepared
        self._ledger = kit.ledger
        self._admission = kit.admission
        self._tally = kit.tally
        self._calls = calls_at_once(kit.prepared.job)
        self._queue = RowQueue()
        self._doubts = Doubts()
        self._concluding = 0
        self._twins: dict[bytes, int] = {}  # by content: how many rows end with one that is not yet concluded
        self._changed, self._looking = asyncio.Event(), False
        self._ledger_error: LedgerError | None = None
        self._crew = Crew(kit, self)
        self._decider = RowDecider(kit, self._queue, self)
        for name, way in kit.ways.items():
            way.gate.on_health = partial(self._tell_health, name)
        self.models: Callable[[], tuple[ModelNow, ...]] = tuple  # how those of a job with several do
        self._others_stop, kit.admission.on_stop = kit.admission.on_stop, self._tell_stop

    def widen(self, calls: int) -> None:
        self._calls = max(self._calls, calls)
        self.changed()

    def workers(self) -> Sequence[dict[str, Any]]:
        """Every worker that there was, as run.json tells it."""
        return self._crew.facts()

    async def work(self, selection: Selection) -> None:
        """As `Executor.work`.

        Raises:
            LedgerError: nothing can be written any more; what was in flight is at risk.
        """
        self._decider.open(selection)
        cut, feeding = True, asyncio.create_task(self._feed(selection))
        try:
            await self._crew.open(self._decider.earlier)
            await self._until(lambda: feeding.done() and self._idle)
            for known in self._doubts.end(self._admission.stopped):
                self._conclude(*known)
            await self._until(lambda: not self._concluding)
            cut = False
        except JobError as error:
            self.unfit(str(error))
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await self._crew.leave(cut=cut)
            await self._decider.close()
            self._decider.enter_unread([*self._queue.clear(), *self._crew.left])
        if self._ledger_error is not None:
            raise self._ledger_error
        if not feeding.cancelled():
            feeding.result()

    @property
    def _idle(self) -> bool:
        return not self._queue and not self._crew.busy and not self._concluding

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def changed(self) -> None:
        """Look what is to be done, once in this turn of the loop: the words of many rows come together."""
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        self._pump()
        self._changed.set()

    # ── rows out ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _feed(self, selection: Selection) -> None:
        """Every row of the input into the ledger, every chosen one into the queue."""
        read = 0
        try:
            async for batch in feed(self._prepared, self._ledger.path, selection, elsewhere=True):
                self._queue.next_batch()
                self._ledger.enter_rows(batch.entries)
                self._tally.ok += batch.ok
                self._tally.failed.update(batch.failed)
                read += batch.read
                for task in batch.todo:
                    await self._until(lambda: self._has_room or self._stopped)
                    self._add(task)
        except JobError as error:
            self.issues.input = error
            self._admission.stop(ParkReason.INTERRUPTED, str(error))
        except Exception as error:
            if isinstance(error, LedgerError) or machine_words(error) is None:
                raise
            self.broke(error)
        else:
            self._ledger.end_rows(read)
        finally:
            self.changed()

    @property
    def _stopped(self) -> bool:
        return self._admission.stopped is not None

    @property
    def _has_room(self) -> bool:
        return len(self._queue) < AHEAD and self._queue.size < MOST_SIZE

    def _add(self, task: RowTask) -> None:
        if self._stopped:  # the rows that follow are entered all the same, and stay pending
            self._decider.enter_unread([task])
            return
        if (known := self._queue.add(task)) is not None:
            self._tally.concluded(known)
        self.changed()

    def _pump(self) -> None:
        """Give rows out to who has room."""
        if self._stopped:
            self._decider.enter_unread(self._queue.clear())
            return
        seats = [seat for seat in self._crew.seats.values() if seat.takes]
        share = -(-self._calls // max(1, self._crew.sharing))
        most = share + max(SPARE, share // 2)  # no more: who is given more holds slots that others wait for
        given: dict[int, list[RowGiven]] = {}
        for seat in seats:
            if self._queue.suspects and not any(map(self._queue.is_suspect, seat.rows.values())):
                given[seat.number] = [seat.given(self._queue.take_suspect())]
        while self._queue and seats:
            seat = min(seats, key=lambda one: len(one.rows))
            if len(seat.rows) >= most or seat.size >= MOST_SIZE or (task := self._queue.take()) is None:
                break
            given.setdefault(seat.number, []).append(seat.given(task))
        for seat in seats:
            if seat.number in given:
                seat.channel.send(Work(given[seat.number]))

    # ── and back ────────────────────────────────────────────────────────────────────────────────────────────────

    def row_told(self, seat: Seat, message: RowTold) -> None:
        if isinstance(message, RowRead):
            self._decider.told(seat, message)
            return
        task = seat.back(message.row)
        match message:
            case RowEnded():
                seat.ended += 1
                crash_point("outcome-known")
                self._ended(task, message)
            case RowLeft():
                if message.tenant is not None:
                    self.issues.over_budget.setdefault(message.tenant, message.message)
                self._queue.left(task)
                self._decider.enter_unread([task])
            case RowBroke():
                sys.stderr.write(f"{seat.name}:\n{message.trace}")
                self.issues.bug = self.issues.bug or WorkerFailed(message.error)
                self._admission.stop(ParkReason.INTERRUPTED, f"internal error: {message.error}")
                self._decider.enter_unread([task])
        self.changed()

    def row_dropped(self, seat: Seat, row: int) -> None:
        """A row that was read is not to be done."""
        seat.back(row)
        self._crew.end_if_drained(seat)

    def _ended(self, task: RowTask, message: RowEnded) -> None:
        outcome = message.outcome
        if twins := self._queue.ended(task, outcome):
            self._twins[outcome.doc] = len(twins)
        for known in self._doubts.known((outcome, message.earlier)):
            self._conclude(*known)

    def _conclude(self, outcome: Outcome, earlier: Sequence[bytes]) -> None:
        """On record; counted once that is durable, with the rows that are equal to it."""
        try:
            done = self._ledger.conclude(outcome, earlier)
        except LedgerError as error:
            self.cannot_write(error)
            return
        self._concluding += 1
        done.add_done_callback(lambda kept: self._concluded(outcome, kept))

    def _concluded(self, outcome: Outcome, kept: "asyncio.Future[None]") -> None:
        self._concluding -= 1
        error = None if kept.cancelled() else kept.exception()
        if isinstance(error, LedgerError):
            self.cannot_write(error)
        else:
            crash_point("outcome-durable")
            for _ in range(1 + self._twins.pop(outcome.doc, 0)):
                self._tally.concluded(outcome)
        self._changed.set()

    def rows_back(self, rows: Sequence[RowTask]) -> None:
        deadly = self._queue.again(rows)
        if deadly is not None and not self._stopped:
            self._admission.stop(ParkReason.INTERRUPTED, deadly_text(deadly.row.id, DEATHS_MOST))
        self.changed()

    def unfit(self, why: str) -> None:
        if not self._tally.calls:
            self.issues.input = self.issues.input or JobError(why)
        self._admission.stop(ParkReason.INTERRUPTED, why)
        self.changed()

    def broke(self, error: Exception) -> None:
        """A bug, or the machine."""
        if (told := machine_words(error)) is not None:
            self.issues.machine = error
            self._admission.stop(ParkReason.MACHINE, told)
        else:
            self.issues.bug = self.issues.bug or error
            traceback.print_exception(error, file=sys.stderr)
            self._admission.stop(ParkReason.INTERRUPTED, f"internal error: {error!r}")
        self.changed()

    def cannot_write(self, error: LedgerError) -> None:
        self._ledger_error = self._ledger_error or error
        self._admission.stop(ParkReason.INTERRUPTED, str(error))
        self.changed()

    def _tell_health(self, model: str, cause: str, told: str) -> None:
        self._crew.tell(ModelHealth(model, cause, told))

    def _tell_stop(self, reason: ParkReason, message: str) -> None:
        if self._others_stop is not None:
            self._others_stop(reason, message)
        self._crew.tell(RunStopped(reason, message))
        self.changed()
