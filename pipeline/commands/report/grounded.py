"""How many values of each field stand in their documents, over a whole run: streamed, a few numbers a field."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.extraction.evidence.share import FOUND, NOT_FOUND, UNVERIFIABLE
from pipeline.job.folder import RESULTS

LINES_AT_ONCE = 2048
MOST_PLACES = 2_000  # with free keys a run may have any number of fields
NUMBER = re.compile(r"\[\d+\]")
COLUMNS = ("evidence.list.element.path", "evidence.list.element.status", "needs_review")


class FieldCount(Struct):
    """Values of one field, its path without numbers: `lines[].amount`."""

    name: str
    found: int = 0
    not_found: int = 0
    unverifiable: int = 0

    @property
    def total(self) -> int:
        return self.found + self.not_found + self.unverifiable

    @property
    def share(self) -> float:
        """Found values over those that could be looked for; 1 where there are none."""
        looked_for = self.found + self.not_found
        return self.found / looked_for if looked_for else 1.0


class Grounded(Struct, frozen=True):
    """`fields` have the least found first; `fields_left_out` are beyond those that are counted."""

    fields: tuple[FieldCount, ...]
    fields_left_out: int
    to_review: int  # rows, or one per chunk

    @property
    def found(self) -> int:
        return sum(one.found for one in self.fields)

    @property
    def looked_for(self) -> int:
        return sum(one.found + one.not_found for one in self.fields)


def has_evidence(schema: pa.Schema) -> bool:
    """Whether results have the columns of evidence; a job of before may keep others of these names."""
    kind = schema.field("evidence").type if "evidence" in schema.names else pa.null()
    named = pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
    return named and {"path", "status"} <= {field.name for field in kind.value_type} and "needs_review" in schema.names


def grounded_of(folder: Path) -> Grounded | None:
    """None where values were not looked for. Enums and booleans, which nothing has to spell out, are not counted."""
    counts: dict[str, FieldCount] = {}
    others: set[str] = set()
    to_review = 0
    with pq.ParquetFile(folder / RESULTS) as file:
        if not has_evidence(file.schema_arrow):
            return None
        for batch in file.iter_batches(LINES_AT_ONCE, columns=list(COLUMNS), use_threads=False):
            to_review += pc.sum(batch["needs_review"]).as_py() or 0
            for name, status, count in _counted(pc.list_flatten(batch["evidence"])):
                if name not in counts and len(counts) >= MOST_PLACES:
                    others |= {name} if len(others) < MOST_PLACES else set()
                else:
                    _add(counts.setdefault(name, FieldCount(name)), status, count)
    known = [one for one in counts.values() if one.total]
    return Grounded(tuple(sorted(known, key=lambda one: one.share)), len(others), to_review)


def _counted(leaves: pa.Array) -> Iterator[tuple[str, str, int]]:
    """(field, status, values) of a batch's leaves."""
    if len(leaves):
        table = pa.table({name: pc.struct_field(leaves, name) for name in ("path", "status")})
        counted = table.group_by(["path", "status"], use_threads=False).aggregate([([], "count_all")])
        for path, status, count in zip(*counted.to_pydict().values(), strict=True):
            yield NUMBER.sub("[]", path), status, count


def _add(one: FieldCount, status: str, count: int) -> None:
    if status in FOUND:
        one.found += count
    elif status == NOT_FOUND:
        one.not_found += count
    elif status == UNVERIFIABLE:
        one.unverifiable += count
