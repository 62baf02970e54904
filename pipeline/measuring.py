"""The input as an estimate needs it: rows, duplicates, chunks and exact token counts, in one pass and offline."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from pipeline import planning
from pipeline.chunking import chunk
from pipeline.estimating import Counts, History
from pipeline.ledger import FILE, connect, ends
from pipeline.preparing import Prepared
from pipeline.work import Chunk, Purpose, Request, Row

BATCH_ROWS = 512
ENOUGH = 10  # answers on record from which to speak of the rest


@dataclass(slots=True)
class _Sums:
    rows: int = 0
    bad_rows: int = 0
    done_rows: int = 0
    duplicate_rows: int = 0
    requests: int = 0
    chunks: int = 0
    input_tokens: int = 0
    document_tokens: int = 0
    free_requests: int = 0
    free_output_tokens: int = 0


def measure(prepared: Prepared, *, failed_only: bool = False) -> Counts:
    """Count what is still to be sent; rows with an outcome in the output folder's ledger cost nothing more."""
    sums = _Sums()
    plan = prepared.plan
    for row, pieces in _work(prepared, sums, failed_only=failed_only):
        for piece in pieces:
            request = planning.extract_request(plan, row, piece)
            sums.requests += 1
            sums.chunks += 1
            sums.input_tokens += request.input_tokens
            sums.document_tokens += piece.tokens
            if plan.two_step:  # the reading is about as long as what was read, and is what the second step reads
                _count_free(sums, request.input_tokens, min(piece.tokens, plan.max_output_tokens))
            if plan.summary_tokens and piece is not pieces[-1]:
                _count_free(sums, piece.tokens + plan.summary_tokens, plan.summary_tokens // 2)
                sums.input_tokens += plan.summary_tokens // 2
    return Counts(
        rows=sums.rows,
        bad_rows=sums.bad_rows,
        done_rows=sums.done_rows,
        duplicate_rows=sums.duplicate_rows,
        requests=sums.requests,
        chunks=sums.chunks,
        input_tokens=sums.input_tokens,
        document_tokens=sums.document_tokens,
        fixed_tokens_per_request=plan.fixed_tokens,
        free_requests=sums.free_requests,
        free_output_tokens=sums.free_output_tokens,
    )


def requests_to_send(prepared: Prepared) -> Iterator[Request]:
    """The first request of every chunk that has no outcome yet."""
    for row, pieces in _work(prepared, _Sums(), failed_only=False):
        for piece in pieces:
            yield planning.extract_request(prepared.plan, row, piece)


def _count_free(sums: _Sums, input_tokens: int, output_tokens: int) -> None:
    sums.free_requests += 1
    sums.input_tokens += input_tokens
    sums.free_output_tokens += output_tokens


def _work(prepared: Prepared, sums: _Sums, *, failed_only: bool) -> Iterator[tuple[Row, Sequence[Chunk]]]:
    """The rows that are to be sent, with their chunks counted token by token."""
    plan, ledger = prepared.plan, Path(prepared.job.output.path) / FILE
    with ExitStack() as opened:
        seen = opened.enter_context(closing(sqlite3.connect("", check_same_thread=False)))  # on disk: memory is flat
        seen.execute("CREATE TABLE docs (doc BLOB PRIMARY KEY) WITHOUT ROWID")
        done = opened.enter_context(closing(connect(ledger, read_only=True))) if ledger.exists() else None
        for rows in prepared.source.batches(BATCH_ROWS):
            for row in _to_send(prepared, rows, sums, seen, done, failed_only=failed_only):
                yield row, chunk(row.text, prepared.counter, plan.chunk_tokens, plan.overlap_tokens, exact=True)


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
