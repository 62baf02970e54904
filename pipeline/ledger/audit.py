"""What `verify` asks of a ledger's tables: whether every record is whole, and what the published files are to say."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from pipeline.ledger import nights
from pipeline.ledger.files import Connection
from pipeline.ledger.records import ANSWER_COLUMNS, CALL_COLUMNS, OUTCOME_COLUMNS, SHARE_COLUMNS
from pipeline.ledger.schema import beside_outcomes, checksum_of, knows_files, knows_models
from pipeline.ledger.shares import has_shares

CHECKED = {"outcomes": OUTCOME_COLUMNS, "answers": ANSWER_COLUMNS, "calls": CALL_COLUMNS, "shares": SHARE_COLUMNS}


def damaged(db: Connection) -> Iterator[tuple[str, Any]]:
    """(table, first column) of every record whose checksum is not its own."""
    crc_of = checksum_of(db)
    for table, columns in CHECKED.items():
        if table == "shares" and not has_shares(db):
            continue
        for *values, found in db.execute(f"SELECT {', '.join(columns)}, crc FROM {table}"):  # noqa: S608 (own names)
            if crc_of(*values) != found:
                yield table, values[0]


def row_ends(db: Connection) -> Iterator[tuple[str, bool, str | None, str | None]]:
    """(id, whether it cannot be used, status, error_code) of all rows, in order."""
    return db.execute(
        "SELECT r.id, r.problem IS NOT NULL, o.status, o.error_code FROM rows r "
        "LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row"
    )


def row_records(db: Connection) -> Iterator[tuple[int, list[str]]]:
    """(row, its records as JSON texts) of all rows that are ok, or have an earlier record, in order."""
    earlier = nights.EARLIER if nights.remembers(db) else "NULL"
    sql = (
        f"SELECT r.row, COALESCE(o.records, p.records) FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc "  # noqa: S608 (own words)
        f"LEFT JOIN outcomes p ON p.doc = {earlier} AND p.status = 'ok' "
        "WHERE o.status = 'ok' OR p.status = 'ok' ORDER BY r.row"
    )
    return ((row, json.loads(text)) for row, text in db.execute(sql))


def row_totals(db: Connection) -> Iterator[tuple[int, int, int]]:
    """(row, what its content cost in all runs, what that of its earlier record cost) of all rows, in 1e-10 USD."""
    (run,) = db.execute("SELECT MAX(run) FROM runs").fetchone()
    for row, units, earlier in nights.row_totals(db, run):
        yield row, units, 0 if earlier is None else nights.spent_before(db, earlier)


def call_twice(db: Connection) -> str | None:
    """The id of a call that stands twice, if any does."""
    twice = db.execute("SELECT request_id FROM calls GROUP BY request_id HAVING COUNT(*) > 1 LIMIT 1").fetchone()
    return twice[0] if twice else None


def last_calls(db: Connection, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """(*columns, cost_units) of the last run's calls, in order; only those of rows that the input still has."""
    return db.execute(
        f"SELECT {', '.join(columns)}, cost_units FROM calls WHERE run = (SELECT MAX(run) FROM runs) "  # noqa: S608 (own names)
        "AND row <= (SELECT MAX(row) FROM rows) ORDER BY call"
    )


def has_files(db: Connection) -> bool:
    """Whether of some row it is known which file it is."""
    if not knows_files(db):
        return False
    (found,) = db.execute("SELECT EXISTS (SELECT 1 FROM rows WHERE document IS NOT NULL)").fetchone()
    return bool(found)


def row_files(db: Connection) -> Iterator[tuple[int, str | None, str | None]]:
    """(row, what is known of its file, fields that its XML contradicts), both as JSON, of all rows, in order."""
    return db.execute(
        "SELECT r.row, r.document, o.xml_conflicts FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row"
    )


def row_evidence(db: Connection) -> Iterator[tuple[int, bytes | None]]:
    """(row, evidence as it is kept) of all rows, in order."""
    beside = beside_outcomes(db, "o.").split(", ")[1]
    return db.execute(f"SELECT r.row, {beside} FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row")  # noqa: S608 (own names)


def asked_models(db: Connection) -> Iterator[str]:
    """NAME of the model that was asked, "" for the job's [model], of the last run's calls, in order."""
    found = db.execute(
        f"SELECT {'model' if knows_models(db) else 'NULL'} FROM calls WHERE run = (SELECT MAX(run) FROM runs) "  # noqa: S608 (own names)
        "AND row <= (SELECT MAX(row) FROM rows) ORDER BY call"
    )
    return (name or "" for (name,) in found)


def row_chunks(db: Connection) -> Iterator[tuple[int, int, int, list[int] | None]]:
    """(row, chunks asked about, chunks left out, the number of each record's) of all rows, in order."""
    skipped, numbers = beside_outcomes(db, "o.").split(", ")[-2:]
    sql = (
        f"SELECT r.row, COALESCE(o.chunks, 0), COALESCE({skipped}, 0), {numbers} "  # noqa: S608 (own names)
        "FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc ORDER BY r.row"
    )
    for row, asked, left_out, told in db.execute(sql):
        yield row, asked, left_out, None if told is None else json.loads(told)


def page_calls(db: Connection) -> Iterator[tuple[str, int, str, str | None]]:
    """(request id, row, pages, what is known of the row's file, as JSON) of the last run's calls that carried some."""
    if not knows_files(db):
        return iter(())
    return db.execute(
        "SELECT c.request_id, c.row, c.pages, r.document FROM calls c LEFT JOIN rows r ON r.row = c.row "
        "WHERE c.run = (SELECT MAX(run) FROM runs) AND c.row <= (SELECT MAX(row) FROM rows) AND c.pages IS NOT NULL "
        "ORDER BY c.call"
    )


class LastSession(Struct, frozen=True):
    """How the last session ended, if it did, and what the last run was of."""

    state: str
    reason: str | None
    in_flight: int
    input_fingerprint: str


def last_session(db: Connection) -> LastSession:
    state, reason = db.execute("SELECT state, reason FROM sessions ORDER BY session DESC LIMIT 1").fetchone() or (
        "running",
        None,
    )
    flying = db.execute("SELECT COUNT(*) FROM sends").fetchone()[0]
    (prints,) = db.execute("SELECT input_fingerprint FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    return LastSession(state, reason, flying, prints)
