"""One run per output folder: an advisory lock that the kernel frees when its holder dies, however it dies."""

import contextlib
import errno
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.errors import LedgerError
from pipeline.job.folder import LOCK
from pipeline.platforms import CLOSED_ON_EXEC, is_gone, lock, read_from_start, write_at_start

GLANCES, GLANCE_S = 5, 0.02
LEAVING_S = 5.0  # how long workers may take to end when the run that they belong to was killed
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "glusterfs", "afs"}


class FolderLock:
    """Held for the length of a run. The file says who holds it, for the message that the second one gets."""

    def __init__(self, folder: Path, verb: str, name: str = LOCK) -> None:
        self._path = folder / name
        self._verb = verb
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | CLOSED_ON_EXEC, 0o644)
        except OSError as error:
            raise LedgerError(
                f"{self._path} cannot be opened: {error.strerror}. Let this user write it, or give another folder with "
                "--output"
            ) from None
        try:
            _take(descriptor)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise LedgerError(f"{self._path}: this file system cannot lock files: {error}") from None
            raise LedgerError(
                f"{self._path.parent} is in use by another run: {holder}. Wait for it (pipeline status JOB shows how "
                "far it is), stop it, or give another folder with --output"
            ) from None
        os.ftruncate(descriptor, 0)
        write_at_start(descriptor, json.dumps(self._words()).encode())
        self._file = descriptor
        return self

    @property
    def descriptor(self) -> int:
        """To be inherited by processes that are to hold it as well."""
        assert self._file is not None  # noqa: S101 (it is held)
        return self._file

    def _words(self) -> dict[str, str | int]:
        host = socket.gethostname()
        return {"who": who(), "verb": self._verb, "since": _now(), "pid": os.getpid(), "host": host}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _take(descriptor: int) -> None:
    """Lock it, or see for a moment that others have it: `held` has, for as long as it looks."""
    glances = GLANCES
    while glances > 0:
        with contextlib.suppress(BlockingIOError):
            return lock(descriptor)
        if glances == GLANCES and _holder_is_dead(descriptor):
            glances = round(LEAVING_S / GLANCE_S)
        glances -= 1
        time.sleep(GLANCE_S)
    return lock(descriptor)


def _holder_is_dead(descriptor: int) -> bool:
    """Whether only workers of a run that was killed hold it any more."""
    try:
        holder = json.loads(read_from_start(descriptor, 4096))
        return bool(holder["host"] == socket.gethostname() and is_gone(holder["pid"]))
    except (ValueError, KeyError, TypeError, OSError):
        return False


def held(folder: Path) -> str | None:
    """Who holds the folder's lock, or None when nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | CLOSED_ON_EXEC)
    except OSError:
        return None
    try:
        lock(descriptor, shared=True)
    except OSError:
        return _holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def require_local(folder: Path) -> None:
    """SQLite's write-ahead log needs shared memory, which network file systems don't give.

    Raises:
        LedgerError: the folder is on a network file system.
    """
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return  # not Linux: nothing to read it from
    best, kind = "", ""
    target = str(folder.resolve())
    for line in mounts:
        _device, point, system, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if len(point) >= len(best) and (target == point or target.startswith(point.rstrip("/") + "/")):
            best, kind = point, system
    if kind in NETWORK_FILE_SYSTEMS:
        raise LedgerError(
            f"{folder} is on a network file system ({kind}), where the ledger is not safe. Use a local folder"
        )


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(read_from_start(descriptor, 4096))
        return f"pipeline {holder['verb']}, {holder['who']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "a run that has just begun"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
