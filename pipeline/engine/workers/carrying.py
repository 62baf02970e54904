"""What carries the rows of a worker: live calls to the job's model, or to each of its models."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from msgspec import Struct

from pipeline.admission.gate import Gate
from pipeline.engine.call import Caller
from pipeline.engine.executors.local import Outcomes
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import loader_of
from pipeline.engine.lanes.live import LiveLane
from pipeline.engine.row import Extraction
from pipeline.engine.workers.gate import RemoteGate, RemoteModelGate
from pipeline.engine.workers.messages import ModelPlace, WorkerAssignment
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import MAIN, diverts, models_of
from pipeline.job.settings import Job
from pipeline.ledger.ledger import Ledger
from pipeline.providers import standard_wire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.choose import transport_for
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.tally import Tally


class Held(Struct, frozen=True):
    """What a worker has for all of its calls. `on_lane`: told the prefix of each lane's request ids."""

    ledger: Ledger
    tally: Tally
    on_lane: Callable[[str], None]


def gates_for(job: Job, main: RemoteGate, send: Callable[[Struct], None]) -> dict[str, RemoteGate]:
    """NAME → the gate to each model. Where a job has one, that is `main`."""
    if not job.models:
        return {MAIN: main}
    return {name: RemoteModelGate(send, name, main, diverts(job, name)) for name in models_of(job)}


@contextlib.asynccontextmanager
async def carrying(
    errand: WorkerAssignment, prepared: Prepared, gates: Mapping[str, RemoteGate], held: Held
) -> AsyncIterator[Outcomes]:
    """What carries a row to its end."""
    job, column = prepared.job, RecordColumn(prepared.model)
    async with contextlib.AsyncExitStack() as open_lanes:
        lanes = {}
        for name, gate in gates.items():
            place = errand.models[name] if name else ModelPlace(errand.model, errand.base_url)
            lane = _lane(prepared.models[name] if name else prepared, place, gate, held, name or None)
            lanes[name] = await open_lanes.enter_async_context(lane)
        if not job.models:
            yield Extraction(prepared, Caller(held.ledger, lanes[MAIN]), column)
            return
        from pipeline.engine.several import Several, Station  # noqa: PLC0415 (few jobs have several)

        stations = {}
        for name, live in lanes.items():
            one, gate = prepared.models[name] if name else prepared, gates[name]
            assert isinstance(gate, RemoteModelGate)  # noqa: S101 (of `gates_for`)
            stations[name] = Station(one, gate, Extraction(one, Caller(held.ledger, live), column), live)
        yield Several(job, stations, errand.selection.from_model)


@contextlib.asynccontextmanager
async def _lane(
    prepared: Prepared, place: ModelPlace, gate: Gate[Any], held: Held, model: str | None
) -> AsyncIterator[LiveLane]:
    job, shape = prepared.job, prepared.shaped.shape
    wire = wire_for(place.model, shape, os.environ, base_url=place.base_url)
    standard = standard_wire(place.model, shape, os.environ, place.base_url)
    transport = transport_for(job, credentials_for(job.model, os.environ))
    try:
        carrier = Carrier(wire, transport, prepared.counter, standard, loader_of(prepared))
        lane = LiveLane(job.limits, prepared.rate, held.ledger, gate, carrier, held.tally, model=model)
        held.on_lane(lane.prefix)
        yield lane
    finally:
        await transport.aclose()
