"""What the job says of limits and money, as admission needs it. Pure."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from pipeline.admission.first_calls import FirstCalls
from pipeline.catalog.known_as import known_as
from pipeline.catalog.limit_profiles import UNKNOWN, Profile
from pipeline.catalog.providers import profile_of
from pipeline.job.settings import Job


class LimitRules(Struct, frozen=True, kw_only=True):
    """0 is not known. `learned` is what `Governor.learned` told at the end of an earlier run, or any garbage."""

    concurrency: int
    requests_per_minute: int = 0
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    max_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)  # by earlier sessions of this run
    tenant_max_usd_per_day: Decimal | None = None
    spent_by_tenant: Mapping[str, Decimal] = field(default_factory=dict)  # today, before now
    alert_at: float = 1.0  # share of a cap that is told once
    profile: Profile = UNKNOWN
    gamma: float = 4.0  # times the refill of a bucket that one may go at while it lasts
    count_gamma: float = 8.0  # the same of a count per minute
    first_window: int = 16  # calls at once to begin with, while no limit is known
    first: FirstCalls | None = None  # go alone; None: as many as may go
    learned: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.first_window < 1 or not 1.0 <= min(self.gamma, self.count_gamma) < math.inf:
            raise ValueError(
                f"{self!r}: concurrency and first_window should be 1 or more, gamma and count_gamma from 1"
            )


def rules_of(
    job: Job,
    spent_usd: Decimal,
    spent_by_tenant: Mapping[str, Decimal] | None = None,
    learned: Mapping[str, Any] | None = None,
    first: FirstCalls | None = None,
) -> LimitRules:
    limits = job.limits
    return LimitRules(
        concurrency=limits.concurrency,
        requests_per_minute=limits.requests_per_minute,
        input_tokens_per_minute=limits.input_tokens_per_minute,
        output_tokens_per_minute=limits.output_tokens_per_minute,
        max_usd=job.budget.max_usd,
        spent_usd=spent_usd,
        tenant_max_usd_per_day=job.budget.tenant_max_usd_per_day,
        spent_by_tenant=spent_by_tenant or {},
        alert_at=job.budget.alert_at,
        profile=profile_of(job.model.provider, known_as(job.model, job.prices)),
        learned=learned,
        first=first,
    )
