"""What stands at the other end, and who carries the rows there: this process, several, or in waves by batch."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.gate import Gate
from pipeline.admission.governor import Governor
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.console import say
from pipeline.engine.ask import Lane
from pipeline.engine.call import Caller
from pipeline.engine.executors import Executor
from pipeline.engine.executors.local import LocalExecutor, Outcomes
from pipeline.engine.executors.processes import ProcessExecutor, Where
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import loader_of
from pipeline.engine.lanes.live import LiveLane
from pipeline.engine.packs import Packs
from pipeline.engine.row import Extraction
from pipeline.extraction.lanes import live_because, unspoken
from pipeline.extraction.packs import PackPlan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.prompt_cache import Caching, caching_for
from pipeline.extraction.routing import MAIN, calls_at_once
from pipeline.job.settings import Job, Model
from pipeline.ledger.ledger import Ledger
from pipeline.providers import Wire, standard_wire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.choose import transport_for
from pipeline.sandbox.embedded import embedded
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.batches import counted
from pipeline.telemetry.tally import Tally
from pipeline.types import AnswerShape

if TYPE_CHECKING:
    from pipeline.engine.batches.waves import WaveExecutor
    from pipeline.engine.executors.ray import RayExecutor
    from pipeline.engine.several import Way


class Endpoint(Struct, frozen=True):
    """`model` as the wire wants it, `sandbox_url` of the embedded sandbox, or ""."""

    wire: Wire
    model: Model
    caching: Caching
    sandbox_url: str
    environ: Mapping[str, str]


class Lent(Struct, frozen=True):
    """What a session lends to who carries its rows."""

    ledger: Ledger
    tally: Tally
    admission: Admission
    governor: Governor
    needs: Needs


class Carriage(Struct, frozen=True):
    """How rows are carried. `wait`: for batches at the provider; `observed`: calls are told to observers.

    `from_model`: NAME of the model that rows begin with; None: as the job says.
    """

    column: RecordColumn
    wait: bool
    observed: bool
    from_model: str | None = None


@contextlib.asynccontextmanager
async def endpoint_for(prepared: Prepared, environ: Mapping[str, str], rows: int) -> AsyncIterator[Endpoint]:
    """The way to the provider; the embedded sandbox lives as long as the run."""
    job, shape = prepared.job, prepared.shaped.shape
    caching = caching_for(job.model, prepared.overhead_tokens, rows, prepared.expected_rate)
    model = replace(job.model, caching="on" if caching.marked else "off")
    if model.provider == "sandbox" and not model.base_url:
        async with embedded(job.sandbox) as url:
            base_url = f"{url}/v1"
            yield Endpoint(wire_for(model, shape, environ, base_url=base_url), model, caching, base_url, environ)
    else:
        yield Endpoint(wire_for(model, shape, environ), model, caching, "", environ)


def limits_key(prepared: Prepared) -> str:
    """Limits belong to an account at an endpoint, and to a model there."""
    model = prepared.job.model
    return f"limits:{model.provider}:{model.base_url}:{model.region}:{model.name}"


def batched(job: Job, ledger: Ledger) -> bool:
    """Whether requests go by the provider's batch API; and while some of them are there."""
    return not unspoken(job) and (job.model.lane != "live" or bool(ledger.open_batches()))


@contextlib.asynccontextmanager
async def executor_for(prepared: Prepared, endpoint: Endpoint, lent: Lent, how: Carriage) -> AsyncIterator[Executor]:
    """Who carries the rows."""
    job, in_waves = prepared.job, batched(prepared.job, lent.ledger)
    if job.model.lane == "auto" and (why := live_because(job, prepared.source.count_rows)):
        say("notice", f"model.lane = 'auto': requests go live, as {why}")
    if not in_waves and (left := lent.ledger.open_batches()):
        say("warning", f"{counted(len(left))} of another job cannot be collected from here: {unspoken(job)}")
    if prepared.models:
        async with _among_several(prepared, endpoint, lent, how) as executor:
            yield executor
        return
    if job.engine.on == "ray" and not in_waves:
        yield _on_ray(prepared, endpoint, lent, how, {})
        return
    if job.limits.workers > 1 and not in_waves:
        where = Where(endpoint.model, endpoint.sandbox_url, endpoint.environ, how.observed)
        yield ProcessExecutor(prepared, lent.ledger, lent.admission, lent.tally, where)
        return
    async with live_lane(prepared, endpoint, lent.ledger, lent.admission, lent.tally) as live:
        if in_waves:
            async with _in_waves(prepared, endpoint, lent, how, live) as waves:
                yield waves
            return
        if prepared.packed is not None:
            async with _in_packs(prepared, prepared.packed.plan, lent, how, live) as packing:
                yield packing
            return
        extraction = Extraction(prepared, Caller(lent.ledger, live), how.column)
        yield LocalExecutor(prepared, lent.ledger, extraction, lent.admission, lent.tally)


def _on_ray(
    prepared: Prepared, endpoint: Endpoint, lent: Lent, how: Carriage, ways: Mapping[str, "Way"]
) -> "RayExecutor":
    from pipeline.engine.executors.ray import RayExecutor  # noqa: PLC0415 (few jobs run on a cluster)
    from pipeline.engine.ray.errand import Kit  # noqa: PLC0415 (as above)

    at = endpoint.model, endpoint.sandbox_url, endpoint.environ
    return RayExecutor(Kit(prepared, lent.ledger, lent.admission, lent.tally, *at, ways, how.from_model))


@contextlib.asynccontextmanager
async def live_lane(
    prepared: Prepared, endpoint: Endpoint, ledger: Ledger, gate: Gate[Any], tally: Tally, model: str | None = None
) -> AsyncIterator[LiveLane]:
    """Live calls over a endpoint; `model`: NAME of the one that is asked, where it is not the job's [model]."""
    job = prepared.job
    transport = transport_for(job, credentials_for(job.model, endpoint.environ))
    try:
        standard = standard_wire(endpoint.model, prepared.shaped.shape, endpoint.environ, endpoint.sandbox_url)
        packs = None if prepared.packed is None else _wires(endpoint, prepared.packed.shape)
        carrier = Carrier(endpoint.wire, transport, prepared.counter, standard, loader_of(prepared), packs)
        yield LiveLane(job.limits, prepared.rate, ledger, gate, carrier, tally, model=model)
    finally:
        await transport.aclose()


def _wires(endpoint: Endpoint, shape: AnswerShape) -> tuple[Wire, Wire | None]:
    """To the same endpoint, for answers of another shape; and at the standard service tier, if that is wanted."""
    to = endpoint.model, shape, endpoint.environ, endpoint.sandbox_url
    return wire_for(*to), standard_wire(*to)


@contextlib.asynccontextmanager
async def _in_packs(
    prepared: Prepared, pack: PackPlan, lent: Lent, how: Carriage, live: Lane
) -> AsyncIterator[Executor]:
    """As many rows at once as its calls are about."""
    packs = Packs(prepared.plan, pack, lent.ledger, live)
    extraction = Extraction(prepared, Caller(lent.ledger, live), how.column, together=packs)
    executor = LocalExecutor(prepared, lent.ledger, extraction, lent.admission, lent.tally, rows_per_call=pack.rows)
    executor.on_fed = packs.no_more
    try:
        yield executor
    finally:
        await packs.aclose()


@contextlib.asynccontextmanager
async def _among_several(prepared: Prepared, endpoint: Endpoint, lent: Lent, how: Carriage) -> AsyncIterator[Executor]:
    """Rows among a job's models; those that begin at [model] by batch, where it has that lane."""
    from pipeline.engine.several import Several, models_now, stations_of, ways_to_all  # noqa: PLC0415 (few jobs)

    job = prepared.job
    async with contextlib.AsyncExitStack() as stack:
        ways = await stack.enter_async_context(ways_to_all(prepared, endpoint, lent))
        if job.engine.on == "ray" and not batched(job, lent.ledger):
            on_ray = _on_ray(prepared, endpoint, lent, how, ways)
            on_ray.models = partial(models_now, ways)
            yield on_ray
            return
        if job.limits.workers > 1 and not batched(job, lent.ledger):
            where = Where(endpoint.model, endpoint.sandbox_url, endpoint.environ, how.observed, ways)
            processes = ProcessExecutor(prepared, lent.ledger, lent.admission, lent.tally, where)
            processes.models = partial(models_now, ways)
            yield processes
            return
        stations = await stack.enter_async_context(stations_of(ways, lent, how.column))
        several = Several(job, stations, how.from_model)
        if batched(job, lent.ledger):
            main = stations[MAIN]

            def by_batch(extraction: Extraction) -> Several:
                at_main = {MAIN: replace(main, extraction=extraction)}
                return Several(job, {**stations, **at_main}, how.from_model)

            waves = await stack.enter_async_context(_in_waves(prepared, endpoint, lent, how, main.live, by_batch))
            waves.models = partial(models_now, ways)
            yield waves
            return
        calls = calls_at_once(job)
        executor = LocalExecutor(prepared, lent.ledger, several, lent.admission, lent.tally, calls=calls)
        executor.models = partial(models_now, ways)
        yield executor


@contextlib.asynccontextmanager
async def _in_waves(
    prepared: Prepared,
    endpoint: Endpoint,
    lent: Lent,
    how: Carriage,
    live: Lane,
    among: Callable[[Extraction], Outcomes] | None = None,
) -> AsyncIterator["WaveExecutor"]:
    from pipeline.engine.batches.setup import Way, in_waves  # noqa: PLC0415 (few jobs have batches)

    way = Way(endpoint.model, endpoint.sandbox_url, endpoint.environ, live, how.wait, among)
    async with in_waves(prepared, how.column, way, lent) as waves:
        yield waves
