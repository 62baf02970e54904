"""Bedrock's errors: the name of the exception in a header, its words in the body. Pure.

Names, statuses and what clients are known to look for in the words are the provider's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.quota import Denial

CORAL = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


@dataclass(slots=True)
class Refusal(Refused):
    """A refusal that also has headers to send."""

    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, orjson.dumps({"message": message}), {"x-amzn-errortype": code + CORAL})


def invalid(message: str) -> Refusal:
    return refusal(400, "ValidationException", message)


def malformed(message: str) -> Refusal:
    """What the model behind the API would refuse."""
    words = f"Malformed input request: {message}, please reformat your input and try again."
    return invalid(f"The model returned the following errors: {words}")


def throttled(denial: Denial | None) -> Refusal:
    """A 429, which never says how long. A request that no bucket can hold would wait for ever: it is too long here."""
    if denial is not None and denial.retry_after_s is None:
        asked = f"{denial.requested} tokens were asked for, and the sandbox's limit is {denial.limit} a minute."
        return invalid(f"Input is too long: {asked}")
    what = "tokens" if denial is not None and denial.lane == "tokens" else "requests"
    return refusal(429, "ThrottlingException", f"Too many {what}, please wait before trying again.")


def broken(status: int) -> Refusal:
    if status == 503:
        return refusal(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
    text = "The system encountered an unexpected error during processing. Try your request again."
    return refusal(500, "InternalServerException", text)
