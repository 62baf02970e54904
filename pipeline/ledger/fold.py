"""Two ledgers of one output, after another machine went on from a snapshot: what only one of them paid for is kept.

Answers are found by content hash, so that those of the other ledger are as good here. Its calls are money: they go on
the books of the run they belong to, where this ledger has the same run. Outcomes are worked out again, for free.
"""

from contextlib import closing
from pathlib import Path

from msgspec import Struct

from pipeline.ledger.files import Connection, connect, unreadable
from pipeline.ledger.records import ANSWER_COLUMNS, CALL_COLUMNS, LINK_COLUMNS, SEND_COLUMNS, SHARE_COLUMNS
from pipeline.ledger.said import linked
from pipeline.ledger.schema import SHARES_KNOWN

_SAME_RUNS = (
    "SELECT a.run FROM other.runs a JOIN main.runs b ON a.run = b.run AND a.request_hash = b.request_hash "
    "AND a.doc_hash = b.doc_hash AND a.input_fingerprint = b.input_fingerprint"
)


_SHARES = (
    "INSERT OR {verb} INTO main.shares ({names}) SELECT {names} FROM other.shares "
    "WHERE request_id IN (SELECT request_id FROM {whose})"
)


class Folded(Struct, frozen=True):
    """What the other ledger had and this one had not."""

    answers: int
    calls: int
    units: int  # what those calls cost, in 1e-10 USD


def fold_in(other: Path, into: Path) -> Folded:
    """Add to `into` what only `other` has. One transaction.

    Raises:
        LedgerUnreadable: one of them cannot be read; nothing was changed.
    """
    with unreadable(into), closing(connect(into)) as db:
        db.execute("ATTACH DATABASE ? AS other", (str(other),))
        db.execute("BEGIN IMMEDIATE")
        try:
            folded = _fold(db)
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return folded


def _fold(db: Connection) -> Folded:
    new = f"request_id NOT IN (SELECT request_id FROM main.calls) AND run IN ({_SAME_RUNS})"  # noqa: S608 (own names)
    (units,) = db.execute(f"SELECT COALESCE(SUM(cost_units), 0) FROM other.calls WHERE {new}").fetchone()  # noqa: S608 (own names)
    link = LINK_COLUMNS if linked(db) and linked(db, "other") else ()
    calls, answers, sends = (
        ", ".join(columns) for columns in ((*CALL_COLUMNS, "crc", *link), (*ANSWER_COLUMNS, "crc"), SEND_COLUMNS)
    )
    # A call that was in flight at the snapshot, and was answered after it, is no longer lost.
    db.execute("DELETE FROM main.sends WHERE request_id IN (SELECT request_id FROM other.calls)")
    known = "request_id IN (SELECT request_id FROM other.calls)"
    db.execute(f"DELETE FROM main.calls WHERE error_code = 'lost' AND {known}")  # noqa: S608 (own names)
    if _shares(db) and _shares(db, "other"):
        shares = ", ".join((*SHARE_COLUMNS, "crc", "answer"))
        for verb, whose in (("REPLACE", f"other.calls WHERE {new}"), ("IGNORE", "other.sends")):
            db.execute(_SHARES.format(verb=verb, names=shares, whose=whose))
    made = db.execute(f"INSERT INTO main.calls ({calls}) SELECT {calls} FROM other.calls WHERE {new}").rowcount  # noqa: S608 (own names)
    found = db.execute(
        f"INSERT OR IGNORE INTO main.answers ({answers}) SELECT {answers} FROM other.answers"  # noqa: S608 (own names)
    ).rowcount
    db.execute(
        f"INSERT OR IGNORE INTO main.sends ({sends}) SELECT {sends} FROM other.sends "  # noqa: S608 (own names)
        "WHERE request_id NOT IN (SELECT request_id FROM main.calls)"
    )
    return Folded(found, made, units)


def _shares(db: Connection, schema: str = "main") -> bool:
    """Whether the file is of a format in which a call may be about several rows."""
    return bool(db.execute(f"PRAGMA {schema}.user_version").fetchone()[0] >= SHARES_KNOWN)
