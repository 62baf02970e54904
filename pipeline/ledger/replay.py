"""A ledger brought on by its log: each commit at its own place, or not at all."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.ledger import queries
from pipeline.ledger.commit_log import KEY, Frame
from pipeline.ledger.files import Connection, connect, unreadable
from pipeline.ledger.log_chain import START, Position, position_of

_ALLOWED = {
    sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION,
}  # fmt: skip


def position(path: Path) -> Position:
    """Where the ledger at `path` stands.

    Raises:
        LedgerUnreadable: it is damaged.
    """
    with unreadable(path), closing(connect(path, read_only=True)) as db:
        return position_in(db)


def position_in(db: Connection) -> Position:
    return position_of(queries.remembered(db, KEY)) if queries.has_table(db, "remembered") else START


def replay(path: Path, frames: Sequence[Frame]) -> None:
    """Bring a ledger on by these commits, in one transaction; those that it has are passed over.

    Raises:
        LedgerUnreadable: they do not go on from where it stands, or do not fit it; nothing was changed.
    """
    with unreadable(path), closing(connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.set_authorizer(_only_rows)  # a log may change rows of the ledger, and do nothing else
        try:
            _replay(db, frames)
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _replay(db: Connection, frames: Sequence[Frame]) -> None:
    at = position_in(db)
    for frame in frames:
        if frame.upto <= at:
            continue
        if frame.after != at:
            raise sqlite3.DatabaseError(f"the commit after {frame.after} does not go on from {at}")
        for sql, rows in frame.statements:
            db.executemany(sql, rows)
        at = frame.upto
        if position_in(db) != at:
            raise sqlite3.DatabaseError(f"the commit after {frame.after} did not lead to {at}")


def _only_rows(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
