"""The columns that go from the input into the results as they are, and the types that they have."""

from collections.abc import Iterator, Mapping
from itertools import islice

import pyarrow as pa

from pipeline.documents.sources import checks as checking
from pipeline.documents.sources import column_types as kinds
from pipeline.documents.sources import parquet
from pipeline.documents.sources.files import DOCUMENT
from pipeline.documents.sources.folder_keys import folder_keys
from pipeline.documents.sources.records import Records
from pipeline.documents.sources.written import with_texts
from pipeline.errors import JobError


class KeptColumns:
    """Of an input that may be read more than once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._keep = records.spec.keep
        self.kinds: kinds.Kinds | None = None  # of a pass that saw every row
        self._schema: pa.Schema | None = None

    def schema(self, known: pa.Schema | None) -> pa.Schema:
        """The types of the `keep` columns; `known` are those of an earlier run, and decide where tonight says nothing.

        Parquet declares them. For JSON lines they are what `batches` met, or else a pass of its own finds them.

        Raises:
            JobError: a file cannot be read.
        """
        if self._records.typed:
            self._schema = checking.declared(self._records.files, self._keep, known)
        else:
            if self.kinds is None:
                self.kinds = self._observed()
            self._schema = self.kinds.schema(known)
        if self._records.of_format(DOCUMENT):
            self._schema = checking.with_file_types(self._schema)
        return self._schema

    def batches(self, size: int = 8192) -> Iterator[pa.RecordBatch]:
        """The `keep` columns of all rows, in order, typed by the last `schema`; nothing if the job keeps none.

        Raises:
            JobError: a file cannot be read to its end, or changed since its types were found.
        """
        if not self._keep:
            return
        schema = self.schema(None) if self._schema is None else self._schema
        yield from self._arrow(schema, size) if self._records.typed else self._values(schema, size)

    def _observed(self) -> kinds.Kinds:
        seen = kinds.Kinds(self._keep)
        for _, _, record, _ in self._records.of(self._keep):
            if not isinstance(record, str):
                seen.observe(record)
        return seen

    def _arrow(self, schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
        left = self._records.limit
        for file in self._records.files:
            keys = folder_keys(file)
            for whole in parquet.batches(file, self._records.own(file, schema.names), size):
                batch = whole.slice(0, left)
                if left is not None:
                    left -= batch.num_rows
                if batch.num_rows:
                    arrays = [_kept(batch, column, keys) for column in schema]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                if left == 0:
                    return

    def _values(self, schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
        nothing = (None,) * len(schema)
        texts = [column.name for column in schema if column.type == pa.string()]
        rows = (  # cut down one by one: a chunk of whole records may not fit in memory
            nothing
            if isinstance(record, str)
            else tuple(map((with_texts(line, record, texts) if line else record).get, schema.names))
            for _, _, record, line in self._records.of(schema.names)
        )
        while some := list(islice(rows, size)):
            try:
                columns = zip(zip(*some, strict=True), schema, strict=True)
                arrays = [kinds.column(values, column.type) for values, column in columns]
            except pa.ArrowException as error:
                raise JobError(f"{self._records.spec.path}: changed while it was read: {error}. Run again") from None
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _kept(batch: pa.RecordBatch, wanted: pa.Field, keys: Mapping[str, str | None]) -> pa.Array:
    """A kept column of a Parquet file, or the key of its folder in each row."""
    if wanted.name in batch.schema.names:
        return parquet.kept(batch.column(wanted.name), wanted.type)
    return pa.repeat(pa.scalar(keys[wanted.name], wanted.type), batch.num_rows)
