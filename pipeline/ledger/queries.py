"""Every question to a ledger's tables, but for those of `verify` (`audit`) and of all calls of a run (`run_calls`).

None needs a session. `db` is what `files.reading` gives. What may be many comes as an iterator: one record at a time,
in the order it says.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.codes import ErrorCode, Status
from pipeline.columns import TOKENS
from pipeline.errors import LedgerUnreadable
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.records import (
    ANSWER_COLUMNS,
    OUTCOME_COLUMNS,
    SEND_COLUMNS,
    RowEntry,
    Send,
    document_from,
    outcome_from,
)
from pipeline.ledger.schema import beside_outcomes, knows_files
from pipeline.ledger.shares import by_row, has_shares
from pipeline.types import Outcome, Usage

LEAST_ANSWERED, MOST_ANSWERED = 10, 4000  # calls from which to speak of the rest
_ANSWER = f"SELECT {', '.join((*ANSWER_COLUMNS, 'crc'))} FROM answers WHERE key = ?"  # noqa: S608 (own names)

REMEMBER = "INSERT OR REPLACE INTO remembered VALUES (?, ?)"

LastRun = tuple[int, bytes, bytes, str]  # run, request_hash, doc_hash, input_fingerprint

# ── runs and sessions ───────────────────────────────────────────────────────────────────────────────────────────────


def last_run(db: Connection) -> LastRun | None:
    sql = "SELECT run, request_hash, doc_hash, input_fingerprint FROM runs ORDER BY run DESC LIMIT 1"
    found: LastRun | None = db.execute(sql).fetchone()
    return found


def last_hashes(path: Path) -> tuple[bytes, bytes] | None:
    """(request_hash, doc_hash) of the last run in a ledger; None where there is none.

    Raises:
        LedgerUnreadable: it is damaged, or out of reach.
    """
    if not path.exists():
        return None
    with reading(path) as db:
        last = last_run(db) if has_table(db, "runs") else None  # none yet, where the first run died as it began
    return None if last is None else (last[1], last[2])


def readable(path: Path) -> bool:
    """Whether there is a ledger that answers at all."""
    try:
        with reading(path) as db:
            db.execute("SELECT 1 FROM runs, outcomes, answers LIMIT 1").fetchall()
    except LedgerUnreadable:
        return False
    return True


def last_doc_hashes(db: Connection, most: int) -> list[bytes]:
    """Of the last so many different jobs, the latest first."""
    sql = "SELECT doc_hash FROM runs GROUP BY doc_hash ORDER BY MAX(run) DESC LIMIT ?"
    return [doc_hash for (doc_hash,) in db.execute(sql, (most,))]


def several_jobs(db: Connection) -> bool:
    """Whether runs were of more than one job."""
    return bool(db.execute("SELECT COUNT(DISTINCT doc_hash) > 1 FROM runs").fetchone()[0])


def last_session_work(db: Connection) -> tuple[int, int]:
    """(outcomes, cost_units) of the last session."""
    session = "(SELECT MAX(session) FROM sessions)"
    done = db.execute(f"SELECT COUNT(*) FROM outcomes WHERE session = {session}").fetchone()[0]  # noqa: S608 (own words)
    units = db.execute(f"SELECT COALESCE(SUM(cost_units), 0) FROM calls WHERE session = {session}").fetchone()[0]  # noqa: S608 (own words)
    return done, units


def remembered(db: Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM remembered WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def remember(db: Connection, key: str, value: str) -> None:
    """Keep a small fact for later runs."""
    db.execute(REMEMBER, (key, value))


def has_table(db: Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone() is not None


# ── rows and their outcomes ─────────────────────────────────────────────────────────────────────────────────────────


class ContentEnd(Struct, frozen=True):
    """How a content ended, in short."""

    status: str
    session: int
    error_code: str | None

    @property
    def of_its_file(self) -> bool:
        """Whether it says nothing of the content: its file could not be had when it was to be sent."""
        return self.error_code == ErrorCode.BAD_ROW


class RowsByEnd(Struct, frozen=True):
    """The current run's rows that came to an end; a row that cannot be used ended as `bad_row`."""

    ok: int
    failed: Counter[str]  # by error_code


def ends(db: Connection, docs: Sequence[bytes]) -> dict[bytes, ContentEnd]:
    """Of these contents, those that have an outcome."""
    marks = ", ".join("?" * len(docs))
    sql = f"SELECT doc, status, session, error_code FROM outcomes WHERE doc IN ({marks})"  # noqa: S608 (question marks)
    return {doc: ContentEnd(*rest) for doc, *rest in db.execute(sql, docs)}


def rows_by_end(db: Connection) -> RowsByEnd:
    sql = (
        "SELECT o.status, COALESCE(o.error_code, ?), COUNT(*) FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc "
        "WHERE o.doc IS NOT NULL OR r.doc IS NULL GROUP BY 1, 2"
    )
    ok, failed = 0, Counter[str]()
    for status, code, count in db.execute(sql, (str(ErrorCode.BAD_ROW),)):
        if status == Status.OK:
            ok += count
        else:
            failed[code] += count
    return RowsByEnd(ok, failed)


def rows_with_id(db: Connection, row_id: str) -> list[RowEntry]:
    document = "document" if knows_files(db) else "NULL"
    sql = f"SELECT row, id, doc, problem, tenant, {document} FROM rows WHERE id = ? ORDER BY row"  # noqa: S608 (own names)
    return [
        RowEntry(row, name, doc, problem, tenant, document=document_from(told))
        for row, name, doc, problem, tenant, told in db.execute(sql, (row_id,))
    ]


def rows_entered(db: Connection) -> int:
    """How many rows of the current run's input are entered, as far as they were read."""
    return int(db.execute("SELECT COALESCE(MAX(row) + 1, 0) FROM rows").fetchone()[0])


def first_ids(db: Connection, most: int) -> list[str]:
    return [row_id for (row_id,) in db.execute("SELECT id FROM rows ORDER BY row LIMIT ?", (most,))]


def outcome_of(db: Connection, doc: bytes | None) -> Outcome | None:
    names = ", ".join((*OUTCOME_COLUMNS, beside_outcomes(db)))
    values = db.execute(f"SELECT {names} FROM outcomes WHERE doc = ?", (doc,)).fetchone()  # noqa: S608 (own names)
    return None if values is None else outcome_from(values)


def rows_with_outcomes(db: Connection) -> Iterator[tuple[Any, ...]]:
    """(row, id, problem, *OUTCOME_COLUMNS) of all rows, in order; the outcome's are None where there is none."""
    names = ", ".join(f"o.{name}" for name in OUTCOME_COLUMNS)
    return db.execute(
        f"SELECT r.row, r.id, r.problem, {names} FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row"  # noqa: S608 (own names)
    )


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class AnsweredCall(Struct, frozen=True):
    """A call that was answered, to a chunk of a row; `doc` is the row's content, where it is one of the last run."""

    run: int
    row: int
    chunk: int
    purpose: str
    latency_ms: int | None
    doc: bytes | None
    files: bool  # whether some went along
    usage: Usage


def answer_record(db: Connection, key: bytes) -> tuple[Any, ...] | None:
    """(*ANSWER_COLUMNS, crc) of the answer to this very request."""
    found: tuple[Any, ...] | None = db.execute(_ANSWER, (key,)).fetchone()
    return found


def answer_keys(db: Connection) -> Iterator[bytes]:
    return (key for (key,) in db.execute("SELECT key FROM answers"))


def most_answers(db: Connection) -> int:
    """How many answers there are at the most, without counting them."""
    return int(db.execute("SELECT COALESCE(MAX(rowid), 0) FROM answers").fetchone()[0])


def last_answered(
    db: Connection, request_hash: bytes, most: int, *, well: bool = False, packs: bool = False
) -> list[AnsweredCall]:
    """The last so many calls that were answered under this form of question, in order; `well`: and had no error.

    About one row alone; or, with `packs`, all of the runs in which some were about several, each row's share of them.
    """
    files = "c.pages IS NOT NULL" if knows_files(db) else "0"
    used = ", ".join(f"c.{name}" for name in TOKENS)
    shared, calls = has_shares(db), by_row(db) if packs else "calls"
    alone = "AND c.request_id NOT IN (SELECT request_id FROM shares)" if shared else ""
    alone = ("AND c.run IN (SELECT run FROM shares)" if shared else "AND 0") if packs else alone
    sql = (
        f"SELECT c.run, c.row, c.chunk, c.purpose, c.latency_ms, r.doc, {files}, {used} FROM {calls} c "  # noqa: S608 (own names)
        "JOIN runs USING (run) LEFT JOIN rows r ON r.row = c.row AND c.run = (SELECT MAX(run) FROM runs) "
        f"WHERE runs.request_hash = ? AND c.http_status = 200 {'AND c.error_code IS NULL ' if well else ''}"
        f"AND c.output_tokens > 0 {alone} ORDER BY c.call DESC LIMIT ?"
    )
    found = db.execute(sql, (request_hash, most)).fetchall()
    return [
        AnsweredCall(run, row, chunk, purpose, latency_ms, doc, bool(went), Usage(*tokens))
        for run, row, chunk, purpose, latency_ms, doc, went, *tokens in reversed(found)
    ]


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_flight(db: Connection, prefix: str = "") -> list[tuple[int, Send]]:
    """(session, send) of calls whose answers nobody has recorded, and whose request ids begin so."""
    names = ", ".join(SEND_COLUMNS)
    sql = f"SELECT {names} FROM sends WHERE substr(request_id, 1, ?) = ? ORDER BY sent_us"  # noqa: S608 (own names)
    found = db.execute(sql, (len(prefix), prefix)).fetchall()
    return [(session, Send(request_id, *rest)) for request_id, session, *rest in found]


def spent_units(db: Connection, run: int) -> int:
    """What a run has cost so far, with what its calls of unknown fate may have cost at the most."""
    sql = "SELECT COALESCE(SUM(COALESCE(cost_units, 0) + at_risk_units), 0) FROM calls WHERE run = ?"
    return int(db.execute(sql, (run,)).fetchone()[0])


def in_flight_units(db: Connection) -> int:
    """What calls whose answers nobody has recorded may have cost at the most."""
    return int(db.execute("SELECT COALESCE(SUM(at_risk_units), 0) FROM sends").fetchone()[0])


def spent_units_by_tenant(db: Connection, since_us: int) -> dict[str, int]:
    """The same of each tenant since then, over all runs."""
    sql = (
        "SELECT tenant, SUM(COALESCE(cost_units, 0) + at_risk_units) FROM calls "
        "WHERE tenant IS NOT NULL AND sent_us >= ? GROUP BY tenant"
    )
    return dict(db.execute(sql, (since_us,)))


def tenants(db: Connection) -> Iterator[str]:
    """All tenants of this ledger's runs, by name."""
    sql = "SELECT tenant FROM calls WHERE tenant IS NOT NULL UNION SELECT tenant FROM rows WHERE tenant IS NOT NULL"
    return (name for (name,) in db.execute(sql))
