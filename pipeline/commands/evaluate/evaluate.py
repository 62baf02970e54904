"""`pipeline eval`: results.parquet against known answers, in one pass with memory that is flat."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.codes import Status
from pipeline.commands.aside import Aside, aside, key_of
from pipeline.commands.evaluate.column import Column, column_of, column_values
from pipeline.commands.evaluate.compare import Judged, judged, unanswered
from pipeline.commands.evaluate.golden import PLACE, put_aside
from pipeline.commands.evaluate.meanings import meaning_of
from pipeline.commands.evaluate.shapes import shape_of
from pipeline.commands.evaluate.tally import Tally
from pipeline.commands.published import LINES_AT_ONCE, cost_columns, cost_of, results_in
from pipeline.errors import JobError
from pipeline.output.read import readable

MOST_GROUPS = 1000
NEEDED = ("id", "status", "record")
COLUMNS = (*NEEDED, "chunk")


class _Found(Struct, frozen=True):
    """A row of the results that there is a known answer for."""

    id: str
    known: Any
    status: str
    record: Any
    usd: Decimal | None
    group: str | None


class _Results(Struct, frozen=True):
    path: Path
    schema: pa.Schema
    by: Column | None

    @property
    def per_chunk(self) -> bool:
        return "chunk" in self.schema.names

    def columns(self) -> list[str]:
        wanted = {*COLUMNS, *cost_columns(self.schema), *([self.by.name] if self.by else [])}
        return [name for name in self.schema.names if name in wanted]


def evaluate(folder: Path, golden: Path, by: str | None = None) -> dict[str, Any]:
    """How much of the results is right: section 11 of the contract, and `failed`, `pending`, `absent` and `examples`.

    `rows` are the known answers, `compared` those whose row has an outcome in `folder`. Rows that are pending or not
    there are not compared, so that a run of the first rows can be held against the answers to all. A row that failed is
    compared: its known values are all missing. `by`: also for each value of that column of the results, under `by`.

    Raises:
        JobError: there are no results, the known answers are of another form or of other rows, or there is no such
            column.
    """
    path, schema = results_in(folder, *NEEDED)
    results = _Results(path, schema, None if by is None else column_of(folder, schema, by))
    shape = shape_of(schema.field("record"))
    meaning = meaning_of(shape)
    whole, groups, pending = Tally(), dict[str, Tally](), 0
    with aside() as known:
        rows = put_aside(golden, shape, known, per_chunk=results.per_chunk)
        for found in _found(results, known):
            if found.status == Status.PENDING:
                pending += 1
                continue
            leaves = _leaves(found, meaning)
            whole.add(found.id, leaves, found.usd, failed=found.status == Status.FAILED)
            if found.group is not None:
                _group(groups, found.group, by).add(found.id, leaves, found.usd, failed=found.status == Status.FAILED)
        if not whole.compared:
            raise JobError(_none_of_them(folder, golden, known, pending))
    told = {"rows": rows, **whole.as_json(), "pending": pending, "absent": rows - whole.compared - pending}
    told["examples"] = [one for kept in whole.examples.values() for one in kept]
    if by is not None:
        told["by"] = {name: groups[name].as_json() for name in sorted(groups)}
    return told


def _leaves(found: _Found, meaning: Callable[[Any], Any]) -> list[Judged]:
    if found.record is None:
        return [] if found.known is None else list(unanswered(found.known))
    return list(judged(found.known, meaning(found.record)))


def _found(results: _Results, known: Aside) -> Iterator[_Found]:
    """The first row of each id; a later one is there only because its id was taken."""
    with readable(results.path), pq.ParquetFile(results.path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(LINES_AT_ONCE, columns=results.columns(), use_threads=False):
            chunks = batch.column("chunk").to_pylist() if results.per_chunk else [None] * batch.num_rows
            answers = {}
            for place, key in enumerate(map(key_of, batch.column("id").to_pylist(), chunks)):
                if (answer := known.take(PLACE, key)) is not None:
                    answers[place] = answer
            if answers:
                yield from _rows(batch.take(pa.array(list(answers))), list(answers.values()), results)


def _rows(batch: pa.RecordBatch, answers: list[tuple[str, Any]], results: _Results) -> Iterator[_Found]:
    groups = [None] * batch.num_rows if results.by is None else column_values(batch, results.by)
    names = [name for name in batch.schema.names if name != "chunk"]
    for (row_id, known), group, line in zip(answers, groups, batch.select(names).to_pylist(), strict=True):
        yield _Found(row_id, known, line["status"], line["record"], cost_of(line), group)


def _group(groups: dict[str, Tally], name: str, by: str | None) -> Tally:
    if name not in groups and len(groups) >= MOST_GROUPS:
        raise JobError(
            f"--by {by}: has more than {MOST_GROUPS:,} values. Take a column that sorts rows into few groups"
        )
    return groups.setdefault(name, Tally())


def _none_of_them(folder: Path, golden: Path, known: Aside, pending: int) -> str:
    if pending:
        return f"{folder}: the rows of {golden} are still pending: nothing to compare yet. Run the job to its end"
    examples = ", ".join(repr(row_id) for (row_id, _), _ in zip(known.rest(PLACE), range(3), strict=False))
    return f"{golden}: none of its ids is in {folder}: {examples}. They are those of input.id, as in results.parquet"


def passes(found: Mapping[str, Any], gate: float) -> bool:
    """Whether the accuracy is at the gate or above; where no value was known, that of records."""
    share: float = found["record_accuracy"] if found["accuracy"] is None else found["accuracy"]
    return share >= gate
