"""Where a row's file lies, as any machine finds it. Nothing is fetched here."""

import os
from pathlib import Path
from typing import Any

from msgspec import Struct
from pyarrow import fs as pafs

from pipeline.documents.sources.files import File
from pipeline.job.settings import REMOTE
from pipeline.reader.read import Unreadable

NOT_THERE, NOT_ALLOWED, NO_FILE = "no such file", "not allowed", "no file"
REFUSED = "documents are read from below the table's folder, or from s3://, gs:// and az://"


class FileRef(Struct, frozen=True, array_like=True):
    """In a bucket, where it has a `url`; in a table, where it has `data`; else in a file system, at `path`."""

    name: str  # its base name, for people and for kinds that only a name tells
    path: str = ""
    url: str = ""
    size: int | None = None  # bytes, where that is known
    data: bytes = b""


def of_file(file: File) -> FileRef:
    """A file of the input itself.

    Raises:
        Unreadable: it is a link that leads out of its folder.
    """
    name = file.path.rpartition("/")[2]
    if not _is_local(file):
        return FileRef(name, url=file.url, size=file.size)
    root = file.path.removesuffix(file.name)
    if Path(file.path).is_symlink() and not _below(os.path.realpath(file.path), root):
        raise Unreadable(NOT_ALLOWED, "it is a link that leads out of the folder")
    return FileRef(name, file.path, size=file.size)


def of_cell(value: Any, table: File) -> FileRef:  # noqa: ANN401 (what a table holds)
    """What a table's column holds, or names.

    Raises:
        Unreadable: it is neither bytes nor the name of a file that may be read.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return FileRef("", size=len(value), data=bytes(value))
    if value is None or not isinstance(value, str) or not value.strip():
        raise Unreadable(NO_FILE, "the column is empty" if not value else "it should be bytes, or a file's name")
    if value.startswith(REMOTE):
        return FileRef(value.rpartition("/")[2], url=value)
    if "://" in value[:12]:
        raise Unreadable(NOT_ALLOWED, f"{value[:80]!r}: {REFUSED}")
    return _beside(value, table)


def _beside(value: str, table: File) -> FileRef:
    folder, name = table.path.rpartition("/")[0], value.rpartition("/")[2]
    if value.startswith("/") or ".." in value.split("/"):
        raise Unreadable(NOT_ALLOWED, f"{value[:80]!r}: {REFUSED}")
    if not _is_local(table):
        return FileRef(name, url=f"{table.url.rpartition('/')[0]}/{value}")
    path = f"{folder}/{value}"
    if not Path(path).exists():
        raise Unreadable(NOT_THERE, f"{value[:80]!r}, seen from the table's folder")
    if not _below(os.path.realpath(path), folder):
        raise Unreadable(NOT_ALLOWED, f"{value[:80]!r} is a link that leads out of the table's folder")
    return FileRef(name, path)


def _is_local(file: File) -> bool:
    return isinstance(file.fs, pafs.LocalFileSystem)


def _below(path: str, folder: str) -> bool:
    return path.startswith(os.path.realpath(folder or "/").rstrip("/") + "/")
