"""What the bytes of a picture say without drawing it: its kind, its size, and a text that was laid into it. Pure."""

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
TEXT_KEYWORD = b"text"  # of the chunk with a page's text, in pictures that were drawn for the sandbox
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG's markers with a size
MOST_TEXT_BYTES = 4_000_000


class Picture(Struct, frozen=True):
    media_type: str
    width: int
    height: int
    text: str = ""


def picture_of(data: bytes) -> Picture | None:
    """None: it is no PNG, JPEG, GIF or WebP, or is damaged where its size stands."""
    try:
        found = _read(data)
    except (struct.error, IndexError, zlib.error, UnicodeDecodeError):
        return None
    return found if found is not None and found.width > 0 and found.height > 0 else None


def _read(data: bytes) -> Picture | None:
    if data.startswith(PNG_HEAD):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return Picture(GIF, *struct.unpack("<HH", data[6:10]))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _png(data: bytes) -> Picture | None:
    chunks = dict(_chunks(data))
    head = chunks.get(b"IHDR")
    if head is None or b"IDAT" not in chunks:
        return None
    width, height = struct.unpack(">II", head[:8])
    return Picture(PNG, width, height, _laid_in(chunks.get(b"iTXt", b"")))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG_HEAD)
    while place + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + size]
        if kind != b"iTXt" or body.startswith(TEXT_KEYWORD + b"\0"):
            yield kind, body
        place += size + 12


def _laid_in(chunk: bytes) -> str:
    if not chunk:
        return ""
    keyword, compressed, rest = chunk[: len(TEXT_KEYWORD)], chunk[len(TEXT_KEYWORD) + 1], chunk[len(TEXT_KEYWORD) + 3 :]
    text = rest.split(b"\0", 2)[2] if keyword else b""  # behind a language and the keyword in it
    return (zlib.decompressobj().decompress(text, MOST_TEXT_BYTES) if compressed else text).decode()


def _jpeg(data: bytes) -> Picture | None:
    place = 2
    while place + 9 <= len(data):
        mark, kind, size = struct.unpack(">BBH", data[place : place + 4])
        if mark != 0xFF:
            return None
        if kind in FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return Picture(JPEG, width, height)
        place += size + 2
    return None


def _webp(data: bytes) -> Picture | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
    else:
        return None
    return Picture(WEBP, width, height)
