"""Whether a job's budgets and limits can be kept at all. Pure."""

from pipeline.catalog.prices import how_to_price
from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared


def require_affordable(prepared: Prepared) -> None:
    """A cap in USD needs a price; an allowance of output must be able to hold one answer.

    Raises:
        JobError: the budget or a limit cannot be kept.
    """
    job = prepared.job
    for name, one in prepared.models.items():
        try:
            require_affordable(one)
        except JobError as error:
            raise JobError(f"[models.{name}]: {error}") from None
    if prepared.rate is None and (job.budget.max_usd is not None or job.budget.tenant_max_usd_per_day is not None):
        raise JobError(
            f"{job.file}: budget.max_usd needs a price, and the price table has none for model {job.model.name!r}. "
            f"{how_to_price(job.model.provider, job.model.name)}"
        )
    allowed, wanted = job.limits.output_tokens_per_minute, job.model.max_output_tokens
    if 0 < allowed < wanted:
        raise JobError(
            f"{job.file}: model.max_output_tokens = {wanted} can never fit "
            f"limits.output_tokens_per_minute = {allowed}. Lower the first or raise the second"
        )
