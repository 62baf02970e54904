"""Where runs of one account meet: a lock and a socket in a folder that is this user's alone."""

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from pipeline.platforms import CLOSED_ON_EXEC, lock

RUN_FOLDERS = "/run/user"  # of each user who is logged in, or lingers
LONGEST_BYTES = 100  # of a socket's path; systems allow 104 and more
FOLDER_MODE = 0o700


class Place(Struct, frozen=True):
    """The paths of one account's lock and socket."""

    lock: Path
    socket: Path


def place_of(account: str, environ: Mapping[str, str]) -> Place:
    """Its folder is made where it is not there.

    Raises:
        OSError: there is none that is this user's alone, or whose path is short enough for a socket.
    """
    problem: OSError | None = None
    for folder in _folders(environ):
        if len(os.fsencode(folder / f"{account}.sock")) > LONGEST_BYTES:
            problem = problem or OSError(f"the path of {folder} is too long for a socket")
            continue
        try:
            _made(folder)
        except OSError as error:
            problem = problem or error
        else:
            return Place(folder / f"{account}.held", folder / f"{account}.sock")
    raise problem or OSError("there is no folder for sockets")


def taken(path: Path) -> int | None:
    """The lock's descriptor, or None while another run has it. It is free again when its holder dies, however it dies.

    Raises:
        OSError: it cannot be opened, or files cannot be locked there.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | CLOSED_ON_EXEC, 0o600)
        try:
            lock(descriptor)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it: it is nobody's any more


def listening(path: Path) -> socket.socket:
    """A socket there, whatever a run that was killed has left. For who has the lock."""
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX)
    try:
        found.bind(str(path))
    except OSError:
        found.close()
        raise
    return found


def given_up(place: Place, descriptor: int) -> None:
    """Both files go, and then the lock: whoever had opened it before sees that it is gone."""
    for path in (place.socket, place.lock):
        path.unlink(missing_ok=True)
    os.close(descriptor)


def _folders(environ: Mapping[str, str]) -> list[Path]:
    own = f"pipeline-{os.getuid()}"
    run = environ.get("XDG_RUNTIME_DIR") or f"{RUN_FOLDERS}/{os.getuid()}"  # which cron has, and is not told of
    first = [Path(run) / "pipeline"] if Path(run).is_absolute() else []
    return [*first, Path(environ.get("TMPDIR") or tempfile.gettempdir()).absolute() / own, Path("/tmp") / own]  # noqa: S108 (0700, and its owner is looked at)


def _made(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(FOLDER_MODE)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise OSError(f"{folder} is not a folder of this user alone")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(f"{folder} cannot be written to")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
