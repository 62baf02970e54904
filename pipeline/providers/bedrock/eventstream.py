"""application/vnd.amazon.eventstream: bytes, cut anywhere, into frames of typed headers and a payload. Pure.

A frame: total length, length of the headers, CRC-32 of those eight bytes; headers; payload; CRC-32 of all before it.
Numbers are big-endian. A stream that breaks these rules once cannot be read any further.
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zlib import crc32

from msgspec import Struct

PRELUDE = struct.Struct(">III")
CRC = struct.Struct(">I")
LEAST_BYTES = PRELUDE.size + CRC.size
MOST_BYTES = 24 * 1024 * 1024  # AWS: a payload of at most 24 MB, headers of 128 KB
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
BYTES, STRING, TIMESTAMP, UUID_TYPE = 6, 7, 8, 9
SIZE = struct.Struct(">H")

HeaderValue = bool | int | bytes | str | datetime | UUID


class Corrupt(Exception):
    """The bytes are no event stream, or were damaged on the way."""


class Frame(Struct, frozen=True):
    headers: Mapping[str, HeaderValue]
    payload: bytes

    def header(self, name: str) -> str:
        """A header that is text; "" where it is missing or something else."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class Decoder:
    """Takes bytes as they come."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are whole now.

        Raises:
            Corrupt: a length, a checksum or a header is wrong.
        """
        self._buffer += piece
        frames: list[Frame] = []
        start = 0
        while len(self._buffer) - start >= PRELUDE.size:
            size = _frame_size(self._buffer, start)
            if len(self._buffer) - start < size:
                break
            frames.append(_frame(self._buffer[start : start + size]))
            start += size
        self._buffer = self._buffer[start:]
        return frames


def _frame_size(buffer: bytes, start: int) -> int:
    total, headers, checksum = PRELUDE.unpack_from(buffer, start)
    if checksum != crc32(buffer[start : start + PRELUDE.size - CRC.size]):
        raise Corrupt("the checksum of a frame's prelude is wrong")
    if not LEAST_BYTES + headers <= total <= MOST_BYTES:
        raise Corrupt(f"a frame of {total} bytes with {headers} bytes of headers cannot be")
    size: int = total
    return size


def _frame(data: bytes) -> Frame:
    """One whole frame, whose prelude is known to be right."""
    if CRC.unpack_from(data, len(data) - CRC.size)[0] != crc32(data[: -CRC.size]):
        raise Corrupt("the checksum of a frame is wrong")
    end = PRELUDE.size + PRELUDE.unpack_from(data)[1]
    return Frame(_headers(data[PRELUDE.size : end]), data[end : -CRC.size])


def _headers(data: bytes) -> dict[str, HeaderValue]:
    found: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            value_at = at + 1 + data[at]
            name = data[at + 1 : value_at].decode()
            found[name], at = _value(data, data[value_at], value_at + 1)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise Corrupt(f"the headers of a frame cannot be read: {error}") from None
    if at > len(data):
        raise Corrupt("the headers of a frame are longer than they say")
    return found


def _value(data: bytes, kind: int, at: int) -> tuple[HeaderValue, int]:
    """A header's value, and where it ends."""
    if kind in {0, 1}:
        return kind == 0, at
    if kind in NUMBERS:
        number: int = NUMBERS[kind].unpack_from(data, at)[0]
        return number, at + NUMBERS[kind].size
    if kind == TIMESTAMP:
        milliseconds: int = NUMBERS[5].unpack_from(data, at)[0]
        return EPOCH + timedelta(milliseconds=milliseconds), at + 8
    if kind == UUID_TYPE:
        return UUID(bytes=data[at : at + 16]), at + 16
    if kind not in {BYTES, STRING}:
        raise Corrupt(f"a header has the unknown type {kind}")
    start = at + SIZE.size
    end: int = start + SIZE.unpack_from(data, at)[0]
    return (data[start:end].decode() if kind == STRING else data[start:end]), end
