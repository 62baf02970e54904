"""The input: JSON lines, CSV, TSV, Parquet or documents, on a disk or in a bucket → rows, in order, streamed.

The rule: every row of the input is yielded exactly once, whatever its bytes, and memory does not grow with the rows.
A row that cannot be used is yielded with its `problem`; a file that cannot be read to its end is a JobError.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from itertools import tee
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.documents.sources import checks as checking
from pipeline.documents.sources import column_types as kinds
from pipeline.documents.sources import jsonl
from pipeline.documents.sources.files import DOCUMENT, File, Stats, fingerprint, left_out
from pipeline.documents.sources.kept import KeptColumns
from pipeline.documents.sources.records import Records
from pipeline.documents.sources.row_batch import RowBatch, placed, referred
from pipeline.documents.sources.rows import RowMaker, SeenIds
from pipeline.job.settings import Input
from pipeline.parts import FilePart, Parts
from pipeline.reader.read import Unreadable
from pipeline.types import Row

if TYPE_CHECKING:
    from pipeline.documents.pages import Rules
    from pipeline.documents.sources.file_refs import FileRef
    from pipeline.documents.sources.filed import FiledRows
    from pipeline.documents.sources.spool import Placed

SHOWN_FILES = 5
BATCH_CHARS = 16 * 1024 * 1024  # of text after which a batch ends early


class Source:
    """The input of a job. Reading starts over with every call; a call's iterator may move between threads."""

    def __init__(
        self,
        spec: Input,
        prompt_columns: Sequence[str],
        limit_rows: int | None,
        *,
        optional: Sequence[str] = (),
        max_line_bytes: int = jsonl.MAX_LINE_BYTES,
        rules: "Rules | None" = None,
    ) -> None:
        """`optional`: those of the prompt's columns that a row, and the input, may lack.

        `rules`: of files that are documents, needed where there are any.
        """
        self._spec = spec
        self._prompt_columns = tuple(prompt_columns)
        self._optional = frozenset(optional)
        self._records = Records(spec, limit_rows, optional, max_line_bytes)
        self._kept = KeptColumns(self._records)
        self._rules = rules
        self._begun: FiledRows | None = None
        self._beginning = Lock()

    def with_columns(self, prompt_columns: Sequence[str], optional: Sequence[str]) -> "Source":
        """The same input, read for other columns."""
        return Source(
            self._spec,
            prompt_columns,
            self._records.limit,
            optional=optional,
            max_line_bytes=self._records.max_line_bytes,
            rules=self._rules,
        )

    @property
    def _filed(self) -> "FiledRows":
        """What reads files, from now on; the same for all threads."""
        from pipeline.documents.sources.filed import FiledRows  # noqa: PLC0415 (a job over tables reads no files)

        with self._beginning:
            if self._begun is None:
                if self._rules is None:
                    raise TypeError("rows that are files are read by rules")
                self._begun = FiledRows(self._rules)
            return self._begun

    @property
    def _reading(self) -> "FiledRows | None":
        """What reads files, where it has begun."""
        return self._begun

    @cached_property
    def documents(self) -> bool:
        """Whether rows are files, or name or hold one."""
        return bool(self._spec.document) or bool(self._records.of_format(DOCUMENT))

    def out_of_reach(self, *, documents: bool) -> None:
        """The input lies elsewhere, and its rows are given one by one."""
        self.documents = documents

    def load(self, part: FilePart, *, with_text: bool = False) -> bytes:
        """What the model gets of a row's file; `with_text` as of `Readers.load`.

        Raises:
            Unreadable: it is no longer what was read.
        """
        return self._filed.load(part, with_text=with_text)

    def address_of(self, part: FilePart, data: bytes) -> str:
        """As `FiledRows.address_of`."""
        return self._filed.address_of(part, data)

    def keep(self, parts: Parts) -> None:
        """Files of rows that are worked on after their batch, until `release`; the others go when the next is read."""
        if (filed := self._reading) is not None:
            filed.keep(parts)

    def release(self, row: Row) -> None:
        """The row has ended: what was fetched for it can go."""
        if row.document is not None and (filed := self._reading) is not None:
            filed.release(row)

    def close(self) -> None:
        """End the reading of files; it starts again where it is asked for."""
        if self._begun is not None:
            self._begun.close()
            self._begun = None

    @cached_property
    def _fingerprint(self) -> str:
        named = self._named_files() if self._spec.document else iter(())
        return fingerprint(self._records.files, named)

    @property
    def files(self) -> tuple[str, ...]:
        """The input's files, in the order they are read.

        Raises:
            JobError: there are none.
        """
        return tuple(file.url for file in self._records.files)

    def fingerprint(self) -> str:
        """One hash of all files: names, sizes, times of change and both ends. Taken once, at the first call.

        Of files that a table names, what the file system says of them.
        """
        return self._fingerprint

    def _named_files(self) -> Iterator[str]:
        column = self._spec.document
        named = (
            (file, name)
            for file, _, record, _ in self._records.of((column,))
            if isinstance(record, dict) and isinstance(name := record.get(column), str)
        )
        ours, theirs = tee(named)
        return (f"{name}\x00{told}" for (_, name), told in zip(ours, Stats().of(theirs), strict=True))

    def check(self) -> None:
        """Find what is wrong with the input as a whole, before anything is sent.

        Raises:
            JobError: no file, a damaged file, a column that is not there, types that do not agree.
        """
        required = [name for name in self._prompt_columns if name not in self._optional]
        needed = checking.needed_columns(self._spec, required)
        records = self._records
        filed = records.of_format(DOCUMENT)
        of_tables = checking.without_columns_of_files(needed) if filed else needed
        checking.check_parquet(records.of_format("parquet"), of_tables, self._spec)
        checking.check_tables(records.tables, of_tables, self._spec)
        checking.check_jsonl(records.of_format("jsonl"), of_tables, records.max_line_bytes)
        checking.check_documents(filed, needed)

    def notes(self) -> list[str]:
        """What is read in another way than a file's name says; and what is not, of a folder whose files are rows."""
        notes = [note for _, table in self._records.tables if (note := table.note) is not None]
        filed = self._records.of_format(DOCUMENT)
        if filed and (others := left_out(self._spec.path, self._records.files)):
            named = ", ".join(map(repr, others[:SHOWN_FILES])) + (", …" if len(others) > SHOWN_FILES else "")
            told = "as their names end like no document's, or words lie beside tables"
            notes.append(f"{len(others):,} files are left out, {told}: {named}")
        return notes

    def size_bytes(self) -> int | None:
        """How much there is to read, where that bounds the text: not in files that are compressed, as Parquet is."""
        if self.documents or any(
            file.compression is not None or file.format == "parquet" for file in self._records.files
        ):
            return None
        return sum(file.size for file in self._records.files)

    def count_rows(self) -> int:
        """Rows that `batches` will yield."""
        return self._records.count()

    def batches(self, size: int = 256, wanted: Container[int] | None = None) -> Iterator[list[Row]]:
        """All rows in order, up to `size` at a time; fewer where texts are large.

        `wanted`: places of the rows that matter; of others that are files, these are not read.

        Raises:
            JobError: a file cannot be read to its end.
        """
        for batch in self._batched(size, placed, wanted):
            rows = self._filed.completed(batch.rows, batch.files) if batch.files else batch.rows
            try:
                yield rows
            finally:
                if batch.files and (filed := self._reading) is not None:
                    for row in rows:  # its reader has come back, or has left: what was fetched for it goes
                        filed.release(row, kept_too=False)

    def listed(self, size: int = 256) -> "Iterator[tuple[list[Row], dict[int, FileRef]]]":
        """As `batches`, with no file read: where each lies goes with the rows, by the row's index, for `read`.

        Raises:
            JobError: a file of rows cannot be read to its end.
        """
        for batch in self._batched(size, referred, None):
            found = {index: one for index, one in batch.files.items() if not isinstance(one, Unreadable)}
            none = {index: one for index, one in batch.files.items() if isinstance(one, Unreadable)}
            yield self._filed.completed(batch.rows, none) if none else batch.rows, found

    def read(self, rows: Sequence[Row], files: "Mapping[int, FileRef]") -> list[Row]:
        """Rows of `listed`, on any machine, with their files read. Each is given to `release` sooner or later."""
        filed = self._filed
        return filed.completed(rows, {index: filed.placed(one) for index, one in files.items()})

    def _batched(
        self,
        size: int,
        place: "Callable[[FiledRows, File, Any], FileRef | Placed | Unreadable]",
        wanted: Container[int] | None,
    ) -> "Iterator[RowBatch]":
        """All rows in order, with duplicate ids marked and every problem located; files are where `place` says."""
        seen_kinds = kinds.Kinds(() if self._records.typed else self._spec.keep)
        maker = RowMaker(self._spec, self._prompt_columns, self._optional)
        if self.documents and self._rules is not None:
            size = self._filed.most_rows(size)
        with closing(SeenIds()) as seen_ids:
            batch = RowBatch()
            for index, (file, number, record, line) in enumerate(self._records.of(self._columns)):
                if not isinstance(record, str):
                    seen_kinds.observe(record)
                row, own_id = maker.make(index, record, line, filed=file.format == DOCUMENT)
                batch.add(row, (file, number), own_id)
                filed = file.format == DOCUMENT or bool(self._spec.document)  # a table beside documents has texts
                if filed and not isinstance(record, str) and (wanted is None or index in wanted):
                    batch.files[index] = place(self._filed, file, record.get(self._spec.document))
                    batch.chars += file.size if file.format == DOCUMENT else 0
                if len(batch.rows) >= size or batch.chars >= BATCH_CHARS:
                    yield batch.told(seen_ids)
                    batch = RowBatch()
            if batch.rows:
                yield batch.told(seen_ids)
        self._kept.kinds = seen_kinds

    def kept_schema(self, known: pa.Schema | None) -> pa.Schema:
        """As of `KeptColumns.schema`."""
        return self._kept.schema(known)

    def kept(self, size: int = 8192) -> Iterator[pa.RecordBatch]:
        """As of `KeptColumns.batches`."""
        return self._kept.batches(size)

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        """Columns that rows are made of, and those whose types are to be found."""
        spec = self._spec
        names = [
            spec.document or spec.text,
            spec.id,
            spec.tenant,
            *self._prompt_columns,
            *(() if self._records.typed else spec.keep),
        ]
        return tuple(dict.fromkeys(name for name in names if name))
