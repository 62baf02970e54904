"""The errors of chat completions in the provider's shape. Pure.

Status, type, param and code are what a client may rely on; a message has the parts that clients are known to look for.
"""

import math

import orjson

from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.quota import Denial

LANES = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}


def refusal(
    status: int, message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> Refused:
    return Refused(status, orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}))


def throttled(model: str, denial: Denial | None, retry_after_s: float | None) -> Refused:
    """A 429: of an empty bucket, of a request that no bucket can hold, or (no denial) of nothing in particular."""
    lane = denial.lane if denial else "requests"
    if denial is not None and denial.retry_after_s is None:
        what = f"Request too large for {model} on {LANES[lane]}: Limit {denial.limit}, Requested {denial.requested}."
        return refusal(429, f"{what} Reduce the input or the output.", code="rate_limit_exceeded", kind=lane)
    what = f"Rate limit reached for {model} on {LANES[lane]}"
    if denial is not None:
        what += f": Limit {denial.limit}, Used {denial.used}, Requested {denial.requested}"
    wait = f" Please try again in {math.ceil(retry_after_s * 1000)}ms." if retry_after_s is not None else ""
    return refusal(429, f"{what}.{wait}", code="rate_limit_exceeded", kind=lane)


def broken(status: int) -> Refused:
    if status == 503:
        return refusal(503, "The engine is currently overloaded. Try again later.", kind="server_error")
    return refusal(500, "The server had an error while processing your request.", kind="server_error")
