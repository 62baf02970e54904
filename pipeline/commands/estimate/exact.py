"""`estimate --exact`: input tokens as the provider itself counts them, through its counting endpoint. Costs nothing.

Every request that would be sent is counted, 16 at a time and no faster than the endpoint takes them; of those with
files a few of each size (`samples.py`). Where a provider has no such endpoint, our own count stands.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

from aiolimiter import AsyncLimiter
from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS
from pipeline.commands.estimate.counted import Counts
from pipeline.commands.estimate.measure import requests_to_send
from pipeline.commands.estimate.samples import ASKED, FileSamples
from pipeline.engine.ask import FileGone
from pipeline.engine.lanes.files import FileLoader, holds_files, loader_of
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.extraction.prepare import Prepared
from pipeline.parts import files_of
from pipeline.providers import CountingWire, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.transport.http import HttpTransport
from pipeline.types import Request

AT_ONCE = 16
TRIES = 8
PAUSE_S = 1.0  # doubles, after failures that tell no time to wait
TRY_AGAIN = {Kind.THROTTLED, Kind.OVERLOADED, Kind.TIMEOUT, Kind.CONNECTION, Kind.NO_ANSWER, Kind.DAMAGED}


class Counted(Struct, frozen=True):
    """Tokens over all requests, by the provider and by us."""

    requests: int
    provider_tokens: int
    our_tokens: int
    with_files: int = 0  # of the requests
    files_asked: int = 0  # of these: the tokens of the others go by theirs


class Pace:
    """When the next question may go: so many a minute, spread over its seconds, and none while the endpoint is shut."""

    def __init__(self, a_minute: int) -> None:
        self._limiter = AsyncLimiter(1, 60 / a_minute) if a_minute < 60 else AsyncLimiter(a_minute / 60, 1)
        self._shut_until_s = 0.0

    async def turn(self) -> None:
        await self._limiter.acquire()
        loop = asyncio.get_running_loop()
        while (left_s := self._shut_until_s - loop.time()) > 0:
            await asyncio.sleep(left_s)
            await self._limiter.acquire()  # or all who waited would go at once

    def shut(self, for_s: float) -> None:
        self._shut_until_s = max(self._shut_until_s, asyncio.get_running_loop().time() + for_s)


def count_exactly(prepared: Prepared, environ: Mapping[str, str]) -> Counted | None:
    """None where the provider has no endpoint that counts this model.

    Raises:
        JobError: a key is missing, or the provider does not count.
    """
    wire = wire_for(prepared.job.model, prepared.shaped.shape, environ)
    if not getattr(wire, "count_url", ""):
        return None
    return asyncio.run(_count_all(prepared, cast("CountingWire", wire), environ))


def counted_exactly(prepared: Prepared, counts: Counts, environ: Mapping[str, str]) -> tuple[Counts, str]:
    """Counts with the provider's own figure for the input, and a line that says so."""
    found = count_exactly(prepared, environ)
    if found is None:
        ours = "exact" if prepared.counter.exact else "an estimate"
        return counts, f"{prepared.job.model.provider} counts no tokens of its own: ours ({ours}) stand"
    saved = counts.packed_input_tokens * found.provider_tokens // max(1, found.our_tokens)
    scaled = counts.free_input_tokens + found.provider_tokens - saved
    told = f"input counted by the provider: {found.provider_tokens:,} tokens in {found.requests:,} requests"
    told += f", {found.our_tokens:,} by our own count{_asked_about(found)}"
    return replace(counts, provider_input_tokens=scaled), told


def _asked_about(found: Counted) -> str:
    if found.files_asked == found.with_files:
        return ""
    asked = f"of {found.with_files:,} requests with files {found.files_asked:,} were asked about"
    return f"; {asked}, {ASKED} at the most of each form and size, and the others go by them"


async def _count_all(prepared: Prepared, wire: CountingWire, environ: Mapping[str, str]) -> Counted:
    model, files = prepared.job.model, loader_of(prepared)
    transport = HttpTransport(prepared.job.limits, credentials_for(model, environ), stream=False)
    pace, samples = Pace(PROVIDERS[model.provider].counts_a_minute), FileSamples()
    requests = provider = ours = 0
    counted: dict[bytes, int] = {}
    try:
        async for batch in _batches(_sampled_of(prepared, samples)):
            requests += len(batch)
            ours += sum(request.input_tokens for request in batch)
            texts = [request for request in batch if not holds_files(request)]
            provider += sum(await _all_of([_count(transport, wire, request, pace) for request in texts]))
        async for batch in _batches(samples.chosen):
            found = await _all_of([_count(transport, wire, request, pace, files) for request in batch])
            counted.update(zip((request.key for request in batch), found, strict=True))
    finally:
        await transport.aclose()
    return Counted(requests, provider + samples.all_tokens(counted), ours, samples.requests, len(counted))


def _sampled_of(prepared: Prepared, samples: FileSamples) -> Iterator[Request]:
    """All requests; the files of those that will be asked about are kept."""
    for request in requests_to_send(prepared):
        if holds_files(request) and samples.add(request):
            for turn in request.turns:
                prepared.source.keep(files_of(turn.parts))
        yield request


async def _all_of(counting: Iterable[Coroutine[Any, Any, int]]) -> list[int]:
    """All counts, or the first failure: then none goes on, and opens a connection that nobody closes."""
    tasks = [asyncio.ensure_future(one) for one in counting]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _batches(requests: Iterable[Request]) -> AsyncIterator[Sequence[Request]]:
    """Read and cut off the loop: a batch is in memory at a time."""
    waiting: Iterator[Request] = iter(requests)
    while batch := await asyncio.to_thread(lambda: list(islice(waiting, AT_ONCE))):
        yield batch


async def _count(
    transport: HttpTransport, wire: CountingWire, request: Request, pace: Pace, files: FileLoader | None = None
) -> int:
    """A rate limit that tells how long is waited out, by all, and is no try; it costs nothing either way."""
    if files is not None and holds_files(request):
        try:
            with await files.loaded(request) as loaded:
                return await _count(transport, wire, loaded.request, pace)
        except FileGone as error:
            raise JobError(f"estimate --exact: row {request.row}: {error}") from None
    failures = 0
    while True:
        await pace.turn()
        try:
            return wire.counted(await transport.post_counting(wire, wire.count_body(request), datetime.now(UTC)))
        except CallFailed as failure:
            hint_s = failure.retry_after_s or 0.0
            if failure.kind == Kind.THROTTLED and hint_s > 0:
                pace.shut(hint_s)
                continue
            failures += 1
            if failure.kind not in TRY_AGAIN or failures == TRIES:
                raise JobError(f"estimate --exact: the provider does not count row {request.row}: {failure}") from None
            await asyncio.sleep(max(hint_s, PAUSE_S * 2 ** (failures - 1)))
