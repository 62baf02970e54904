"""The answers to a row's chunks → what of them goes with its next one."""

from collections.abc import Sequence

from pipeline.documents.chunks import Counter
from pipeline.engine.row_end import ChunkAnswer
from pipeline.extraction.context import window_of
from pipeline.extraction.plan import Plan


def records_before(plan: Plan, counter: Counter, groups: Sequence[Sequence[ChunkAnswer]]) -> str:
    """The records of the last chunks, one a line, as many as the job's budget for them holds; `groups`: by chunk."""
    records = [[one.record_json for one in group] for group in groups]
    return "\n".join(window_of(records, plan.window_chunks, plan.window_tokens, counter.count))
