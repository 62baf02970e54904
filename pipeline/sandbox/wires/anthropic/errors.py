"""The errors of the Messages API in the provider's shape. Pure.

Status and type are what a client may rely on; a message has the parts that clients are known to look for.
"""

import orjson

from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.quota import Denial

OVERLOADED = 529  # what this provider says where others say 503


def refusal(status: int, message: str, kind: str = "invalid_request_error") -> Refused:
    return Refused(status, orjson.dumps({"type": "error", "error": {"type": kind, "message": message}}))


def unauthorised(message: str) -> Refused:
    return refusal(401, message, "authentication_error")


def throttled(model: str, denial: Denial | None) -> Refused:
    """A 429: of an empty bucket, or (no denial) of nothing in particular.

    One that no bucket can ever hold reads no different: only the limit in the headers tells.
    """
    limit = f" of {denial.limit:,} {denial.lane} per minute" if denial is not None else ""
    text = f"This request would go over the rate limit{limit} for {model}. Send less, or try again later."
    return refusal(429, text, "rate_limit_error")


def broken(status: int) -> Refused:
    if status == 503:
        return refusal(OVERLOADED, "Overloaded", "overloaded_error")
    return refusal(500, "Internal server error", "api_error")
