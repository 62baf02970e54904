"""A file's bytes, taken once and whole; nothing is read of what is no file, or too large."""

import contextlib
import os
import stat
from io import FileIO

from pipeline.platforms import NOT_WAITING
from pipeline.reader.read import CHANGED, EMPTY, OUT_OF_REACH, TOO_LARGE, UNSUPPORTED, Unreadable

_NO_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def take(path: str, max_bytes: int) -> bytes:
    """All bytes of the file at `path`, which stayed the same while they were read. Raises Unreadable."""
    try:
        with _opened(path) as file:
            before = os.fstat(file.fileno())
            _refuse(before, max_bytes)
            content = _all_of(file, before.st_size)
            after = os.fstat(file.fileno())
            named = os.stat(path)  # noqa: PTH116 (the same call as above)
    except IsADirectoryError as error:
        raise Unreadable(UNSUPPORTED, "it is a folder, and no file") from error
    except OSError as error:
        _refuse_other(path)  # a socket cannot even be opened
        raise Unreadable(OUT_OF_REACH, (error.strerror or str(error)).lower()) from error
    if len(content) != before.st_size or not _same(before, after) or not _same(before, named):
        raise Unreadable(CHANGED, "something else writes to it: run again when it is whole")
    return content


def _opened(path: str) -> FileIO:
    """The open file; a pipe without a writer, too, holds nobody up."""
    return FileIO(path, opener=lambda name, flags: os.open(name, flags | NOT_WAITING))


def _refuse_other(path: str) -> None:
    with contextlib.suppress(OSError):
        _refuse_no_file(os.stat(path))  # noqa: PTH116 (the same)


def _refuse_no_file(found: os.stat_result) -> None:
    for is_such, what in _NO_FILES:
        if is_such(found.st_mode):
            raise Unreadable(UNSUPPORTED, f"it is {what}, and no file")


def _refuse(found: os.stat_result, max_bytes: int) -> None:
    _refuse_no_file(found)
    if found.st_size == 0:
        raise Unreadable(EMPTY, "it has 0 bytes")
    if found.st_size > max_bytes:
        told = f"it has {found.st_size / 1e6:,.1f} MB, and documents.max_mb lets in {max_bytes / 1e6:,.1f}"
        raise Unreadable(TOO_LARGE, told)


def _all_of(file: FileIO, size: int) -> bytes:
    """What it holds, and no more than one byte beyond `size`: enough to see that it grew."""
    pieces, left = [], size + 1
    while left and (piece := file.read(min(left, 1 << 24))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )
