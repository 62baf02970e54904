"""What was read of files, for as long as this process lives: an estimate, a question and the run read each file once.

In a temporary file: memory holds a place for each, not its text.
"""

import os
import tempfile
import threading
from hashlib import blake2b
from typing import IO

from msgspec import Struct, msgpack

from pipeline.reader.read import Read, Unreadable

MOST_KEPT = 200_000  # files; of more, the rest are read anew
MOST_BYTES = 2_000_000_000


class _Not(Struct, frozen=True, array_like=True, tag=True):
    """A file that could not be read."""

    reason: str
    told: str
    media_type: str
    digest: str
    pages: int


class _Was(Struct, frozen=True, array_like=True, tag=True):
    read: Read


_ENCODED = msgpack.Encoder()
_DECODED = msgpack.Decoder(_Not | _Was)


class Readings:
    """By what a file is called, how large it is and when it changed; any thread may ask."""

    def __init__(self) -> None:
        self._places: dict[bytes, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> Read | Unreadable | None:
        """What reading it brought, if it is the same file still."""
        key = _key(path)
        with self._lock:
            place = None if key is None else self._places.get(key)
            if place is None or self._file is None:
                return None
            self._file.seek(place[0])
            found = _DECODED.decode(self._file.read(place[1]))
        if isinstance(found, _Was):
            return found.read
        return Unreadable(found.reason, found.told, media_type=found.media_type, digest=found.digest, pages=found.pages)

    def put(self, path: str, found: Read | Unreadable) -> None:
        key = _key(path)
        if key is None or len(self._places) >= MOST_KEPT or self._end >= MOST_BYTES:
            return
        kept = (
            _Not(found.reason, found.told, found.media_type, found.digest, found.pages)
            if isinstance(found, Unreadable)
            else _Was(found)
        )
        data = _ENCODED.encode(kept)
        with self._lock:
            try:
                self._write(data)
            except OSError:  # no room: what is not kept is read anew
                return
            self._places[key] = self._end, len(data)
            self._end += len(data)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="pipeline-readings-", buffering=0)  # noqa: SIM115 (until `close`)
        self._file.seek(self._end)
        if self._file.write(data) != len(data):
            raise OSError

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._end = None, 0
            self._places.clear()


def _key(path: str) -> bytes | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (four times as fast, once for each file)
    except (OSError, ValueError):
        return None
    told = f"{path}\x00{found.st_dev}\x00{found.st_ino}\x00{found.st_size}\x00{found.st_mtime_ns}"
    return blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).digest()
