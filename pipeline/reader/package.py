"""A ZIP of parts, as DOCX and XLSX are, with a bound on all that comes out of it."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from pipeline.reader.read import DAMAGED, PASSWORD, TOO_LARGE, Unreadable

MAX_PARTS = 20_000
MAX_INFLATED: Final = 200_000_000  # bytes, of all parts that are read
CHUNK_BYTES = 64 * 1024


class Package:
    """Parts are read as a stream; what they inflate to is added up.

    Raises:
        Unreadable: damaged, with a password, or more comes out than MAX_INFLATED.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as error:
            raise Unreadable(DAMAGED, f"it is no whole ZIP, it may be cut off: {error}") from None
        if len(self._zip.infolist()) > MAX_PARTS:
            raise Unreadable(TOO_LARGE, f"it has more than {MAX_PARTS} parts")
        self.names = frozenset(self._zip.namelist())
        self._left = MAX_INFLATED

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a part."""
        if name not in self.names:
            raise Unreadable(DAMAGED, f"it has no part {name}")
        if self._zip.getinfo(name).flag_bits & 1:
            raise Unreadable(PASSWORD, "its parts are encrypted; save it without a password")
        try:
            with self._zip.open(name) as part:
                while chunk := part.read(CHUNK_BYTES):
                    self._left -= len(chunk)
                    if self._left < 0:
                        told = f"its parts inflate to more than {MAX_INFLATED // 1_000_000} MB"
                        raise Unreadable(TOO_LARGE, told)
                    yield chunk
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, RuntimeError) as error:
            raise Unreadable(DAMAGED, f"its part {name} is broken: {error}") from None
