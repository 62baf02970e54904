"""What one night knows of those before it: rows by what names them, what each content has cost, its last good record.

A row is named by its id; in an input without ids, by its content. `carry_over` keeps what is known of the last run's
rows before those of another take their place; the rest are questions, as in `queries`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from pipeline.ledger.files import WIDE_CACHE, Connection
from pipeline.ledger.records import CALL_COLUMNS, OUTCOME_COLUMNS
from pipeline.ledger.schema import beside_outcomes, knows_files
from pipeline.ledger.shares import by_row

SANDBOX = "sandbox"
MEMORY_VERSION = 4  # of the ledger's format: older ones have no memory of nights

# ── writing, when another run begins ────────────────────────────────────────────────────────────────────────────────

_SPENT = (
    "INSERT INTO spent (doc, units) SELECT r.doc, SUM(COALESCE(c.cost_units, 0)) FROM {calls} c "
    "JOIN rows r ON r.row = c.row WHERE c.run = ? AND r.doc IS NOT NULL GROUP BY r.doc "
    "ON CONFLICT (doc) DO UPDATE SET units = units + excluded.units"
)
_SEEN = (
    "INSERT INTO seen (name, doc, good) SELECT {name}, r.doc, CASE WHEN o.status = 'ok' THEN r.doc END "
    "FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc WHERE {name} IS NOT NULL ON CONFLICT (name) DO UPDATE "
    "SET doc = COALESCE(excluded.doc, seen.doc), good = {good} "
    "WHERE excluded.doc IS NOT seen.doc OR (excluded.good IS NOT NULL AND excluded.good IS NOT seen.good)"
)
_NEWER = "COALESCE(excluded.good, seen.good)"
_NEWER_REHEARSAL = (  # what a rehearsal made is no better than what a model answered
    "CASE WHEN EXISTS (SELECT 1 FROM outcomes g JOIN runs USING (run) WHERE g.doc = seen.good "
    "AND runs.provider IS NOT 'sandbox') THEN seen.good ELSE COALESCE(excluded.good, seen.good) END"
)
INHERIT = (  # what answers cost that were paid for under other jobs and are used again
    "INSERT INTO spent (doc, units, inherited) SELECT ?, 0, COALESCE(SUM(units + inherited), 0) FROM spent "
    "WHERE doc IN ({marks}) ON CONFLICT (doc) DO UPDATE SET inherited = MAX(inherited, excluded.inherited)"
)


def carry_over(db: Connection, run: int, id_column: str) -> None:
    """Keep what is known of the rows of `run`, the last one; those of the next are named by `id_column`, if any."""
    db.execute(WIDE_CACHE)
    db.execute(_SPENT.format(calls=by_row(db)), (run,))
    before = _id_column(db, run)
    good = _NEWER_REHEARSAL if _provider(db, run) == SANDBOX else _NEWER
    if before is None:
        before = id_column if _look_named(db) else ""
    if before != id_column:
        db.execute("DELETE FROM seen")  # an id of another column may name another row
    if not id_column:
        db.execute("DELETE FROM seen WHERE name IN (SELECT earlier FROM rows WHERE earlier IS NOT NULL)")
        db.execute(_SEEN.format(name="r.doc", good=good))
    elif before == id_column:
        db.execute(_SEEN.format(name="r.id", good=good))


def _id_column(db: Connection, run: int) -> str | None:
    """The column that the rows of a run were named by, "" for none; None where that was not kept."""
    found = db.execute("SELECT id_column FROM runs WHERE run = ?", (run,)).fetchone()
    return found[0] if found else None


def _provider(db: Connection, run: int) -> str | None:
    found = db.execute("SELECT provider FROM runs WHERE run = ?", (run,)).fetchone()
    return found[0] if found else None


def _look_named(db: Connection) -> bool:
    """Whether the rows of a run that did not keep it have ids: without any they are called by their places."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM rows WHERE id != CAST(row AS TEXT))").fetchone()[0])


# ── what rows were before ───────────────────────────────────────────────────────────────────────────────────────────


class EarlierJob(Struct, frozen=True):
    """A job that ran here before: its outcome salt, and the columns that its prompt named (None: not kept)."""

    doc_hash: bytes
    columns: str | None  # a JSON list
    rehearsal: bool  # in the sandbox


def remembers(db: Connection) -> bool:
    """Whether the file is of a format that has a memory of nights; one that was never run again since has not."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= MEMORY_VERSION


def earlier_jobs(db: Connection, doc_hash: bytes, most: int) -> list[EarlierJob]:
    """The last so many jobs that are not this one, the latest first."""
    sql = (
        "SELECT doc_hash, columns, provider, MAX(run) FROM runs WHERE doc_hash != ? GROUP BY doc_hash "
        "ORDER BY MAX(run) DESC LIMIT ?"
    )
    found = db.execute(sql, (doc_hash, most))
    return [EarlierJob(one, columns, provider == SANDBOX) for one, columns, provider, _ in found]


def rehearsed_jobs(db: Connection) -> set[bytes]:
    """The outcome salts of jobs that ran in the sandbox, where answers are free and made by rules."""
    if not remembers(db):
        return set()
    return {doc_hash for (doc_hash,) in db.execute("SELECT doc_hash FROM runs WHERE provider = ?", (SANDBOX,))}


def salts_of(db: Connection, runs: Sequence[int]) -> list[bytes]:
    """The outcome salts of these runs, each once."""
    marks = ", ".join("?" * len(runs))
    found = db.execute(f"SELECT DISTINCT doc_hash FROM runs WHERE run IN ({marks})", tuple(runs))  # noqa: S608 (question marks)
    return [doc_hash for (doc_hash,) in found]


def salts(db: Connection) -> dict[int, bytes]:
    """Run → its outcome salt, of all that are on record."""
    return dict(db.execute("SELECT run, doc_hash FROM runs"))


def agreed_key(doc_hash: bytes) -> str:
    """Under which a ledger remembers that all rows have been run under a job, or were agreed to be."""
    return f"agreed:{doc_hash.hex()}"


EARLIER = (  # of a row `r` with an outcome `o` or none
    "CASE WHEN o.doc IS NULL AND r.doc IS NOT NULL "
    "THEN COALESCE((SELECT good FROM seen WHERE name = r.id), r.earlier) END"
)


_TWINS = (  # contents that several rows have, with what all of these cost in a run
    "SELECT p.doc AS doc, COALESCE(SUM(c.cost_units), 0) AS units FROM rows p "
    "LEFT JOIN (SELECT row, SUM(cost_units) AS cost_units FROM {calls} WHERE run = {run:d} GROUP BY row) c "
    "ON c.row = p.row "
    "WHERE p.doc IN ({shared}) GROUP BY p.doc"
)
_SHARED = "SELECT doc FROM rows WHERE doc IS NOT NULL GROUP BY doc HAVING COUNT(*) > 1"
_BEFORE = "COALESCE((SELECT units + inherited FROM spent WHERE doc = r.doc), 0)"


def rows_to_publish(db: Connection, run: int) -> Iterator[tuple[Any, ...]]:
    """(row, id, problem, document, *OUTCOME_COLUMNS, *BESIDE, before_units, shared_units, previous), in order.

    `before_units`: what the row's content has cost in the runs before. `shared_units`: where other rows have the same
    content, what it has cost all of them in this run; else None. `previous`: of a row without an outcome, the content
    that may have a good one: what its id had before, else its own under an earlier job.
    """
    names = ", ".join(f"o.{name}" for name in OUTCOME_COLUMNS)
    shared, join = _shared(db, run)
    file, beside = "r.document" if knows_files(db) else "NULL", beside_outcomes(db, "o.")
    return db.execute(
        f"SELECT r.row, r.id, r.problem, {file}, {names}, {beside}, {_BEFORE}, {shared}, {EARLIER} "  # noqa: S608 (own names)
        f"FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc {join} ORDER BY r.row"
    )


def row_totals(db: Connection, run: int) -> Iterator[tuple[int, int, bytes | None]]:
    """(row, what its content has cost in all runs, `previous` as of `rows_to_publish`) of all rows, in order."""
    shared, join = _shared(db, run)
    return db.execute(
        f"SELECT r.row, {_BEFORE} + COALESCE({shared}, c.units, 0), {EARLIER} "  # noqa: S608 (own names)
        f"FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc {join} LEFT JOIN "
        f"(SELECT row, SUM(cost_units) AS units FROM {by_row(db)} WHERE run = {run:d} GROUP BY row) c ON c.row = r.row "
        "ORDER BY r.row"
    )


def _shared(db: Connection, run: int) -> tuple[str, str]:
    """A column, and what is to be joined for it: nothing where all contents differ."""
    if db.execute(f"{_SHARED} LIMIT 1").fetchone() is None:
        return "NULL", ""
    return "t.units", f"LEFT JOIN ({_TWINS.format(run=run, shared=_SHARED, calls=by_row(db))}) t ON t.doc = r.doc"


def good_outcome(db: Connection, doc: bytes) -> tuple[Any, ...] | None:
    """OUTCOME_COLUMNS and BESIDE of this content's outcome, where it is good; a rehearsal's is to rehearsals alone."""
    names = ", ".join((*(f"o.{name}" for name in OUTCOME_COLUMNS), beside_outcomes(db, "o.")))
    found: tuple[Any, ...] | None = db.execute(
        f"SELECT {names} FROM outcomes o JOIN runs USING (run) WHERE o.doc = ? AND o.status = 'ok' AND ("  # noqa: S608 (own names)
        "runs.provider IS NOT ? OR (SELECT provider FROM runs ORDER BY run DESC LIMIT 1) = runs.provider)",
        (doc, SANDBOX),
    ).fetchone()
    return found


def spent_before(db: Connection, doc: bytes) -> int:
    """What a content has cost in the runs before the last, in 1e-10 USD."""
    found = db.execute("SELECT units + inherited FROM spent WHERE doc = ?", (doc,)).fetchone()
    return found[0] if found else 0


def session_days(db: Connection) -> dict[int, str]:
    """The day (UTC) that each session began on."""
    found = db.execute("SELECT session, started_us FROM sessions")
    return {session: datetime.fromtimestamp(us / 1e6, UTC).date().isoformat() for session, us in found}


def calls_of_row(db: Connection, run: int, row: int, row_id: str, doc: bytes | None) -> Iterator[tuple[Any, ...]]:
    """(when the run began, in microseconds, pages, *CALL_COLUMNS) of a row's calls in every run, in order.

    Of earlier runs those of its id, where rows have ids, and those that its content's outcome was made of.
    """
    names = ", ".join(f"c.{name}" for name in CALL_COLUMNS)
    column = _id_column(db, run) if remembers(db) else None
    named = _look_named(db) if column is None else bool(column)
    same = "COALESCE(runs.id_column, ?) = ?" if column else "? IS ?"  # an id of another column may name another row
    pages = "c.pages" if knows_files(db) else "NULL"
    return db.execute(
        f"SELECT runs.started_us, {pages}, {names} FROM {by_row(db)} c JOIN runs USING (run) "  # noqa: S608 (own names)
        f"WHERE (c.run = ? AND c.row = ?) OR (c.run != ? AND ? AND c.id = ? AND {same}) OR EXISTS "
        "(SELECT 1 FROM outcomes o WHERE o.doc = ? AND o.run = c.run AND o.row = c.row) ORDER BY c.call",
        (run, row, run, named, row_id, column, column, doc),
    )
