"""Which way the requests of a job go, by its provider's batch API or live, and what stands in a batch's way.

Decided before anything is sent: by the job, by what is known of its model's price, and by how many rows there are.
"""

import re
from collections.abc import Callable, Iterator

from pipeline.catalog.prices import batch_share
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import REMOTE, Job

LEAST_ROWS, LEAST_H = 200, 2.0  # below which `auto` goes live
NEEDED = {  # by provider: key of [batch] → its form, an example, and what it is for
    "bedrock": (
        (
            "role_arn",
            r"arn:aws[a-z-]*:iam::\d{12}:role/\S+",
            "arn:aws:iam::123456789012:role/batch",
            "a role that Bedrock takes on to read and write the bucket",
        ),
        ("s3_url", r"s3://[^/@?#\s]+(?:/[^?#\s]*)?", "s3://BUCKET/PREFIX", "where requests and answers lie"),
    ),
    "vertex": (("gcs_url", r"gs://[^/@?#\s]+(?:/[^?#\s]*)?", "gs://BUCKET/PREFIX", "where requests and answers lie"),),
}


def lane_problem(job: Job) -> str | None:
    """Why model.lane = "batch" cannot be had in this job, and what to write instead; None: it can. `auto` goes live."""
    if job.model.lane != "batch":
        return None
    found = next(_problems(job), None)
    return None if found is None else f"model.lane = 'batch': {found[0]}. {found[1]}set model.lane = 'live'"


def unspoken(job: Job) -> str:
    """Why nothing can be said to the provider's batch API from this job, not even to collect; "": it can."""
    return next((what for what, _ in _not_spoken(job)), "")


Problem = tuple[str, str]  # what it is, and the beginning of what to do


def _not_spoken(job: Job) -> Iterator[Problem]:
    provider = job.model.provider
    if not PROVIDERS[provider].batch_wire:
        yield f"{provider} has no batch API that is spoken here", "To go on, "
    if provider == "azure" and not job.batch.deployment:
        told = "azure needs batch.deployment, a deployment of the kind Global-Batch or DataZone-Batch"
        yield f"{told}: one for live calls takes no batches", "Name it, or "


def _problems(job: Job) -> Iterator[Problem]:
    yield from _not_spoken(job)
    if (context := job.chunks.context) != "none":
        told = f"chunks.context = {context!r} asks each chunk after the one before it, and each would wait for a batch"
        yield f"{told} of its own", "Set chunks.context = 'none', or "
    if (output := job.output_url or job.output.path).startswith(REMOTE):
        told = "two machines could both know of a batch that is out, and submit or collect it twice"
        yield f"output.path = {output!r} is remote: {told}", "Give a local folder, or "
    yield from _cloud_problems(job)


def _cloud_problems(job: Job) -> Iterator[Problem]:
    """What lies in the user's own cloud, and who may open it."""
    provider, model = job.model.provider, job.model
    for key, form, example, what in NEEDED.get(provider, ()):
        given = getattr(job.batch, key)
        if re.fullmatch(form, given) is None:
            had = f"batch.{key} = {given!r} is none" if given else f"{provider} needs batch.{key}"
            yield f"{had}: {what}, such as {example!r}", "Name it, or "
    if provider in NEEDED and model.api_key_env:
        told = "model.api_key_env names an API key, which opens no bucket"
        yield told, "Leave it out for the cloud's own credentials, or "


def live_because(job: Job, rows: Callable[[], int]) -> str:
    """Why new requests go live; "" where they go by batch. `rows` counts the input, and is asked last."""
    if job.model.lane == "live":
        return "model.lane = 'live'"
    if job.model.lane == "batch":
        return _too_few(job, rows)
    if (problem := next(_problems(job), None)) is not None:
        return problem[0]
    if no_batch_price(job):
        return f"no batch price is known for {job.model.name}; prices.batch_share = 0.5 would tell it"
    if job.batch.deadline_h < LEAST_H:
        return f"batch.deadline_h = {job.batch.deadline_h:g} is less than {LEAST_H:g} h"
    return f"there are fewer than {LEAST_ROWS} rows" if rows() < LEAST_ROWS else ""


def _too_few(job: Job, rows: Callable[[], int]) -> str:
    """A row may be several requests where its document is cut: then nobody knows before they are made."""
    least = PROVIDERS[job.model.provider].batch_least
    cut = bool(job.chunks.max_tokens or job.documents.pages_per_call)
    if least == 1 or cut or job.batch.after_deadline == "wait" or rows() >= least:
        return ""
    return f"{job.model.provider} takes no batch of fewer than {least:,} requests, and there are fewer rows"


def no_batch_price(job: Job) -> bool:
    """Whether nobody knows what a batch of this model costs. The sandbox is no provider: there all is rehearsed."""
    model = job.model
    return model.provider != "sandbox" and batch_share(model.provider, model.name, job.prices) is None
