"""Batches at a provider in words, from how run.json and `status` have them. Pure: now is an argument."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from pipeline.ledger.batches import OPEN
from pipeline.money import dollars
from pipeline.text import duration, inert

Told = Mapping[str, Any]
MOST_NAMED = 10
MINUTE = "%Y-%m-%d %H:%M UTC"
GO_ON = "go on at the provider; the same command collects them, and pipeline cancel calls them off"


class BatchesOut(Struct, frozen=True):
    """What is at the provider, all together. `since`: the first submission; None: none was made yet."""

    batches: int
    rows: int
    done: int
    since: datetime | None
    deadline: datetime
    reserved_usd: Decimal

    def as_json(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "rows": self.rows,
            "done": self.done,
            "submitted_at": None if self.since is None else self.since.isoformat(timespec="milliseconds"),
            "deadline_at": self.deadline.isoformat(timespec="milliseconds"),
            "reserved_usd": f"{self.reserved_usd:.10f}",
        }


def is_out(told: Told) -> bool:
    return told["state"] in OPEN


def batches_out(told: Iterable[Told]) -> BatchesOut | None:
    """None: nothing is out."""
    found = [one for one in told if is_out(one)]
    if not found:
        return None
    since = [datetime.fromisoformat(one["submitted_at"]) for one in found if one["submitted_at"] is not None]
    return BatchesOut(
        len(found),
        sum(one["rows"] for one in found),
        sum(one["done"] or 0 for one in found),
        min(since, default=None),
        min(datetime.fromisoformat(one["deadline_at"]) for one in found),
        sum((Decimal(one["reserved_usd"]) for one in found), Decimal(0)),
    )


def out_words(out: BatchesOut, now: datetime) -> str:
    """`2 batches out: 5,000 rows, 1,240 done, for 1 h 50 min, deadline in 22 h 10 min, $1.20 reserved`."""
    age = [] if out.since is None else [f"for {_span(now, out.since)}"]
    parts = [f"{out.rows:,} rows", f"{out.done:,} done", *age, due_words(out.deadline, now)]
    return f"{counted(out.batches)} out: {', '.join(parts)}, {dollars(out.reserved_usd)} reserved"


def leaving_words_of(told: Iterable[Told]) -> str:
    """To who stops a run; "": nothing is out."""
    out = batches_out(told)
    return (
        ""
        if out is None
        else f"{counted(out.batches)} with {out.rows:,} rows, {dollars(out.reserved_usd)} reserved, {GO_ON}"
    )


def lines_of(told: Sequence[Told], now: datetime) -> Iterator[str]:
    """Those that are out, each; then the others, counted."""
    out = [one for one in told if is_out(one)]
    yield from (_one(one, now) for one in out[:MOST_NAMED])
    if len(out) > MOST_NAMED:
        yield f"and {len(out) - MOST_NAMED:,} more"
    for state in dict.fromkeys(one["state"] for one in told if not is_out(one)):
        some = [one for one in told if one["state"] == state]
        yield f"{counted(len(some))} {state}, of {sum(one['rows'] for one in some):,} rows"


def due_words(deadline: datetime, now: datetime) -> str:
    past = now >= deadline
    return f"deadline {_span(now, deadline)} ago" if past else f"deadline in {_span(now, deadline)}"


def counted(batches: int) -> str:
    return "1 batch" if batches == 1 else f"{batches:,} batches"


def _one(told: Told, now: datetime) -> str:
    done = f"{told['done'] or 0:,} of "
    submitted = told["submitted_at"]
    age = "" if submitted is None else f", for {_span(now, datetime.fromisoformat(submitted))}"
    due = due_words(datetime.fromisoformat(told["deadline_at"]), now)
    reserved = dollars(Decimal(told["reserved_usd"]))
    return (
        f"{inert(told['batch_id'])} {told['state']}: {done}{told['rows']:,} rows done{age}, {due}, {reserved} reserved"
    )


def _span(one: datetime, other: datetime) -> str:
    return duration(abs((one - other).total_seconds()))
