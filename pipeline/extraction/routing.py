"""Which of a job's models a row goes to: at first, and where it goes on when that does not do. Pure.

A model is called by the NAME of its [models.NAME]; [model] itself is MAIN.
"""

import math
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from pipeline.codes import ErrorCode, ParkReason, Status
from pipeline.documents.chunks import rough_tokens
from pipeline.errors import JobError
from pipeline.extraction.template import as_text
from pipeline.job.settings import Fallback, Job, RouteRule
from pipeline.parts import FilePart
from pipeline.text import did_you_mean
from pipeline.types import Outcome, Row

MAIN = ""
OUTAGE = ParkReason.OUTAGE.value
PARKING = frozenset({OUTAGE, "quota", "model_unavailable", "auth"})  # what would park the run
AS_OUTAGE = frozenset({ErrorCode.PROVIDER_ERROR, ErrorCode.TIMEOUT})  # a row that a provider in trouble has failed


class Step(Struct, frozen=True):
    """Where a row is, or goes on: the model, and how many of the fallbacks are behind it."""

    model: str = MAIN
    passed: int = 0


def shown_name(job: Job, model: str) -> str:
    """As results and reports call it: [model] by its own name."""
    return model or job.model.name


def models_of(job: Job) -> tuple[str, ...]:
    """All that a row may come to, [model] first."""
    return MAIN, *job.models


def calls_at_once(job: Job) -> int:
    """To all of its models together."""
    return job.limits.concurrency + sum(one.limits.concurrency for one in job.models.values())


def document_tokens(row: Row) -> int:
    """The same whatever else the job says, so that a row takes the same way every night: a rough count."""
    return sum(part.tokens if isinstance(part, FilePart) else rough_tokens(part.text) for part in row.parts)


def first_step(job: Job, row: Row) -> Step:
    """The first route that fits, else [model]."""
    if not job.routes:
        return Step()
    tokens = document_tokens(row)
    return Step(next((route.model for route in job.routes if _fits(route, row, tokens)), MAIN))


def step_at(job: Job, model: str) -> Step:
    """A row that begins at this model, whatever the routes say; the fallbacks up to it are behind it."""
    return Step(model, next((number for number, one in enumerate(job.fallbacks, 1) if one.model == model), 0))


def model_named(job: Job, name: str) -> str:
    """The model that people mean by a name: NAME of a [models.NAME], or what the job's [model] is called.

    Raises:
        JobError: there is none.
    """
    if name in job.models:
        return name
    if name in {"model", job.model.name}:
        return MAIN
    known = ", ".join((job.model.name, *job.models))
    raise JobError(f"--from-model {name}: no model of this job. There are: {known}.{did_you_mean(name, job.models)}")


def _fits(route: RouteRule, row: Row, tokens: int) -> bool:
    if tokens < route.min_input_tokens:
        return False
    return route.where is None or as_text(row.values.get(route.where.column)) in route.where.values


def next_step(job: Job, at: Step, cause: str, been: Iterable[str]) -> Step | None:
    """The next fallback, in order, that takes rows for this cause and that the row has not been at."""
    for number, fallback in enumerate(job.fallbacks[at.passed :], at.passed + 1):
        if cause in fallback.on and fallback.model not in been:
            return Step(fallback.model, number)
    return None


def cause_of(outcome: Outcome) -> str | None:
    """What a row goes on for; None where it has ended well."""
    if outcome.status is not Status.FAILED or outcome.error_code is None:
        return None
    return OUTAGE if outcome.error_code in AS_OUTAGE else outcome.error_code.value


def diverts(job: Job, model: str) -> frozenset[str]:
    """The causes for which a model's rows go on elsewhere, all of them: for others it parks the run.

    Of a model that rows come to by a fallback only what stands behind that counts.
    """
    by = [number for number, fallback in enumerate(job.fallbacks, 1) if fallback.model == model]
    behind = [*by, 0] if model == MAIN or any(route.model == model for route in job.routes) else by
    return frozenset(
        cause for cause in PARKING if all(_goes_on(job.fallbacks[passed:], cause, model) for passed in behind)
    )


def _goes_on(fallbacks: tuple[Fallback, ...], cause: str, model: str) -> bool:
    return any(cause in one.on and one.model != model for one in fallbacks)


def patience_s(job: Job, model: str) -> float:
    """How long a model that is down is waited for: for ever where its rows go elsewhere meanwhile."""
    limits = job.models[model].limits if model else job.limits
    return math.inf if OUTAGE in diverts(job, model) else limits.outage_s


def route_columns(job: Job) -> tuple[str, ...]:
    """Columns of the input that routes look at."""
    return tuple(dict.fromkeys(route.where.column for route in job.routes if route.where is not None))


def alone_with(job: Job, model: str) -> Job:
    """The job as one with this model alone."""
    named = job.models[model]
    return replace(job, model=named.model, limits=named.limits, prices=named.prices, models={}, routes=(), fallbacks=())


def several_problem(job: Job) -> str | None:
    """What a job with several models cannot have; None: nothing of it."""
    if not job.models:
        return None
    for name, one in job.models.items():
        if one.model.lane != "live":
            return f"models.{name}.lane = {one.model.lane!r}: only [model] has a batch lane. Set it to 'live'"
    if job.model.lane != "live" and (causes := sorted(diverts(job, MAIN))):
        told = f"model.lane = {job.model.lane!r} does not go with [[fallback]] on = {causes} yet: a batch waits"
        return f"{told} for its provider. Leave those causes out, or set model.lane = 'live'"
    return None
