"""Which way the requests of a job go, by its provider's batch API or live, and what stands in a batch's way.

Decided before anything is sent: by the job, by what is known of its model's price, and by how many rows there are.
"""

from collections.abc import Callable, Iterator

from pipeline.catalog.prices import batch_share
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import REMOTE, Job

LEAST_ROWS, LEAST_H = 200, 2.0  # below which `auto` goes live


def lane_problem(job: Job) -> str | None:
    """Why model.lane = "batch" or "auto" cannot be had in this job, and what to write instead; None: it can."""
    if job.model.lane == "live":
        return None
    return next(_problems(job), None)


def _problems(job: Job) -> Iterator[str]:
    lane, provider = f"model.lane = {job.model.lane!r}", job.model.provider
    live = "set model.lane = 'live'"
    if not PROVIDERS[provider].batch_wire:
        yield f"{lane}: {provider} has no batch API that is spoken here. To go on, {live}"
    if (context := job.chunks.context) != "none":
        told = f"chunks.context = {context!r} asks each chunk after the one before it, and each would wait for a batch"
        yield f"{lane}: {told} of its own. Set chunks.context = 'none', or {live}"
    if (output := job.output_url or job.output.path).startswith(REMOTE):
        told = "two machines could both know of a batch that is out, and submit or collect it twice"
        yield f"{lane}: output.path = {output!r} is remote: {told}. Give a local folder, or {live}"
    if provider == "azure" and not job.batch.deployment:
        told = "needs batch.deployment, a deployment of the kind Global-Batch or DataZone-Batch"
        yield f"{lane}: azure {told}: one for live calls takes no batches. Name it, or {live}"


def live_because(job: Job, rows: Callable[[], int]) -> str:
    """Why new requests go live; "" where they go by batch. `rows` counts the input, and is asked last."""
    if job.model.lane != "auto":
        return "" if job.model.lane == "batch" else "model.lane = 'live'"
    if no_batch_price(job):
        return f"no batch price is known for {job.model.name}; prices.batch_share = 0.5 would tell it"
    if job.batch.deadline_h < LEAST_H:
        return f"batch.deadline_h = {job.batch.deadline_h:g} is less than {LEAST_H:g} h"
    return f"there are fewer than {LEAST_ROWS} rows" if rows() < LEAST_ROWS else ""


def no_batch_price(job: Job) -> bool:
    """Whether nobody knows what a batch of this model costs. The sandbox is no provider: there all is rehearsed."""
    model = job.model
    return model.provider != "sandbox" and batch_share(model.provider, model.name, job.prices) is None
