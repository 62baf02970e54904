"""What carries the rows of a worker, here or on a cluster: live calls to the job's model, or to each of its models."""

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from msgspec import Struct

from pipeline.engine.call import Caller
from pipeline.engine.executors.local import Outcomes
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import loader_of
from pipeline.engine.lanes.live import LiveLane
from pipeline.engine.row import Extraction
from pipeline.engine.workers.gate import RemoteGate, RemoteModelGate
from pipeline.engine.workers.messages import ModelPlace
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import MAIN, diverts, models_of
from pipeline.job.settings import Job
from pipeline.ledger.remote import CallBooks
from pipeline.providers import standard_wire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.choose import transport_for
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.tally import Tally


class Held(Struct, frozen=True):
    """What a worker has for all of its calls. `on_lane`: told the prefix of each lane's request ids.

    `closing`: what its connections are closed with. `named_by_run`: calls are put on the ledger where they are let in.
    """

    ledger: CallBooks
    tally: Tally
    on_lane: Callable[[str], None]
    closing: AsyncExitStack
    named_by_run: bool = False


def gates_for(job: Job, main: RemoteGate, send: Callable[[Struct], None]) -> dict[str, RemoteGate]:
    """NAME → the gate to each model. Where a job has one, that is `main`."""
    if not job.models:
        return {MAIN: main}
    return {name: RemoteModelGate(send, name, main, diverts(job, name)) for name in models_of(job)}


def carrying(
    prepared: Prepared,
    places: Mapping[str, ModelPlace],
    gates: Mapping[str, RemoteGate],
    held: Held,
    from_model: str | None,
) -> Outcomes:
    """What carries a row to its end. `places` and `gates`: by NAME of the model; `from_model` as of `Selection`.

    Raises:
        JobError: a model cannot be called from here; it has no key.
    """
    job, column, ones = prepared.job, RecordColumn(prepared.model), {**prepared.models, MAIN: prepared}
    lanes = {name: _lane(ones[name], places[name], gate, held, name or None) for name, gate in gates.items()}
    if not job.models:
        return Extraction(prepared, Caller(held.ledger, lanes[MAIN]), column)
    from pipeline.engine.several import Several, Station  # noqa: PLC0415 (few jobs have several)

    stations = {}
    for name, live in lanes.items():
        one, gate = ones[name], gates[name]
        assert isinstance(gate, RemoteModelGate)  # noqa: S101 (of `gates_for`)
        stations[name] = Station(one, gate, Extraction(one, Caller(held.ledger, live), column), live)
    return Several(job, stations, from_model)


def _lane(prepared: Prepared, place: ModelPlace, gate: RemoteGate, held: Held, model: str | None) -> LiveLane:
    job, shape = prepared.job, prepared.shaped.shape
    transport = transport_for(job, credentials_for(job.model, os.environ))
    held.closing.push_async_callback(transport.aclose)
    wire = wire_for(place.model, shape, os.environ, base_url=place.base_url)
    standard = standard_wire(place.model, shape, os.environ, place.base_url)
    carrier = Carrier(wire, transport, prepared.counter, standard, loader_of(prepared))
    naming = gate if held.named_by_run else None
    lane = LiveLane(job.limits, prepared.rate, held.ledger, gate, carrier, held.tally, model=model, naming=naming)
    held.on_lane(lane.prefix)
    return lane
