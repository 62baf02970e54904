"""What providers' batch APIs have in common: states in any spelling, times in any form, good answers and bad. Pure."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.providers.batches import RemoteBatch, RemoteState
from pipeline.providers.hints import shortened
from pipeline.providers.json import items, mapping, parsed, string
from pipeline.types import HttpAnswer

Told = Mapping[str, Any]

NOT_LETTERS = re.compile(r"[^a-z]")
MOST_S = 253_402_300_800  # the year 10000
WAITING_MOST = re.compile(r"limit\W{1,3}([0-9][0-9,_.]{0,20})\s*(?:enqueued )?tokens?\b", re.IGNORECASE)


def line_of(line: bytes) -> Told:
    """The object of a line, empty where it is none; the first of a file may have a mark of its encoding before it."""
    return mapping(parsed(line.removeprefix(BOM_UTF8)))


def state_of(word: str, states: Mapping[str, RemoteState]) -> RemoteState:
    """By the letters alone, whatever their case; a word that nobody knows is one of a batch that is still running."""
    return states.get(NOT_LETTERS.sub("", word.lower()), RemoteState.RUNNING)


def moment_s(value: object) -> float | None:
    """Seconds since the epoch, of a number of them or of an ISO time (of UTC, where it does not say)."""
    if isinstance(value, str):
        value = _of_iso(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 < value < MOST_S else None


def _of_iso(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
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


def bare(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a live call, for a request whose content is of another type, or that has none."""
    return {name: value for name, value in headers.items() if name != "Content-Type"}


def told_in(
    answer: HttpAnswer, failure_of: Callable[[HttpAnswer, object], CallFailed], is_error: Callable[[object], bool]
) -> Told:
    """The body of a good answer to a request that names no model.

    Raises:
        CallFailed: it is none.
    """
    body = parsed(answer.body)
    if answer.status >= 300 or (isinstance(body, dict) and is_error(body)):
        raise of_no_model(failure_of(answer, body))
    if not isinstance(body, dict):
        raise unread(answer, "the answer is not JSON")
    return body


def batch_in(answer: HttpAnswer, found: RemoteBatch) -> RemoteBatch:
    """The batch of a good answer.

    Raises:
        CallFailed: there is none in it.
    """
    if not found.id:
        raise unread(answer, "no batch in the answer")
    return found


def page_in(
    answer: HttpAnswer, told: Told, batch_of: Callable[[Told], RemoteBatch]
) -> tuple[tuple[RemoteBatch, ...], str]:
    """A page of a list that goes on behind its last id.

    Raises:
        CallFailed: there is no list, which is not to say that there are no batches.
    """
    if not isinstance(told.get("data"), list):
        raise unread(answer, "no list of batches in the answer")
    found = tuple(one for one in map(batch_of, items(told["data"])) if one.id)
    last = string(told.get("last_id")) or (found[-1].id if found else "")
    return found, last if told.get("has_more") is True else ""


def of_no_model(failed: CallFailed) -> CallFailed:
    """The same, of a request that names no model: what is not there is a batch or a file."""
    if failed.status == 404 and failed.kind is Kind.MODEL_UNAVAILABLE:
        failed.kind = Kind.INVALID_REQUEST
    return failed
