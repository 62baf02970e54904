"""The input: JSON lines, CSV, TSV, Parquet or documents, on a disk or in a bucket → rows, in order, streamed.

The rule: every row of the input is yielded exactly once, whatever its bytes, and memory does not grow with the rows.
A row that cannot be used is yielded with its `problem`; a file that cannot be read to its end is a JobError.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.documents.sources import checks as checking
from pipeline.documents.sources import column_types as kinds
from pipeline.documents.sources import jsonl, parquet
from pipeline.documents.sources.delimited import Table
from pipeline.documents.sources.files import DOCUMENT, File, find, fingerprint, stat_of
from pipeline.documents.sources.folder_keys import folder_keys, with_keys
from pipeline.documents.sources.rows import RowMaker, SeenIds, duplicate, located
from pipeline.documents.sources.written import with_texts, with_whole_numbers
from pipeline.errors import JobError
from pipeline.job.settings import Input
from pipeline.reader.read import Unreadable
from pipeline.types import FilePart, Row, text_parts

if TYPE_CHECKING:
    from pipeline.documents.pages import Rules
    from pipeline.documents.sources.filed import FiledRows
    from pipeline.documents.sources.spool import Placed

TABLES = frozenset({"csv", "tsv"})
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
        self._limit = limit_rows
        self._max_line_bytes = max_line_bytes
        self._rules = rules
        self._kinds: kinds.Kinds | None = None  # of a pass that saw every row
        self._kept_schema: pa.Schema | None = None

    def with_columns(self, prompt_columns: Sequence[str], optional: Sequence[str]) -> "Source":
        """The same input, read for other columns."""
        return Source(
            self._spec,
            prompt_columns,
            self._limit,
            optional=optional,
            max_line_bytes=self._max_line_bytes,
            rules=self._rules,
        )

    @cached_property
    def _files(self) -> tuple[File, ...]:
        return find(self._spec.path, tables_only=bool(self._spec.document))

    @cached_property
    def _filed(self) -> "FiledRows":
        from pipeline.documents.sources.filed import FiledRows  # noqa: PLC0415 (a job over tables reads no files)

        if self._rules is None:
            raise TypeError("rows that are files are read by rules")
        return FiledRows(self._rules)

    @cached_property
    def documents(self) -> bool:
        """Whether rows are files, or name or hold one."""
        return bool(self._spec.document) or any(file.format == DOCUMENT for file in self._files)

    def load(self, part: FilePart, *, with_text: bool = False) -> bytes:
        """What the model gets of a row's file; `with_text` as of `Readers.load`.

        Raises:
            Unreadable: it is no longer what was read.
        """
        return self._filed.load(part, with_text=with_text)

    def release(self, row: Row) -> None:
        """The row has ended: what was fetched for it can go."""
        if row.document is not None and "_filed" in self.__dict__:
            self._filed.release(row)

    def close(self) -> None:
        """End the reading of files; it starts again where it is asked for."""
        if "_filed" in self.__dict__:
            self._filed.close()
            del self.__dict__["_filed"]

    @cached_property
    def _fingerprint(self) -> str:
        named = self._named_files() if self._spec.document else iter(())
        return fingerprint(self._files, named)

    @cached_property
    def _typed(self) -> bool:
        """Whether the files declare the types of the kept columns."""
        return all(file.format == "parquet" for file in self._files)

    @property
    def files(self) -> tuple[str, ...]:
        """The input's files, in the order they are read.

        Raises:
            JobError: there are none.
        """
        return tuple(file.url for file in self._files)

    def fingerprint(self) -> str:
        """One hash of all files: names, sizes, times of change and both ends. Taken once, at the first call.

        Of files that a table names, what the file system says of them.
        """
        return self._fingerprint

    def _named_files(self) -> Iterator[str]:
        column = self._spec.document
        for file, _, record, _ in self._records((column,)):
            if isinstance(record, dict) and isinstance(name := record.get(column), str):
                yield f"{name}\x00{stat_of(file, name)}"

    def check(self) -> None:
        """Find what is wrong with the input as a whole, before anything is sent.

        Raises:
            JobError: no file, a damaged file, a column that is not there, types that do not agree.
        """
        required = [name for name in self._prompt_columns if name not in self._optional]
        needed = checking.needed_columns(self._spec, required)
        checking.check_parquet([file for file in self._files if file.format == "parquet"], needed, self._spec)
        checking.check_tables(self._tables, needed, self._spec)
        checking.check_jsonl([file for file in self._files if file.format == "jsonl"], needed, self._max_line_bytes)
        checking.check_documents([file for file in self._files if file.format == DOCUMENT], needed)

    def notes(self) -> list[str]:
        """What is read in another way than a file's name says."""
        return [note for _, table in self._tables if (note := table.note) is not None]

    def size_bytes(self) -> int | None:
        """How much there is to read, where that bounds the text: not in files that are compressed, as Parquet is."""
        if self.documents or any(file.compression is not None or file.format == "parquet" for file in self._files):
            return None
        return sum(file.size for file in self._files)

    def count_rows(self) -> int:
        """Rows that `batches` will yield. JSON lines are read for it, not parsed; tables are taken apart."""
        total = 0
        for file in self._files:
            if self._limit is not None and total >= self._limit:
                return self._limit
            if file.format == DOCUMENT:
                total += 1
            elif file.format == "parquet":
                total += parquet.count(file)
            else:
                left = None if self._limit is None else self._limit - total
                is_table = file.format in TABLES
                rows = self._table(file).rows() if is_table else jsonl.lines(file, self._max_line_bytes)
                total += sum(1 for _ in islice(rows, left))
        return total if self._limit is None else min(total, self._limit)

    def batches(self, size: int = 256, wanted: Container[int] | None = None) -> Iterator[list[Row]]:
        """All rows in order, up to `size` at a time; fewer where texts are large.

        `wanted`: places of the rows that matter; of others that are files, these are not read.

        Raises:
            JobError: a file cannot be read to its end.
        """
        seen_kinds = kinds.Kinds(() if self._typed else self._spec.keep)
        maker = RowMaker(self._spec, self._prompt_columns, self._optional)
        with closing(SeenIds()) as seen_ids:
            batch = _Batch()
            for index, (file, place, record, line) in enumerate(self._records(self._columns)):
                if not isinstance(record, str):
                    seen_kinds.observe(record)
                row, own_id = maker.make(index, record, line, filed=file.format == DOCUMENT)
                batch.add(row, (file, place), own_id)
                if self.documents and not isinstance(record, str) and (wanted is None or index in wanted):
                    batch.files[index] = self._placed(file, record)
                    batch.chars += file.size if file.format == DOCUMENT else 0
                if len(batch.rows) >= size or batch.chars >= BATCH_CHARS:
                    yield self._finished(batch, seen_ids)
                    batch = _Batch()
            if batch.rows:
                yield self._finished(batch, seen_ids)
        self._kinds = seen_kinds

    def _placed(self, file: File, record: dict[str, Any]) -> "Placed | Unreadable":
        """Where a row's file lies."""
        spool = self._filed.spool
        try:
            if file.format == DOCUMENT:
                return spool.of_file(file)
            return spool.of_cell(record.get(self._spec.document), file)
        except Unreadable as error:
            return error

    def _finished(self, batch: "_Batch", seen_ids: SeenIds) -> list[Row]:
        """The batch's rows, with duplicate ids marked, their files read, and every problem located."""
        rows = _told(batch.rows, batch.places, seen_ids.claim(batch.ids))
        return self._filed.completed(rows, batch.files) if batch.files else rows

    def kept_schema(self, known: pa.Schema | None) -> pa.Schema:
        """The types of the `keep` columns; `known` are those of an earlier run, and decide where tonight says nothing.

        Parquet declares them. For JSON lines they are what `batches` met, or else a pass of its own finds them.

        Raises:
            JobError: a file cannot be read.
        """
        if self._typed:
            self._kept_schema = checking.declared(self._files, self._spec.keep, known)
        else:
            if self._kinds is None:
                self._kinds = self._observed()
            self._kept_schema = self._kinds.schema(known)
        if any(file.format == DOCUMENT for file in self._files):
            self._kept_schema = checking.with_file_types(self._kept_schema)
        return self._kept_schema

    def kept(self, size: int = 8192) -> Iterator[pa.RecordBatch]:
        """The `keep` columns of all rows, in order, typed by the last `kept_schema`; nothing if the job keeps none.

        Raises:
            JobError: a file cannot be read to its end, or changed since its types were found.
        """
        if not self._spec.keep:
            return
        schema = self.kept_schema(None) if self._kept_schema is None else self._kept_schema
        yield from self._kept_arrow(schema, size) if self._typed else self._kept_values(schema, size)

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        """Columns that rows are made of, and those whose types are to be found."""
        spec = self._spec
        names = [
            spec.document or spec.text,
            spec.id,
            spec.tenant,
            *self._prompt_columns,
            *(() if self._typed else spec.keep),
        ]
        return tuple(dict.fromkeys(name for name in names if name))

    def _records(self, columns: Sequence[str]) -> Iterator[tuple[File, int, dict[str, Any] | str, bytes]]:
        """(file, place in it, values or what is wrong, its line of JSON) of every row up to the limit."""
        return islice(self._all_records(columns), self._limit)

    def _all_records(self, columns: Sequence[str]) -> Iterator[tuple[File, int, dict[str, Any] | str, bytes]]:
        spec = self._spec
        exact = [name for name in (spec.id, spec.tenant, *spec.keep) if name]
        for file in self._files:
            keys = folder_keys(file)
            if file.format == DOCUMENT:
                yield file, 0, {**keys, **_of_file(file)}, b""
                continue
            if file.format == "parquet":
                for place, record in parquet.records(file, self._own(file, columns), spec.document):
                    yield file, place, with_keys(record, keys) if keys else record, b""
                continue
            if file.format in TABLES:
                for place, values in self._table(file).records():
                    yield file, place, with_keys(values, keys) if keys else values, b""
                continue
            for place, bare, line in jsonl.records(file, self._max_line_bytes):
                record = with_keys(bare, keys) if keys else bare
                if exact and not isinstance(record, str):
                    record = with_whole_numbers(line, record, exact)
                yield file, place, record, line

    def _table(self, file: File) -> Table:
        return Table(file, self._max_line_bytes)

    @cached_property
    def _tables(self) -> list[tuple[File, Table]]:
        return [(file, self._table(file)) for file in self._files if file.format in TABLES]

    def _own(self, file: File, columns: Sequence[str]) -> Sequence[str]:
        """Of these columns those that a Parquet file has itself: not a folder's key, nor what it may lack."""
        if not self._optional and not folder_keys(file):
            return columns
        there = parquet.schema(file).names
        return [name for name in columns if name in there] or there[:1]

    def _observed(self) -> kinds.Kinds:
        seen = kinds.Kinds(self._spec.keep)
        for _, _, record, _ in self._records(self._spec.keep):
            if not isinstance(record, str):
                seen.observe(record)
        return seen

    def _kept_arrow(self, schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
        left = self._limit
        for file in self._files:
            keys = folder_keys(file)
            for whole in parquet.batches(file, self._own(file, schema.names), size):
                batch = whole.slice(0, left)
                if left is not None:
                    left -= batch.num_rows
                if batch.num_rows:
                    arrays = [_kept(batch, column, keys) for column in schema]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                if left == 0:
                    return

    def _kept_values(self, schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
        nothing = (None,) * len(schema)
        texts = [column.name for column in schema if column.type == pa.string()]
        rows = (  # cut down one by one: a chunk of whole records may not fit in memory
            nothing
            if isinstance(record, str)
            else tuple(map((with_texts(line, record, texts) if line else record).get, schema.names))
            for _, _, record, line in self._records(schema.names)
        )
        while some := list(islice(rows, size)):
            try:
                columns = zip(zip(*some, strict=True), schema, strict=True)
                arrays = [kinds.column(values, column.type) for values, column in columns]
            except pa.ArrowException as error:
                raise JobError(f"{self._spec.path}: changed while it was read: {error}. Run again") from None
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Batch(Struct):
    """Some rows, and what is to be done before they are whole."""

    rows: list[Row] = field(default_factory=list)
    ids: list[tuple[int, str]] = field(default_factory=list)
    places: list[tuple[File, int]] = field(default_factory=list)
    files: dict[int, "Placed | Unreadable"] = field(default_factory=dict)  # by the row's index
    chars: int = 0

    def add(self, row: Row, place: tuple[File, int], own_id: str | None) -> None:
        self.rows.append(row)
        self.places.append(place)
        self.chars += len(row.text)
        if own_id is not None:
            self.ids.append((row.index, own_id))


def _of_file(file: File) -> dict[str, Any]:
    """The columns of a row that is a file; what only reading tells is null."""
    name = file.name.rpartition("/")[2]
    return {"id": file.name, "name": name, "size": file.size, "pages": None, "media_type": None}


def _kept(batch: pa.RecordBatch, wanted: pa.Field, keys: Mapping[str, str | None]) -> pa.Array:
    """A kept column of a Parquet file, or the key of its folder in each row."""
    if wanted.name in batch.schema.names:
        return parquet.kept(batch.column(wanted.name), wanted.type)
    return pa.repeat(pa.scalar(keys[wanted.name], wanted.type), batch.num_rows)


def _told(batch: list[Row], places: Sequence[tuple[File, int]], owners: dict[int, int]) -> list[Row]:
    """The batch, with duplicate ids marked and every problem located."""
    for number, (row, place) in enumerate(zip(batch, places, strict=True)):
        problem = duplicate(row, owners[row.index]) if row.index in owners else row.problem
        if problem is not None:
            batch[number] = replace(row, parts=text_parts(""), problem=located(*place, problem))
    return batch
