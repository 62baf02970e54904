"""A run: feed rows, carry each to its outcome, drain, publish. The only place that knows the order of things.

Whatever ends a run early (a budget, a provider, a signal, a full disk, a bug) ends it the same way: nothing more is
admitted, answers in flight are kept, the views are published, and the next command goes on from there.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.first_calls import WRITES_CACHE, FirstCalls
from pipeline.admission.gate import LocalGate, Needs
from pipeline.admission.governor import Governor, LimitRules, rules_of
from pipeline.admission.queue import Admission
from pipeline.console import in_json, say
from pipeline.engine.call import Caller
from pipeline.engine.dispatch import Dispatch, Met
from pipeline.engine.feed import Selection
from pipeline.engine.row import Extraction
from pipeline.engine.signals import Signals
from pipeline.engine.watch import Watch, Watched
from pipeline.engine.workers.pool import Where, Workers
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.prompt_cache import caching_for
from pipeline.ledger.ledger import Ledger
from pipeline.money import from_units
from pipeline.providers import Wire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.choose import transport_for
from pipeline.results.folder import finished, ready_folder
from pipeline.results.publish import End, Ended, Publisher
from pipeline.results.remote.sync import RemoteOutput
from pipeline.runtime import loop_factory, settle_garbage
from pipeline.sandbox.embedded import embedded
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.alerts import Alarm
from pipeline.telemetry.display import display_for
from pipeline.telemetry.observers import telemetry_for
from pipeline.telemetry.summary import lost_text
from pipeline.telemetry.tally import Tally
from pipeline.types import Band, ParkReason

DISK_FULL = "no space left on the disk"


class Run:
    """One session over one output folder."""

    def __init__(
        self,
        prepared: Prepared,
        ledger: Ledger,
        selection: Selection,
        environ: Mapping[str, str],
        band_usd: Band[Decimal] | None = None,
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
        self._outside = ""  # why somebody else has the output now
        self._met = Met()
        self._tuned: list[dict[str, Any]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._publisher = Publisher(prepared, ledger, self._column)

    async def execute(self) -> Ended:
        """The whole session, from taking up the ledger to publishing.

        Raises:
            JobError: the input cannot be read, or a key is missing; nothing was sent.
            LedgerError: the durable record cannot go on.
        """
        with contextlib.ExitStack() as signals:
            await self._session(signals)
            if self._met.input is not None:
                self._ledger.end("parked", "input")
                raise self._met.input
            ended = await asyncio.to_thread(self._publisher.publish, self._end())
        await asyncio.to_thread(self._telemetry.ended, ended.manifest)
        if self._met.bug is not None:
            raise self._met.bug
        return ended

    async def _session(self, signals: contextlib.ExitStack) -> None:
        """From taking up the ledger to its being closed for writing. From the first row on, signals are ours."""
        prepared, ledger = self._prepared, self._ledger
        self._tally.total = await asyncio.to_thread(prepared.source.count_rows)
        async with self._wire() as wire:
            lost = ledger.begin(prepared.plan.request_hash, prepared.plan.doc_hash, prepared.source.fingerprint())
            if lost:
                say("notice", lost_text(lost))
            self._alarm = Alarm(self._job.name, self._job.budget.alert_command)
            self._loop = loop = asyncio.get_running_loop()
            self._governor = Governor(self._rules())
            self._admission = Admission(self._governor, loop.time, self._job.limits.outage_s)
            if self._outside:
                self._admission.stop(ParkReason.INTERRUPTED, self._outside)
            self._publisher.begun(self._tally.total)
            several = self._job.limits.workers > 1
            ledger.start_writing(lambda: self._admission.stop(ParkReason.DISK_FULL, DISK_FULL), shared=several)
            if not several:
                ledger.learn_keys(self._tally.total)
            try:
                async with self._hands(wire) as hands:
                    self._met = hands.met
                    held = signals.enter_context(Signals(self._admission, self._environ))
                    await self._work(hands, held)
            finally:
                await self._alarm.aclose()
                await ledger.stop_writing()

    def stop_from_outside(self, message: str) -> None:
        """Drain and end, said from another thread."""
        self._outside = message
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
            first=WRITES_CACHE if self._caching.warm else FirstCalls(),
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
        self._model = model = replace(self._job.model, caching="on" if self._caching.marked else "off")
        self._sandbox_url = ""
        if model.provider == "sandbox" and not model.base_url:
            async with embedded(self._job.sandbox) as url:
                self._sandbox_url = f"{url}/v1"
                yield wire_for(model, shape, self._environ, base_url=self._sandbox_url)
        else:
            yield wire_for(model, shape, self._environ)

    @contextlib.asynccontextmanager
    async def _hands(self, wire: Wire) -> AsyncIterator[Dispatch | Workers]:
        """Who carries the rows: this process, or several."""
        prepared, ledger, job = self._prepared, self._ledger, self._job
        needs = Needs(prepared.rate, self._admission)
        if job.limits.workers > 1:
            where = Where(self._model, self._sandbox_url, self._environ, self._telemetry.wanted)
            yield Workers(prepared, ledger, self._admission, needs, self._tally, where)
            return
        gate = LocalGate(self._admission, needs)
        transport = transport_for(job, credentials_for(job.model, self._environ))
        try:
            caller = Caller(prepared, ledger, gate, wire, transport, self._tally)
            yield Dispatch(prepared, ledger, Extraction(prepared, caller, self._column), gate, self._tally)
        finally:
            await transport.aclose()

    async def _work(self, hands: Dispatch | Workers, signals: Signals) -> None:
        watched = Watched(self._job.name, self._folder, self._admission, self._governor, self._tally, self._band_usd)
        watch = Watch(watched, self._telemetry, self._alarm, display_for(sys.stderr), hands.widen)
        self._tuned = watch.tuned
        watching = asyncio.create_task(watch.watching())
        try:
            await hands.work(self._selection)
        except asyncio.CancelledError:  # the second signal
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        finally:
            signals.worked = True
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _end(self) -> End:
        """What the publisher has to know of how it went."""
        return End(
            stopped=self._admission.stopped,
            message=self._admission.stop_message,
            over_budget=tuple(self._met.over_budget.values()),
            only_some=self._selection.only_rows is not None,
            limits_key=self._limits_key,
            learned=self._governor.learned(),
            waited_share=self._admission.snapshot().waited_share,
            events=(*self._alarm.events, *self._tuned),
            caching=self._caching,
        )


# ── one command ─────────────────────────────────────────────────────────────────────────────────────────────────────


def run_job(
    prepared: Prepared,
    verb: str,
    selection: Selection,
    environ: Mapping[str, str],
    *,
    fresh: bool,
    band_usd: Band[Decimal] | None = None,
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


class _Command(Struct, frozen=True):
    prepared: Prepared
    verb: str
    selection: Selection
    environ: Mapping[str, str]
    fresh: bool
    band_usd: Band[Decimal] | None

    def session(self, keep: Callable[[Callable[[str], None]], None] | None) -> Ended:
        """`keep` is called with what stops the run from another thread, once there is one."""
        with Ledger(ready_folder(self.prepared.job), self.verb, fresh=self.fresh) as ledger:
            if not self.selection.failed and (manifest := finished(self.prepared, ledger)) is not None:
                return Ended(manifest, None, "")
            settle_garbage()
            run = Run(self.prepared, ledger, self.selection, self.environ, self.band_usd)
            if keep is not None:
                keep(run.stop_from_outside)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                return runner.run(run.execute())


def exit_code(ended: Ended, max_failed_share: float) -> int:
    """The contract's exit codes; a remote output that has not everything is resumable."""
    if ended.park is not None:
        return {ParkReason.BUDGET: 3, ParkReason.INTERRUPTED: 130}.get(ended.park, 4)
    rows = ended.manifest.rows
    if rows.pending or ended.unsaved is not None:
        return 4
    return 0 if rows.failed <= max_failed_share * rows.total else 1
