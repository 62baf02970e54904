"""Input → work, a batch at a time: reads, hashes, looks up what is done and cuts the rest, in a thread off the loop."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.codes import ErrorCode, Status
from pipeline.extraction.hashes import content_key
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.template import Template
from pipeline.ledger.ledger import ContentEnd, connect, ends
from pipeline.ledger.nights import EarlierJob, earlier_jobs
from pipeline.ledger.records import RowEntry
from pipeline.types import Chunk, Row

BATCH_ROWS = 128
EARLIER_JOBS = 8  # the last so many are looked at for how a row ended under them

EndsOf = Callable[[Sequence[bytes]], Mapping[bytes, ContentEnd]]


class RowTask(Struct, frozen=True):
    """One row to be done. `stale_session`: a bad answer of that session or before is what a retry is to replace."""

    row: Row
    doc: bytes
    chunks: Sequence[Chunk]
    stale_session: int = 0
    skipped: int = 0  # chunks of its document that are not asked about


class Batch(Struct):
    """Some rows of the input: all entered in the ledger, some with work to do, the others with their end known."""

    entries: list[RowEntry] = field(default_factory=list)
    todo: list[RowTask] = field(default_factory=list)
    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    left_pending: int = 0  # rows with no outcome that this command does not run
    read: int = 0  # rows of the input, with those of other shares


class Selection(Struct, frozen=True):
    """Which rows a command runs: those with no outcome, or (retry) those that failed, all or of one code."""

    failed: bool = False
    error_code: str | None = None
    only_rows: frozenset[int] | None = None  # of these, the rows at these places in the input; None: all
    from_model: str | None = None  # NAME of the model that they begin with; None: as the job says


class Share(Struct, frozen=True):
    """One of several processes that do a job together: rows of the same content fall to the same one."""

    number: int  # from 0
    of: int

    def mine(self, row: Row, doc: bytes | None) -> bool:
        return (row.index if doc is None else int.from_bytes(doc[:8], "big")) % self.of == self.number


async def feed(
    prepared: Prepared, ledger_path: Path, selection: Selection, share: Share | None = None, *, cut: bool = True
) -> AsyncIterator[Batch]:
    """All rows of the input in order, or a share of them; the next batch is made while the last is worked on.

    `cut`: each document into its chunks; else that is left to whoever is given the row.

    Raises:
        JobError: the input cannot be read to its end.
    """
    loop = asyncio.get_running_loop()
    rows = prepared.source.batches(BATCH_ROWS)
    with closing(connect(ledger_path)) as db:
        jobs = earlier_jobs(db, prepared.plan.outcome_salt, EARLIER_JOBS)
        jobs.sort(key=lambda job: job.rehearsal)  # what a model answered comes first
        plans = _earlier_plans(prepared.plan, jobs)

        def make() -> Batch | None:
            batch = next(rows, None)
            if batch is None:
                return None
            return _batch(_Reading(prepared, lambda docs: ends(db, docs), plans, cut), batch, selection, share)

        upcoming = loop.run_in_executor(None, make)
        try:
            while (batch := await upcoming) is not None:
                upcoming = loop.run_in_executor(None, make)
                yield batch
        finally:
            await asyncio.gather(upcoming, return_exceptions=True)  # what fails once nobody reads on is no news


def _earlier_plans(plan: Plan, jobs: Sequence[EarlierJob]) -> list[Plan]:
    """This plan with the hashes of earlier jobs; of a job whose prompt's columns are not kept, with today's."""
    found = []
    for job in jobs:
        columns = plan.template.other_columns if job.columns is None else tuple(json.loads(job.columns))
        template = Template(("",) * (len(columns) + 1), columns)
        found.append(replace(plan, outcome_salt=job.doc_hash, template=template))
    return found


class _Reading(Struct, frozen=True):
    """What a batch is made with."""

    prepared: Prepared
    ends_of: EndsOf
    earlier: Sequence[Plan]
    cut: bool = True


def _earlier_docs(reading: _Reading, rows: Sequence[Row]) -> dict[int, bytes]:
    """By place: the row's content under the last earlier job in which it ended well, else ended, else may have been."""
    found: dict[int, tuple[int, bytes]] = {}
    for plan in reading.earlier:
        names = plan.template.other_columns
        docs = {row.index: content_key(plan, row) for row in rows if all(name in row.values for name in names)}
        ended = reading.ends_of(list(docs.values()))
        for index, doc in docs.items():
            end = ended.get(doc)
            worth = 0 if end is None else 2 if end.status == Status.OK else 1
            if index not in found or worth > found[index][0]:
                found[index] = worth, doc
    return {index: doc for index, (_, doc) in found.items()}


def _batch(reading: _Reading, rows: Sequence[Row], selection: Selection, share: Share | None = None) -> Batch:
    prepared = reading.prepared
    plan = prepared.plan
    batch = Batch(read=len(rows))
    keyed = [(row, None if row.problem else content_key(plan, row)) for row in rows]
    if share is not None:
        keyed = [(row, doc) for row, doc in keyed if share.mine(row, doc)]
    ended = reading.ends_of([doc for _, doc in keyed if doc is not None])
    open_rows = [row for row, doc in keyed if doc is not None and doc not in ended] if reading.earlier else []
    earlier = _earlier_docs(reading, open_rows) if open_rows else {}
    for row, doc in keyed:
        batch.entries.append(
            RowEntry(row.index, row.id, doc, row.problem, row.tenant, earlier.get(row.index), row.document)
        )
        if doc is None:
            batch.failed[ErrorCode.BAD_ROW] += 1
            continue
        end = ended.get(doc)
        if chosen(row, end, selection):
            prepared.source.keep(row.parts)
            made = task_of(prepared, row, doc, end, exact=prepared.exact) if reading.cut else _uncut(row, doc, end)
            batch.todo.append(made)
        elif end is None:
            batch.left_pending += 1
        elif end.status == Status.OK:
            batch.ok += 1
        else:
            batch.failed[end.error_code or ""] += 1
    return batch


def task_of(prepared: Prepared, row: Row, doc: bytes, end: ContentEnd | None, *, exact: bool) -> RowTask:
    """A row that is to be done, cut; `exact` as of `chunk`. `end` is how its content ended before, if it did."""
    cut = prepared.cut(row, exact=exact)
    return replace(_uncut(row, doc, end), chunks=cut.chunks, skipped=cut.skipped)


def _uncut(row: Row, doc: bytes, end: ContentEnd | None) -> RowTask:
    return RowTask(row, doc, (), 0 if end is None or end.of_its_file else end.session)


def chosen(row: Row, end: ContentEnd | None, selection: Selection) -> bool:
    """Whether a command runs this row; `end` is how its content ended before, if it did."""
    if selection.only_rows is not None and row.index not in selection.only_rows:
        return False
    if not selection.failed:
        return end is None or end.of_its_file
    return end is not None and end.status == Status.FAILED and selection.error_code in {None, end.error_code}
