"""Questions about all calls of a run: their sums, chunk by chunk, one by one, those of unknown fate. As `queries`."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from pipeline.columns import TOKENS
from pipeline.ledger.files import Connection
from pipeline.ledger.records import CALL_COLUMNS
from pipeline.ledger.schema import knows_batches, knows_models
from pipeline.ledger.shares import by_row
from pipeline.types import Usage


class CallSums(Struct, frozen=True):
    """Over all attempts of a run; `repairs` counts each question once."""

    calls: int
    rate_limited: int
    repairs: int
    cost_units: int
    usage: Usage


def call_sums(db: Connection, run: int) -> CallSums:
    amounts = (
        "COALESCE(error_code = 'rate_limited', 0) OR http_status = 429",
        "purpose = 'repair' AND attempt = 1",
        "cost_units",
        *TOKENS,
    )
    sums = _listed("COALESCE(SUM({}), 0)", amounts)
    calls, limited, repairs, units, *tokens = db.execute(
        f"SELECT COUNT(*), {sums} FROM calls WHERE run = ?",  # noqa: S608 (own names)
        (run,),
    ).fetchone()
    return CallSums(calls, limited, repairs, units, Usage(*tokens))


def calls_of_run(db: Connection, run: int, batch: int) -> Iterator[list[tuple[Any, ...]]]:
    """(*CALL_COLUMNS, asked, batch_id) of the run's calls, in order, so many at once; of rows that the input still has.

    `asked`: NAME of the model that was; None is the job's [model].
    `batch_id`: the provider's name of the batch that a call was a line of; None of a live call.
    """
    batch_id, join, asked = "NULL", "", "c.model" if knows_models(db) else "NULL"
    if knows_batches(db):
        batch_id, join = "b.remote_id", "LEFT JOIN batches b ON b.batch = c.batch"
    cursor = db.execute(
        f"SELECT {_listed('c.{}', CALL_COLUMNS)}, {asked}, {batch_id} FROM calls c {join} WHERE c.run = ? "  # noqa: S608 (own names)
        "AND c.row <= (SELECT MAX(row) FROM rows) ORDER BY c.call",
        (run,),
    )
    while fetched := cursor.fetchmany(batch):
        yield fetched


def used_by_chunks(db: Connection, run: int) -> Iterator[tuple[int, ...]]:
    """(row, chunk, attempts, calls, *TOKENS, cost_units) of the run's attempts at each chunk, by row and chunk.

    `calls`: the same, but that one about several rows counts at the first of them.
    """
    return db.execute(
        f"SELECT row, chunk, COUNT(*), SUM(counted), {_listed('SUM({})')}, SUM(COALESCE(cost_units, 0)) "  # noqa: S608 (own names)
        f"FROM {by_row(db)} WHERE run = ? "
        "GROUP BY row, chunk ORDER BY row, chunk",
        (run,),
    )


def calls_at_risk(db: Connection) -> tuple[int, int]:
    """(calls, at_risk_units) of the last run's calls whose fate is not known."""
    count, units = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(at_risk_units), 0) FROM calls "
        "WHERE at_risk_units > 0 AND run = (SELECT MAX(run) FROM runs)"
    ).fetchone()
    return count, units


def _listed(form: str, names: Iterable[str] = TOKENS) -> str:
    return ", ".join(form.format(name) for name in names)
