"""Which page a reader is at: told to whoever waits for it, so that it may take longer, and is known if it dies there.

The last word stands in a file that both processes hold. Telling costs one small write; without a listener, nothing.
"""

import os
from collections.abc import Callable
from struct import Struct

_PLACE = Struct("<II")
_listener: Callable[[int, int], None] | None = None


def listen(listener: Callable[[int, int], None] | None) -> None:
    """What `at_page` calls from now on."""
    global _listener  # noqa: PLW0603 (one process reads one file at a time)
    _listener = listener


def at_page(page: int, pages: int) -> None:
    """The reader begins with `page` (from 1) of `pages`."""
    if _listener is not None:
        _listener(page, pages)


def write_place(descriptor: int, page: int, pages: int) -> None:
    os.pwrite(descriptor, _PLACE.pack(page, pages), 0)


def read_place(descriptor: int) -> tuple[int, int]:
    """Page and pages; 0 and 0 before the first."""
    told = os.pread(descriptor, _PLACE.size, 0)
    return _PLACE.unpack(told) if len(told) == _PLACE.size else (0, 0)
