"""The chosen rows of the input, each carried to its outcome, a window of them at a time."""

import asyncio
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from pipeline.admission.gate import Gate, TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.crash_points import crash_point
from pipeline.engine.ask import Deferred
from pipeline.engine.executors import RunIssues
from pipeline.engine.executors.doubts import Doubts
from pipeline.engine.feed import Batch, RowTask, Selection, Share, feed
from pipeline.errors import JobError, LedgerError, machine_words
from pipeline.extraction.hashes import content_key
from pipeline.extraction.prepare import Prepared
from pipeline.ledger.ledger import Ledger
from pipeline.telemetry.snapshot import ModelNow
from pipeline.telemetry.tally import Tally
from pipeline.types import Outcome, Row

AT_ONCE = 16  # rows that begin in one turn of the loop


class Window(asyncio.Semaphore):
    """How many rows are worked on at once: twice as many as calls, so that none of these waits for a row."""

    def __init__(self, calls: int) -> None:
        self._rows = _rows_for(calls)
        super().__init__(self._rows)

    def widen(self, calls: int) -> None:
        """Make room for as many calls; never less than before."""
        for _ in range(_rows_for(calls) - self._rows):
            self.release()
        self._rows = max(self._rows, _rows_for(calls))


def _rows_for(calls: int) -> int:
    return calls + max(16, calls)


class Salts(Protocol):
    """What a ledger knows of runs."""

    def salts_of(self, runs: Sequence[int]) -> list[bytes]:
        """As `Ledger.salts_of`."""
        ...


def paid_as(prepared: Prepared, ledger: Salts, work: RowTask, outcome: Outcome) -> list[bytes]:
    """The row's content under the other jobs whose answers its outcome took."""
    if not outcome.reused_runs:
        return []
    plan = prepared.plan
    salts = [salt for salt in ledger.salts_of(outcome.reused_runs) if salt != plan.outcome_salt]
    return [content_key(replace(plan, outcome_salt=salt), work.row) for salt in salts]


class Outcomes(Protocol):
    """What carries one row to its end."""

    async def outcome(self, task: RowTask) -> Outcome:
        """As `Extraction.outcome`."""
        ...


class LocalExecutor:
    """An `Executor` in this process. `share`: of the rows, those that are this process's.

    `calls`: at once, where these are not the job's own `limits.concurrency`. `rows_per_call`: at the most.
    """

    def __init__(  # noqa: PLR0913 (all that a session has)
        self,
        prepared: Prepared,
        ledger: Ledger,
        extraction: Outcomes,
        gate: Gate[Any],
        tally: Tally,
        share: Share | None = None,
        *,
        calls: int = 0,
        rows_per_call: int = 1,
    ) -> None:
        self._rows_per_call = rows_per_call
        calls = (calls or prepared.job.limits.concurrency) * rows_per_call
        self.window = Window(-(-calls // (share.of if share else 1)))
        self.issues = RunIssues()
        self._prepared = prepared
        self._ledger = ledger
        self._extraction = extraction
        self._gate = gate
        self._tally = tally
        self._share = share
        self._doubts = Doubts()
        self.on_fed: Callable[[], None] = lambda: None  # once every chosen row of the input has begun
        self.on_row: Callable[[Row, bool], None] = lambda _row, _begins: None  # told when one begins, and when it ends
        self.alone: frozenset[int] = frozenset()  # rows that begin once no other is open, and others after them
        self.models: Callable[[], tuple[ModelNow, ...]] = tuple  # how those of a job with several do

    @property
    def tally(self) -> Tally:
        return self._tally

    def widen(self, calls: int) -> None:
        self.window.widen(calls * self._rows_per_call)

    async def work(self, selection: Selection) -> None:
        """Every row of the input into the ledger, every chosen row to its outcome; cancelled, it cuts what is open."""
        rows: set[asyncio.Task[None]] = set()
        try:
            await self._start_rows(selection, rows)
            if rows:
                await asyncio.wait(rows)
            for known in self._doubts.end(self._gate.stopped):
                await self._conclude(*known)
        finally:
            for task in rows:
                task.cancel()
            await asyncio.gather(*rows, return_exceptions=True)

    async def _conclude(self, outcome: Outcome, paid_as: Sequence[bytes]) -> None:
        await self._ledger.conclude(outcome, paid_as)
        crash_point("outcome-durable")
        self._tally.concluded(outcome)

    async def _start_rows(self, selection: Selection, rows: set[asyncio.Task[None]]) -> None:
        window, read = self.window, 0
        try:
            async for batch in feed(self._prepared, self._ledger.path, selection, self._share):
                self._enter(batch)
                read += batch.read
                for work in batch.todo:
                    await window.acquire()
                    if self._gate.stopped is not None:
                        window.release()
                        continue  # the rows that follow are entered all the same, and stay pending
                    await self._begin(work, rows)
        except JobError as error:
            self.issues.input = error
            self._gate.stop(ParkReason.INTERRUPTED, str(error))
        except Exception as error:
            if isinstance(error, LedgerError) or (told := machine_words(error)) is None:
                raise
            self.issues.machine = error  # what is in flight is waited for all the same
            self._gate.stop(ParkReason.MACHINE, told)
        else:
            self._ledger.end_rows(read)
        self.on_fed()

    async def _begin(self, work: RowTask, rows: set[asyncio.Task[None]]) -> None:
        alone = work.row.index in self.alone
        if alone and rows:
            await asyncio.wait(rows)
        task = asyncio.get_running_loop().create_task(self._row(work))
        rows.add(task)
        task.add_done_callback(rows.discard)
        if alone:
            await asyncio.wait([task])
        elif not len(rows) % AT_ONCE:
            await asyncio.sleep(0)  # those that find all on record are worked on where they begin

    def _enter(self, batch: Batch) -> None:
        self._ledger.enter_rows(batch.entries)
        self._tally.ok += batch.ok
        self._tally.failed.update(batch.failed)

    async def _row(self, work: RowTask) -> None:
        self.on_row(work.row, True)
        try:
            outcome = await self._extraction.outcome(work)
            crash_point("outcome-known")
            for known in self._doubts.known((outcome, paid_as(self._prepared, self._ledger, work, outcome))):
                await self._conclude(*known)
            self._prepared.source.release(work.row)
        except (Stopped, Deferred):
            pass  # stays pending
        except TenantOverBudget as error:
            self.issues.over_budget.setdefault(error.tenant, str(error))
        except Exception as error:  # noqa: BLE001 (the boundary of one row: a bug ends the run, with all answers kept)
            if (told := machine_words(error)) is not None:
                self._gate.stop(ParkReason.MACHINE, told)
                return
            self.issues.bug = self.issues.bug or error
            traceback.print_exc(file=sys.stderr)
            self._gate.stop(ParkReason.INTERRUPTED, f"internal error: {error!r}")
        finally:
            self.on_row(work.row, False)
            self.window.release()
