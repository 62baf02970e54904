"""The errors of Azure's gateway, in its shape. Those of the model behind it are OpenAI's. Pure."""

import math

import orjson

from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.quota import Denial

LANES = {"requests": "call", "tokens": "token"}


def refusal(status: int, code: str | None, message: str) -> Refused:
    return Refused(status, orjson.dumps({"error": {"code": code, "message": message}}))


def bad_key(*, missing: bool) -> Refused:
    what = "no subscription key was sent" if missing else "the subscription key is not one of this resource"
    return refusal(401, "401", f"Access denied: {what}. Send a valid key in the header api-key.")


def bad_token() -> Refused:
    message = "Unauthorized. The access token is invalid, expired, or for another audience."
    return Refused(401, orjson.dumps({"statusCode": 401, "message": message}))


def no_deployment() -> Refused:
    return refusal(404, "DeploymentNotFound", "This resource has no such API deployment.")


def throttled(deployment: str, denial: Denial | None, retry_after_s: float | None) -> Refused:
    """A 429: of an empty bucket, of a request that no bucket can hold, or (no denial) of nothing in particular."""
    lane = LANES[denial.lane if denial else "requests"]
    if denial is not None and denial.retry_after_s is None:
        sizes = f"Limit {denial.limit}, Requested {denial.requested}"
        return refusal(429, "429", f"Request too large for {deployment} on its {lane} rate limit: {sizes}.")
    wait = f" Please retry after {math.ceil(retry_after_s)} seconds." if retry_after_s is not None else ""
    return refusal(429, "RateLimitReached", f"Requests to {deployment} have exceeded its {lane} rate limit.{wait}")


def broken(status: int) -> Refused:
    if status == 503:
        return refusal(503, "ServiceUnavailable", "The service cannot take the request now. Try again later.")
    return refusal(status, "InternalServerError", "The backend gave no proper response.")
