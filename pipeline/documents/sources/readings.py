"""What was read of files, for as long as this process lives: an estimate, a question and the run read each file once.

In a temporary file: memory holds a place for each, not its text.
"""

import os
import tempfile
import threading
from hashlib import blake2b
from typing import IO

from msgspec import Struct, msgpack

from pipeline.reader.read import Page, Read, Unreadable

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


class _Seen(Struct, frozen=True, array_like=True, tag=True):
    page: Page


_ENCODED = msgpack.Encoder()
_DECODED = msgpack.Decoder(_Not | _Was | _Seen)
Kept = Read | Page | Unreadable


class Readings:
    """By what a file is called, how large it is and when it changed; any thread may ask."""

    def __init__(self) -> None:
        self._places: dict[bytes, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> Read | Unreadable | None:
        """What reading it brought, if it is the same file still."""
        found = self._taken(_key(path))
        return None if isinstance(found, Page) else found

    def put(self, path: str, found: Read | Unreadable) -> None:
        self._keep(_key(path), found)

    def page(self, digest: str, piece: int, number: int) -> Page | Unreadable | None:
        """What OCR made of a page: of the same bytes, wherever they lie."""
        found = self._taken(_page_key(digest, piece, number))
        return None if isinstance(found, Read) else found

    def put_page(self, digest: str, piece: int, number: int, found: Page | Unreadable) -> None:
        self._keep(_page_key(digest, piece, number), found)

    def _taken(self, key: bytes | None) -> Kept | None:
        with self._lock:
            place = None if key is None else self._places.get(key)
            if place is None or self._file is None:
                return None
            self._file.seek(place[0])
            found = _DECODED.decode(self._file.read(place[1]))
        if isinstance(found, _Not):
            more = {"media_type": found.media_type, "digest": found.digest}
            return Unreadable(found.reason, found.told, pages=found.pages, **more)
        return found.read if isinstance(found, _Was) else found.page

    def _keep(self, key: bytes | None, found: Kept) -> None:
        if key is None or len(self._places) >= MOST_KEPT or self._end >= MOST_BYTES:
            return
        data = _ENCODED.encode(_kept(found))
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


def _kept(found: Kept) -> _Not | _Was | _Seen:
    if isinstance(found, Unreadable):
        return _Not(found.reason, found.told, found.media_type, found.digest, found.pages)
    return _Was(found) if isinstance(found, Read) else _Seen(found)


def _page_key(digest: str, piece: int, number: int) -> bytes:
    return blake2b(f"page\x00{digest}\x00{piece}\x00{number}".encode(), digest_size=16).digest()


def _key(path: str) -> bytes | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (four times as fast, once for each file)
    except (OSError, ValueError):
        return None
    told = f"{path}\x00{found.st_dev}\x00{found.st_ino}\x00{found.st_size}\x00{found.st_mtime_ns}"
    return blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).digest()
