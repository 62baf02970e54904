"""Two results files side by side, row by row of the same id, with memory that is flat whatever their order.

Both are in the order of their inputs, which are mostly the same: so they are read in step, and what is the same to the
last byte is never turned into objects. Where a row stands elsewhere in the other file it is put aside on disk until
that comes; what never comes is on one side only.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.codes import AnswerFrom
from pipeline.commands.aside import Aside
from pipeline.commands.published import LINES_AT_ONCE, cost_columns
from pipeline.output.read import readable

KEY = "key"
EVIDENCE = "evidence"  # is turned into objects where it is shown
COMPARED = ("status", "error_code", "record")
COLUMNS = ("id", "chunk", *COMPARED, EVIDENCE)
AT_ONCE = 64  # rows put aside where both files go on with rows that the other has not in reach
FEW = 4
LEFT, RIGHT = 0, 1

Line = dict[str, Any]


class Same(Struct, frozen=True):
    """So many rows that are the same on both sides."""

    rows: int


class Both(Struct, frozen=True):
    """A row that both sides have."""

    left: Line
    right: Line


class Alone(Struct, frozen=True):
    """A row that one side has: LEFT or RIGHT."""

    side: int
    line: Line


class Reader:
    """The rows of one side that are next. `usd`: what all so far have cost, None while no price is known."""

    def __init__(self, file: pq.ParquetFile) -> None:
        wanted = {*COLUMNS, *cost_columns(file.schema_arrow)}
        columns = [name for name in file.schema_arrow.names if name in wanted]
        self._batches = file.iter_batches(LINES_AT_ONCE, columns=columns, use_threads=False)
        self._held: pa.RecordBatch | None = None
        self.usd: Decimal | None = None

    def filled(self) -> bool:
        """Whether there are rows left, which are then held."""
        while self._held is None or not self._held.num_rows:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._held = batch.append_column(KEY, _keys(batch))
            cost = _cost(batch)
            self.usd = self.usd if cost is None else (self.usd or Decimal(0)) + cost
        return True

    @property
    def keys(self) -> pa.Array:
        return self.held.column(KEY)

    @property
    def held(self) -> pa.RecordBatch:
        assert self._held is not None  # noqa: S101 (asked for after `filled`)
        return self._held

    def take(self, rows: int) -> pa.RecordBatch:
        taken, self._held = self.held.slice(0, rows), self.held.slice(rows)
        return taken


def _keys(batch: pa.RecordBatch) -> pa.Array:
    """The id; of a line of a chunk with its number before."""
    ids = pc.fill_null(batch.column("id"), "").cast(pa.string())
    if "chunk" not in batch.schema.names:
        return ids
    return pc.binary_join_element_wise(pc.fill_null(batch.column("chunk").cast(pa.string()), ""), ids, ":")


def _cost(batch: pa.RecordBatch) -> Decimal | None:
    """As `published.cost_of`, of all lines at once."""
    column, *answered = cost_columns(batch.schema)
    costs = batch.column(column)
    if answered:
        paid = pc.not_equal(pc.fill_null(batch.column(answered[0]), ""), AnswerFrom.DUPLICATE)
        costs = pc.if_else(pc.or_(paid, pc.is_null(costs)), costs, pa.scalar(Decimal(0), costs.type))
    found: Decimal | None = pc.sum(costs).as_py()
    return found


class Pairs:
    """All rows of both files, as Same, Both and Alone; then `usd` is the cost of either side."""

    def __init__(self, left: Path, right: Path, waiting: Aside) -> None:
        self._paths = (left, right)
        self._waiting = waiting
        self.usd: tuple[Decimal | None, Decimal | None] = (None, None)

    def __iter__(self) -> Iterator[Same | Both | Alone]:
        with readable(self._paths[LEFT]), readable(self._paths[RIGHT]):
            with (
                pq.ParquetFile(self._paths[LEFT], page_checksum_verification=True) as left_file,
                pq.ParquetFile(self._paths[RIGHT], page_checksum_verification=True) as right_file,
            ):
                left, right = Reader(left_file), Reader(right_file)
                yield from self._in_step(left, right)
                for side, reader in ((LEFT, left), (RIGHT, right)):
                    while reader.filled():
                        yield from self._put_aside(side, reader.take(LINES_AT_ONCE))
            self.usd = left.usd, right.usd
        for side in (LEFT, RIGHT):
            yield from (Alone(side, line) for line in self._waiting.rest(side))

    def _in_step(self, left: Reader, right: Reader) -> Iterator[Same | Both | Alone]:
        while left.filled() and right.filled():
            rows = _alike(left.keys, right.keys)
            if rows:
                yield from _compared(left.take(rows), right.take(rows))
                continue
            ahead = pc.index(right.keys, left.keys[0]).as_py()  # where the other file has it
            behind = pc.index(left.keys, right.keys[0]).as_py()
            if ahead > 0 and (behind < 0 or ahead <= behind):
                yield from self._put_aside(RIGHT, right.take(ahead))
            elif behind > 0:
                yield from self._put_aside(LEFT, left.take(behind))
            else:
                yield from self._put_aside(LEFT, left.take(AT_ONCE))
                yield from self._put_aside(RIGHT, right.take(AT_ONCE))

    def _put_aside(self, side: int, batch: pa.RecordBatch) -> Iterator[Both]:
        """Rows whose like was put aside before are taken from there; the others wait."""
        for line in _lines(batch):
            key = line.pop(KEY).encode("utf-8", "surrogatepass")
            other = self._waiting.take(1 - side, key)
            if other is not None:
                yield Both(line, other) if side == LEFT else Both(other, line)
            else:
                if EVIDENCE in line:
                    line[EVIDENCE] = line[EVIDENCE].as_py()
                self._waiting.put(side, key, line)


def _alike(left: pa.Array, right: pa.Array) -> int:
    """How many rows from here on are of the same ids."""
    rows = min(len(left), len(right))
    first = pc.index(pc.equal(left.slice(0, rows), right.slice(0, rows)), False).as_py()
    return rows if first < 0 else int(first)


def _compared(left: pa.RecordBatch, right: pa.RecordBatch) -> Iterator[Same | Both]:
    columns = [name for name in COMPARED if name in left.schema.names and name in right.schema.names]
    one, other = left.select(columns), right.select(columns)
    alike = one.schema.types == other.schema.types
    places = list(_differing(one, other, 0) if alike else range(left.num_rows))
    yield Same(left.num_rows - len(places))
    for start in range(0, len(places), AT_ONCE):
        wanted = pa.array(places[start : start + AT_ONCE], pa.int64())
        yield from map(Both, _lines(left.take(wanted)), _lines(right.take(wanted)))


def _differing(left: pa.RecordBatch, right: pa.RecordBatch, first: int) -> Iterator[int]:
    """Places, from `first` on, of rows that are not the same byte for byte; of few together all."""
    if left.equals(right):
        return
    rows = left.num_rows
    if rows <= FEW:
        yield from range(first, first + rows)
        return
    half = rows // 2
    yield from _differing(left.slice(0, half), right.slice(0, half), first)
    yield from _differing(left.slice(half), right.slice(half), first + half)


def _lines(batch: pa.RecordBatch) -> Iterator[Line]:
    """As objects; evidence as Arrow has it."""
    if EVIDENCE not in batch.schema.names:
        yield from batch.to_pylist()
        return
    evidence = batch.column(EVIDENCE)
    for place, line in enumerate(batch.drop_columns([EVIDENCE]).to_pylist()):
        yield {**line, EVIDENCE: evidence[place]}
