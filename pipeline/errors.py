"""What can go wrong, by whose fault it is.

`JobError` is for the user to mend before anything is sent; `CallFailed` is one attempt that a provider or the network
failed; `LedgerError` is the durable record refusing to go on, `LedgerUnreadable` one that fails at a question to it.
Nothing else is raised on purpose.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec import Struct

from pipeline.types import Dimension, LimitSeen, Usage


class JobError(Exception):
    """The job, its schema or its input is wrong; nothing was sent (exit code 2).

    The message says what is wrong, where, and how to mend it, and stands alone on a terminal.
    """


class Finding(Struct, frozen=True):
    """One thing that `check` looked at. A warning lets the run go on; a problem does not."""

    what: str
    level: str  # ok, warning or problem
    detail: str
    resolved: Mapping[str, Any] = {}  # what a name stands for, as a provider told it; plain JSON values


class LedgerError(Exception):
    """The ledger cannot be used: locked by another run, newer than this program, damaged, or out of disk space."""


class LedgerUnreadable(LedgerError):
    """A question to a ledger failed: it is damaged, no ledger, or out of reach."""


NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def machine_words(error: BaseException) -> str | None:
    """What the machine did not give, in words: memory, a thread, room, a file. None: that is not what is wrong."""
    match error:
        case LedgerError():
            return str(error)
        case MemoryError():
            return "no memory left. Raise the limit on memory, or lower limits.concurrency"
        case RuntimeError() if "start new thread" in str(error):
            return "no thread can be started. Raise the limit on processes (ulimit -u), or end some"
        case ConnectionError() | TimeoutError():
            return None
        case OSError():
            where = f"{error.filename2 or error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}"
    return None


def out_of_room(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in NO_ROOM


class Kind(StrEnum):
    """Why an attempt failed, as far as it matters for what to do next. `policy.decide` is the one reader."""

    THROTTLED = "throttled"  # a rate limit: wait, the attempt is not spent
    OVERLOADED = "overloaded"  # 5xx, 529: the provider's trouble, for everybody
    NO_ANSWER = "no_answer"  # a 200 that holds no answer (HTML, empty choices, an error object)
    DAMAGED = "damaged"  # a 200 whose stream cannot be read in one place
    TIMEOUT = "timeout"  # no answer in time
    CONNECTION = "connection"  # refused, reset, cut off in the middle
    CONTEXT_EXCEEDED = "context_exceeded"  # the input is too long for the model, or can never fit a limit
    INVALID_REQUEST = "invalid_request"  # the provider refuses this request for ever
    NOT_PROCESSED = "not_processed"  # a file could not be processed, which comes and goes for good ones
    BLOCKED = "blocked"  # a content filter refused the input
    AUTH = "auth"  # the key or role is not good for this
    QUOTA = "quota"  # the account is empty, or the day's allowance is used up
    MODEL_UNAVAILABLE = "model_unavailable"  # no such model, or no access to it


FATE_UNKNOWN = {Kind.DAMAGED, Kind.TIMEOUT, Kind.CONNECTION}


@dataclass(slots=True)
class CallFailed(Exception):
    """One attempt failed; raised by a provider's wire or by the transport, with all that is known about it."""

    kind: Kind
    message: str  # the provider's words, shortened, secrets removed; never more than 500 characters
    status: int | None = None  # None when no HTTP answer came
    retry_after_s: float | None = None  # the provider's hint, never shortened; None when it gave none
    provider_request_id: str | None = None
    usage: Usage | None = None  # what the failed attempt is billed for, where the provider says so
    limits: tuple[LimitSeen, ...] = ()
    finish_reason: str | None = None
    model_version: str | None = None
    sent: bool = True  # False: it surely never reached the provider, so it cannot have cost anything
    short: Dimension | None = None  # what a 429 says is used up
    unread: bool = False  # an answer came that may have been billed, and nothing can be read of it
    stale: bool = False  # a kept connection ended before a byte of an answer: no attempt is spent, on a new one
    said: str = ""  # what the model said all the same: it is counted where `usage` does not tell
    tier: str = ""  # as of an answer
    ttft_ms: int | None = None  # to the first token of an answer that then was cut off
    no_room: bool = False  # the provider has none now for the service tier that was asked for; nothing is billed

    @property
    def fate_unknown(self) -> bool:
        """Whether nobody can say what it cost: it went out, and nothing that says so came back."""
        return (self.kind in FATE_UNKNOWN or self.unread) and self.sent and self.usage is None

    def __str__(self) -> str:
        where = f"HTTP {self.status}" if self.status is not None else "no HTTP answer"
        return f"{self.kind}: {self.message} ({where})"
