"""One session of a run: feed rows, carry each to its outcome, drain, publish. The one place that knows the order.

Whatever ends a run early (a budget, a provider, a signal, a full disk, a bug) ends it the same way: nothing more is
admitted, answers in flight are kept, the views are published, and the next command goes on from there.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import Struct

from pipeline.admission.first_calls import WRITES_CACHE, FirstCalls
from pipeline.admission.governor import Governor, LimitRules, rules_of
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.codes import ParkReason
from pipeline.console import as_here, in_json, say
from pipeline.engine.endpoint import Carriage, Endpoint, Lent, batched, endpoint_for, executor_for, limits_key
from pipeline.engine.executors import Executor, RunIssues
from pipeline.engine.feed import Selection
from pipeline.engine.marking import RemoteSpending
from pipeline.engine.shared.sharing import sharing
from pipeline.engine.signals import Interrupt, Signals
from pipeline.engine.watch import Watch, Watched
from pipeline.errors import machine_words
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.prompt_cache import Caching
from pipeline.extraction.routing import MAIN, patience_s
from pipeline.ledger.files import reading
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.nights import agreed_key
from pipeline.ledger.records import RunFacts
from pipeline.ledger.shares import rows_of_calls
from pipeline.money import Band, from_units
from pipeline.output.batches import batches_told
from pipeline.output.publish import Ended, Publisher, SessionEnd
from pipeline.output.remote.sync import RemoteOutput
from pipeline.output.remote.watermark import run_key
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.alerts import Alarm
from pipeline.telemetry.batches import leaving_words_of
from pipeline.telemetry.display import Progress, display_for
from pipeline.telemetry.observers import telemetry_for
from pipeline.telemetry.summary import MOST_NAMED, lost_text
from pipeline.telemetry.tally import Tally

DISK_FULL = "no space left on the disk"
NO_USAGE = "the server tells no usage; tokens and cost are counted here"


class Host(Struct, frozen=True):
    """What a run may do to the process that it lives in: a program that imports us grants nothing by itself."""

    signals: bool = False  # its signal handlers are ours while rows are worked on
    progress: bool | Callable[[Progress], None] = False  # shown on standard error, or told to a function of its own
    interrupt: Interrupt | None = None  # by which it stops the run from another thread
    own: bool = False  # nothing else lives there: its garbage collector may be set up for us


class RunCommand(Struct, frozen=True):
    """One `run` or `retry`. `band_usd`: low, expected and high cost as agreed to; a run that leaves them says so.

    `accept_loss`: it was agreed to pay again for what the ledger has lost, if it has.
    """

    prepared: Prepared
    verb: str
    selection: Selection
    environ: Mapping[str, str]
    fresh: bool = False
    accept_loss: bool = False
    band_usd: Band[Decimal] | None = None
    agreed: bool = False  # to paying again for rows of an earlier job, all of them
    wait: bool = True  # for batches at the provider; else it ends once they are submitted
    host: Host = Host()


class _Parts(Struct, frozen=True):
    """What a session is made of once it has begun: all of it, or nothing."""

    loop: asyncio.AbstractEventLoop
    governor: Governor
    needs: Needs
    admission: Admission
    alarm: Alarm
    endpoint: Endpoint
    spending: RemoteSpending | None


class Session:
    """One session over one output folder."""

    def __init__(self, command: RunCommand, ledger: Ledger, remote: RemoteOutput | None = None) -> None:
        """`remote`: the bucket that the output is in, if it is in one."""
        self._remote = remote
        self._command = command
        self._prepared = prepared = _with_keys(command)
        self._job = prepared.job
        self._ledger = ledger
        self._column = RecordColumn(prepared.model)
        self._telemetry = telemetry_for(prepared.job, command.environ, log_calls=in_json())
        self._tally = Tally(on_call=self._telemetry.called, on_outcome=self._telemetry.concluded)
        self._outside = ""  # why somebody else has the output now
        self._issues = RunIssues()
        self._workers: Callable[[], Sequence[Mapping[str, Any]]] = tuple
        self._tuned: list[dict[str, Any]] = []
        self._shared: list[dict[str, Any]] = []  # what is told of other runs of the account
        self._parts: _Parts | None = None
        self._publisher = Publisher(command.prepared, ledger, self._column, command.verb)

    async def execute(self) -> Ended:
        """The whole session, from taking up the ledger to publishing.

        Raises:
            JobError: the input cannot be read, or a key is missing; nothing was sent.
            LedgerError: the durable record cannot go on.
        """
        with ThreadPoolExecutor(1, "aside") as thread, contextlib.ExitStack() as signals:
            aside = partial(asyncio.get_running_loop().run_in_executor, thread)
            self._tally.total = await aside(self._prepared.source.count_rows)  # the thread is there before all calls
            failed = await self._worked(signals)
            if self._issues.input is not None:
                self._ledger.end("parked", "input")
                raise self._issues.input
            await aside(self._prepared.source.close)
            ended = await aside(as_here(self._published), failed)
            await aside(as_here(self._telemetry.ended), ended.manifest)
        if self._issues.bug is not None:
            raise self._issues.bug
        return ended

    async def _worked(self, signals: contextlib.ExitStack) -> Exception | None:
        """All that comes before publishing; what of the machine has cut it, if something has."""
        try:
            await self._work_and_end(signals)
        except Exception as error:
            if machine_words(error) is None or self._parts is None:
                raise
            return error
        return self._issues.machine

    def _published(self, failed: Exception | None) -> Ended:
        assert self._parts is not None  # noqa: S101 (it has begun)
        end = self._end(self._parts)
        if failed is not None:
            return self._publisher.unpublished(failed)
        return self._publisher.publish(end)

    def stop_from_outside(self, message: str) -> None:
        """Drain and end, said from another thread."""
        self._outside = message  # before the parts are looked at, as `_begin` does it after: one of both sees it
        if (parts := self._parts) is not None:
            parts.loop.call_soon_threadsafe(parts.admission.stop, ParkReason.INTERRUPTED, message)

    async def _work_and_end(self, signals: contextlib.ExitStack) -> None:
        """From taking up the ledger to its being closed for writing. From the first row on, signals are ours."""
        async with endpoint_for(self._prepared, self._command.environ, self._tally.total) as endpoint:
            parts = self._begin(endpoint)
            self._start_writing(parts)
            try:
                lent = Lent(self._ledger, self._tally, parts.admission, parts.governor, parts.needs)
                how = Carriage(
                    self._column, self._command.wait, self._telemetry.wanted, self._command.selection.from_model
                )
                shares = self._job.limits.shared and not batched(self._job, self._ledger)
                shared = sharing(shares, endpoint, parts.admission, parts.governor)
                async with shared as self._shared, executor_for(self._prepared, endpoint, lent, how) as executor:
                    self._issues = executor.issues
                    await self._work(parts, executor, signals)
            finally:
                await parts.alarm.aclose()
                await self._ledger.stop_writing()
                if parts.spending is not None:
                    await parts.spending.settle(from_units(self._ledger.committed_units()))
                self._ledger.land()

    def _begin(self, endpoint: Endpoint) -> _Parts:
        prepared, ledger = self._prepared, self._ledger
        plan = prepared.plan
        facts = RunFacts(
            self._job.model.provider, self._job.model.name, plan.template.other_columns, self._job.input.id
        )
        lost = ledger.begin(plan.request_hash, plan.outcome_salt, prepared.source.fingerprint(), facts)
        if self._command.agreed:
            ledger.remember(agreed_key(plan.outcome_salt), "asked")
        if lost:
            with reading(ledger.path) as db:
                several = rows_of_calls(db, [send.request_id for send in lost[:MOST_NAMED]])
            say("notice", lost_text(lost, several))
        loop = asyncio.get_running_loop()
        governor = Governor(self._rules(endpoint.caching))
        needs = Needs(prepared.rate, governor)
        admission = Admission(governor, needs, loop.time, patience_s(self._job, MAIN))
        admission.on_untold = partial(say, "warning", NO_USAGE)
        alarm = Alarm(self._job.name, self._job.budget.alert_command)
        spending = None
        if self._remote is not None:
            run = run_key(plan.request_hash, plan.outcome_salt, prepared.source.fingerprint())
            spending = RemoteSpending(self._remote, run, governor.money.run, admission)
            spending.begin(fresh=self._command.fresh, with_loss=self._command.accept_loss)
        self._parts = parts = _Parts(loop, governor, needs, admission, alarm, endpoint, spending)
        if self._outside:
            admission.stop(ParkReason.INTERRUPTED, self._outside)
        self._publisher.begun(self._tally.total, None if spending is None else spending.assumed_usd)
        return parts

    def _start_writing(self, parts: _Parts) -> None:
        several = self._job.limits.workers > 1
        self._ledger.start_writing(lambda: parts.admission.stop(ParkReason.DISK_FULL, DISK_FULL), shared=several)
        if not several:
            self._ledger.learn_keys(self._tally.total)

    def _rules(self, caching: Caching) -> LimitRules:
        """The job's limits, what is left of its budgets, and what earlier nights found out."""
        ledger = self._ledger
        remembered = ledger.remembered(limits_key(self._prepared))
        capped = self._job.budget.tenant_max_usd_per_day is not None
        by_tenant = ledger.spent_today_units() if capped else {}
        return rules_of(
            self._job,
            spent_usd=from_units(ledger.spent_units()),
            spent_by_tenant={tenant: from_units(units) for tenant, units in by_tenant.items()},
            learned=None if remembered is None else json.loads(remembered),
            first=WRITES_CACHE if caching.warm else FirstCalls(),
        )

    async def _work(self, parts: _Parts, executor: Executor, signals: contextlib.ExitStack) -> None:
        host, job = self._command.host, self._job
        folder, band_usd = self._ledger.path.parent, self._command.band_usd
        batches = partial(_batches_of, self._ledger) if batched(job, self._ledger) else None
        call_off = getattr(executor, "call_off", None)  # of one that has batches
        models = getattr(executor, "models", tuple)  # of one that has several
        self._workers = getattr(executor, "workers", tuple)  # of one that has them elsewhere
        watched = Watched(
            job.name,
            folder,
            parts.admission,
            parts.governor,
            self._tally,
            band_usd,
            call_off,
            batches,
            models,
            self._workers,
        )
        display = display_for(host.progress if callable(host.progress) else sys.stderr if host.progress else None)
        watch = Watch(watched, self._telemetry, parts.alarm, display, executor.widen)
        self._tuned = watch.tuned
        going_on = None if batches is None else lambda: leaving_words_of(batches())
        mine = Signals(
            parts.admission, self._command.environ, ours=host.signals, going_on=going_on, interrupt=host.interrupt
        )
        held = signals.enter_context(mine)
        watching = asyncio.create_task(watch.watching())
        try:
            await executor.work(self._command.selection)
        except asyncio.CancelledError:  # the second signal
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        finally:
            held.worked = True
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _end(self, parts: _Parts) -> SessionEnd:
        """What the publisher has to know of how it went."""
        return SessionEnd(
            stopped=parts.admission.stopped,
            message=parts.admission.stop_message,
            over_budget=tuple(self._issues.over_budget.values()),
            only_some=self._command.selection.only_rows is not None,
            limits_key=limits_key(self._prepared),
            learned=parts.governor.learned(),
            waited_share=parts.admission.snapshot().waited_share,
            events=(*parts.alarm.events, *self._tuned, *self._shared),
            caching=parts.endpoint.caching,
            enough_usd=parts.governor.money.run.enough_usd,
            workers=tuple(self._workers()),
        )


def _with_keys(command: RunCommand) -> Prepared:
    if not command.prepared.models:
        return command.prepared
    from pipeline.engine.several import with_keys  # noqa: PLC0415 (few jobs have several)

    return with_keys(command.prepared, command.environ)


def _batches_of(ledger: Ledger) -> list[dict[str, Any]]:
    return list(batches_told(ledger.path, ledger.run))
