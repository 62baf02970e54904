"""Ledger + input → results.parquet, calls.parquet and run.json: views, made anew and published atomically.

One pass in input order, in batches: memory does not grow with the number of rows.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from msgspec.structs import asdict

from pipeline.job.folder import CALLS, RESULTS, UNFINISHED
from pipeline.ledger import queries, run_calls
from pipeline.ledger.files import reading
from pipeline.ledger.shares import pack_sums
from pipeline.output.calls import call_batches, calls_schema
from pipeline.output.files import write_json, write_parquet
from pipeline.output.layout import OutputTotals, View
from pipeline.output.rows import result_batches, results_schema

__all__ = ["OutputTotals", "View", "publish", "write_json"]


def publish(
    folder: Path, ledger: Path, run: int, view: View, kept: Iterator[pa.RecordBatch], session: int = 0
) -> OutputTotals:
    """Write both Parquet files of `run` and return their sums. `kept` runs over the input's rows in order."""
    totals = OutputTotals(session=session)
    for orphan in folder.glob(f"*{UNFINISHED}"):
        if not orphan.is_dir():
            orphan.unlink()
    with reading(ledger, snapshot=True) as db:
        batches = result_batches(db, run, view, kept, totals)
        write_parquet(folder / RESULTS, results_schema(view), batches)
        write_parquet(folder / CALLS, calls_schema(view), call_batches(db, run, view, totals))
        if view.packs:
            totals.packs = asdict(pack_sums(db, run))
    return totals


def counted(ledger: Path, run: int, rows: int) -> OutputTotals:
    """The same sums from the ledger alone, as far as run.json needs them, where nothing can be written.

    Raises:
        LedgerUnreadable: it cannot be read.
    """
    with reading(ledger, snapshot=True) as db:
        ends, calls = queries.rows_by_end(db), run_calls.call_sums(db, run)
    done = ends.ok + ends.failed.total()
    return OutputTotals(
        total=max(rows, done),
        ok=ends.ok,
        failed=ends.failed.total(),
        pending=max(rows, done) - done,
        failed_by_code=ends.failed,
        tokens=Counter(asdict(calls.usage)),
        usd_units=calls.cost_units,
        calls=calls.calls,
        rate_limited=calls.rate_limited,
        repairs=calls.repairs,
    )
