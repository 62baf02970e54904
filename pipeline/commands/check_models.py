"""What `check` says of a job's other models: one line for each, and what is wrong with it."""

from collections.abc import Iterator, Mapping

from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.prices import how_to_price
from pipeline.errors import Finding, JobError
from pipeline.extraction.prepare import Prepared
from pipeline.job.settings import Job
from pipeline.money import told_price
from pipeline.providers.credentials.keys import credentials_for


def models_found(prepared: Prepared, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, one in prepared.models.items():
        yield from _model(name, one, prepared.job, environ)
    yield from _ways(prepared)


def _model(name: str, prepared: Prepared, whole: Job, environ: Mapping[str, str]) -> Iterator[Finding]:
    job, where = prepared.job, f"models.{name}"
    shape, rate = prepared.shaped.shape, prepared.expected_rate
    priced = "no price is known" if rate is None else told_price(rate)
    asked = f"{job.model.provider} {job.model.name}, asked for as {shape.mode}, {prepared.plan.chunk_tokens:,} tokens"
    yield Finding(where, "ok", f"{asked} a call, {priced}")
    if rate is None:
        told = how_to_price(job.model.provider, job.model.name).replace("[prices]", f"[{where}.prices]")
        yield Finding(where, "warning", f"cost will be null. {told}")
    for advice in settings_advice(job.model):
        yield Finding(where, "warning", advice.told)
    try:
        credentials_for(job.model, environ)
    except JobError as error:
        routed = any(route.model == name for route in whole.routes)
        told = str(error) if routed else f"{error}. Without it no row goes on to this model"
        yield Finding(where, "problem" if routed else "warning", told)


def _ways(prepared: Prepared) -> Iterator[Finding]:
    """Which rows go where, as the job says it."""
    job = prepared.job
    for route in job.routes:
        least = [f"of {route.min_input_tokens:,} tokens and more"] if route.min_input_tokens else []
        column = [] if route.where is None else [f"whose {route.where.column} is {' or '.join(route.where.values)}"]
        yield Finding("route", "ok", f"rows {' and '.join((*least, *column))} go to {route.model}")
        room = prepared.models[route.model].plan.chunk_tokens
        if route.min_input_tokens > room:
            told = f"{route.model} takes {room:,} tokens a call: every row that goes there is cut"
            yield Finding("route", "warning", f"{told}")
    for fallback in job.fallbacks:
        yield Finding("fallback", "ok", f"{', '.join(fallback.on)}: rows go on to {fallback.model}")
