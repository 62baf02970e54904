"""Segments of a ledger's log as objects beside its snapshot: `ledger.log/AFTER-UPTO`, compressed, with a checksum."""

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

from pipeline.job.folder import LEDGER_LOG
from pipeline.ledger.commit_log import Frame, frames_in
from pipeline.ledger.log_chain import Stretch, stretch_of

MAGIC = b"\x93segment1"
HEAD = struct.Struct("!9sQII")  # magic, size of what was compressed, checksum of what it became, checksum of this head
PREFIX = LEDGER_LOG + "/"


class SegmentDamaged(Exception):
    """It is cut short, altered, or no segment; the message says which."""


def stretch(frames: Sequence[Frame]) -> Stretch:
    return Stretch(frames[0].after, frames[-1].upto)


def name_of(one: Stretch) -> str:
    return f"{PREFIX}{one}"


def stretches_in(names: Sequence[str]) -> list[Stretch]:
    """Of the objects below the prefix, those that are segments by their names."""
    found = (stretch_of(name.removeprefix(PREFIX)) for name in names if name.startswith(PREFIX))
    return [one for one in found if one is not None]


def packed(frames: Sequence[Frame]) -> bytes:
    raw = b"".join(frame.whole for frame in frames)
    body: bytes = _codec().compress(raw, asbytes=True)
    checksum = zlib.crc32(body)
    return HEAD.pack(MAGIC, len(raw), checksum, _of_head(len(raw), checksum)) + body


def unpacked(content: bytes, named: Stretch) -> list[Frame]:
    """The commits in a segment, without a gap, just as its name says.

    Raises:
        SegmentDamaged: they are not.
    """
    if len(content) < HEAD.size:
        raise SegmentDamaged(f"it is cut short: {len(content)} bytes")
    magic, size, checksum, of_head = HEAD.unpack_from(content)
    if magic != MAGIC or of_head != _of_head(size, checksum):
        raise SegmentDamaged("it does not begin as a segment does")
    body = memoryview(content)[HEAD.size :]
    if zlib.crc32(body) != checksum:
        raise SegmentDamaged("its checksum is wrong")
    try:
        raw: bytes = _codec().decompress(body, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise SegmentDamaged(str(error)) from None
    frames, used = frames_in(raw)
    whole = used == len(raw) and all(one.upto == other.after for one, other in pairwise(frames))
    if not frames or not whole or stretch(frames) != named:
        raise SegmentDamaged("it does not hold what its name says")
    return frames


def _of_head(size: int, checksum: int) -> int:
    return zlib.crc32(struct.pack("!QI", size, checksum))


def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=1)
