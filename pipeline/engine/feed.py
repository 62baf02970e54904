"""Input → work, a batch at a time: reads, hashes, looks up what is done and cuts the rest, in a thread off the loop."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.codes import ErrorCode, Status
from pipeline.documents.sources.file_refs import FileRef
from pipeline.extraction.hashes import content_key
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.template import Template
from pipeline.ledger.ledger import ContentEnd, connect, ends
from pipeline.ledger.nights import earlier_jobs
from pipeline.ledger.records import RowEntry
from pipeline.types import Chunk, Row

BATCH_ROWS = 128
EARLIER_JOBS = 8  # the last so many are looked at for how a row ended under them


class RowTask(Struct, frozen=True):
    """One row to be done. `stale_session`: a bad answer of that session or before is what a retry is to replace.

    `file`: its file, which is to be read first; until then nobody knows `doc`.
    """

    row: Row
    doc: bytes
    chunks: Sequence[Chunk]
    stale_session: int = 0
    skipped: int = 0  # chunks of its document that are not asked about
    file: FileRef | None = None


class Batch(Struct):
    """Some rows of the input: those with work to do, and entries for the ledger of all but those yet to be read."""

    entries: list[RowEntry] = field(default_factory=list)
    todo: list[RowTask] = field(default_factory=list)
    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    left_pending: int = 0  # rows with no outcome that this command does not run
    read: int = 0  # rows of the input, with those of other shares

    def take(self, decided: "Decided") -> None:
        self.entries.append(decided.entry)
        if decided.entry.doc is None:
            self.failed[ErrorCode.BAD_ROW] += 1
        elif decided.task is not None:
            self.todo.append(decided.task)
        elif decided.end is None:
            self.left_pending += 1
        elif decided.end.status == Status.OK:
            self.ok += 1
        else:
            self.failed[decided.end.error_code or ""] += 1


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
    prepared: Prepared,
    ledger_path: Path,
    selection: Selection,
    share: Share | None = None,
    *,
    cut: bool = True,
    elsewhere: bool = False,
) -> AsyncIterator[Batch]:
    """All rows of the input in order, or a share of them; the next batch is made while the last is worked on.

    `cut`: each document into its chunks, for whoever is given the row here. `elsewhere`: rows are worked on by others,
    who cut them, read their files, and say what is in there.

    Raises:
        JobError: the input cannot be read to its end.
    """
    loop = asyncio.get_running_loop()
    source = prepared.source
    rows = source.listed(BATCH_ROWS) if elsewhere else ((rows, {}) for rows in source.batches(BATCH_ROWS))
    with closing(Decisions(prepared, ledger_path, selection, cut=cut and not elsewhere)) as decisions:

        def make() -> Batch | None:
            found = next(rows, None)
            return None if found is None else _batch(decisions, *found, share)

        upcoming = loop.run_in_executor(None, make)
        try:
            while (batch := await upcoming) is not None:
                upcoming = loop.run_in_executor(None, make)
                yield batch
        finally:
            await asyncio.gather(upcoming, return_exceptions=True)  # what fails once nobody reads on is no news


def _batch(decisions: "Decisions", rows: Sequence[Row], files: Mapping[int, FileRef], share: Share | None) -> Batch:
    batch = Batch(read=len(rows))
    unread = [row for row in rows if row.index in files and row.problem is None] if files else []
    here = [row for row in rows if row.index not in files or row.problem is not None] if files else rows
    keyed = [(row, decisions.key(row)) for row in here]
    if share is not None:
        keyed = [(row, doc) for row, doc in keyed if share.mine(row, doc)]
    for decided in decisions.of(keyed):
        batch.take(decided)
    batch.todo += [RowTask(row, b"", (), file=files[row.index]) for row in unread]
    return batch


def earlier_plans(plan: Plan, ledger_path: Path) -> list[Plan]:
    """This plan with the hashes of earlier jobs; of a job whose prompt's columns are not kept, with today's."""
    with closing(connect(ledger_path)) as db:
        jobs = earlier_jobs(db, plan.outcome_salt, EARLIER_JOBS)
    jobs.sort(key=lambda job: job.rehearsal)  # what a model answered comes first
    columns = [plan.template.other_columns if job.columns is None else json.loads(job.columns) for job in jobs]
    return [plan_under(plan, job.doc_hash, names) for job, names in zip(jobs, columns, strict=True)]


def plan_under(plan: Plan, salt: bytes, columns: Sequence[str]) -> Plan:
    """This plan as an earlier job's, for the keys of rows. `columns`: that its prompt named, beside the text."""
    return replace(plan, outcome_salt=salt, template=Template(("",) * (len(columns) + 1), tuple(columns)))


def keys_under(plan: Plan, rows: Iterable[Row]) -> dict[int, bytes]:
    """By place: the content of rows under an earlier job, of those that have the columns that it named."""
    names = plan.template.other_columns
    return {row.index: content_key(plan, row) for row in rows if all(name in row.values for name in names)}


class Decided(Struct, frozen=True):
    """One row of the input. `task`: it is to be done; else `end` is how its content ended, if it did."""

    entry: RowEntry
    task: RowTask | None
    end: ContentEnd | None


class Decisions:
    """What becomes of rows, by what is on record of their content. One thread at a time."""

    def __init__(self, prepared: Prepared, ledger_path: Path, selection: Selection, *, cut: bool) -> None:
        """`cut`: each document into its chunks; else that is left to whoever is given the row."""
        self._prepared, self._selection, self._cut = prepared, selection, cut
        self.plans = earlier_plans(prepared.plan, ledger_path)
        self._db = connect(ledger_path)

    def close(self) -> None:
        self._db.close()

    def key(self, row: Row) -> bytes | None:
        """Its content; None: it cannot be used."""
        return None if row.problem else content_key(self._prepared.plan, row)

    def of(
        self, keyed: Sequence[tuple[Row, bytes | None]], earlier: Sequence[Mapping[int, bytes]] | None = None
    ) -> list[Decided]:
        """Of rows with their keys. `earlier`: their keys under each of `plans`, where these cannot be taken here."""
        ended = ends(self._db, [doc for _, doc in keyed if doc is not None])
        open_rows = [row for row, doc in keyed if doc is not None and doc not in ended] if self.plans else []
        before = self._earlier_docs(open_rows, earlier) if open_rows else {}
        return [self._decided(row, doc, None if doc is None else ended.get(doc), before) for row, doc in keyed]

    def _earlier_docs(self, rows: Sequence[Row], told: Sequence[Mapping[int, bytes]] | None) -> dict[int, bytes]:
        """By place: the row's content under the last earlier job in which it ended well, else ended, else may have."""
        found: dict[int, tuple[int, bytes]] = {}
        for number, plan in enumerate(self.plans):
            docs = keys_under(plan, rows) if told is None else _of_rows(told[number], rows)
            ended = ends(self._db, list(docs.values()))
            for index, doc in docs.items():
                end = ended.get(doc)
                worth = 0 if end is None else 2 if end.status == Status.OK else 1
                if index not in found or worth > found[index][0]:
                    found[index] = worth, doc
        return {index: doc for index, (_, doc) in found.items()}

    def _decided(self, row: Row, doc: bytes | None, end: ContentEnd | None, before: Mapping[int, bytes]) -> Decided:
        entry = RowEntry(row.index, row.id, doc, row.problem, row.tenant, before.get(row.index), row.document)
        if doc is None or not chosen(row, end, self._selection):
            return Decided(entry, None, end)
        if not self._cut:
            return Decided(entry, _uncut(row, doc, end), end)
        self._prepared.source.keep(row.parts)
        return Decided(entry, task_of(self._prepared, row, doc, end, exact=self._prepared.exact), end)


def _of_rows(docs: Mapping[int, bytes], rows: Iterable[Row]) -> dict[int, bytes]:
    return {row.index: docs[row.index] for row in rows if row.index in docs}


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
