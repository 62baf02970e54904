"""How far a run is, as one value: what the panel, the log lines and `status` show."""

import json
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.admission.governor import DimensionView, Snapshot
from pipeline.job.folder import LIVE, read_text
from pipeline.money import from_units
from pipeline.telemetry.batches import BatchesOut, out_words
from pipeline.telemetry.tally import Tally

WINDOW_S = 60.0  # over which the pace is taken
LONG_WAIT_S, LONGEST_WAIT_S = 60.0, 366 * 86400.0  # a Retry-After of which the end is told
BASIS_S = 2.0  # before that nothing is said of the time left
BASIS_ROWS = 20  # before that nothing is said of the cost of all
WORDS = {  # why calls wait, as people say it
    "requests": "requests per minute",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "tokens": "tokens",
    "slots": "free slots",
    "first_answer": "the first answer",
    "budget": "the budget",
    "watermark": "what is spent to be on record in the bucket",
    "retry_after": "a Retry-After",
    "circuit": "the provider to come back",
}


class Pace:
    """Rows per second of late. Rows that were done before `begin` came from earlier runs and don't count."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, now_s: float, done: int) -> float | None:
        """None until there is something to go by."""
        self._seen.append((now_s, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now_s - WINDOW_S:
            self._seen.popleft()
        began_s, before = self._seen[0]
        if now_s - began_s < BASIS_S or done == before:
            return None
        return (done - before) / (now_s - began_s)


class ModelNow(Struct, frozen=True):
    """One of a job's several models at this moment. `down`: why its rows go elsewhere; "" they do not."""

    model: str
    in_flight: int
    calls: int
    down: str = ""

    def __str__(self) -> str:
        how = f"is down ({self.down})" if self.down else f"{self.in_flight} in flight"
        return f"{self.model} {how}, {self.calls:,} calls"


class RunReading(Struct, frozen=True):
    """One look at a run. `begun_done`: rows that were done when this session began.

    `opens_at`: until when a Retry-After holds everything, where that is long.
    """

    name: str
    total: int
    ok: int
    repaired: int
    failed: Mapping[str, int]
    begun_done: int
    calls: int
    rate_limited: int
    spent_units: int
    cap_usd: Decimal | None
    limits: Snapshot
    why_waiting: str
    rows_per_s: float | None
    opens_at: datetime | None = None
    out: BatchesOut | None = None
    now: datetime | None = None  # of this look, where something is out
    models: tuple[ModelNow, ...] = ()  # of a job with several
    workers: tuple[Mapping[str, Any], ...] = ()  # of a job that has some, as run.json has them

    @property
    def done(self) -> int:
        return self.ok + sum(self.failed.values())

    @property
    def left_s(self) -> float | None:
        if self.rows_per_s is None or self.done >= self.total:
            return None
        return (self.total - self.done) / self.rows_per_s

    @property
    def out_words(self) -> str:
        """What is at the provider's batch API; "": nothing."""
        return "" if self.out is None or self.now is None else out_words(self.out, self.now)

    @property
    def expected_usd(self) -> Decimal | None:
        """What this session will have cost at its end, if the rest is like what it has done."""
        done = self.done - self.begun_done
        if done < BASIS_ROWS:
            return None
        return from_units(self.spent_units) * (self.total - self.begun_done) / done

    @property
    def binding(self) -> DimensionView | None:
        """The dimension of which the least is left, in minutes."""
        dimensions = [dimension for dimension in self.limits.dimensions if dimension.limit_per_minute > 0]
        return min(dimensions, key=lambda dimension: dimension.level / dimension.limit_per_minute, default=None)

    def as_json(self) -> dict[str, Any]:
        limits = self.limits
        return {
            "rows": {"total": self.total, "ok": self.ok, "failed": sum(self.failed.values()), "done": self.done},
            "repaired": self.repaired,
            "failed_by_code": dict(self.failed),
            "calls": self.calls,
            "rate_limited": self.rate_limited,
            "spent_usd": f"{from_units(self.spent_units):.10f}",
            "expected_usd": None if self.expected_usd is None else f"{self.expected_usd:.4f}",
            "cap_usd": None if self.cap_usd is None else str(self.cap_usd),
            "in_flight": limits.in_flight,
            "slots": limits.slots,
            "concurrency": limits.concurrency,
            "limits": [
                {
                    "of": dimension.name,
                    "limit_per_minute": round(dimension.limit_per_minute),
                    "left": round(dimension.level),
                    "in_use": round(dimension.in_flight),
                    "source": dimension.source,
                }
                for dimension in limits.dimensions
            ],
            "waiting_for": self.why_waiting or None,
            "opens_at": None if self.opens_at is None else self.opens_at.isoformat(timespec="seconds"),
            **({} if self.out is None else {"batches": self.out.as_json()}),
            **({"models": to_builtins(self.models)} if self.models else {}),
            **({"workers": list(self.workers)} if self.workers else {}),
            "waited_share": {why: round(share, 3) for why, share in limits.waited_share.items()},
            "rows_per_s": None if self.rows_per_s is None else round(self.rows_per_s, 2),
            "seconds_left": None if self.left_s is None else round(self.left_s, 1),
        }


def reading_of(
    name: str, tally: Tally, begun_done: int, limits: Snapshot, why_waiting: str, rows_per_s: float | None
) -> RunReading:
    return RunReading(
        name=name,
        total=tally.total,
        ok=tally.ok,
        repaired=tally.repaired,
        failed=dict(tally.failed.most_common()),
        begun_done=begun_done,
        calls=tally.calls,
        rate_limited=tally.rate_limited,
        spent_units=tally.usd_units,
        cap_usd=limits.cap_usd,
        limits=limits,
        why_waiting=why_waiting,
        rows_per_s=rows_per_s,
    )


def opening(opens_s: float, now_s: float, now: datetime) -> datetime | None:
    """When the gate opens that is closed until `opens_s`; None where that is soon."""
    closed_s = opens_s - now_s
    return now + timedelta(seconds=closed_s) if LONG_WAIT_S <= closed_s < LONGEST_WAIT_S else None


def waited_for(shares: Mapping[str, float]) -> str:
    """`input tokens: 61 %, free slots: 30 %`; "" where nothing waited."""
    told = [f"{WORDS.get(why, why)}: {share:.0%}".replace("%", " %") for why, share in shares.items() if share >= 0.01]
    return ", ".join(told[:3])


def read_live(folder: Path) -> dict[str, Any] | None:
    """The last reading of a run that goes on, as JSON; None when there is none."""
    try:
        found = json.loads(read_text(folder / LIVE))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
