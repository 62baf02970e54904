"""What all providers' batch APIs need: times in any form, states in any spelling, names in multipart bodies. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.errors import CallFailed, Kind
from pipeline.providers.batches import RemoteState
from pipeline.providers.hints import shortened
from pipeline.types import HttpAnswer

NOT_LETTERS = re.compile(r"[^a-z]")
MOST_S = 253_402_300_800  # the year 10000
WAITING_MOST = re.compile(r"limit\W{1,3}([0-9][0-9,_.]{0,20})\s*(?:enqueued )?tokens?\b", re.IGNORECASE)


def state_of(word: str, states: Mapping[str, RemoteState]) -> RemoteState:
    """By the letters alone, whatever their case; a word that nobody knows is one of a batch that is still running."""
    return states.get(NOT_LETTERS.sub("", word.lower()), RemoteState.RUNNING)


def moment_s(value: object) -> float | None:
    """Seconds since the epoch, of a number of them or of an ISO time (of UTC, where it does not say)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 < value < MOST_S else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def waiting_most(message: str) -> int | None:
    """How many tokens may wait, of a message that ends in "Limit: 90,000 enqueued tokens"."""
    found = WAITING_MOST.search(message)
    digits = re.sub(r"\D", "", found.group(1)) if found else ""
    return int(digits) if digits else None


def unread(answer: HttpAnswer, what: str) -> CallFailed:
    """Of a 2xx that nothing can be read of: what it was the answer to may have been done."""
    start = shortened(answer.body[:200].decode("utf-8", "replace"))
    return CallFailed(Kind.NO_ANSWER, f"{what}: {start}", status=answer.status, unread=True)


def of_no_model(failed: CallFailed) -> CallFailed:
    """The same, of a request that names no model: what is not there is a batch or a file."""
    if failed.status == 404 and failed.kind is Kind.MODEL_UNAVAILABLE:
        failed.kind = Kind.INVALID_REQUEST
    return failed
