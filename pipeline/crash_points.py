"""Named places at which a test may kill the process, between every two steps that a crash could come between.

`PIPELINE_CRASH_AT=NAME` or `NAME:N` kills it, as `kill -9` does, when the place is reached for the N-th time;
`PIPELINE_CRASH_BY=SIGSTOP` holds it there instead. For tests only; without the variable a place costs one comparison.
"""

import os
import signal

POINTS = (
    "ledger-opened",
    "session-beginning",  # inside its transaction
    "session-begun",
    "call-named",  # durable, and not yet sent
    "answer-received",  # and not yet handed to the ledger
    "committing",  # inside a transaction of the writer
    "committed",  # and nobody told
    "batch-planned",  # durable, and nothing of it has left
    "batch-uploaded",  # there, and not yet on record
    "batch-submitting",  # on record, and not yet asked for
    "batch-created",  # there, and its id not yet on record
    "batch-submitted",
    "batch-cancelling",
    "line-collected",  # its call, answer and fate are on their way to the disk
    "batch-collected",  # all are there, and the batch not yet marked so
    "outcome-known",  # its answers are durable
    "outcome-durable",
    "publishing",
    "results.parquet-written",  # beside the old one
    "results.parquet-replaced",
    "calls.parquet-written",
    "calls.parquet-replaced",
    "published",
    "session-ended",
    "run.json-written",
    "run.json-replaced",
)
_name, _, _nth = os.environ.get("PIPELINE_CRASH_AT", "").partition(":")
_by = os.environ.get("PIPELINE_CRASH_BY", "SIGKILL")
_left = int(_nth) if _nth.isdigit() else 1


def crash_point(name: str) -> None:
    """Die here, if a test says so."""
    global _left  # noqa: PLW0603 (one process, one death)
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.Signals[_by])
