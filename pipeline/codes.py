"""The words for how rows, attempts and runs end: users and other programs rely on them."""

from enum import StrEnum


class Status(StrEnum):
    """Where a row ends. Exactly one of them."""

    OK = "ok"
    FAILED = "failed"
    PENDING = "pending"  # the run was parked before it


class ErrorCode(StrEnum):
    """Why a row failed: the contract's section 4."""

    BAD_ROW = "bad_row"
    CONTEXT_EXCEEDED = "context_exceeded"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    UNGROUNDED = "ungrounded"  # too little of its record stands in the document
    REFUSED = "refused"
    BLOCKED = "blocked"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_ERROR = "provider_error"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    TOOL_ERROR = "tool_error"  # a look-up of the job's own raised or took too long


class AttemptCode(StrEnum):
    """Why an attempt brought no answer to work with. What ends a row by the same cause has the same word there."""

    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    TIMEOUT = "timeout"
    CONTEXT_EXCEEDED = "context_exceeded"
    INVALID_REQUEST = "invalid_request"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    BLOCKED = "blocked"
    AUTH = "auth"
    QUOTA = "quota"
    MODEL_UNAVAILABLE = "model_unavailable"
    LOST = "lost"  # the process died while the call was in flight
    BATCH_EXPIRED = "batch_expired"  # a line that its batch left unanswered, and unbilled
    BATCH_CANCELLED = "batch_cancelled"  # likewise, as the batch was called off
    PACK_MISMATCH = "pack_mismatch"  # an answer to several documents that is not one record for each
    HEDGED = "hedged"  # called off: another call for the same request answered first


class AnswerFrom(StrEnum):
    """Where a row's answers came from; of several the first of these counts."""

    CALL = "call"
    DUPLICATE = "duplicate"  # an equal row of the same run
    LEDGER = "ledger"  # an earlier run
    PREVIOUS = "previous"  # none yet: the record is the row's last good one


class ParkReason(StrEnum):
    """Why a run stops early with its rows left pending."""

    AUTH = "auth"
    QUOTA = "quota"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUTAGE = "outage"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    BUDGET = "budget"
    DISK_FULL = "disk_full"
    MACHINE = "machine"  # it gave no memory, no thread, or no file to write
    WAITING = "waiting"  # batches are at the provider, and nobody waits for them here
    INTERRUPTED = "interrupted"
