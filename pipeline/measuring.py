"""The input as an estimate needs it: rows, duplicates, chunks and exact token counts, in one pass and offline."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from pipeline import planning
from pipeline.chunking import chunk
from pipeline.estimating import Counts, History
from pipeline.ledger import FILE, connect, ends
from pipeline.preparing import Prepared
from pipeline.work import Purpose, Row

BATCH_ROWS = 512
ENOUGH = 10  # answers on record from which to speak of the rest


@dataclass(slots=True)
class _Sums:
    rows: int = 0
    bad_rows: int = 0
    done_rows: int = 0
    duplicate_rows: int = 0
    requests: int = 0
    input_tokens: int = 0
    document_tokens: int = 0


def measure(prepared: Prepared, *, failed_only: bool = False) -> Counts:
    """Count what is still to be sent; rows with an outcome in the output folder's ledger cost nothing more."""
    sums = _Sums()
    ledger = Path(prepared.job.output.path) / FILE
    with closing(sqlite3.connect("")) as seen:  # a private file: memory does not grow with the rows
        seen.execute("CREATE TABLE docs (doc BLOB PRIMARY KEY) WITHOUT ROWID")
        if ledger.exists():
            with closing(connect(ledger, read_only=True)) as done:
                _count_all(prepared, sums, seen, done, failed_only=failed_only)
        else:
            _count_all(prepared, sums, seen, None, failed_only=failed_only)
    return Counts(
        rows=sums.rows,
        bad_rows=sums.bad_rows,
        done_rows=sums.done_rows,
        duplicate_rows=sums.duplicate_rows,
        requests=sums.requests,
        chunks=sums.requests,
        input_tokens=sums.input_tokens,
        document_tokens=sums.document_tokens,
        fixed_tokens_per_request=prepared.plan.fixed_tokens,
    )


def _count_all(
    prepared: Prepared, sums: _Sums, seen: sqlite3.Connection, done: sqlite3.Connection | None, *, failed_only: bool
) -> None:
    for rows in prepared.source.batches(BATCH_ROWS):
        for row in _to_send(prepared, rows, sums, seen, done, failed_only=failed_only):
            for piece in chunk(
                row.text, prepared.counter, prepared.plan.chunk_tokens, prepared.plan.overlap_tokens, exact=True
            ):
                request = planning.extract_request(prepared.plan, row, piece)
                sums.requests += 1
                sums.input_tokens += request.input_tokens
                sums.document_tokens += piece.tokens


def _to_send(
    prepared: Prepared,
    rows: Sequence[Row],
    sums: _Sums,
    seen: sqlite3.Connection,
    done: sqlite3.Connection | None,
    *,
    failed_only: bool,
) -> Iterator[Row]:
    docs = [None if row.problem else planning.doc_key(prepared.plan, row) for row in rows]
    ended = ends(done, [doc for doc in docs if doc is not None]) if done is not None else {}
    for row, doc in zip(rows, docs, strict=True):
        sums.rows += 1
        if doc is None:
            sums.bad_rows += 1
            continue
        end = ended.get(doc)
        wanted = (end is not None and end.status == "failed") if failed_only else end is None
        if not wanted:
            sums.done_rows += 1
        elif seen.execute("INSERT OR IGNORE INTO docs VALUES (?)", (doc,)).rowcount == 0:
            sums.duplicate_rows += 1
        else:
            yield row


def history(prepared: Prepared) -> History | None:
    """Output tokens of answers already on record for this very question form, when there are enough to speak of."""
    ledger = Path(prepared.job.output.path) / FILE
    if not ledger.exists():
        return None
    sql = (
        "SELECT c.purpose, c.output_tokens, c.latency_ms FROM calls c JOIN runs USING (run) "
        "WHERE runs.request_hash = ? AND c.http_status = 200 AND c.output_tokens > 0 ORDER BY c.call DESC LIMIT 4000"
    )
    with closing(connect(ledger, read_only=True)) as db:
        found = db.execute(sql, (prepared.plan.request_hash,)).fetchall()
    first = [(tokens, latency) for purpose, tokens, latency in found if purpose == Purpose.EXTRACT]
    if len(first) < ENOUGH:
        return None
    latencies = sorted(latency for _, latency in first if latency is not None)
    return History(
        requests=len(first),
        output_tokens_mean=fmean(tokens for tokens, _ in first),
        output_tokens_stdev=stdev(tokens for tokens, _ in first),
        repair_share=(len(found) - len(first)) / len(first),
        latency_s=latencies[len(latencies) // 2] / 1000 if latencies else None,
    )
