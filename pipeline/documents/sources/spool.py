"""Where a row's file lies on this machine: in its folder, or in one of ours if it came out of a column or a bucket."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
from msgspec import Struct
from pyarrow import fs as pafs

from pipeline.documents.sources import file_refs
from pipeline.documents.sources.file_refs import NOT_THERE, FileRef
from pipeline.documents.sources.files import File
from pipeline.documents.sources.filesystems import Places
from pipeline.errors import JobError
from pipeline.reader.read import CHANGED, OUT_OF_REACH, TOO_LARGE, Unreadable

COPIED_BYTES = 1024 * 1024
GOOGLE = "gs://"


class Placed(Struct, frozen=True):
    """A file to be read. `path` is on this machine."""

    path: str
    name: str  # its base name, for people and for kinds that only a name tells


class Origin(Struct, frozen=True):
    """What a copy is of, and as it was then."""

    fs: pafs.FileSystem
    path: str
    url: str
    seen: tuple[int | None, int | None]  # bytes, and when it was written

    def is_the_same(self) -> bool:
        return _seen(self.fs.get_file_info(self.path)) == self.seen


class Spool:
    """Copies of files that lie elsewhere, each for as long as its row is worked on. Any thread may ask."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._making = Lock()
        self._numbers = count()
        self._places = Places("the URL")
        self._kept_on: set[str] = set()
        self._at_google: dict[str, Origin] = {}  # by the copy's path

    def of_file(self, file: File) -> Placed:
        """A file of the input itself.

        Raises:
            Unreadable: it is a link that leads out of its folder, too large to fetch, or out of reach.
        """
        return self.of(file_refs.of_file(file), (file.fs, file.path))

    def of_cell(self, value: Any, table: File) -> Placed:  # noqa: ANN401 (what a table holds)
        """What a table's column holds, or names.

        Raises:
            Unreadable: it is neither bytes nor the name of a file that may be read.
        """
        return self.of(file_refs.of_cell(value, table))

    def of(self, one: FileRef, at: tuple[pafs.FileSystem, str] | None = None) -> Placed:
        """What lies there, on this machine. `at`: where that is, in a file system that is open already.

        Raises:
            Unreadable: it is out of reach, or too large to fetch.
        """
        if not one.url:
            return Placed(one.path or self._copied([one.data]), one.name)
        try:
            fs, path = at or self._places.of(one.url)
        except JobError as error:
            raise Unreadable(OUT_OF_REACH, str(error)[:300]) from None
        return Placed(self._fetched(fs, path, one.url, one.size), one.name)

    def holds(self, path: str) -> bool:
        """Whether it is a copy of ours."""
        return self._folder is not None and path.startswith(self._folder.name + os.sep)

    def address_of(self, path: str) -> str:
        """The gs:// URL that a copy is of; "" where there is none.

        Raises:
            Unreadable: what lies there is another file by now.
        """
        origin = self._at_google.get(path)
        if origin is None:
            return ""
        try:
            same = origin.is_the_same()
        except (OSError, pa.ArrowException) as error:
            raise _out_of_reach(origin.url, error) from None
        if not same:
            raise Unreadable(CHANGED, "it is not the file any more that was read before: run again")
        return origin.url

    def keep(self, path: str) -> None:
        """A copy that outlives the batch it was made for."""
        if self.holds(path):
            self._kept_on.add(path)

    def release(self, path: str, *, kept_too: bool = True) -> None:
        """Delete it if it is a copy. `kept_too`: also where it was to be kept."""
        if self.holds(path) and (kept_too or path not in self._kept_on):
            self._kept_on.discard(path)
            self._at_google.pop(path, None)
            Path(path).unlink(missing_ok=True)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
            self._kept_on.clear()
            self._at_google.clear()

    def _fetched(self, fs: pafs.FileSystem, path: str, url: str, size: int | None = None) -> str:
        """A copy. What lies at Google is looked at first, so that a change from here on is seen."""
        seen = None
        try:
            if size is None or url.startswith(GOOGLE):
                seen = fs.get_file_info(path)
                size = _size(seen)
            self._require_small(size)
            stream = fs.open_input_stream(path)
        except FileNotFoundError:
            raise Unreadable(NOT_THERE, path) from None
        except (OSError, pa.ArrowException) as error:
            raise _out_of_reach(path, error) from None
        with stream:
            copy = self._copied(_pieces(stream))
        if seen is not None and url.startswith(GOOGLE):
            self._at_google[copy] = Origin(fs, path, url, _seen(seen))
        return copy

    def _require_small(self, size: int) -> None:
        if size > self._most_bytes:
            told = f"{size / 1e6:.1f} MB, where documents.max_mb allows {self._most_bytes / 1e6:g}; it was not fetched"
            raise Unreadable(TOO_LARGE, told)

    def _copied(self, pieces: Iterable[bytes]) -> str:
        """Raises OSError, with the folder in it, where there is no room: that is no row's fault."""
        target = self._new()
        try:
            with Path(target).open("wb", buffering=0) as copy:
                for piece in pieces:
                    left = memoryview(piece)
                    while left:
                        left = left[copy.write(left) :]
        except OSError as error:
            told = f"{error.strerror} for a copy of a document. Set TMPDIR to a folder with more"
            raise OSError(error.errno, told, tempfile.gettempdir()) from None
        return target

    def _new(self) -> str:
        with self._making:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="pipeline-documents-")
        return f"{self._folder.name}{os.sep}{next(self._numbers)}"


def _size(info: pafs.FileInfo) -> int:
    if info.type != pafs.FileType.File:
        raise Unreadable(NOT_THERE, info.path)
    return info.size or 0


def _seen(info: pafs.FileInfo) -> tuple[int | None, int | None]:
    return info.size, info.mtime_ns


def _pieces(stream: pa.NativeFile) -> Iterator[bytes]:
    try:
        while piece := stream.read(COPIED_BYTES):
            yield piece
    except (OSError, pa.ArrowException) as error:
        raise _out_of_reach("it broke off", error) from None


def _out_of_reach(what: str, error: Exception) -> Unreadable:
    return Unreadable(OUT_OF_REACH, f"{what}: {error}"[:300])
