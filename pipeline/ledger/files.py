"""The ledger's files on the disk: how they are opened, set aside, and what is wrong with them in words."""

import errno
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

BALLAST_BYTES = 16 * 1024 * 1024  # more than all answers that can be in flight


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the settings that the promises rest on: write-ahead log, every commit synced to the disk."""
    mode = "ro" if read_only else "rwc"
    uri = f"file:{str(path).replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the drive's cache
        db.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB: pages of an index are written over, and moved once
    db.execute("PRAGMA cache_size = -8000")
    return db


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
    if not path.exists():
        return
    try:
        with closing(connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        pass  # kept as it is, for whoever can mend it
    stamp = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y%m%dT%H%M%S")
    target = path.with_name(f"ledger-{stamp}.sqlite")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"ledger-{stamp}-{number}.sqlite")
    path.rename(target)
    for beside in ("-wal", "-shm"):
        log = path.with_name(path.name + beside)
        if log.exists():
            log.rename(target.with_name(target.name + beside))


def unusable(path: Path, error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENOSPC or "full" in str(error):
        return f"{path}: no space left on the disk. Free at least {BALLAST_BYTES // 2**20} MiB, or use another --output"
    if "malformed" in str(error) or "not a database" in str(error):
        return f"{path} is damaged or not a ledger ({error}). Restore it from a copy, or start over with --fresh"
    return f"{path} cannot be opened: {error}"
