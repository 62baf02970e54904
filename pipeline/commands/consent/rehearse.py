"""Which rows a run would pay for: each row's life is gone through with the ledger alone, and nobody to ask.

So what is free is told by the same code that runs: repairs, several chunks, two steps and stricter validators included.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.consent.decide import RowsDue
from pipeline.commands.estimate.measure import ROWS_MEASURED_AT_ONCE
from pipeline.documents.sources.source import Source
from pipeline.engine.ask import RowLife
from pipeline.engine.feed import Selection, chosen, task_of
from pipeline.engine.row import Extraction
from pipeline.extraction.hashes import content_key
from pipeline.extraction.lookups import Found
from pipeline.extraction.packs import PackItem
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.template import parse_template
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.nights import rehearsed_jobs
from pipeline.ledger.queries import ContentEnd, answer_record, ends, last_doc_hashes
from pipeline.ledger.records import StoredAnswer, answer_from
from pipeline.output.manifest import Manifest, read_run
from pipeline.parts import ToolCall
from pipeline.schema.arrow import RecordColumn
from pipeline.types import Answer, Request, Row

if TYPE_CHECKING:
    from pipeline.documents.sources.filed import FiledRows

EARLIER_JOBS = 8  # the last so many are looked at for what was paid before


def due_rows(prepared: Prepared, selection: Selection, *, afresh: bool, changed: bool) -> tuple[RowsDue, bytearray]:
    """What is due, and a byte for each row of the input: 1 where it would be paid for.

    `afresh`: in a new ledger. `changed`: rows with an outcome under an earlier job are told apart from new ones.
    """
    kinds: Counter[str] = Counter()
    paid = bytearray()
    ledger = prepared.ledger_path
    with reading(ledger) as db, asyncio.Runner() as runner:
        earlier = _earlier(prepared, db, afresh=afresh) if afresh or changed else []
        ask = _OnRecord(db)
        together = None if prepared.packed is None else ask
        rehearsal = Extraction(prepared, ask, RecordColumn(prepared.model), _not_run, together)
        look = _Look(prepared, db, selection, earlier, afresh, rehearsal)
        for rows in _source(prepared, earlier).batches(ROWS_MEASURED_AT_ONCE):
            found = runner.run(look.kinds(rows))
            kinds.update(found)
            paid += bytes(kind in {"again", "new"} for kind in found)
    return RowsDue(kinds.total(), again=kinds["again"], new=kinds["new"], free=kinds["free"]), paid


def _earlier(prepared: Prepared, db: Connection, *, afresh: bool) -> list[Plan]:
    """The plans that rows may have an outcome under, by hash, and by the columns that their prompts may have named."""
    plan = prepared.plan
    free = set() if prepared.job.model.provider == "sandbox" else rehearsed_jobs(db)
    hashes = [
        one for one in last_doc_hashes(db, EARLIER_JOBS) if one not in free and (afresh or one != plan.outcome_salt)
    ]
    manifest = read_run(prepared.output_folder) or Manifest(job=prepared.job.as_dict())
    last = parse_template(manifest.job["extract"]["prompt"], manifest.job["input"]["text"])
    templates = {template.other_columns: template for template in (plan.template, last)}
    return [replace(plan, outcome_salt=one, template=template) for one in hashes for template in templates.values()]


def _source(prepared: Prepared, earlier: Sequence[Plan]) -> Source:
    """The input, with the columns that earlier prompts named."""
    names = dict.fromkeys(name for plan in (prepared.plan, *earlier) for name in plan.template.other_columns)
    now = prepared.plan.template
    if len(names) == len(now.other_columns):
        return prepared.source
    optional = [name for name in names if name not in now.other_columns or name in now.optional]
    return prepared.source.with_columns(tuple(names), optional)


class _Look(Struct, frozen=True):
    """Tells of rows what a run would do with them: pay for them `again` or as `new`, work out for `free`, or `rest`."""

    prepared: Prepared
    db: Connection
    selection: Selection
    earlier: Sequence[Plan]
    afresh: bool
    rehearsal: Extraction

    async def kinds(self, rows: Sequence[Row]) -> list[str]:
        plan, docs = self.prepared.plan, {}
        for row in rows:
            if row.problem is None:
                docs[row.index] = content_key(plan, row)
        ended = {} if self.afresh else ends(self.db, list(docs.values()))
        had = self._had([row for row in rows if row.index in docs])
        kinds = []
        for row in rows:
            doc = docs.get(row.index)
            end = None if doc is None else ended.get(doc)
            if doc is None or not chosen(row, end, self.selection):
                kinds.append("rest")
            elif not self.afresh and await self._is_free(row, doc, end):
                kinds.append("free")
            else:
                kinds.append("again" if row.index in had else "new")
        return kinds

    def _had(self, rows: Sequence[Row]) -> set[int]:
        """Of these rows, those with an outcome under an earlier job."""
        had: set[int] = set()
        for plan in self.earlier:
            docs = [content_key(plan, row) for row in rows]
            found = ends(self.db, docs)
            had |= {row.index for row, doc in zip(rows, docs, strict=True) if doc in found}
        return had

    async def _is_free(self, row: Row, doc: bytes, end: ContentEnd | None) -> bool:
        """Whether its outcome can be made of answers on record: the row's whole life, with nobody to ask."""
        try:
            await self.rehearsal.outcome(task_of(self.prepared, row, doc, end, exact=False))
        except _Unpaid:
            return False
        return True


class _Unpaid(Exception):
    """No answer is on record."""


async def _not_run(call: ToolCall) -> Found:  # noqa: ARG001 (as `Run` has it)
    """What a look-up would find is not known before it runs, and nothing is to be done yet: the row counts as paid."""
    raise _Unpaid


class _OnRecord:
    """An `Ask`, and a `Together`, that answers what is on record, and calls nobody."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def now_s(self) -> float:
        return 0.0  # nothing takes time here

    async def ask(self, request: Request, life: RowLife, reusable: Callable[[StoredAnswer], bool]) -> Answer:  # noqa: ARG002 (as `Ask` has it)
        values = answer_record(self._db, request.key)
        if values is None or not reusable(answer := answer_from(values[:-1])):
            raise _Unpaid
        return answer.reply

    async def answer(self, item: PackItem, life: RowLife) -> Answer | None:  # noqa: ARG002 (as `Together` has it)
        values = answer_record(self._db, item.member.key)
        return None if values is None else answer_from(values[:-1]).reply


class SomeRows(Source):
    """An input of which only the rows marked in `wanted` are read."""

    def __init__(self, whole: Source, wanted: bytearray) -> None:
        vars(self).update(vars(whole))
        self._whole = whole
        self._wanted = wanted

    @property
    def _filed(self) -> "FiledRows":
        return self._whole._filed  # noqa: SLF001 (the same rows, read once)

    @property
    def _reading(self) -> "FiledRows | None":
        return self._whole._reading  # noqa: SLF001 (the same)

    def close(self) -> None:
        self._whole.close()

    def batches(self, size: int = ROWS_MEASURED_AT_ONCE, wanted: Container[int] | None = None) -> Iterator[list[Row]]:
        """As of the whole input, in as many batches."""
        for rows in self._whole.batches(size, wanted):
            yield [row for row in rows if row.index >= len(self._wanted) or self._wanted[row.index]]
