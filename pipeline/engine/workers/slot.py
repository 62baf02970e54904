"""One share of a job's rows, the process that works on it, and what all of them have done."""

import asyncio
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from pipeline.engine.feed import Share
from pipeline.engine.frames import Channel
from pipeline.engine.workers.facts import HERE, CpuSeen, worker_fact
from pipeline.engine.workers.messages import ToRun, WorkerCounts
from pipeline.engine.workers.served import ServedGate


class WorkerSlot(Struct):
    """One share, and who works on it."""

    share: Share
    channel: Channel[ToRun]
    gate: ServedGate
    gone: asyncio.Event
    process: Process | None = None
    prefixes: list[str] = field(default_factory=list)  # of its request ids
    counts: WorkerCounts | None = None
    cpu: CpuSeen = field(default_factory=CpuSeen)
    finished: bool = False
    rows: dict[int, str] = field(default_factory=dict)  # open ones by their ids, as far as it tells

    def fact(self) -> dict[str, Any]:
        """As run.json tells it."""
        rows, calls = (0, 0) if self.counts is None else (self.counts.ended, self.counts.calls)
        return worker_fact(self.share.number + 1, HERE, rows, calls, self.cpu)


def total_of(all_counts: Sequence[WorkerCounts]) -> WorkerCounts:
    failed: Counter[str] = Counter()
    for counts in all_counts:
        failed.update(counts.failed)
    ok, repaired, calls, limited, units = (
        sum(getattr(counts, name) for counts in all_counts)
        for name in ("ok", "repaired", "calls", "rate_limited", "usd_units")
    )
    return WorkerCounts(ok, dict(failed), repaired, calls, limited, units)
