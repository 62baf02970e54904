"""A run in waves, put together: the lane, the desk, and who carries the rows of each pass."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from hashlib import blake2b

from msgspec import Struct

from pipeline.admission.queue import Admission
from pipeline.catalog.prices import lane_share
from pipeline.engine.ask import Lane
from pipeline.engine.batches.collect import Books, Collector
from pipeline.engine.batches.desk import Desk
from pipeline.engine.batches.lane import BatchLane, Room, Terms, Ways, room_of
from pipeline.engine.batches.money import BatchMoney
from pipeline.engine.batches.open_batches import OpenBatches
from pipeline.engine.batches.remote import Remote
from pipeline.engine.batches.submission import Submitter
from pipeline.engine.batches.waves import WaveExecutor, Waves
from pipeline.engine.call import Caller
from pipeline.engine.endpoint import Lent
from pipeline.engine.executors.local import LocalExecutor, Outcomes
from pipeline.engine.lanes.files import loader_of
from pipeline.engine.row import Extraction
from pipeline.errors import JobError
from pipeline.extraction.lanes import live_because
from pipeline.extraction.prepare import Prepared
from pipeline.job.settings import Job, Model
from pipeline.money import at_share, from_units
from pipeline.providers import wire_for
from pipeline.providers.batches import batch_wire_for, line_model
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.credentials.secret import Secret
from pipeline.schema.arrow import RecordColumn


class Way(Struct, frozen=True):
    """The way to the model: as the session has it. `live`: the lane for what is not to wait.

    `among`: what carries a row, with this model as one of several; None: it is the only one.
    """

    model: Model
    sandbox_url: str
    environ: Mapping[str, str]
    live: Lane
    wait: bool
    among: Callable[[Extraction], Outcomes] | None = None


@contextlib.asynccontextmanager
async def in_waves(prepared: Prepared, column: RecordColumn, way: Way, run: Lent) -> AsyncIterator[WaveExecutor]:
    """Who carries the rows.

    Raises:
        JobError: the provider has no batch API that is spoken here, or the job lacks something for it.
    """
    job, shape = prepared.job, prepared.shaped.shape
    model = line_model(way.model)
    wire = wire_for(model, shape, way.environ, base_url=way.sandbox_url)
    batches = batch_wire_for(model, wire, job.batch, way.environ, base_url=way.sandbox_url)
    if batches is None:
        raise JobError(f"{job.file}: model.lane = {job.model.lane!r}: {NONE.format(provider=job.model.provider)}")
    remote = Remote(batches, credentials_for(job.model, way.environ))
    try:
        account = account_of(batches.listing().url, await remote.secret())
        money = BatchMoney(run.needs, run.governor.money, run.ledger.run)
        _hold_what_is_out(job, run)
        share = lane_share(job.model, job.prices)
        rate = None if prepared.rate is None else at_share(prepared.rate, share)
        books = Books(run.ledger, money, run.tally, rate, {})
        room = room_of(batches.limits, job.batch.max_rows)
        submitter, desk = _desk(job, Collector(remote, wire, books), books, room, run.admission)
        ways = Ways(wire, batches, way.live, submitter.submit, books.refused, room, loader_of(prepared))
        lane = BatchLane(_terms(job, account, share), ways, run.ledger, run.admission, money)
        lane.live_only = not goes_by_batch(prepared)

        def one_pass() -> LocalExecutor:
            extraction = Extraction(prepared, Caller(run.ledger, lane), column)
            carries = extraction if way.among is None else way.among(extraction)
            return LocalExecutor(prepared, run.ledger, carries, run.admission, run.tally)

        yield WaveExecutor(Waves(job, account, way.wait, bool(way.sandbox_url)), lane, desk, run.admission, one_pass)
    finally:
        await remote.aclose()


NONE = "{provider} has no batch API that is spoken here. Set model.lane = 'live'"


def _desk(job: Job, collector: Collector, books: Books, room: Room, gate: Admission) -> tuple[Submitter, Desk]:
    held, poll_s = OpenBatches(books, gate, job.limits.outage_s), job.batch.poll_s
    submitter = Submitter(collector.remote, held, gate, room, poll_s)
    return submitter, Desk(submitter, collector, held, gate, poll_s, keep=job.batch.keep_remote_files)


def goes_by_batch(prepared: Prepared) -> bool:
    """Whether new requests do: as the job says, or (`auto`) where it is worth it and there is time."""
    return not live_because(prepared.job, prepared.source.count_rows)


def _terms(job: Job, account: str, share: Decimal) -> Terms:
    return Terms(
        provider=job.model.provider,
        account=account,
        model=job.model.name,
        share=share,
        max_attempts=job.limits.max_attempts,
        repair=job.batch.repair,
        deadline_h=job.batch.deadline_h,
        few_go_live=job.batch.after_deadline == "live",
    )


def _hold_what_is_out(job: Job, run: Lent) -> None:
    """What earlier sessions have at the provider still counts."""
    money = run.governor.money
    money.run.held_usd = from_units(run.ledger.held_units())
    if job.budget.tenant_max_usd_per_day is not None:
        for tenant, units in run.ledger.held_units_by_tenant().items():
            money.tenant(tenant).held_usd = from_units(units)


def account_of(url: str, secret: Secret) -> str:
    """Where batches are, and whose they are, without telling. What is renewed every hour tells nothing."""
    whose = "" if secret.bearer or secret.session_token else secret.value
    return blake2b(f"{url.partition('?')[0]}\x00{whose}".encode(), digest_size=16).hexdigest()
