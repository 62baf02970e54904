"""One frame of application/vnd.amazon.eventstream: headers that are strings, and a payload. Pure."""

import struct
from collections.abc import Mapping
from zlib import crc32

STREAM_TYPE = "application/vnd.amazon.eventstream"
STRING = 7


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Lengths and their checksum; headers; payload; a checksum of it all."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    prelude = lengths + struct.pack(">I", crc32(lengths))
    data = prelude + head + payload
    return data + struct.pack(">I", crc32(data))


def event(kind: str, payload: bytes) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, payload)


def exception(kind: str, payload: bytes) -> bytes:
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, payload)


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", STRING, len(value)) + value
