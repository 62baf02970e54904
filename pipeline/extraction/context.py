"""What of the chunks before goes with the next one, so that it is understood: a running summary, or records. Pure."""

from collections.abc import Callable, Sequence

from pipeline.job.settings import Job
from pipeline.text import RECORDS_BEFORE

SUMMARY_TOKENS = 512  # the most that a running summary may have
ROOM_SHARE = 8  # of a chunk's room, the part that a summary may take; records may take twice that
SUMMARY_HEAD = "Summary of the parts of this document before this one, only to understand it:\n"
WINDOW_HEAD = f"{RECORDS_BEFORE}, only to understand it. They are not part of what is asked for:\n"


def tokens_before(job: Job, room: int) -> tuple[int, int]:
    """(tokens of a summary, tokens of records) at the most, of the `room` tokens that a chunk would have alone."""
    chunks = job.chunks
    if chunks.context == "rolling":
        return min(SUMMARY_TOKENS, room // ROOM_SHARE), 0
    if chunks.context == "window":
        return 0, min(chunks.window * job.model.max_output_tokens, 2 * room // ROOM_SHARE)
    return 0, 0


def window_of(
    groups: Sequence[Sequence[str]], chunks: int, most_tokens: int, count: Callable[[str], int]
) -> tuple[str, ...]:
    """The records of the last `chunks` groups, each of one chunk, in order; the oldest go where all are too many.

    What is left counts at most `most_tokens` with the words before it. One that is too large leaves none before it.

    >>> window_of([["{1}"], ["{2}", "{3}"], ["{4}"]], 2, 1000, len)
    ('{2}', '{3}', '{4}')
    """
    left = most_tokens - count(WINDOW_HEAD)
    kept: list[str] = []
    for record in reversed([one for group in groups[-chunks:] for one in group] if chunks else []):
        left -= count(f"{record}\n")
        if left < 0:
            break
        kept.append(record)
    return tuple(reversed(kept))
