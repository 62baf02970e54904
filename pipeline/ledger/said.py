"""What models said for rows, and why rows failed: the words that a ledger keeps, for people."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.codes import ErrorCode
from pipeline.ledger.files import Connection
from pipeline.ledger.schema import ANSWERS_LINKED
from pipeline.ledger.shares import by_row

_ANSWERS = """
    WITH wanted AS (SELECT row, doc FROM rows WHERE row IN ({marks})),
    asked AS (
        SELECT row, (SELECT MAX(run) FROM runs) AS run, row AS payer FROM wanted
        UNION SELECT w.row, (SELECT MAX(run) FROM runs), t.row FROM wanted w JOIN rows t ON t.doc = w.doc
        UNION SELECT w.row, o.run, o.row FROM wanted w JOIN outcomes o ON o.doc = w.doc
    )
    SELECT k.row, c.request_id, c.chunk, c.purpose, CASE WHEN a.session = c.session THEN a.text END, a.stop
    FROM asked k JOIN {calls} c ON c.run = k.run AND c.row = k.payer
    JOIN answers a ON a.key = c.answer ORDER BY k.row, c.call
"""
_FAILED = """
    SELECT r.row, r.id, CASE WHEN r.problem IS NULL THEN o.error_code ELSE ? END, COALESCE(r.problem, o.error, '')
    FROM rows r LEFT JOIN outcomes o ON o.doc = r.doc
    WHERE r.problem IS NOT NULL OR o.status = 'failed' ORDER BY r.row
"""


class Said(Struct, frozen=True):
    """One call's answer to a chunk of a row. `text` is None where a later answer to the same question replaced it."""

    row: int
    request_id: str
    chunk: int
    purpose: str
    text: str | None
    stop: str


class FailedRow(Struct, frozen=True):
    row: int
    id: str
    error_code: str
    error: str


def linked(db: Connection, schema: str = "main") -> bool:
    """Whether calls name their answers: those of ledgers from before do not."""
    return bool(db.execute(f"PRAGMA {schema}.user_version").fetchone()[0] >= ANSWERS_LINKED)


def answers_of(db: Connection, rows: Sequence[int]) -> Iterator[Said]:
    """The answers behind these rows of the current run, in the order they came; none in a ledger from before.

    Of rows with equal content one was asked for; its answers are those of all.
    """
    if linked(db):
        sql = _ANSWERS.format(marks=", ".join("?" * len(rows)), calls=by_row(db))
        yield from (Said(*values) for values in db.execute(sql, rows))


def failed_rows(db: Connection) -> Iterator[FailedRow]:
    """The current run's rows that failed, in order; those that cannot be used among them."""
    return (FailedRow(*values) for values in db.execute(_FAILED, (str(ErrorCode.BAD_ROW),)))
