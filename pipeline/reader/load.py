"""What a model gets of a file: all of it as it is, some pages cut out, or one page drawn."""

import hashlib
import os
from importlib import import_module
from typing import Any

from pipeline.parts import FilePart
from pipeline.reader.kinds import kind_of
from pipeline.reader.read import CHANGED, ReadOptions, Unreadable
from pipeline.reader.source import take


class _Kept:
    """The file that was asked for last: pages of one document are asked for one after the other."""

    def __init__(self) -> None:
        self._known: tuple[object, ...] = ()
        self._source = ("", b"")

    def source(self, path: str, max_bytes: int) -> tuple[str, bytes]:
        """Digest and bytes of the file at `path`, as it is now. Raises Unreadable."""
        known = (path, *_identity(path))
        if known != self._known:
            self._known, self._source = (), ("", b"")  # let go of first: there may be no memory for two
            data = take(path, max_bytes)
            self._known, self._source = known, (hashlib.sha256(data).hexdigest(), data)
        return self._source


def _identity(path: str) -> tuple[object, ...]:
    """What of a file changes when it does."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a name need not be UTF-8)
    except OSError:
        return (object(),)  # like nothing else: who reads it says why
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


_kept = _Kept()
PDF, MAIL = "application/pdf", "message/rfc822"


def load(path: str, part: FilePart, options: ReadOptions, *, with_text: bool) -> bytes:
    """The bytes of `part`, whose source is at `path`. Raises Unreadable."""
    digest, data = _as_it_is_now(path, options)
    if digest != part.digest:
        raise Unreadable(CHANGED, "it is not the file any more that was read before: run again")
    kind = kind_of(data, part.name)
    if kind == MAIL:
        data = _module("mail").piece_bytes(data, part.piece, options)
        kind = kind_of(data, part.name)
    return _shown(data, kind, part, options, with_text=with_text)


def _as_it_is_now(path: str, options: ReadOptions) -> tuple[str, bytes]:
    """Digest and bytes of a file that could be read before: whatever stands against it now has come since."""
    try:
        return _kept.source(path, options.max_bytes)
    except Unreadable as why:
        raise why if why.reason == CHANGED else Unreadable(CHANGED, f"it was read, and now: {why}") from None


def _shown(data: bytes, kind: str, part: FilePart, options: ReadOptions, *, with_text: bool) -> bytes:
    shown: bytes
    if kind == PDF and part.px:
        shown = _module("pages").drawn(data, max(part.first, 1), part.px, options.password, with_text=with_text)
    elif kind == PDF:
        shown = _module("pages").cut(data, part.first, part.last, options.password)
    elif part.px and kind.startswith("image/"):
        shown = _module("images").png_of(data, max(part.first, 1) - 1, part.px)
    else:
        shown = data
    return shown


def _module(name: str) -> Any:  # noqa: ANN401 (its functions are named above)
    """A module for one kind: they are heavy, and loaded when the first of that kind is there."""
    return import_module(f"pipeline.reader.{name}")
