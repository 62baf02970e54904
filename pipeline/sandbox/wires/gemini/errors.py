"""The errors of generateContent: google.rpc.Status as JSON, with the details that clients read. Pure.

Code, status name, reasons and details are what a client may rely on; a message has the parts that clients look for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.quota import Denial

NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
TYPES = "type.googleapis.com/google.rpc."
QUOTAS = {  # lane → (metric, id)
    "requests": ("generate_content_paid_tier_requests", "GenerateRequestsPerMinutePerProjectPerModel"),
    "tokens": ("generate_content_paid_tier_input_token_count", "GenerateContentPaidTierInputTokensPerModelPerMinute"),
}


def refusal(http: int, message: str, *details: Mapping[str, Any]) -> Refused:
    error: dict[str, Any] = {"code": http, "message": message, "status": NAMES.get(http, "UNKNOWN")}
    if details:
        error["details"] = details
    return Refused(http, orjson.dumps({"error": error}))


def reason(word: str, service: str, **metadata: str) -> dict[str, Any]:
    metadata["service"] = service
    return {"@type": f"{TYPES}ErrorInfo", "reason": word, "domain": "googleapis.com", "metadata": metadata}


def bad_key(service: str) -> Refused:
    """A 400, though it is about who asks."""
    text = "API key not valid. Send one that is."
    words = {"@type": f"{TYPES}LocalizedMessage", "locale": "en-US", "message": text}
    return refusal(400, text, reason("API_KEY_INVALID", service), words)


def bad_fields(problems: Sequence[tuple[str, str]]) -> Refused:
    """Of (place, what is wrong there)."""
    violations = [{**({"field": place} if place else {}), "description": wrong} for place, wrong in problems]
    details = {"@type": f"{TYPES}BadRequest", "fieldViolations": violations}
    return refusal(400, "\n".join(wrong for _, wrong in problems), details)


def never_fits(denial: Denial) -> Refused:
    """A request over a whole minute's allowance: 429 for ever in truth, said here as what it is."""
    text = f"The input token count ({denial.requested}) exceeds the maximum number of tokens allowed ({denial.limit})."
    return refusal(400, text)


def throttled(model: str, denial: Denial | None, retry_after_s: float | None) -> Refused:
    """AI Studio's 429: the quota that is used up, and how long to wait, both in details and in words."""
    metric, quota = QUOTAS[denial.lane if denial else "requests"]
    limit = str(denial.limit) if denial else "60"
    violation = {
        "quotaMetric": f"generativelanguage.googleapis.com/{metric}",
        "quotaId": quota,
        "quotaDimensions": {"location": "global", "model": model},
        **({"quotaValue": limit} if denial else {}),
    }
    text = "You exceeded your current quota, check your plan and billing details.\n"
    text += f"* Quota exceeded for metric: {violation['quotaMetric']}, limit: {limit}, model: {model}"
    details = [{"@type": f"{TYPES}QuotaFailure", "violations": [violation]}]
    if retry_after_s is not None:
        text += f"\nPlease retry in {retry_after_s:.9f}s."
        details.append({"@type": f"{TYPES}RetryInfo", "retryDelay": f"{retry_after_s:.9f}s"})
    return refusal(429, text, *details)


def broken(http: int) -> Refused:
    if http == 503:
        return refusal(503, "The model is overloaded. Try again later.")
    return refusal(500, "An internal error has occurred. Retry.")
