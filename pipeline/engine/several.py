"""A job's several models: a way to each, and each row's way among them.

Each has a governor, limits and a price of its own; they spend from one budget, and write to one ledger.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.first_calls import WRITES_CACHE, FirstCalls
from pipeline.admission.gate import Diverted
from pipeline.admission.governor import Governor, LimitRules, rules_of
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.ask import Lane
from pipeline.engine.call import Caller
from pipeline.engine.diverting import DivertingGate, Ends, Group
from pipeline.engine.endpoint import Endpoint, Lent, endpoint_for, limits_key, live_lane
from pipeline.engine.feed import RowTask
from pipeline.engine.row import Extraction
from pipeline.engine.shared.sharing import sharing
from pipeline.engine.threads import in_thread_if_long
from pipeline.engine.workers.messages import ModelPlace
from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import (
    MAIN,
    cause_of,
    diverts,
    first_step,
    models_of,
    next_step,
    patience_s,
    shown_name,
    step_at,
)
from pipeline.job.settings import Job
from pipeline.providers.credentials.keys import credentials_for
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.snapshot import ModelNow
from pipeline.types import Outcome


class Way(Struct, frozen=True):
    """One model: the job as one with it alone, where it is, and the gate to it, of which a run has one."""

    prepared: Prepared
    endpoint: Endpoint
    gate: DivertingGate

    @property
    def place(self) -> ModelPlace:
        """As workers are told of it."""
        return ModelPlace(self.endpoint.model, self.endpoint.sandbox_url)


class Parks(Protocol):
    """The gate to a model, as far as a row needs it that has nowhere else to go."""

    def park(self, cause: str, message: str) -> None: ...


class Station(Struct, frozen=True):
    """One model: the job as one with it alone, the gate to it, and what carries a row there, by which live calls."""

    prepared: Prepared
    gate: Parks
    extraction: Extraction
    live: Lane


class Several:
    """Carries each row to the model that it is for, and on to the next where that does not do."""

    def __init__(self, job: Job, stations: Mapping[str, Station], from_model: str | None = None) -> None:
        self._job = job
        self._stations = stations
        self._from = None if from_model is None else step_at(job, from_model)

    async def outcome(self, task: RowTask) -> Outcome:
        """Where the row ends; as of the last model that was asked, with all that were.

        Raises:
            As `Extraction.outcome`. Stopped: also where its model is down, and it has been wherever it could go on.
        """
        at, been, asked = self._from or first_step(self._job, task.row), list[str](), list[str]()
        while True:
            station = self._stations[at.model]
            been.append(at.model)
            found: Outcome | None = None
            try:
                found = await station.extraction.outcome(await self._task_at(at.model, task))
                cause = cause_of(found)
                asked.append(shown_name(self._job, at.model))
            except Diverted as diverted:
                cause = diverted.cause
                if next_step(self._job, at, cause, been) is None:
                    station.gate.park(cause, str(diverted))
                    raise Stopped(ParkReason(cause), str(diverted)) from None
            step = None if cause is None else next_step(self._job, at, cause, been)
            if step is not None:
                at = step
            elif found is not None:
                return replace(found, model=at.model or None, models_tried=tuple(asked))

    async def _task_at(self, model: str, task: RowTask) -> RowTask:
        """The row cut by this model's window. [model] has it so from the feed."""
        if model == MAIN:
            return task
        prepared = self._stations[model].prepared
        cut = partial(prepared.cut, task.row, exact=prepared.exact)
        found = await in_thread_if_long(task.row.text, cut)
        return replace(task, chunks=found.chunks, skipped=found.skipped)


def with_keys(prepared: Prepared, environ: Mapping[str, str]) -> Prepared:
    """The job without the models that rows would only fall back to, and whose key is missing: that is said.

    Raises:
        JobError: a model that rows are routed to has no key; nothing was sent.
    """
    job = prepared.job
    routed = {route.model for route in job.routes}
    lacking = set()
    for name, one in prepared.models.items():
        try:
            credentials_for(one.job.model, environ)
        except JobError as error:
            if name in routed:
                raise JobError(f"[models.{name}]: {error}") from None
            say("warning", f"[models.{name}]: {error}. Without it no row goes on to this model")
            lacking.add(name)
    if not lacking:
        return prepared
    left = {name: one for name, one in job.models.items() if name not in lacking}
    fallbacks = tuple(one for one in job.fallbacks if one.model not in lacking)
    models = {name: one for name, one in prepared.models.items() if name not in lacking}
    return replace(prepared, job=replace(job, models=left, fallbacks=fallbacks), models=models)


def models_now(ways: Mapping[str, Way]) -> tuple[ModelNow, ...]:
    """How each does at this moment."""
    gates = (way.gate for way in ways.values())
    return tuple(ModelNow(gate.name, gate.admission.in_flight, gate.calls, gate.health.cause) for gate in gates)


@contextlib.asynccontextmanager
async def ways_to_all(prepared: Prepared, endpoint: Endpoint, lent: Lent) -> AsyncIterator[dict[str, Way]]:
    """NAME → the way to each model, for as long as the session works on rows. What they learn of limits is kept."""
    job, group = prepared.job, Group(lent.admission.stop)
    say_so = partial(say, "notice")
    found: dict[str, Way] = {}
    async with contextlib.AsyncExitStack() as ways:
        for name in models_of(job):
            one = prepared.models[name] if name else prepared
            ends = Ends(diverts(job, name), say_so)
            if name:
                way = await ways.enter_async_context(endpoint_for(one, endpoint.environ, 0))
                governor = Governor(_rules(one, way, lent), lent.governor.money)
                admission = Admission(
                    governor, Needs(one.rate, governor), asyncio.get_running_loop().time, patience_s(job, name)
                )
                admission.on_stop = lent.admission.stop
                lent.admission.alongside(admission)
                shares = job.limits.shared and one.job.limits.shared
                await ways.enter_async_context(sharing(shares, way, admission, governor))
            else:
                way, governor, admission = endpoint, lent.governor, lent.admission
                admission.on_stop = group.stopped
            found[name] = Way(one, way, DivertingGate(shown_name(job, name), admission, governor, group, ends))
        try:
            yield found
        finally:
            for name, to_one in found.items():
                if name:
                    lent.ledger.remember(limits_key(to_one.prepared), json.dumps(to_one.gate.governor.learned()))


@contextlib.asynccontextmanager
async def stations_of(ways: Mapping[str, Way], lent: Lent, column: RecordColumn) -> AsyncIterator[dict[str, Station]]:
    """NAME → what carries a row to each model, by live calls of this process."""
    stations: dict[str, Station] = {}
    async with contextlib.AsyncExitStack() as lanes:
        for name, way in ways.items():
            lane = live_lane(way.prepared, way.endpoint, lent.ledger, way.gate, lent.tally, name or None)
            live = await lanes.enter_async_context(lane)
            extraction = Extraction(way.prepared, Caller(lent.ledger, live), column)
            stations[name] = Station(way.prepared, way.gate, extraction, live)
        yield stations


def _rules(prepared: Prepared, endpoint: Endpoint, lent: Lent) -> LimitRules:
    remembered = lent.ledger.remembered(limits_key(prepared))
    return rules_of(
        prepared.job,
        spent_usd=lent.governor.money.run.spent_usd,
        spent_by_tenant={},
        learned=None if remembered is None else json.loads(remembered),
        first=WRITES_CACHE if endpoint.caching.warm else FirstCalls(),
    )
