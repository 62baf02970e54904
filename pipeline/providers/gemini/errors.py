"""A google.rpc.Status: what kind of failure it is, and what its details say about waiting and limits. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline.errors import Kind
from pipeline.providers.file_words import OF_FILES
from pipeline.providers.json import items, parsed
from pipeline.providers.statuses import BY_STATUS
from pipeline.types import Dimension, LimitSeen

NAMES = {  # google.rpc.Code
    "INVALID_ARGUMENT": Kind.INVALID_REQUEST,
    "FAILED_PRECONDITION": Kind.AUTH,  # of the account: its country, its terms of service
    "OUT_OF_RANGE": Kind.INVALID_REQUEST,
    "ALREADY_EXISTS": Kind.INVALID_REQUEST,
    "UNIMPLEMENTED": Kind.INVALID_REQUEST,  # a field that this model cannot take, though it is a 501
    "UNAUTHENTICATED": Kind.AUTH,
    "PERMISSION_DENIED": Kind.AUTH,
    "NOT_FOUND": Kind.MODEL_UNAVAILABLE,  # nothing else in our requests could be missing
    "RESOURCE_EXHAUSTED": Kind.THROTTLED,
    "ABORTED": Kind.OVERLOADED,
    "CANCELLED": Kind.OVERLOADED,
    "DATA_LOSS": Kind.OVERLOADED,
    "DEADLINE_EXCEEDED": Kind.OVERLOADED,
    "INTERNAL": Kind.OVERLOADED,
    "UNAVAILABLE": Kind.OVERLOADED,
    "UNKNOWN": Kind.OVERLOADED,
}
KEY_REASONS = (
    "API_KEY_",
    "ACCESS_TOKEN_",
    "CREDENTIALS_",
    "ACCOUNT_STATE_",
    "CONSUMER_",
    "IAM_",
)  # google.api.ErrorReason
SPENT_REASONS = {"QUOTA_EXHAUSTED", "dailyLimitExceeded"}
BAD_KEY = re.compile(r"api[ _]key (?:not valid|expired|not found|was reported)", re.IGNORECASE)
NO_MODEL = re.compile(
    r"publisher model|models?/\S+ (?:is|was) not|model name format|no longer available", re.IGNORECASE
)
TOO_LONG = re.compile(
    r"token count\b.*(?:exceeds|only supports)|maximum number of tokens allowed|input token limit"
    r"|payload size exceeds|too many tokens|context (?:window|length)",
    re.IGNORECASE | re.DOTALL,
)
BILLING = re.compile(r"\bbilling\b", re.IGNORECASE)
PER_DAY = re.compile(r"per[\s_-]?day|daily|^\d+/d(?:ay)?\b", re.IGNORECASE | re.MULTILINE)
PER_MINUTE = re.compile(r"per[\s_-]?minute", re.IGNORECASE)
SPENT = re.compile(
    r"credits? (?:are|is|have been|has been) depleted|spend(?:ing)? cap|limit: 0(?![\d.])", re.IGNORECASE
)
CURRENT_QUOTA = re.compile(r"exceeded your current quota", re.IGNORECASE)
RETRY_IN = re.compile(r"retry in", re.IGNORECASE)
DIMENSIONS = (  # by a word in the quota's name, the first that fits
    (re.compile(r"input_?token", re.IGNORECASE), Dimension.INPUT_TOKENS),
    (re.compile(r"output_?token", re.IGNORECASE), Dimension.OUTPUT_TOKENS),
    (re.compile(r"token", re.IGNORECASE), Dimension.TOKENS),
    (re.compile(r"request", re.IGNORECASE), Dimension.REQUESTS),
)
TOLD_DEPTH = 3


class GoogleStatus(Struct, frozen=True):
    """`http` is what the server answered, or what an error inside a 200 says it would have."""

    http: int
    name: str
    message: str
    details: tuple[Mapping[str, Any], ...] = ()
    reasons: frozenset[str] = frozenset()
    metadata: object = None  # a gateway's

    @property
    def waits(self) -> Mapping[str, Any]:
        """What may say how long to wait."""
        return {"details": list(self.details), "metadata": self.metadata}

    @property
    def retry_delay(self) -> str:
        """RetryInfo's, such as 34.4s; "" when it says none."""
        delays = (detail.get("retryDelay") for detail in self.details)
        return next((delay for delay in delays if isinstance(delay, str)), "")


def status_in(http: int, body: Mapping[str, Any], raw: bytes) -> GoogleStatus:
    """The Status in an error's body, or what stands in for one (a proxy's page, an error that is a string)."""
    error: Mapping[str, Any] = body
    found = body.get("error")
    for _ in range(TOLD_DEPTH):  # gateways put the provider's whole error into the message of their own
        inner = _object(found)
        if inner is None:
            break
        error = inner
        told = _object(error.get("message"))
        found = told.get("error") if told else None
    said = error.get("message") if error is not body or not isinstance(found, str) else found
    details = tuple(items(error.get("details")))
    reasons = [item.get("reason") for item in (*details, *items(error.get("errors")))]
    code = error.get("code")
    if http == 200 and isinstance(code, int) and 400 <= code < 600:
        http = code
    name = error.get("status")
    return GoogleStatus(
        http,
        name if isinstance(name, str) else "",
        said if isinstance(said, str) else raw[:500].decode("utf-8", "replace"),
        details,
        frozenset(reason for reason in reasons if isinstance(reason, str)),
        error.get("metadata"),
    )


def kind_of(status: GoogleStatus) -> Kind:
    """Details first, then the status name, then the HTTP status; text where none of them says it."""
    if any(reason.startswith(KEY_REASONS) for reason in status.reasons):
        return Kind.AUTH
    kind = NAMES.get(status.name) or BY_STATUS.get(status.http)
    if kind is Kind.THROTTLED:
        return Kind.QUOTA if _spent(status) else Kind.THROTTLED
    if status.name == "FAILED_PRECONDITION":
        if NO_MODEL.search(status.message):
            return Kind.MODEL_UNAVAILABLE
        return Kind.QUOTA if BILLING.search(status.message) else Kind.AUTH
    if kind is Kind.INVALID_REQUEST or (kind is None and 400 <= status.http < 500):
        return _bad_request(status.message)
    if kind is not None:
        return kind
    if status.http >= 500:
        return Kind.OVERLOADED
    return Kind.NO_ANSWER if status.http < 400 else Kind.INVALID_REQUEST


def limits_in(status: GoogleStatus) -> tuple[LimitSeen, ...]:
    """The per-minute limits that a 429 says are used up."""
    found = []
    for violation in _violations(status):
        named, value = _named(violation), violation.get("quotaValue")
        if not PER_MINUTE.search(named) or not isinstance(value, str | int) or not str(value).isdecimal():
            continue
        dimension = _dimension(named)
        if dimension is not None and len(str(value)) < 16:
            found.append(LimitSeen(dimension, float(value), 0.0, None))
    return tuple(found)


def short_in(status: GoogleStatus) -> Dimension | None:
    """What a 429 says is used up, where it names its quota."""
    names = [*(_named(violation) for violation in _violations(status)), *_told(status)]
    return next(filter(None, map(_dimension, names)), None)


def no_room_in(status: GoogleStatus) -> bool:
    """Whether all are short of room, and no limit of this account is used up: it then has a name, or a time to wait."""
    if status.name == "UNAVAILABLE":
        return True
    named = [*(_named(violation) for violation in _violations(status)), *_told(status)]
    return kind_of(status) is Kind.THROTTLED and not named and not status.retry_delay


def _dimension(named: str) -> Dimension | None:
    return next((dimension for word, dimension in DIMENSIONS if word.search(named)), None)


def _spent(status: GoogleStatus) -> bool:
    """Whether waiting minutes will not cure it: the day's allowance is used up, the account empty, or there was none.

    "Check your plan and billing" says nothing: a limit per minute says it too.
    """
    named = [*(_named(violation) for violation in _violations(status)), *_told(status)]
    if SPENT_REASONS & status.reasons or any(PER_DAY.search(one) for one in named):
        return True
    values = [violation.get("quotaValue") for violation in _violations(status)]
    if "0" in map(str, values) or SPENT.search(status.message) or PER_DAY.search(status.message):
        return True
    # Every limit per minute comes with its name or a time to wait: one with neither holds until midnight.
    hinted = status.retry_delay or RETRY_IN.search(status.message)
    return bool(CURRENT_QUOTA.search(status.message)) and not named and not hinted


def _bad_request(message: str) -> Kind:
    if BAD_KEY.search(message):
        return Kind.AUTH
    for words, kind in ((TOO_LONG, Kind.CONTEXT_EXCEEDED), *OF_FILES):
        if words.search(message):
            return kind
    return Kind.MODEL_UNAVAILABLE if NO_MODEL.search(message) else Kind.INVALID_REQUEST


def _violations(status: GoogleStatus) -> Iterator[Mapping[str, Any]]:
    for detail in status.details:
        yield from items(detail.get("violations"))


def _named(violation: Mapping[str, Any]) -> str:
    keys = ("quotaId", "quotaMetric", "description", "subject")
    return " ".join(value for key in keys if isinstance(value := violation.get(key), str))


def _told(status: GoogleStatus) -> Iterator[str]:
    """The names of quotas in ErrorInfo, where Vertex and older answers have them."""
    for detail in status.details:
        metadata = detail.get("metadata")
        for key in ("quota_limit", "quota_unit", "quota_metric"):
            value = metadata.get(key) if isinstance(metadata, dict) else None
            if isinstance(value, str):
                yield value


def _object(value: object) -> Mapping[str, Any] | None:
    """An object, or one that is written as a string."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parsed(value.encode(errors="replace"))
    return value if isinstance(value, dict) else None
