"""What a pool and its readers say to each other: frames of msgpack over pipes, each after its length."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.parts import FilePart
from pipeline.reader.read import Page, Read, ReadOptions, Unreadable

HEAD_BYTES = 8


class Bounds(Struct, frozen=True):
    """What one file may cost before its reader is taken for lost."""

    memory_bytes: int = 1_500_000_000  # of address space
    cpu_s: float = 60.0  # beside what its pages may take
    wall_s: float = 30.0
    page_s: float = 0.5  # more of both for each page
    files: int = 500  # after which a reader is replaced
    start_s: float = 60.0  # until a new reader is ready
    ocr_s: float = 180.0  # more of both for a page that is read by OCR: 15 as a rule, on a busy machine ten times that
    ocr_memory_bytes: int = 4_000_000_000  # of address space from the first such page on: 2 as a rule


class Start(Struct, frozen=True, array_like=True):
    """The first message: what holds for all files. Secrets go this way, and not by environment or arguments."""

    options: ReadOptions
    bounds: Bounds


class ReadAsk(Struct, frozen=True, array_like=True, tag="read"):
    """Files to read, path (as the file system spells it) and name each: every one gets an answer, in order."""

    files: tuple[tuple[bytes, str], ...]


class LoadAsk(Struct, frozen=True, array_like=True, tag="load"):
    """What a model gets of a file: one answer."""

    path: bytes
    part: FilePart
    with_text: bool


class OcrAsk(Struct, frozen=True, array_like=True, tag="ocr"):
    """A page to read off its picture, which is what a model would get of `part`: one answer."""

    path: bytes
    part: FilePart


Ask = ReadAsk | LoadAsk | OcrAsk


class Ready(Struct, frozen=True, array_like=True, tag="ready"):
    """A reader can begin."""


class WasRead(Struct, frozen=True, array_like=True, tag="was_read"):
    read: Read


class Loaded(Struct, frozen=True, array_like=True, tag="loaded"):
    content: bytes


class WasSeen(Struct, frozen=True, array_like=True, tag="was_seen"):
    page: Page


class NotRead(Struct, frozen=True, array_like=True, tag="not_read"):
    """An `Unreadable`, on its way."""

    reason: str
    told: str
    media_type: str
    digest: str
    pages: int

    @classmethod
    def of(cls, error: Unreadable) -> "NotRead":
        return cls(error.reason, error.told, error.media_type, error.digest, error.pages)

    def error(self) -> Unreadable:
        return Unreadable(self.reason, self.told, media_type=self.media_type, digest=self.digest, pages=self.pages)


class Missing(Struct, frozen=True, array_like=True, tag="missing"):
    """Something for the user to install or mend, the same for every such file."""

    told: str


Answer = Ready | WasRead | Loaded | WasSeen | NotRead | Missing

_encode = msgspec.msgpack.Encoder().encode
start_of = msgspec.msgpack.Decoder(Start).decode
ask_of: Callable[[bytes], Ask] = msgspec.msgpack.Decoder(Ask).decode
answer_of: Callable[[bytes], Answer] = msgspec.msgpack.Decoder(Answer).decode


def frame(message: Any) -> bytes:  # noqa: ANN401 (any of the above)
    """`message` as it goes over a pipe."""
    content = _encode(message)
    return len(content).to_bytes(HEAD_BYTES, "big") + content
