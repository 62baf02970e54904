"""All records of the input, whatever its files are: one at a time, in order, up to the limit."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from pipeline.documents.sources import jsonl, parquet
from pipeline.documents.sources.delimited import Table
from pipeline.documents.sources.files import DOCUMENT, File, find
from pipeline.documents.sources.folder_keys import folder_keys, with_keys
from pipeline.documents.sources.written import with_whole_numbers
from pipeline.job.settings import Input

TABLES = frozenset({"csv", "tsv"})
Record = tuple[File, int, dict[str, Any] | str, bytes]  # file, place in it, values or what is wrong, its line of JSON


class Records:
    """`optional`: columns that a row, and the input, may lack."""

    def __init__(self, spec: Input, limit_rows: int | None, optional: Sequence[str], max_line_bytes: int) -> None:
        self.spec = spec
        self.limit = limit_rows
        self._optional = frozenset(optional)
        self.max_line_bytes = max_line_bytes

    @cached_property
    def files(self) -> tuple[File, ...]:
        """In the order they are read.

        Raises:
            JobError: there are none.
        """
        return find(self.spec.path, tables_only=bool(self.spec.document))

    def of_format(self, *formats: str) -> list[File]:
        return [file for file in self.files if file.format in formats]

    @cached_property
    def typed(self) -> bool:
        """Whether the files declare the types of their columns."""
        return all(file.format == "parquet" for file in self.files)

    @cached_property
    def tables(self) -> list[tuple[File, Table]]:
        return [(file, self._table(file)) for file in self.of_format(*TABLES)]

    def count(self) -> int:
        """JSON lines are read for it, not parsed."""
        total = 0
        for file in self.files:
            if self.limit is not None and total >= self.limit:
                return self.limit
            total += self._count(file, None if self.limit is None else self.limit - total)
        return total if self.limit is None else min(total, self.limit)

    def _count(self, file: File, most: int | None) -> int:
        if file.format == DOCUMENT:
            return 1
        if file.format == "parquet":
            return parquet.count(file)
        rows = self._table(file).rows() if file.format in TABLES else jsonl.lines(file, self.max_line_bytes)
        return sum(1 for _ in islice(rows, most))

    def of(self, columns: Sequence[str]) -> Iterator[Record]:
        """Every record up to the limit, with these columns at least."""
        return islice(self._all(columns), self.limit)

    def _all(self, columns: Sequence[str]) -> Iterator[Record]:
        spec = self.spec
        exact = [name for name in (spec.id, spec.tenant, *spec.keep) if name]
        for file in self.files:
            keys = folder_keys(file)
            if file.format == DOCUMENT:
                yield file, 0, {**keys, **_of_file(file)}, b""
                continue
            if file.format == "parquet":
                for place, record in parquet.records(file, self.own(file, columns), spec.document):
                    yield file, place, with_keys(record, keys) if keys else record, b""
                continue
            if file.format in TABLES:
                for place, values in self._table(file).records():
                    yield file, place, with_keys(values, keys) if keys else values, b""
                continue
            for place, bare, line in jsonl.records(file, self.max_line_bytes):
                record = with_keys(bare, keys) if keys else bare
                if exact and not isinstance(record, str):
                    record = with_whole_numbers(line, record, exact)
                yield file, place, record, line

    def _table(self, file: File) -> Table:
        return Table(file, self.max_line_bytes)

    def own(self, file: File, columns: Sequence[str]) -> Sequence[str]:
        """Of these columns those that a Parquet file has itself: not a folder's key, nor what it may lack.

        Beside documents it may lack their columns.
        """
        if not self._optional and not folder_keys(file) and not self.of_format(DOCUMENT):
            return columns
        there = parquet.schema(file).names
        return [name for name in columns if name in there] or there[:1]


def _of_file(file: File) -> dict[str, Any]:
    """The columns of a row that is a file; what only reading tells is null."""
    name = file.name.rpartition("/")[2]
    return {"id": file.name, "name": name, "size": file.size, "pages": None, "media_type": None}
