"""`check --online`: the provider's listing endpoints are asked whether the key, the model and the region are good.

Nothing but GETs, which cost no token, over the transport of calls: its proxies, its bounds, and its care for the key.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from importlib import import_module
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS
from pipeline.errors import CallFailed, Finding, JobError
from pipeline.job.settings import Job, Model
from pipeline.providers import settled, wire_for
from pipeline.providers.batches import NO_SHAPE, BatchAsk, BatchWire, batch_wire_for, line_model
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.listing import Listing, Shut, Told
from pipeline.providers.transport.http import HttpTransport
from pipeline.sandbox.embedded import embedded

ONE_S, ALL_S = 10.0, 20.0


class Question(Struct, frozen=True):
    """One GET, with the headers of whoever is asked."""

    url: str
    listing: Listing

    def headers(self, secret: Secret, now: datetime) -> dict[str, str]:
        return self.listing.headers(self.url, secret, now)


class BatchQuestion(Struct, frozen=True):
    """The same of a batch API."""

    ask: BatchAsk
    wire: BatchWire

    @property
    def url(self) -> str:
        return self.ask.url

    def headers(self, secret: Secret, now: datetime) -> dict[str, str]:
        return {**self.wire.headers(self.ask, secret, now), **self.ask.headers}


def online(job: Job, environ: Mapping[str, str]) -> list[Finding]:
    """What the provider says. Takes 20 s at the most, or 10 s for one answer."""
    if not PROVIDERS[job.model.provider].listing:
        told = f"{job.model.provider} is not asked: instructor's clients have no listing in common"
        return [Finding("online", "warning", f"{told}. A run of --limit 1 shows whether key and model are good")]
    try:
        return asyncio.run(_asked(job, environ))
    except JobError as error:
        return [Finding("online", "problem", f"nothing could be asked: {error}")]


def listing_for(model: Model) -> Listing:
    """Of a model as settled.

    Raises:
        JobError: the endpoint lacks something that neither the job nor the environment says.
    """
    module, _, kind = PROVIDERS[model.provider].listing.partition(":")
    found: Listing = getattr(import_module(module), kind)(model)
    return found


async def _asked(job: Job, environ: Mapping[str, str]) -> list[Finding]:
    limits = replace(job.limits, timeout_s=ONE_S)
    async with _settled(job, environ) as model:
        listing = listing_for(model)
        transport = HttpTransport(limits, credentials_for(model, environ), stream=False)
        try:
            async with asyncio.timeout(ALL_S):
                found = await _conversation(listing, transport)
                return [*found, *await _batches(job, model, environ, transport)]
        except TimeoutError:
            told = f"not all was answered within {ALL_S:g} s. Look at the network, and how credentials are got"
            return [Finding("host", "problem", told)]
        finally:
            await transport.aclose()


@asynccontextmanager
async def _settled(job: Job, environ: Mapping[str, str]) -> AsyncIterator[Model]:
    """The model as the wire has it; a sandbox of its own where the job has one."""
    if job.model.provider == "sandbox" and not job.model.base_url:
        async with embedded(job.sandbox) as url:
            yield settled(job.model, environ, f"{url}/v1")
    else:
        yield settled(job.model, environ)


async def _conversation(listing: Listing, transport: HttpTransport) -> list[Finding]:
    look = listing.look()
    try:
        url = next(look)
        while True:
            url = look.send(await _told(Question(url, listing), transport))
    except StopIteration as ended:
        found: list[Finding] = ended.value
        return found
    except Shut as shut:
        return [shut.finding]


async def _batches(job: Job, model: Model, environ: Mapping[str, str], transport: HttpTransport) -> list[Finding]:
    """Whether the batch API, and the bucket where it has one, is open to whom the key is of."""
    asked = line_model(model)
    if (
        model.lane == "live"
        or (wire := batch_wire_for(asked, wire_for(asked, NO_SHAPE, environ), job.batch, environ)) is None
    ):
        return []
    found = []
    for probe in wire.access():
        try:
            probe.read(await transport.get(BatchQuestion(probe.ask, wire)))
            found.append(Finding(probe.what, "ok", f"{urlsplit(probe.ask.url).netloc} lets it be listed"))
        except CallFailed as failed:
            found.append(Finding(probe.what, "problem", str(failed)))
    return found


async def _told(question: Question, transport: HttpTransport) -> Told:
    try:
        return await transport.get(question)
    except CallFailed as failed:
        return failed
