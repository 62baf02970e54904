"""Files of lines on disk, found by number: of a hundred thousand lines only their places are in memory."""

import mmap
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Raw

PIECE_BYTES = 1 << 20


class LineFile:
    """Lines without their ends, written in order and read in any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._starts, self._sizes = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, lines: Iterable[bytes | Raw]) -> None:
        with self.path.open("ab") as file:
            for line in lines:
                text = bytes(line)
                file.write(text + b"\n")
                self._found(len(text), len(text) + 1)

    def index(self) -> None:
        """Find the lines of a file that was written as bytes; blank ones are none."""
        with self.path.open("rb") as file:
            for line in file:
                if line.strip():
                    self._found(len(line.rstrip(b"\r\n")), len(line))
                else:
                    self.size_bytes += len(line)

    def _found(self, text_bytes: int, size_bytes: int) -> None:
        self._starts.append(self.size_bytes)
        self._sizes.append(text_bytes)
        self.size_bytes += size_bytes

    def read(self, numbers: Iterable[int] | None = None) -> Iterator[bytes]:
        """From 0; all in their order without `numbers`."""
        with self.path.open("rb") as file:
            for number in range(len(self)) if numbers is None else numbers:
                file.seek(self._starts[number])
                yield file.read(self._sizes[number])


def mapped(path: Path) -> mmap.mmap | bytes:
    """A file's bytes without reading them into memory."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
