"""Calls about several rows (`chunks.pack`): what each row has of them, and calls row by row. As `queries`."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from pipeline.ledger.files import Connection
from pipeline.ledger.records import CALL_COLUMNS, SHARE_COLUMNS
from pipeline.ledger.schema import SHARES_KNOWN

BESIDE = ("call", "answer", "pages", "model", "batch")  # a call's record, in every ledger that has shares
AMOUNTS = SHARE_COLUMNS[6:]
TRANSIENT = ("rate_limited", "provider_error", "timeout", "lost", "hedged", "auth", "quota", "model_unavailable")
# What rows that the input has no more have of a call is the first row's: calls and rows add up to the same.
_ROW = (
    "CASE WHEN s.row <= (SELECT MAX(row) FROM rows) THEN s.row "
    "ELSE (SELECT l.row FROM shares l WHERE l.request_id = s.request_id AND l.place = 0) END"
)
_OF_ROWS = frozenset({*SHARE_COLUMNS, "answer"}) - {"request_id", "place", "run"}
_PARTS = ", ".join(
    f"{_ROW} AS row" if name == "row" else f"{'s' if name in _OF_ROWS else 'c'}.{name}"
    for name in (*CALL_COLUMNS, *BESIDE)
)
_WHOLE = ", ".join((*CALL_COLUMNS, *BESIDE))
_BY_ROW = (
    f"(SELECT {_WHOLE}, 1 AS counted FROM calls WHERE request_id NOT IN (SELECT request_id FROM shares) "  # noqa: S608 (own names)
    f"UNION ALL SELECT {_PARTS}, s.place = 0 FROM shares s JOIN calls c USING (request_id))"
)


class PackSums(Struct, frozen=True):
    """Of a run's calls about several rows: those that came to an end, their rows, and how many of them fell apart."""

    calls: int = 0
    rows: int = 0
    apart: int = 0


def has_shares(db: Connection) -> bool:
    """Whether some call was about several rows."""
    if int(db.execute("PRAGMA user_version").fetchone()[0]) < SHARES_KNOWN:
        return False
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM shares)").fetchone()[0])


def by_row(db: Connection) -> str:
    """The calls for SQL's FROM: one about several rows once for each, as its share; `counted` with its first."""
    return _BY_ROW if has_shares(db) else "(SELECT *, 1 AS counted FROM calls)"


def shares_of_calls(db: Connection, request_ids: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    """By request id, (row, id, five token sums, cost_units) of each row, in order; of calls about several rows."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    if has_shares(db):
        names, marks = ", ".join(("id", *AMOUNTS)), ", ".join("?" * len(request_ids))
        sql = (
            f"SELECT request_id, {_ROW}, {names} FROM shares s WHERE request_id IN ({marks}) ORDER BY request_id, place"  # noqa: S608 (own names)
        )
        for request_id, *share in db.execute(sql, request_ids):
            found.setdefault(request_id, []).append(tuple(share))
    return found


def rows_of_calls(db: Connection, request_ids: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """By request id, (row, id) of each row as it was asked about, in order; of calls about several rows."""
    found: dict[str, list[tuple[int, str]]] = {}
    if request_ids and has_shares(db):
        marks = ", ".join("?" * len(request_ids))
        sql = f"SELECT request_id, row, id FROM shares WHERE request_id IN ({marks}) ORDER BY request_id, place"  # noqa: S608 (own names)
        for request_id, row, row_id in db.execute(sql, request_ids):
            found.setdefault(request_id, []).append((row, row_id))
    return found


def unlike_calls(db: Connection) -> Iterator[str]:
    """The ids of calls, of all runs, whose shares do not add up to them, or that there are shares of and no call."""
    if not has_shares(db):
        return
    names = AMOUNTS
    sums = ", ".join(f"SUM({name}) AS {name}" for name in names)
    unlike = " OR ".join(f"c.{name} IS NOT s.{name}" for name in names)
    yield from (
        request_id
        for (request_id,) in db.execute(
            f"SELECT s.request_id FROM (SELECT request_id, MIN(place) AS first, MAX(place) + 1 - COUNT(*) AS holes, "  # noqa: S608 (own names)
            f"{sums} FROM shares GROUP BY request_id) s LEFT JOIN calls c USING (request_id) "
            f"WHERE (c.request_id IS NULL AND s.request_id NOT IN (SELECT request_id FROM sends)) "
            f"OR (c.request_id IS NOT NULL AND ({unlike})) OR s.first != 0 OR s.holes != 0"
        )
    )


def pack_sums(db: Connection, run: int) -> PackSums:
    if not has_shares(db):
        return PackSums()
    marks = ", ".join(f"'{code}'" for code in TRANSIENT)
    found = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM(s.rows), 0), COALESCE(SUM(c.error_code IS NOT NULL), 0) FROM calls c JOIN "  # noqa: S608 (own words)
        "(SELECT request_id, COUNT(*) AS rows FROM shares WHERE run = ? GROUP BY request_id) s USING (request_id) "
        f"WHERE c.error_code IS NULL OR c.error_code NOT IN ({marks})",
        (run,),
    ).fetchone()
    return PackSums(*found)
