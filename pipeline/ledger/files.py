"""The ledger's files on the disk: how they are opened, set aside, and what is wrong with them in words."""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import LedgerUnreadable
from pipeline.job.folder import HEAD, LOGS, RUN, UNFINISHED, kept_ledger

Connection = sqlite3.Connection  # so that no room above has to know what a ledger is made of
OUT_OF_REACH = ("unable to open", "readonly", "ermission denied", "locked", "disk I/O error")
WIDE_CACHE = "PRAGMA cache_size = -65536"  # 64 MB: for passes over all rows, which look contents up in no order
BALLAST_BYTES = 16 * 1024 * 1024  # more than all answers that can be in flight


def connect(path: Path, *, read_only: bool = False, factory: type[Connection] = Connection) -> Connection:
    """A connection with the settings that the promises rest on: write-ahead log, every commit synced to the disk."""
    _require_no_damage(path)
    mode = "ro" if read_only else "rwc"
    if read_only and not os.access(path.parent, os.W_OK) and not _size(path.with_name(path.name + LOGS[0])):
        mode = "ro&immutable=1"  # a disk that nobody writes to: there is no room for the index of a log either
    uri = f"file:{str(path).replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0, factory=factory)
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the drive's cache
        db.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB: pages of an index are written over, and moved once
    db.execute("PRAGMA cache_size = -8000")
    return db


def _require_no_damage(path: Path) -> None:
    """What SQLite would wait for without end (a pipe), or take for a new ledger, deleting what is written beside it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        if _size(path.with_name(path.name + LOGS[0])):
            raise sqlite3.DatabaseError(f"it is gone, and {path.name}{LOGS[0]} is still there") from None
        return
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror) from error
    if not stat.S_ISREG(found.st_mode):
        raise sqlite3.DatabaseError("it is a folder" if stat.S_ISDIR(found.st_mode) else "it is not a plain file")
    traces = (path.name + HEAD, path.name + LOGS[0], RUN)
    if found.st_size == 0 and any(_size(path.with_name(trace)) for trace in traces):
        raise sqlite3.DatabaseError("it is empty: 0 bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@contextmanager
def reading(path: Path, *, snapshot: bool = False) -> Iterator[Connection]:
    """A ledger to put questions to; with `snapshot` all of them see the same moment.

    Raises:
        LedgerUnreadable: it, or the answer to one of the questions, cannot be read.
    """
    with unreadable(path), closing(connect(path, read_only=True)) as db:
        if snapshot:
            db.execute(WIDE_CACHE)
            db.execute("BEGIN")
        yield db


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """SQLite's errors as LedgerUnreadable, in words of our own."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerUnreadable(unusable(path, error)) from error


def copied(path: Path, target: Path) -> None:
    """A ledger as one consistent file, also while it is written.

    Raises:
        LedgerUnreadable: it cannot be read, or the copy not written.
    """
    target.unlink(missing_ok=True)
    with reading(path) as db, closing(sqlite3.connect(target)) as copy:
        db.backup(copy)


def rescue(db: Connection, path: Path) -> None:
    """Write a ledger that is open, and has no name any more, to this path: whole, or not at all."""
    temporary = path.with_name(path.name + UNFINISHED)
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as copy:
        db.backup(copy)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.rename(path)


def damage(path: Path) -> str | None:
    """What SQLite finds wrong with a ledger's file, if anything.

    Raises:
        LedgerUnreadable: it is none.
    """
    with unreadable(path), closing(sqlite3.connect(path)) as db:
        (told,) = db.execute("PRAGMA quick_check").fetchone()
    return None if told == "ok" else str(told)


def fold_log(path: Path) -> None:
    """Bring what was written last, and is beside the file, into it.

    Raises:
        LedgerUnreadable: one of them is damaged.
    """
    with unreadable(path), closing(connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def preallocate(ballast: Path) -> None:
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            ballast.unlink(missing_ok=True)
            raise
    except AttributeError:
        pass  # not on this platform: run without ballast
    finally:
        os.close(descriptor)


def keep_beside(path: Path) -> None:
    """Move the ledger out of the way, whole: its log is folded in first, or goes with it where it is damaged."""
    there = [beside for end in (HEAD, *LOGS, "") if os.path.lexists(beside := path.with_name(path.name + end))]
    if not there:
        return
    with suppress(LedgerUnreadable):  # kept as it is, for whoever can mend it
        if path.exists():
            fold_log(path)
    stamp = datetime.fromtimestamp(there[-1].lstat().st_mtime, UTC).strftime("%Y%m%dT%H%M%S")
    target = path.with_name(kept_ledger(stamp))
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(kept_ledger(f"{stamp}-{number}"))
    for beside in there:  # the head first: one that is left without its ledger would say that this was lost
        if os.path.lexists(beside):
            beside.rename(target.with_name(target.name + beside.name.removeprefix(path.name)))


def unusable(path: Path, error: Exception) -> str:
    """Where, what, and how to mend it."""
    if getattr(error, "errno", None) == errno.ENOSPC or "full" in str(error):
        return f"{path}: no space left on the disk. Free at least {BALLAST_BYTES // 2**20} MiB, or use another --output"
    if isinstance(error, OSError) or any(told in str(error) for told in OUT_OF_REACH):
        return (
            f"{path} cannot be opened: {error}. Let this user read and write it, its folder and the files beside it, "
            "or give another folder with --output"
        )
    return (
        f"{path} is damaged or not a ledger ({error}). Restore it from a copy, or start over with --fresh, "
        "which keeps it beside the new one"
    )
