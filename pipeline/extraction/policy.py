"""What to do about a failure, or about an answer: two tables, read by nobody but `engine.call` and `engine.row`.

Pure: the attempt's number and a random number in [0, 1) come in, one frozen decision goes out.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Self

from msgspec import Struct

from pipeline.codes import AttemptCode, ErrorCode, ParkReason
from pipeline.errors import CallFailed, Kind
from pipeline.types import Stop

BASE_S = 0.5
MOST_S = 30.0
MOST_DOUBLINGS = 16  # 0.5 s doubled so often is far over the most; no overflow at attempt 10,000
HINT_MOST_S = 1e9
FILE_ATTEMPTS = 3  # of one that the provider could not process: each is an upload
PARK_AFTER_S = 3600.0  # a longer pause is no rate limit: it is an allowance that is used up


class Action(StrEnum):
    RETRY = "retry"  # an attempt is spent; wait, then try again
    WAIT = "wait"  # a rate limit, a stale connection: no attempt is spent, admission says when it goes on
    SHRINK = "shrink"  # cut the text smaller
    FAIL = "fail"  # the row ends
    PARK = "park"  # the run ends early


class Policy(Struct, frozen=True):
    """`max_wait_s`: a rate limit that keeps a request longer than this ends its row; None waits for ever."""

    max_attempts: int = 6
    max_wait_s: float | None = None


class Decision(Struct, frozen=True):
    action: Action
    wait_s: float = 0.0
    code: ErrorCode | None = None  # with FAIL
    park: ParkReason | None = None  # with PARK

    @classmethod
    def retry(cls, wait_s: float) -> Self:
        return cls(Action.RETRY, wait_s=wait_s)

    @classmethod
    def wait(cls) -> Self:
        return cls(Action.WAIT)

    @classmethod
    def shrink(cls) -> Self:
        return cls(Action.SHRINK)

    @classmethod
    def fail(cls, code: ErrorCode) -> Self:
        return cls(Action.FAIL, code=code)

    @classmethod
    def stop_run(cls, reason: ParkReason) -> Self:
        return cls(Action.PARK, park=reason)


KIND_CODES = {  # what an attempt is booked as
    Kind.THROTTLED: AttemptCode.RATE_LIMITED,
    Kind.OVERLOADED: AttemptCode.PROVIDER_ERROR,
    Kind.NO_ANSWER: AttemptCode.PROVIDER_ERROR,
    Kind.DAMAGED: AttemptCode.PROVIDER_ERROR,
    Kind.TIMEOUT: AttemptCode.TIMEOUT,
    Kind.CONNECTION: AttemptCode.TIMEOUT,
    Kind.CONTEXT_EXCEEDED: AttemptCode.CONTEXT_EXCEEDED,
    Kind.INVALID_REQUEST: AttemptCode.INVALID_REQUEST,
    Kind.NOT_PROCESSED: AttemptCode.INVALID_REQUEST,
    Kind.BLOCKED: AttemptCode.BLOCKED,
    Kind.AUTH: AttemptCode.AUTH,
    Kind.QUOTA: AttemptCode.QUOTA,
    Kind.MODEL_UNAVAILABLE: AttemptCode.MODEL_UNAVAILABLE,
}
STOP_CODES = {  # the same of an answer; one that is done is booked as none
    Stop.TRUNCATED: AttemptCode.TRUNCATED,
    Stop.REFUSED: AttemptCode.REFUSED,
    Stop.BLOCKED: AttemptCode.BLOCKED,
}
AT_ONCE = {
    Kind.THROTTLED: Decision.wait(),
    Kind.CONTEXT_EXCEEDED: Decision.shrink(),
    Kind.INVALID_REQUEST: Decision.fail(ErrorCode.INVALID_REQUEST),
    Kind.BLOCKED: Decision.fail(ErrorCode.BLOCKED),
    Kind.AUTH: Decision.stop_run(ParkReason.AUTH),
    Kind.QUOTA: Decision.stop_run(ParkReason.QUOTA),
    Kind.MODEL_UNAVAILABLE: Decision.stop_run(ParkReason.MODEL_UNAVAILABLE),
}


def decide(failure: CallFailed, attempt: int, policy: Policy, jitter: float, waited_s: float = 0.0) -> Decision:
    """What to do after the `attempt`-th (from 1) failed attempt that counts; `jitter` is in [0, 1).

    `waited_s`: since the request's first 429.
    SHRINK is for the first time only: who has shrunk already ends the row as `context_exceeded`.
    """
    hint_s = _hint_s(failure.retry_after_s)
    if failure.kind is Kind.THROTTLED and policy.max_wait_s is not None and waited_s + hint_s > policy.max_wait_s:
        return Decision.fail(ErrorCode.RATE_LIMITED)
    if failure.kind is Kind.THROTTLED and hint_s > PARK_AFTER_S:
        return Decision.stop_run(ParkReason.QUOTA)
    if failure.stale:
        return Decision.wait()
    if failure.kind in AT_ONCE:
        return AT_ONCE[failure.kind]
    most = FILE_ATTEMPTS if failure.kind is Kind.NOT_PROCESSED else policy.max_attempts
    if attempt >= min(most, policy.max_attempts):
        return Decision.fail(ErrorCode(KIND_CODES[failure.kind]))
    return Decision.retry(max(backoff_s(attempt, jitter), hint_s))


def backoff_s(attempt: int, jitter: float) -> float:
    """Full jitter over 0.5, 1, 2, 4, 8, 16, 30, 30, … seconds."""
    return jitter * min(MOST_S, BASE_S * 2.0 ** min(attempt - 1, MOST_DOUBLINGS))


def _hint_s(retry_after_s: float | None) -> float:
    """The provider's hint, not shortened below 30 years; 0 where it is no number (NaN compares as false)."""
    return min(retry_after_s, HINT_MOST_S) if retry_after_s is not None and retry_after_s > 0 else 0.0


class Next(StrEnum):
    ACCEPT = "accept"
    REPAIR = "repair"
    RAISE_CAP = "raise_cap"
    FAIL = "fail"


class Tried(Struct, frozen=True):
    """What has been tried for one chunk already; each is tried once."""

    repaired: bool = False
    raised_cap: bool = False
    shrunk: bool = False


class Step(Struct, frozen=True):
    next: Next
    code: ErrorCode | None = None


REMEDIES: dict[Stop, tuple[Next, Callable[[Tried], bool]]] = {
    Stop.DONE: (Next.REPAIR, lambda tried: tried.repaired),
    Stop.TRUNCATED: (Next.RAISE_CAP, lambda tried: tried.raised_cap),
}


def after_reply(stop: Stop, valid: bool, tried: Tried) -> Step:  # noqa: FBT001 (a fact, not a switch)
    """What to do with an answer that ended by `stop` and, when by itself, was `valid` or not."""
    if stop is Stop.DONE and valid:
        return Step(Next.ACCEPT)
    if stop in REMEDIES and not REMEDIES[stop][1](tried):
        return Step(REMEDIES[stop][0])
    return Step(Next.FAIL, row_code(stop))


def row_code(stop: Stop) -> ErrorCode:
    """How a row ends that has to do with an answer that ended so; a whole one is invalid."""
    return ErrorCode(STOP_CODES[stop]) if stop in STOP_CODES else ErrorCode.INVALID_OUTPUT
