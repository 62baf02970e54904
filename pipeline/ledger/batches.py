"""What a ledger knows of batches at a provider: each, and each of its lines, from before it leaves to its fate.

A line is on record before its batch is sent, holds what it may cost at the most for as long as its fate is not known,
and is settled once: its call, its answer and its fate are one transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from pipeline.ledger import records
from pipeline.ledger.files import Connection
from pipeline.ledger.queries import has_table
from pipeline.ledger.records import Send
from pipeline.types import Purpose

# of a batch, in order; `unknown`: its submission had no answer, and it may or may not be there
PLANNED, UPLOADED, SUBMITTING, UNKNOWN, OUT, CANCELLING = (
    "planned", "uploaded", "submitting", "unknown", "out", "cancelling",
)  # fmt: skip
COLLECTED, WITHDRAWN = "collected", "withdrawn"  # withdrawn: no line of it was billed
FOR_DEADLINE = "called off for the deadline"  # as `error`
OPEN = (PLANNED, UPLOADED, SUBMITTING, UNKNOWN, OUT, CANCELLING)
# of a line, beside those of `providers.batches.Fate`
LINE_OPEN, LINE_MISSING, LINE_WITHDRAWN = "out", "missing", "withdrawn"

Statement = tuple[str, tuple[Any, ...]]


class BatchRecord(Struct, frozen=True):
    """One batch. Times in microseconds since the epoch; `deadline_us` is of its run."""

    nonce: str  # its name, ours
    run: int
    session: int
    provider: str
    account: str  # a digest of where it is and whose it is
    model: str
    state: str
    rows: int
    size_bytes: int
    created_us: int
    deadline_us: int
    file_ref: str = ""
    remote_id: str = ""
    status: str = ""
    done: int | None = None
    submitted_us: int | None = None
    cancel_us: int | None = None
    missed_us: int | None = None  # when it was first not found, after no answer; or results of it, after its end
    error: str | None = None


class BatchItem(Struct, frozen=True):
    """One line: a request, under a name of ours."""

    name: str
    key: bytes
    row: int
    id: str
    chunk: int
    purpose: str
    attempt: int
    tenant: str | None
    at_risk_units: int
    fate: str = LINE_OPEN
    error_code: str | None = None
    error: str | None = None

    def send(self, sent_us: int, batch_id: str) -> Send:
        """As a call is named on the books."""
        return Send(
            request_id=self.name,
            row=self.row,
            id=self.id,
            chunk=self.chunk,
            purpose=Purpose(self.purpose),
            attempt=self.attempt,
            sent_us=sent_us,
            at_risk_units=self.at_risk_units,
            tenant=self.tenant,
            batch_id=batch_id,
        )


COLUMNS = tuple(BatchRecord.__struct_fields__)
ITEM_COLUMNS = tuple(BatchItem.__struct_fields__)
_PLAN = f"INSERT INTO batches ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 (own names)
_ITEM = (
    f"INSERT INTO batch_items (batch, {', '.join(ITEM_COLUMNS)}) "  # noqa: S608 (own names)
    f"VALUES ((SELECT batch FROM batches WHERE nonce = ?), {', '.join('?' * len(ITEM_COLUMNS))})"
)
_SETTLE = "UPDATE batch_items SET fate = ?, error_code = ?, error = ? WHERE name = ? AND fate = 'out'"
_WITHDRAW = (
    "UPDATE batch_items SET fate = 'withdrawn' WHERE fate = 'out' "
    "AND batch IN (SELECT batch FROM batches WHERE nonce = ?)"
)


def planned(batch: BatchRecord, items: Sequence[BatchItem]) -> list[Statement]:
    """The batch and its lines, before anything of it leaves."""
    entries = [(_ITEM, (batch.nonce, *asdict(item).values())) for item in items]
    return [(_PLAN, tuple(asdict(batch).values())), *entries]


def changed(nonce: str, **fields: Any) -> Statement:  # noqa: ANN401 (of a BatchRecord)
    """What has become known of a batch."""
    names = ", ".join(f"{name} = ?" for name in fields)
    return f"UPDATE batches SET {names} WHERE nonce = ?", (*fields.values(), nonce)  # noqa: S608 (own names)


def withdrawn(nonce: str, error: str) -> list[Statement]:
    """No line of it was billed: each may be asked again."""
    return [changed(nonce, state=WITHDRAWN, error=records.storable(error)), (_WITHDRAW, (nonce,))]


def settled(name: str, fate: str, error_code: str | None, error: str | None) -> Statement:
    """The fate of a line."""
    return _SETTLE, (fate, error_code, records.storable(error), name)


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def open_batches(db: Connection) -> list[BatchRecord]:
    """Of all runs: what is out is paid for, whatever became of its job."""
    return [one for one in all_batches(db) if one.state in OPEN]


def all_batches(db: Connection, run: int | None = None) -> list[BatchRecord]:
    if not has_table(db, "batches"):
        return []
    where = "" if run is None else f"WHERE run = {run:d} OR state IN ({', '.join(map(repr, OPEN))})"
    found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM batches {where} ORDER BY batch")  # noqa: S608 (own names)
    return [BatchRecord(*values) for values in found]


def items_of(db: Connection, nonce: str) -> dict[str, BatchItem]:
    """By name."""
    names = ", ".join(f"i.{name}" for name in ITEM_COLUMNS)
    found = db.execute(
        f"SELECT {names} FROM batch_items i JOIN batches b USING (batch) WHERE b.nonce = ?",  # noqa: S608 (own names)
        (nonce,),
    )
    return {item.name: item for item in (BatchItem(*values) for values in found)}


def last_item(db: Connection, key: bytes) -> BatchItem | None:
    """The latest line that asked for this."""
    found = db.execute(
        f"SELECT {', '.join(ITEM_COLUMNS)} FROM batch_items WHERE key = ? ORDER BY batch DESC LIMIT 1",  # noqa: S608 (own names)
        (key,),
    ).fetchone()
    return None if found is None else BatchItem(*found)


def reserved_units(db: Connection, nonce: str) -> int:
    """What the lines of a batch whose fate is not known may cost at the most."""
    sql = (
        "SELECT COALESCE(SUM(i.at_risk_units), 0) FROM batch_items i JOIN batches b USING (batch) "
        "WHERE b.nonce = ? AND i.fate = 'out'"
    )
    return int(db.execute(sql, (nonce,)).fetchone()[0])


def unsettled(db: Connection) -> Iterator[str]:
    """What is wrong between lines and calls: each line with a fate is one call, and costs nothing beyond."""
    lines = db.execute(
        "SELECT i.name, i.fate, COUNT(c.call), SUM(c.batch IS i.batch) FROM batch_items i "
        "LEFT JOIN calls c ON c.request_id = i.name GROUP BY i.name"
    )
    for name, fate, calls, linked in lines:
        wanted = 0 if fate in {LINE_OPEN, LINE_WITHDRAWN} else 1
        if calls != wanted or (wanted and linked != 1):
            yield f"line {name} is {fate}, and has {calls} calls"
    strays = db.execute(
        "SELECT request_id FROM calls WHERE batch IS NOT NULL AND request_id NOT IN (SELECT name FROM batch_items)"
    )
    for (name,) in strays:
        yield f"call {name} is of a batch that has no such line"


def held_units(db: Connection, run: int) -> int:
    """What open lines of a run may cost at the most, in 1e-10 USD."""
    sql = (
        "SELECT COALESCE(SUM(i.at_risk_units), 0) FROM batch_items i JOIN batches b USING (batch) "
        "WHERE b.run = ? AND i.fate = 'out'"
    )
    return int(db.execute(sql, (run,)).fetchone()[0])


def held_units_by_tenant(db: Connection) -> dict[str, int]:
    """The same of each tenant, over all runs."""
    sql = (
        "SELECT i.tenant, SUM(i.at_risk_units) FROM batch_items i "
        "WHERE i.tenant IS NOT NULL AND i.fate = 'out' GROUP BY i.tenant"
    )
    return dict(db.execute(sql))


def deadline_us(db: Connection, run: int) -> int | None:
    """Of a run, from its first batch on."""
    found = db.execute("SELECT MIN(deadline_us) FROM batches WHERE run = ?", (run,)).fetchone()
    return None if found is None else found[0]


def called_off(db: Connection, run: int) -> bool:
    """Whether batches of a run were, for its deadline and not by somebody."""
    sql = "SELECT 1 FROM batches WHERE run = ? AND cancel_us IS NOT NULL AND error = ? LIMIT 1"
    return db.execute(sql, (run, FOR_DEADLINE)).fetchone() is not None


def fates(db: Connection, run: int) -> Iterable[tuple[str, int]]:
    sql = "SELECT i.fate, COUNT(*) FROM batch_items i JOIN batches b USING (batch) WHERE b.run = ? GROUP BY 1"
    return ((fate, count) for fate, count in db.execute(sql, (run,)))


def lines_of_row(db: Connection, run: int, row: int, row_id: str) -> list[tuple[BatchRecord, BatchItem]]:
    """A row's lines, the first first; of earlier runs those of its id."""
    if not has_table(db, "batches"):
        return []
    names = ", ".join([*(f"b.{name}" for name in COLUMNS), *(f"i.{name}" for name in ITEM_COLUMNS)])
    found = db.execute(
        f"SELECT {names} FROM batch_items i JOIN batches b USING (batch) "  # noqa: S608 (own names)
        "WHERE i.id = ? AND (b.run != ? OR i.row = ?) ORDER BY i.batch, i.chunk, i.attempt",
        (row_id, run, row),
    )
    return [(BatchRecord(*one[: len(COLUMNS)]), BatchItem(*one[len(COLUMNS) :])) for one in found]
