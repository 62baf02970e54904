"""What `check` says of model.lane: the way that requests go, its price and time, and what is worth a second look."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pipeline.catalog.prices import lane_share
from pipeline.errors import Finding
from pipeline.extraction.lanes import live_because, no_batch_price
from pipeline.extraction.prepare import Prepared
from pipeline.job.settings import Job
from pipeline.providers import wire_for
from pipeline.providers.batches import BatchLimits, batch_wire_for, line_model

BUILT_IN = (
    "the built-in sandbox ends with its run, and batches that are out end with it: after Ctrl-C or --no-wait nobody "
    "can collect them, and the next run submits anew. To rehearse that, start `pipeline sandbox` and set model.base_url"
)
OFTEN_S = 1.0  # looks that are no closer are polite
SHORT_H = 1.0
REPAIRS = {
    "auto": "second questions go live while they are few, else by batch",
    "batch": "second questions go by batch too",
    "live": "second questions go live, at the live price",
}
AFTER = {"live": "is asked live, at the live price", "wait": "stays pending"}


def lane_findings(prepared: Prepared, rows: int, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing for a job that goes live.

    Raises:
        JobError: the provider's batch API lacks something that the job does not say.
    """
    job = prepared.job
    if job.model.lane == "live":
        return
    if why := live_because(job, lambda: rows):
        if job.model.lane == "auto":
            yield Finding("lane", "ok", f"auto: requests go live, as {why}")
        else:
            yield Finding("lane", "problem", f"requests go live, at the live price, as {why}. Set model.lane = 'live'")
        return
    model = line_model(job.model)
    wire = batch_wire_for(model, wire_for(model, prepared.shaped.shape, environ), job.batch, environ)
    if wire is None:  # refused where the job was prepared
        return
    yield Finding("lane", "ok", _told(job, rows, wire.limits))
    if rows < wire.limits.least_rows:
        told = f"{job.model.provider} takes no batch of fewer than {wire.limits.least_rows:,} requests"
        rest = "go live, at the live price" if job.batch.after_deadline == "live" else "stay pending"
        yield Finding("lane", "warning", f"{told}, and there are {rows:,} rows: what is too few for one would {rest}")
    for told in _second_looks(job, wire.limits):
        yield Finding("lane", "warning", told)


def share_words(share: Decimal) -> str:
    return "half of the price" if share == Decimal("0.5") else f"{share:.0%} of the price"


def batches_of(rows: int, most: int) -> int:
    """How many batches so many requests make."""
    return -(-rows // most)


def _told(job: Job, rows: int, limits: BatchLimits) -> str:
    batch = job.batch
    most = min(batch.max_rows, limits.rows)
    count = batches_of(rows, most)
    made = "1 batch" if count == 1 else f"about {count:,} batches"
    way = "auto: requests go by batch" if job.model.lane == "auto" else "requests go by batch"
    parts = [
        f"{way}, at {share_words(lane_share(job.model, job.prices))}",
        f"{rows:,} rows make {made} of {most:,} requests at the most",
        REPAIRS[batch.repair],
        f"what is not answered {batch.deadline_h:g} h after the first submission {AFTER[batch.after_deadline]}",
    ]
    if job.limits.workers > 1:
        parts.append(f"one process plans and collects: limits.workers = {job.limits.workers} makes no difference")
    return "; ".join(parts)


def _second_looks(job: Job, limits: BatchLimits) -> Iterator[str]:
    model, batch = job.model, job.batch
    if model.provider == "sandbox" and not model.base_url:
        yield BUILT_IN
    if no_batch_price(job):
        told = f"no batch price is known for {model.name}: {share_words(lane_share(model, job.prices))} is counted"
        yield f"{told}, and the provider may not sell it so. prices.batch_share tells it; model.lane = 'auto' goes live"
    if batch.max_rows > limits.rows:
        yield f"batch.max_rows = {batch.max_rows:,} is more than {model.provider} takes: {limits.rows:,} are sent"
    if batch.max_rows < limits.least_rows:
        told = f"batch.max_rows = {batch.max_rows:,} is fewer than a batch of {model.provider} may have"
        yield f"{told}: {limits.least_rows:,} are sent"
    if batch.poll_s >= batch.deadline_h * 3600:
        yield f"batch.poll_s = {batch.poll_s:g} is longer than batch.deadline_h = {batch.deadline_h:g}"
    if 0 < batch.poll_s < OFTEN_S and model.provider != "sandbox":
        yield f"batch.poll_s = {batch.poll_s:g} asks more often than providers take: {OFTEN_S:g} or more, or 0"
    if batch.deadline_h < SHORT_H and model.provider != "sandbox":
        rest = "goes live, at twice the price or so" if batch.after_deadline == "live" else "stays pending"
        yield f"batch.deadline_h = {batch.deadline_h:g}: batches are called off half way at the latest; the rest {rest}"
    if model.service_tier != "default":
        told = f"model.service_tier = {model.service_tier!r} holds for what is asked live"
        yield f"{told}: a batch has its own price"
    if model.transport == "sdk":
        yield "model.transport = 'sdk' holds for what is asked live: batches go over HTTP, as without it"
