"""A run: feed rows, carry each to its outcome, drain, publish. The only place that knows the order of things.

Whatever ends a run early (a budget, a provider, a signal, a full disk, a bug) ends it the same way: nothing more is
admitted, answers in flight are kept, the views are published, and the next command goes on from there.
"""

import asyncio
import contextlib
import gc
import json
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pipeline.admission import Admission, Stopped, TenantOverBudget
from pipeline.alerting import Alarm
from pipeline.caching import caching_for
from pipeline.calling import Caller
from pipeline.columns import RecordColumn
from pipeline.crashing import crash_point
from pipeline.displays import display_for
from pipeline.errors import JobError
from pipeline.extracting import Extraction
from pipeline.feeding import Batch, Selection, Work, feed
from pipeline.ledger import Ledger
from pipeline.ledger.records import Send
from pipeline.limits import Governor, LimitRules, rules_of
from pipeline.limits.rules import FIRST_CALLS
from pipeline.output import finished, ready_folder
from pipeline.preparing import Prepared
from pipeline.pricing import from_units
from pipeline.progress import Tally, money
from pipeline.providers import Wire, wire_for
from pipeline.providers.credentials import credentials_for
from pipeline.providers.transports import transport_for
from pipeline.publishing import End, Ended, Publisher
from pipeline.remote import RemoteOutput
from pipeline.sandbox.embedded import embedded
from pipeline.saying import in_json, say
from pipeline.telemetry import telemetry_for
from pipeline.watching import Watch, Watched
from pipeline.work import ParkReason

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last when the terminal is gone
DRAIN_VARIABLE = "PIPELINE_DRAIN_S"  # for containers that are killed soon after they were told to stop
GARBAGE_OBJECTS = 20_000  # between two looks for cycles: a row in flight makes some hundred objects, and few cycles

Band = tuple[Decimal, Decimal, Decimal]


@dataclass(slots=True)
class _Stop:
    """What ended the run early, when it is to be raised once everything is safe."""

    input: JobError | None = None  # the input could not be read to its end
    bug: Exception | None = None
    outside: str = ""  # somebody else has the output now


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


class Run:
    """One session over one output folder."""

    def __init__(
        self,
        prepared: Prepared,
        ledger: Ledger,
        selection: Selection,
        environ: Mapping[str, str],
        band_usd: Band | None = None,
    ) -> None:
        self._prepared = prepared
        self._band_usd = band_usd
        self._job = prepared.job
        self._ledger = ledger
        self._selection = selection
        self._environ = environ
        self._folder = ledger.path.parent
        self._column = RecordColumn(prepared.model)
        self._telemetry = telemetry_for(prepared.job, environ, log_calls=in_json())
        self._tally = Tally(on_call=self._telemetry.called, on_outcome=self._telemetry.concluded)
        self._stop = _Stop()
        self._over_budget: dict[str, str] = {}  # tenant → why its rows are left for another day
        self._window = Window(prepared.job.limits.concurrency)
        self._tuned: list[dict[str, Any]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._publisher = Publisher(prepared, ledger, self._column)

    async def execute(self) -> Ended:
        """The whole session, from taking up the ledger to publishing.

        Raises:
            JobError: the input cannot be read, or a key is missing; nothing was sent.
            LedgerError: the durable record cannot go on.
        """
        prepared, ledger = self._prepared, self._ledger
        self._tally.total = await asyncio.to_thread(prepared.source.count_rows)
        async with self._wire() as wire:
            lost = ledger.begin(prepared.plan.request_hash, prepared.plan.doc_hash, prepared.source.fingerprint())
            _tell_lost(lost)
            self._alarm = Alarm(self._job.name, self._job.budget.alert_command)
            governor = Governor(self._rules())
            self._governor = governor
            self._admission = Admission(governor, asyncio.get_running_loop().time, self._job.limits.outage_s)
            self._loop = asyncio.get_running_loop()
            if self._stop.outside:
                self._admission.stop(ParkReason.INTERRUPTED, self._stop.outside)
            transport = transport_for(self._job, credentials_for(self._job.model, self._environ))
            caller = Caller(prepared, ledger, self._admission, wire, transport, self._tally)
            self._extraction = Extraction(prepared, caller, self._column)
            self._publisher.begun(self._tally.total)
            ledger.start_writing(lambda: self._admission.stop(ParkReason.DISK_FULL, "no space left on the disk"))
            try:
                with self._signals():
                    await self._work()
            finally:
                await transport.aclose()
                await self._alarm.aclose()
                await ledger.stop_writing()
        if self._stop.input is not None:
            ledger.end("parked", "input")
            raise self._stop.input
        ended = await asyncio.to_thread(self._publisher.publish, self._end())
        await asyncio.to_thread(self._telemetry.ended, ended.manifest)
        if self._stop.bug is not None:
            raise self._stop.bug
        return ended

    def stop_from_outside(self, message: str) -> None:
        """Drain and end, said from another thread."""
        self._stop.outside = message
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._admission.stop, ParkReason.INTERRUPTED, message)

    def _rules(self) -> LimitRules:
        """The job's limits, what is left of its budgets, and what earlier nights found out."""
        ledger = self._ledger
        remembered = ledger.remembered(self._limits_key)
        capped = self._job.budget.tenant_max_usd_per_day is not None
        by_tenant = ledger.spent_today_units() if capped else {}
        return rules_of(
            self._job,
            spent_usd=from_units(ledger.spent_units()),
            spent_by_tenant={tenant: from_units(units) for tenant, units in by_tenant.items()},
            learned=None if remembered is None else json.loads(remembered),
            first_calls=1 if self._caching.warm else FIRST_CALLS,
        )

    @property
    def _limits_key(self) -> str:
        """Limits belong to an account at an endpoint, and to a model there."""
        model = self._job.model
        return f"limits:{model.provider}:{model.base_url}:{model.region}:{model.name}"

    @contextlib.asynccontextmanager
    async def _wire(self) -> AsyncIterator[Wire]:
        """The wire to the provider; the embedded sandbox lives as long as the run."""
        prepared, shape = self._prepared, self._prepared.shaped.shape
        self._caching = caching_for(self._job.model, prepared.plan.fixed_tokens, self._tally.total, prepared.rate)
        model = replace(self._job.model, caching="on" if self._caching.marked else "off")
        if model.provider == "sandbox" and not model.base_url:
            async with embedded(self._job.sandbox) as url:
                yield wire_for(model, shape, self._environ, base_url=f"{url}/v1")
        else:
            yield wire_for(model, shape, self._environ)

    async def _work(self) -> None:
        """Every row of the input into the ledger; every chosen row to its outcome, a window of them at a time."""
        watched = Watched(self._job.name, self._folder, self._admission, self._governor, self._tally, self._band_usd)
        watch = Watch(watched, self._telemetry, self._alarm, display_for(sys.stderr), self._window.widen)
        self._tuned = watch.tuned
        watching = asyncio.create_task(watch.watching())
        rows: set[asyncio.Task[None]] = set()
        try:
            await self._dispatch(rows)
            if rows:
                await asyncio.wait(rows)
        except asyncio.CancelledError:  # the second signal
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        finally:
            for task in (*rows, watching):
                task.cancel()
            await asyncio.gather(*rows, watching, return_exceptions=True)

    async def _dispatch(self, rows: set[asyncio.Task[None]]) -> None:
        window, entered = self._window, 0
        try:
            async for batch in feed(self._prepared, self._ledger.path, self._selection):
                self._enter(batch)
                entered += len(batch.entries)
                for work in batch.todo:
                    await window.acquire()
                    if self._admission.stopped is not None:
                        window.release()
                        continue  # the rows that follow are entered all the same, and stay pending
                    task = asyncio.create_task(self._row(work))
                    rows.add(task)
                    task.add_done_callback(rows.discard)
        except JobError as error:
            self._stop.input = error
            self._admission.stop(ParkReason.INTERRUPTED, str(error))
        else:
            self._ledger.end_rows(entered)

    def _enter(self, batch: Batch) -> None:
        self._ledger.enter_rows(batch.entries)
        self._tally.ok += batch.ok
        self._tally.failed.update(batch.failed)

    async def _row(self, work: Work) -> None:
        try:
            outcome = await self._extraction.outcome(work)
            crash_point("outcome-known")
            await self._ledger.conclude(outcome)
            crash_point("outcome-durable")
            self._tally.concluded(outcome)
        except Stopped:
            pass  # stays pending
        except TenantOverBudget as error:
            self._over_budget.setdefault(error.tenant, str(error))
        except Exception as error:  # noqa: BLE001 (the boundary of one row: a bug ends the run, with all answers kept)
            self._stop.bug = self._stop.bug or error
            traceback.print_exc(file=sys.stderr)
            self._admission.stop(ParkReason.INTERRUPTED, f"internal error: {error!r}")
        finally:
            self._window.release()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first signal drains, the second cuts, or time; what is then in flight is named by the next run."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()

        def on_signal() -> None:
            if self._admission.stopped is None:
                say("notice", "stopping: waiting for answers in flight (once more to cut them off)")
                self._admission.stop(ParkReason.INTERRUPTED, "stopped by a signal")
                if main is not None and (drain_s := self._environ.get(DRAIN_VARIABLE)):
                    loop.call_later(float(drain_s), main.cancel)
            elif main is not None:
                main.cancel()

        for number in SIGNALS:
            loop.add_signal_handler(number, on_signal)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _end(self) -> End:
        """What the publisher has to know of how it went."""
        return End(
            stopped=self._admission.stopped,
            message=self._admission.stop_message,
            over_budget=tuple(self._over_budget.values()),
            only_some=self._selection.only_rows is not None,
            limits_key=self._limits_key,
            learned=self._governor.learned(),
            waited_share=self._admission.snapshot().waited_share,
            events=(*self._alarm.events, *self._tuned),
            caching=self._caching,
        )


def _tell_lost(lost: Sequence[Send]) -> None:
    """Name the calls that were in flight when the last session died."""
    if not lost:
        return
    most = money(sum(send.at_risk_units for send in lost))
    lines = [f"the last session died with {len(lost)} calls in flight, which may have cost up to {most}:"]
    lines += [
        f"  row {send.row} ({send.id!r}), chunk {send.chunk}, {send.purpose}, call {send.request_id}"
        for send in lost[:10]
    ]
    if len(lost) > 10:
        lines.append(f"  and {len(lost) - 10} more; all are in calls.parquet with error_code 'lost'")
    say("notice", "\n".join(lines))


# ── one command ─────────────────────────────────────────────────────────────────────────────────────────────────────


def run_job(
    prepared: Prepared,
    verb: str,
    selection: Selection,
    environ: Mapping[str, str],
    *,
    fresh: bool,
    band_usd: Band | None = None,
) -> Ended:
    """Open the output folder, run one session, close it. A finished output is left as it is.

    `band_usd`: low, expected and high cost that were agreed to; a run that leaves them says so.

    Raises:
        JobError, LedgerError: nothing was sent, unless the message says so.
    """
    command = _Command(prepared, verb, selection, environ, fresh=fresh, band_usd=band_usd)
    if not prepared.job.output_url:
        return command.session(None)
    with RemoteOutput(prepared.job.output_url, verb, environ) as output:
        ended = command.session(output.keep)
    return replace(ended, unsaved=output.problem)


@dataclass(frozen=True, slots=True)
class _Command:
    prepared: Prepared
    verb: str
    selection: Selection
    environ: Mapping[str, str]
    fresh: bool
    band_usd: Band | None

    def session(self, keep: Callable[[Callable[[str], None]], None] | None) -> Ended:
        """`keep` is called with what stops the run from another thread, once there is one."""
        with Ledger(ready_folder(self.prepared.job), self.verb, fresh=self.fresh) as ledger:
            if not self.selection.failed and (manifest := finished(self.prepared, ledger)) is not None:
                return Ended(manifest, None, "")
            gc.freeze()  # what was imported lives as long as the process
            gc.set_threshold(GARBAGE_OBJECTS, 20, 20)
            run = Run(self.prepared, ledger, self.selection, self.environ, self.band_usd)
            if keep is not None:
                keep(run.stop_from_outside)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                return runner.run(run.execute())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed (the extra `fast`), else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        return None
    return uvloop.new_event_loop


def exit_code(ended: Ended, max_failed_share: float) -> int:
    """The contract's exit codes; a remote output that has not everything is resumable."""
    if ended.park is not None:
        return {ParkReason.BUDGET: 3, ParkReason.INTERRUPTED: 130}.get(ended.park, 4)
    rows = ended.manifest["rows"]
    if rows["pending"] or ended.unsaved is not None:
        return 4
    return 0 if rows["failed"] <= max_failed_share * rows["total"] else 1
