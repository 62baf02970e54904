"""When batches are looked at, and when they are called off to meet a deadline. Pure: times are arguments."""

from msgspec import Struct

FIRST_LOOKS_S, FIRST_FOR_S = 15.0, 120.0
LOOKS_S, FOR_S = 60.0, 3600.0
LAST_LOOKS_S = 300.0
CANCEL_S = {"openai": 600.0, "azure": 600.0, "sandbox": 600.0}  # OpenAI's docs: cancelling takes up to 10 minutes
CANCEL_ELSE_S = 300.0
MARGIN_S = 60.0
MOST_OF_SPAN = 0.5  # a short deadline leaves a batch half of it at the least
LIVE_CALL_S = 8.0  # of a live call, where nothing has been learned
SLACK = 1.3


class DeadlinePlan(Struct, frozen=True):
    """When what is out is called off, so that the rest can be asked live in time. Seconds since the epoch."""

    deadline_s: float
    cancel_s: float


def look_after_s(age_s: float, longest_s: float) -> float:
    """How long until the next look at a batch that is so old; `longest_s` 0: by this schedule alone."""
    if age_s < FIRST_FOR_S:
        wait_s = FIRST_LOOKS_S
    elif age_s < FOR_S:
        wait_s = LOOKS_S
    else:
        wait_s = LAST_LOOKS_S
    return min(wait_s, longest_s) if longest_s else wait_s


def live_s(requests: int, *, per_minute: float, concurrency: int) -> float:
    """How long so many requests take live, with room for what is not known."""
    if not requests:
        return 0.0
    by_slots_s = requests * LIVE_CALL_S / max(1, concurrency)
    by_limit_s = requests * 60.0 / per_minute if per_minute else 0.0
    return max(by_slots_s, by_limit_s, LIVE_CALL_S) * SLACK


def deadline_plan(
    deadline_s: float, submitted_s: float, requests: int, *, provider: str, per_minute: float, concurrency: int
) -> DeadlinePlan:
    """`submitted_s`: of the first batch; `requests`: that are out."""
    need_s = live_s(requests, per_minute=per_minute, concurrency=concurrency)
    need_s += CANCEL_S.get(provider, CANCEL_ELSE_S) + MARGIN_S
    least_s = submitted_s + MOST_OF_SPAN * (deadline_s - submitted_s)
    return DeadlinePlan(deadline_s, max(deadline_s - need_s, least_s))
