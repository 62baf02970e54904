"""Sums over calls and rows: of one session, of one run, of all. Questions, as in `queries`."""

from collections import Counter
from typing import Any

from msgspec import Struct

from pipeline.columns import TOKENS
from pipeline.ledger.files import Connection
from pipeline.ledger.nights import remembers
from pipeline.ledger.schema import knows_batches, knows_models
from pipeline.types import Usage

# ── a session's own figures ─────────────────────────────────────────────────────────────────────────────────────────


class NightRows(Struct, frozen=True):
    """The rows of an input by what the ledger knew of them; `gone`: those it knows that are not in the input."""

    new: int
    changed: int  # the id was there, with another content
    known: int
    gone: int


class SessionCalls(Struct, frozen=True):
    """What one session sent and was billed for."""

    calls: int
    cost_units: int
    usage: Usage


def session_calls(db: Connection, session: int) -> SessionCalls:
    sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in ("cost_units", *TOKENS))
    calls, units, *tokens = db.execute(f"SELECT COUNT(*), {sums} FROM calls WHERE session = ?", (session,)).fetchone()  # noqa: S608 (own names)
    return SessionCalls(calls, units, Usage(*tokens))


def night_rows(db: Connection, session: int, entered: int, *, whole: bool) -> NightRows:
    """`entered`: so many rows of this very input were there when the session began. `whole`: the input is not cut."""
    (seen,) = db.execute("SELECT COUNT(*) FROM seen").fetchone()
    if not seen:  # the first run
        (rows,) = db.execute("SELECT COUNT(*) FROM rows").fetchone()
        return NightRows(rows - min(rows, entered), 0, min(rows, entered), 0)
    counts: Counter[str] = Counter()
    there = 0
    for kind, number, named in db.execute(_KINDS, (entered, session)):
        counts[kind] += number
        there += named
    gone = db.execute(_GONE).fetchone()[0] if whole and there < seen else 0
    return NightRows(counts["new"], counts["changed"], counts["known"], gone)


_KINDS = (  # (kind, rows, those of them that are usable and whose names were seen)
    "SELECT CASE "
    "WHEN r.row < ? THEN 'known' "
    "WHEN s.name IS NOT NULL AND "
    "(r.doc IS NULL OR r.doc IN (s.doc, s.good) OR r.earlier IN (s.doc, s.good)) THEN 'known' "
    "WHEN s.name IS NOT NULL THEN 'changed' "
    "WHEN (SELECT session FROM outcomes o WHERE o.doc = r.doc) < ? "
    "OR EXISTS (SELECT 1 FROM outcomes e WHERE e.doc = r.earlier) "
    "OR EXISTS (SELECT 1 FROM seen n WHERE n.name IN (r.doc, r.earlier)) THEN 'known' "
    "ELSE 'new' END, COUNT(*), SUM(s.name IS NOT NULL AND r.doc IS NOT NULL) "
    "FROM rows r LEFT JOIN seen s ON s.name = r.id GROUP BY 1"
)
_GONE = (
    "SELECT COUNT(*) FROM seen WHERE name NOT IN (SELECT id FROM rows) "
    "AND (doc IS NULL OR (doc NOT IN (SELECT doc FROM rows WHERE doc IS NOT NULL) "
    "AND doc NOT IN (SELECT earlier FROM rows WHERE earlier IS NOT NULL)))"
)


# ── calls of every night ────────────────────────────────────────────────────────────────────────────────────────────

_GROUPS = {
    "tenant": "tenant",
    "model": "run || ' ' || COALESCE(model, '')",  # NAME; of the job's [model] nothing
    "day": "strftime('%Y-%m-%d', sent_us / 1000000, 'unixepoch')",
    "error_code": "error_code",
    "lane": "CASE WHEN batch IS NULL THEN 'live' ELSE 'batch' END",
}


def cost_groups(db: Connection, by: str, *, run: int | None) -> list[tuple[Any, ...]]:
    """(key, calls, cost_units, *TOKENS) of the calls of one run, or all; `by` tenant, model, day, error_code or lane.

    By model the key is the run, and NAME of the model where it is not the job's [model].
    """
    key = "'live'" if by == "lane" and not knows_batches(db) else _GROUPS[by]
    key = "run || ' '" if by == "model" and not knows_models(db) else key
    sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in ("cost_units", *TOKENS))
    sql = f"SELECT {key}, COUNT(*), {sums} FROM calls WHERE ? IS NULL OR run = ? GROUP BY 1"  # noqa: S608 (own words)
    return db.execute(sql, (run, run)).fetchall()


def models_by_run(db: Connection, last: str | None) -> dict[int, str | None]:
    """The model that each run asked; of runs that did not keep it, that of their equals, else the one that answered.

    `last`: that of the last run, as run.json has it.
    """
    column = "model" if remembers(db) else "NULL"
    runs = db.execute(f"SELECT run, request_hash, {column} FROM runs ORDER BY run").fetchall()  # noqa: S608 (own names)
    asked = {request_hash: model or (last if run == runs[-1][0] else None) for run, request_hash, model in runs}
    found = {run: asked.get(request_hash) for run, request_hash, _ in runs}
    if None in found.values():
        answered = dict(db.execute("SELECT run, MAX(model_version) FROM calls GROUP BY run"))
        found = {run: model or answered.get(run) for run, model in found.items()}
    return found
