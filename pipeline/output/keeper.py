"""The columns that go from the input into the results, beside the rows of the ledger."""

from collections.abc import Iterator, Sequence

import pyarrow as pa


class Keeper:
    """The kept columns, read beside the ledger's rows; every row is asked for in order, some more than once."""

    def __init__(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = batches
        self._schema = schema
        self._held = pa.Table.from_batches([], schema)
        self._first = 0  # the row that the held table begins with

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        if not self._schema.names:
            return {}
        self._held = self._held.slice(rows[0] - self._first)
        self._first = rows[0]
        while self._first + self._held.num_rows <= rows[-1]:
            batch = next(self._batches)
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch], self._schema)])
        taken = self._held.take(pa.array([row - self._first for row in rows], pa.int64()))
        return {name: taken.column(name).combine_chunks() for name in self._schema.names}
