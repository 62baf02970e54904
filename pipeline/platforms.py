"""What POSIX has and Windows has not, under one name each: the rest of the package asks here, and imports neither.

Found by what is there, not by the system's name. On Windows a run is one process: `limits.workers` above 1, and files
as rows, need processes that inherit open files, which Python has on POSIX alone.
"""

import os
import select
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded at every start: 0.05 s
    import asyncio
    import socket

POSIX = hasattr(os, "O_DIRECTORY")
CLOSED_ON_EXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
NOT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # a pipe without a writer holds nobody up
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
WAY_OUT = "Run it on Linux or macOS; on Windows, in WSL"
LOCKED_AT = 1 << 30  # Windows' locks keep others from reading: far behind what is in the file


def workers_problem(workers: int) -> str | None:
    """Why a job cannot have so many; None: it can."""
    if workers == 1 or POSIX:
        return None
    return f"limits.workers = {workers} should be 1: this system has no workers. {WAY_OUT}"


def usable_cores() -> int:
    """Of this machine, those that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Linux' alone
        return os.cpu_count() or 1


def lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> None:
    """Until the file is unlocked or closed. Windows has no shared ones.

    Raises:
        OSError: BlockingIOError where others have it and it is not waited for; or there are no locks here.
    """
    try:
        import fcntl  # noqa: PLC0415 (POSIX')
    except ModuleNotFoundError:
        _locked_by_msvcrt(descriptor, "LK_LOCK" if wait else "LK_NBLCK")
        return
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def unlock(descriptor: int) -> None:
    """What `lock` has locked."""
    try:
        import fcntl  # noqa: PLC0415 (POSIX')
    except ModuleNotFoundError:
        _locked_by_msvcrt(descriptor, "LK_UNLCK")
        return
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _locked_by_msvcrt(descriptor: int, how: str) -> None:
    msvcrt: Any = import_module("msvcrt")
    os.lseek(descriptor, LOCKED_AT, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, getattr(msvcrt, how), 1)
    except PermissionError as error:
        raise BlockingIOError(error.errno, error.strerror) from None


def read_from_start(descriptor: int, count: int) -> bytes:
    """The file's first bytes."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, count)


def write_at_start(descriptor: int, content: bytes) -> None:
    """Over the file's first bytes."""
    if hasattr(os, "pwrite"):
        os.pwrite(descriptor, content, 0)
        return
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, content)


def sync(path: Path) -> None:
    """What a file, or a folder's names, hold survives a power cut. Windows has no such thing for folders."""
    if not POSIX and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if POSIX else os.O_RDWR | CLOSED_ON_EXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_gone(pid: int) -> bool:
    """Whether no process has that id; False where that cannot be asked: on Windows the question would end it."""
    if POSIX:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # somebody else's
    return False


def on_signal(loop: "asyncio.AbstractEventLoop", number: int, act: Callable[[], object]) -> Callable[[], object]:
    """Have `act` called in the loop; what is given back ends that. Of the main thread alone."""
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows' loops
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))
        return lambda: signal.signal(number, before)
    return lambda: loop.remove_signal_handler(number)


def something_to_read(line: "socket.socket | None") -> Callable[[], bool]:
    """A look at a connection, for bytes or its end. `poll` is a third of the price of a look with `recv`."""
    if line is None:
        return lambda: False
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([line], [], [], 0)[0])
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return lambda: bool(poll.poll(0))
