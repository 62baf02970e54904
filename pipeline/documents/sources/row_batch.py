"""Some rows of the input on their way to being whole, and where their files are taken to be."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.documents.sources import file_refs
from pipeline.documents.sources.file_refs import FileRef
from pipeline.documents.sources.files import DOCUMENT, File
from pipeline.documents.sources.rows import SeenIds, duplicate, located
from pipeline.parts import text_parts
from pipeline.reader.read import Unreadable
from pipeline.types import Row

if TYPE_CHECKING:
    from pipeline.documents.sources.filed import FiledRows
    from pipeline.documents.sources.spool import Placed


class RowBatch(Struct):
    """Some rows, and what is to be done before they are whole."""

    rows: list[Row] = field(default_factory=list)
    ids: list[tuple[int, str]] = field(default_factory=list)
    places: list[tuple[File, int]] = field(default_factory=list)
    files: dict[int, Any] = field(default_factory=dict)  # by the row's index: where it lies, or why it cannot be read
    chars: int = 0

    def add(self, row: Row, place: tuple[File, int], own_id: str | None) -> None:
        self.rows.append(row)
        self.places.append(place)
        self.chars += len(row.text)
        if own_id is not None:
            self.ids.append((row.index, own_id))

    def told(self, seen_ids: SeenIds) -> "RowBatch":
        """With duplicate ids marked, and every problem located."""
        owners = seen_ids.claim(self.ids)
        for number, (row, place) in enumerate(zip(self.rows, self.places, strict=True)):
            problem = duplicate(row, owners[row.index]) if row.index in owners else row.problem
            if problem is not None:
                self.rows[number] = replace(row, parts=text_parts(""), problem=located(*place, problem))
        return self


def placed(filed: "FiledRows", file: File, cell: Any) -> "Placed | Unreadable":  # noqa: ANN401 (what a table holds)
    """A row's file, on this machine."""
    try:
        return filed.spool.of_file(file) if file.format == DOCUMENT else filed.spool.of_cell(cell, file)
    except Unreadable as error:
        return error


def referred(_filed: "FiledRows", file: File, cell: Any) -> FileRef | Unreadable:  # noqa: ANN401 (what a table holds)
    """A row's file, wherever it is."""
    try:
        return file_refs.of_file(file) if file.format == DOCUMENT else file_refs.of_cell(cell, file)
    except Unreadable as error:
        return error
