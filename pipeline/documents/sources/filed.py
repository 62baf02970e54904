"""Rows that are files: read, many side by side, and made ready for the model, or `bad_row` with the reason."""

import hashlib
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pipeline.documents.pages import Rules, Sorted, made_ready, may_need_ocr
from pipeline.documents.reading import reading_of
from pipeline.documents.sources.file_refs import FileRef
from pipeline.documents.sources.readings import Readings
from pipeline.documents.sources.seen import seen_too
from pipeline.documents.sources.spool import Placed, Spool
from pipeline.parts import FilePart, Parts, files_of, text_parts
from pipeline.reader.ocr import installed
from pipeline.reader.pool import Readers
from pipeline.reader.read import Read, ReadOptions, Unreadable
from pipeline.types import Document, Row

SLOW_ROWS = 16  # at a time where each may take seconds: the first ones are asked about while others are read


class FiledRows:
    """Reads the files of a job's rows."""

    def __init__(self, rules: Rules) -> None:
        settings = rules.settings
        self._rules = rules
        self._options = ReadOptions(
            max_pages=settings.max_pages,
            max_bytes=round(settings.max_mb * 1e6),
            password=rules.password,
            embedded_xml=settings.embedded_xml == "compare",
        )
        self.spool = Spool(self._options.max_bytes)
        self._readers = Readers(self._options)
        self._readings = Readings()
        self._end = weakref.finalize(self, _ended, self._readers, self._readings, self.spool)  # whoever forgets it

    def most_rows(self, wanted: int) -> int:
        """How many rows to read before any of them is worked on."""
        return min(wanted, SLOW_ROWS) if may_need_ocr(self._rules) and installed() else wanted

    def placed(self, one: FileRef | Unreadable) -> Placed | Unreadable:
        """Where it is on this machine, by now."""
        if isinstance(one, Unreadable):
            return one
        try:
            return self.spool.of(one)
        except Unreadable as error:
            return error

    def completed(self, rows: Sequence[Row], placed: Mapping[int, Placed | Unreadable]) -> list[Row]:
        """The rows, those with a place in `placed` (by index) with their files read; in the order given."""
        wanted = [one for row in rows if row.problem is None and isinstance(one := placed.get(row.index), Placed)]
        read = self._read(wanted)
        found = iter(seen_too(wanted, read, self._rules, self._readers, self._readings))
        return [self._completed(row, placed.get(row.index), found) for row in rows]

    def _read(self, files: Sequence[Placed]) -> list[Read | Unreadable]:
        """Each read once, as long as it stays the same."""
        found = [None if self.spool.holds(one.path) else self._readings.get(one.path) for one in files]
        new = [one for one, known in zip(files, found, strict=True) if known is None]
        made = iter(self._readers.read_many([(one.path, one.name) for one in new]))
        whole = []
        for one, known in zip(files, found, strict=True):
            if known is None:
                known = next(made)  # noqa: PLW2901 (in its place)
                if not self.spool.holds(one.path):
                    self._readings.put(one.path, known)
            whole.append(known)
        return whole

    def load(self, part: FilePart, *, with_text: bool = False) -> bytes:
        """What the model gets of a file.

        Raises:
            Unreadable: it is no longer what was read.
        """
        return self._readers.load(part, with_text=with_text)

    def address_of(self, part: FilePart, data: bytes) -> str:
        """Where the whole file lies at Google, if the model gets it as it lies there; else "".

        `data`: what `load` gave. Pages that were cut out of it or drawn, and what had a password, lie nowhere.

        Raises:
            Unreadable: it is no longer what was read.
        """
        whole = hashlib.sha256(data).hexdigest() == part.digest
        return self.spool.address_of(part.path) if whole else ""

    def keep(self, parts: Parts) -> None:
        """These are needed after the batch that they came in."""
        for part in files_of(parts):
            self.spool.keep(part.path)

    def release(self, row: Row, *, kept_too: bool = True) -> None:
        """What was fetched for a row can go."""
        for path in {part.path for part in files_of(row.parts)}:
            self.spool.release(path, kept_too=kept_too)

    def close(self) -> None:
        self._end()

    def _completed(self, row: Row, place: Placed | Unreadable | None, found: Any) -> Row:  # noqa: ANN401 (an iterator)
        if row.problem is not None or place is None:
            return row
        if isinstance(place, Unreadable):
            return _unread(row, place)
        read: Read | Unreadable = next(found)
        if isinstance(read, Unreadable):
            self.spool.release(place.path)
            return _unread(row, read)
        try:
            ready = made_ready(read, place.path, self._rules)
        except Unreadable as error:
            self.spool.release(place.path)
            return _unread(row, error, read)
        return self._ready(row, read, ready, place)

    def _ready(self, row: Row, read: Read, ready: Sorted, place: Placed) -> Row:
        if ready.mode == "text":
            self.spool.release(place.path)
        document = Document(read.media_type, read.digest, read.pages, ready.mode)
        values = _with_found(row.values, read.pages, read.media_type)
        reading = reading_of(read, ready) if self._rules.evidence else None
        return replace(
            row, parts=ready.parts, values=values, document=document, witness=_witness(read), reading=reading
        )


def _ended(*opened: Readers | Readings | Spool) -> None:
    for one in opened:
        one.close()


def _unread(row: Row, error: Unreadable, read: Read | None = None) -> Row:
    """A row whose file cannot be used."""
    media_type = read.media_type if read else error.media_type
    digest = read.digest if read else error.digest
    pages = (read.pages if read else error.pages) or None
    document = Document(media_type, digest, pages) if media_type or digest else None
    return replace(row, parts=text_parts(""), problem=str(error), document=document)


def _with_found(values: Mapping[str, Any], pages: int, media_type: str) -> Mapping[str, Any]:
    """The prompt's columns with what reading has told; a table's own columns of these names stay."""
    told = {"pages": pages, "media_type": media_type}
    return {name: told[name] if name in told and value is None else value for name, value in values.items()}


def _witness(read: Read) -> Mapping[str, Any] | None:
    """What the XML in an e-invoice says; of several the first that says something."""
    if not read.embedded:
        return None
    from pipeline.reader.einvoice import facts_of  # noqa: PLC0415 (few files have any)

    return next((facts for one in read.embedded if (facts := facts_of(one.xml))), None)
