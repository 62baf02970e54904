"""Files in the body of a request: blocks of a turn beside its text, and the body as pieces that are never copied. Pure.

A wire encodes a turn with a gap where a file's base64 belongs. The bytes themselves pass through no encoder: they are
ASCII, and nothing in them has to be escaped.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeGuard

import orjson
from msgspec import Struct

from pipeline.errors import CallFailed, Kind
from pipeline.parts import FilePart, LoadedPart, TextPart, files_of
from pipeline.text import repaired
from pipeline.types import Request, Turn

GAP = b"\0"  # JSON has no such byte: in a string it is escaped, whatever a document says
PIECEMEAL_BYTES = 64 * 1024  # a body from this size on is written piece by piece, and let go of as soon as it has left
# From this size on it goes out on a connection of its own, which costs a handshake. A kept one may turn out to have
# ended only when all has been written: then the upload is lost, and nobody can say whether it was billed.
LARGE_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
UPLOAD_BYTES_S = 2e6  # the slowest line that is planned for
PDF = "application/pdf"
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # what all vendors take

Block = dict[str, Any]


class Pieces:
    """A large body. Once it has left, `sent` lets go of it."""

    def __init__(self, buffers: list[bytes]) -> None:
        self._buffers = buffers
        self._size = sum(map(len, buffers))
        self.when_sent: Callable[[], None] | None = None

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"Pieces({self._size} bytes)"

    def __bytes__(self) -> bytes:
        return b"".join(self._buffers)

    def __iter__(self) -> Iterator[memoryview]:
        """In turn, none of more than 256 KB."""
        for buffer in self._buffers:
            view = memoryview(buffer)
            for start in range(0, len(view), PIECE_BYTES):
                yield view[start : start + PIECE_BYTES]

    def startswith(self, start: bytes) -> bool:
        return self._buffers[0].startswith(start)

    def sent(self) -> None:
        self._buffers = []
        if self.when_sent is not None:
            self.when_sent()


Body = bytes | Pieces


class Blocks(Struct, frozen=True):
    """How a vendor's turns hold a file, and text beside one. `beside`: what is said where there is no text."""

    file: Callable[[FilePart], Block]
    text: Callable[[str], Block]
    beside: str = ""


def turn_content(turn: Turn, blocks: Blocks) -> str | list[Block]:
    """A turn's content: a string, or blocks in the order of its parts where it holds files.

    Raises:
        CallFailed: one that cannot be sent; nothing is sent without it.
    """
    parts = turn.parts
    if len(parts) == 1 and isinstance(first := parts[0], TextPart):
        return repaired(first.text)
    if not files_of(parts):
        return repaired(turn.text)
    return list(_blocks(turn, blocks))


def turn_blocks(turn: Turn, blocks: Blocks) -> list[Block]:
    """The same as blocks, whatever it holds."""
    content = turn_content(turn, blocks)
    return [blocks.text(content)] if isinstance(content, str) else content


def _blocks(turn: Turn, blocks: Blocks) -> Iterator[Block]:
    """Vendors refuse a text that is blank."""
    said = False
    for part in turn.parts:
        if isinstance(part, FilePart):
            yield blocks.file(part)
        elif isinstance(part, TextPart) and part.text.strip():
            said = True
            yield blocks.text(repaired(part.text))
    if blocks.beside and not said:
        yield blocks.text(blocks.beside)


def gap(part: FilePart, before: str = "") -> orjson.Fragment:
    """A JSON string of `before` and the file's base64, which `filled` puts in.

    Raises:
        CallFailed: nobody has read the file.
    """
    if not isinstance(part, LoadedPart):
        raise CallFailed(Kind.INVALID_REQUEST, "the request holds a file that was not read", sent=False)
    return orjson.Fragment(f'"{before}\0"')


def data_url(part: FilePart) -> orjson.Fragment:
    return gap(part, f"data:{part.media_type};base64,")


def filled(body: bytes, request: Request) -> Body:
    """The body with its files where its gaps are; as it is where it has none."""
    if GAP not in body:
        return body
    files = [part.base64 for turn in request.turns for part in turn.parts if isinstance(part, LoadedPart)]
    first, *rest = body.split(GAP)
    pieces = Pieces([first, *chain.from_iterable(zip(files, rest, strict=True))])
    return pieces if len(pieces) >= PIECEMEAL_BYTES else bytes(pieces)


def messages_file(part: FilePart) -> Block:
    """A document or an image as Claude takes it, wherever it runs: in bare base64."""
    kind = "document" if part.media_type == PDF else "image"
    if kind == "image" and part.media_type not in IMAGES:
        raise refused(part)
    return {"type": kind, "source": {"type": "base64", "media_type": part.media_type, "data": gap(part)}}


MESSAGES_BLOCKS = Blocks(messages_file, lambda text: {"type": "text", "text": text})


def refused(part: FilePart, why: str = "") -> CallFailed:
    """A file that a wire has no form for."""
    return CallFailed(Kind.INVALID_REQUEST, f"a file of {part.media_type} cannot be sent here{why}", sent=False)


def sha256_of(body: Body) -> str:
    """In hex."""
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    found = hashlib.sha256()
    for piece in body:
        found.update(piece)
    return found.hexdigest()


def is_large(body: Body | None) -> TypeGuard[Pieces]:
    return isinstance(body, Pieces) and len(body) >= LARGE_BYTES


def upload_s(body: Body | None) -> float:
    """What a call takes longer for its body."""
    return len(body) / UPLOAD_BYTES_S if is_large(body) else 0.0


def named(part: FilePart, ending: str) -> str:
    """A file's neutral name with the ending that tells a server what it is."""
    return part.name if part.name.lower().endswith(ending) else f"{part.name or 'document'}{ending}"
