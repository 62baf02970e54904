"""Questions to a ledger that need no session: how contents ended, what is damaged, which job was last."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.ledger.files import connect
from pipeline.ledger.records import ANSWER_COLUMNS, CALL_COLUMNS, OUTCOME_COLUMNS
from pipeline.ledger.schema import checksum_of

CHECKED = {"outcomes": OUTCOME_COLUMNS, "answers": ANSWER_COLUMNS, "calls": CALL_COLUMNS}
LAST_RUN = "SELECT run, request_hash, doc_hash, input_fingerprint FROM runs ORDER BY run DESC LIMIT 1"


class End(Struct, frozen=True):
    """How a content ended, in short."""

    status: str
    session: int
    error_code: str | None


def ends(db: sqlite3.Connection, docs: Sequence[bytes]) -> dict[bytes, End]:
    """Of these contents, those that have an outcome."""
    marks = ", ".join("?" * len(docs))
    sql = f"SELECT doc, status, session, error_code FROM outcomes WHERE doc IN ({marks})"  # noqa: S608 (question marks)
    return {doc: End(*rest) for doc, *rest in db.execute(sql, docs)}


def last_hashes(path: Path) -> tuple[bytes, bytes] | None:
    """(request_hash, doc_hash) of the last run in a ledger; None where there is none, or the ledger cannot be read."""
    if not path.exists():
        return None
    try:
        with closing(connect(path, read_only=True)) as db:
            last = db.execute(LAST_RUN).fetchone()
    except sqlite3.Error:
        return None  # the run itself says what is wrong with it
    return None if last is None else (last[1], last[2])


def damaged(db: sqlite3.Connection) -> Iterator[tuple[str, Any]]:
    """(table, first column) of every record whose checksum is not its own."""
    crc_of = checksum_of(db)
    for table, columns in CHECKED.items():
        for *values, found in db.execute(f"SELECT {', '.join(columns)}, crc FROM {table}"):  # noqa: S608 (own names)
            if crc_of(*values) != found:
                yield table, values[0]
