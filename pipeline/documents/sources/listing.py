"""What lies in a folder, on a disk or in a bucket. A disk's names need not be UTF-8, and not all it lists is a file."""

import json
import os
import stat
from collections.abc import Iterator

from msgspec import Struct
from pyarrow import fs as pafs

from pipeline.documents.sources.filesystems import FilePlace

FILE, FOLDER, OTHER, NOWHERE = "file", "folder", "other", "nowhere"
_KINDS = {
    pafs.FileType.File: FILE,
    pafs.FileType.Directory: FOLDER,
    pafs.FileType.Unknown: OTHER,
    pafs.FileType.NotFound: NOWHERE,
}


class Found(Struct, frozen=True):
    """One entry. `path` is the file system's own spelling; `size` in bytes."""

    path: str
    kind: str  # FILE, FOLDER, OTHER (a pipe, a socket, a device) or NOWHERE (also a link to nothing, or in a circle)
    size: int = 0
    mtime_ns: int = 0

    @property
    def base_name(self) -> str:
        return self.path.rpartition("/")[2]


def found_at(where: FilePlace, path: str) -> Found:
    """Raises OSError and ArrowException where the file system does not answer."""
    if is_local(where.fs):
        return _on_disk(path)
    (info,) = where.fs.get_file_info([path])
    return _of(info)


def found_in(where: FilePlace, folder: str) -> Iterator[Found]:
    """The entries of a folder, in no order; none of one that is not there. Raises as `found_at`."""
    if is_local(where.fs):
        try:
            entries = os.listdir(folder)  # noqa: PTH208 (a name need not be UTF-8)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from (_on_disk(f"{folder.rstrip('/')}/{name}") for name in entries)
    else:
        yield from map(_of, where.fs.get_file_info(pafs.FileSelector(folder, allow_not_found=True)))


def given_in(path: str) -> list[tuple[str, Found]]:
    """What a program's list of paths names, in its order, by the names that the program has for it. Raises OSError."""
    with open(path, encoding="ascii") as lines:  # noqa: PTH123 (a name need not be UTF-8)
        return [(name, _on_disk(found)) for name, found in map(json.loads, lines)]


def is_local(fs: pafs.FileSystem) -> bool:
    return isinstance(fs, pafs.LocalFileSystem)


def readable_name(name: str) -> str:
    r"""A name of a disk as text: bytes that are no UTF-8 as `\xff`, so that no two names become one."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_utf_8(name: str) -> bool:
    return readable_name(name) == name


def _on_disk(path: str) -> Found:
    try:
        told = os.stat(path)  # noqa: PTH116 (four times as fast, once for each file)
    except (OSError, ValueError):
        return Found(path, NOWHERE)
    if stat.S_ISDIR(told.st_mode):
        return Found(path, FOLDER)
    return Found(path, FILE if stat.S_ISREG(told.st_mode) else OTHER, told.st_size, told.st_mtime_ns)


def _of(info: pafs.FileInfo) -> Found:
    return Found(info.path, _KINDS[info.type], info.size or 0, info.mtime_ns or 0)
