"""`estimate --exact`: input tokens as the provider itself counts them, through its counting endpoint. Costs nothing.

Every request that would be sent is counted, 16 at a time. Where a provider has no such endpoint, our own count stands.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.estimate.estimator import Counts
from pipeline.commands.estimate.measure import requests_to_send
from pipeline.engine.ask import FileGone
from pipeline.engine.lanes.files import FileLoader, holds_files
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.extraction.prepare import Prepared
from pipeline.providers import CountingWire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.http import HttpTransport
from pipeline.types import FilePart, Request

AT_ONCE = 16
TRIES = 8
PAUSE_S = 1.0  # doubles; a Retry-After goes before it
TRY_AGAIN = {Kind.THROTTLED, Kind.OVERLOADED, Kind.TIMEOUT, Kind.CONNECTION, Kind.NO_ANSWER, Kind.DAMAGED}


class Counted(Struct, frozen=True):
    """Tokens over all requests, by the provider and by us."""

    requests: int
    provider_tokens: int
    our_tokens: int


def count_exactly(
    prepared: Prepared, environ: Mapping[str, str], load: Callable[[FilePart], bytes] | None = None
) -> Counted | None:
    """None where the provider has no endpoint that counts this model. `load`: of requests that hold files.

    Raises:
        JobError: a key is missing, or the provider does not count.
    """
    wire = wire_for(prepared.job.model, prepared.shaped.shape, environ)
    if not getattr(wire, "count_url", ""):
        return None
    return asyncio.run(_count_all(prepared, cast("CountingWire", wire), environ, load))


def counted_exactly(prepared: Prepared, counts: Counts, environ: Mapping[str, str]) -> tuple[Counts, str]:
    """Counts with the provider's own figure for the input, and a line that says so."""
    found = count_exactly(prepared, environ)
    if found is None:
        ours = "exact" if prepared.counter.exact else "an estimate"
        return counts, f"{prepared.job.model.provider} counts no tokens of its own: ours ({ours}) stand"
    scaled = counts.free_input_tokens + found.provider_tokens
    told = f"input counted by the provider: {found.provider_tokens:,} tokens in {found.requests:,} requests"
    return replace(counts, provider_input_tokens=scaled), f"{told}, {found.our_tokens:,} by our own count"


async def _count_all(
    prepared: Prepared,
    wire: CountingWire,
    environ: Mapping[str, str],
    load: Callable[[FilePart], bytes] | None,
) -> Counted:
    files = None if load is None else FileLoader(load)
    transport = HttpTransport(prepared.job.limits, credentials_for(prepared.job.model, environ), stream=False)
    requests = provider = ours = 0
    try:
        async for batch in _batches(requests_to_send(prepared)):
            counts = await asyncio.gather(*(_count(transport, wire, request, files) for request in batch))
            requests += len(batch)
            provider += sum(counts)
            ours += sum(request.input_tokens for request in batch)
    finally:
        await transport.aclose()
    return Counted(requests, provider, ours)


async def _batches(requests: Iterable[Request]) -> AsyncIterator[Sequence[Request]]:
    """Read and cut off the loop: a batch is in memory at a time."""
    waiting: Iterator[Request] = iter(requests)
    while batch := await asyncio.to_thread(lambda: list(islice(waiting, AT_ONCE))):
        yield batch


async def _count(transport: HttpTransport, wire: CountingWire, request: Request, files: FileLoader | None) -> int:
    if files is not None and holds_files(request):
        try:
            with await files.loaded(request) as loaded:
                return await _count(transport, wire, loaded.request, None)
        except FileGone as error:
            raise JobError(f"estimate --exact: row {request.row}: {error}") from None
    for attempt in range(TRIES):
        try:
            return wire.counted(await transport.post_counting(wire, wire.count_body(request), datetime.now(UTC)))
        except CallFailed as failure:
            if failure.kind not in TRY_AGAIN or attempt == TRIES - 1:
                raise JobError(f"estimate --exact: the provider does not count row {request.row}: {failure}") from None
            await asyncio.sleep(max(failure.retry_after_s or 0.0, PAUSE_S * 2**attempt))
    raise AssertionError("unreachable")
