"""A file's pages → chunks of as many pages as a call takes. Pure.

Every page goes, once or (with an overlap) more often, and in order: a page that is left out is a number that is wrong.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.documents.chunks import Counter, chunk, rough_tokens
from pipeline.job.settings import MOST_PAGES
from pipeline.parts import FilePart, Part, Parts, TextPart
from pipeline.types import Chunk

PDF = "application/pdf"


class PageBounds(Struct, frozen=True):
    """What one call takes of a file, as far as is known before it is sent."""

    pages: int = MOST_PAGES
    overlap_pages: int = 0
    tokens: int = 1_000_000
    size_bytes: int = 20_000_000  # of all its files, before base64


def chunk_pages(parts: Parts, counter: Counter, bounds: PageBounds) -> list[Chunk]:
    """Chunks of consecutive parts; one that is larger than the bounds goes alone. Texts that are too long are cut."""
    units = [unit for part in parts for unit in _units(part, counter, bounds.tokens)]
    made = [
        Chunk(number, 0, 0, tuple(units[first:end]), sum(map(tokens_of, units[first:end])))
        for number, (first, end) in enumerate(_spans(units, bounds))
    ]
    _require_all(units, made)
    return made


def halved(one: Chunk, overlap_pages: int, most_pages: int | None = None) -> list[Parts]:
    """A chunk's parts in two, or in pieces of as many pages as a refusal allows; one part cannot be parted."""
    count = sum(isinstance(part, FilePart) for part in one.parts)
    most = max(1, min((count + 1) // 2, most_pages or count))
    if count < 2:
        return [one.parts]
    bounds = PageBounds(pages=most, overlap_pages=min(overlap_pages, most // 2), size_bytes=1 << 60, tokens=1 << 60)
    return [one.parts[first:end] for first, end in _spans(one.parts, bounds)]


def joined(parts: Parts) -> Parts:
    """With consecutive pages of one PDF as one part: as they are sent."""
    made: list[Part] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, FilePart) and isinstance(last, FilePart) and _follows(last, part):
            made[-1] = replace(
                last,
                last=part.last,
                tokens=last.tokens + part.tokens,
                tokens_ceiling=last.tokens_ceiling + part.tokens_ceiling,
                size=last.size + part.size,
            )
        else:
            made.append(part)
    return tuple(made)


def tokens_of(part: Part) -> int:
    return rough_tokens(part.text) if isinstance(part, TextPart) else part.tokens


def _follows(last: FilePart, part: FilePart) -> bool:
    same = (last.media_type, last.digest, last.piece, last.px) == (part.media_type, part.digest, part.piece, 0)
    return same and part.media_type == PDF and part.first == last.last + 1


def _units(part: Part, counter: Counter, most_tokens: int) -> Iterator[Part]:
    if isinstance(part, FilePart):
        yield part
        return
    for piece in chunk(part.text, counter, max(1, most_tokens)):
        yield from piece.parts


def _spans(units: Sequence[Part], bounds: PageBounds) -> Iterator[tuple[int, int]]:
    """First and end of each chunk."""
    first = 0
    while first < len(units):
        end = _end(units, first, bounds)
        yield first, end
        if end == len(units):
            return
        first = max(first + 1, end - _overlap(units, first, end, bounds.overlap_pages))


def _end(units: Sequence[Part], first: int, bounds: PageBounds) -> int:
    pages = tokens = size = 0
    for place in range(first, len(units)):
        part = units[place]
        tokens += tokens_of(part)
        if isinstance(part, FilePart):
            pages, size = pages + 1, size + part.size
        if place > first and (pages > bounds.pages or tokens > bounds.tokens or size > bounds.size_bytes):
            return place
    return len(units)


def _overlap(units: Sequence[Part], first: int, end: int, most: int) -> int:
    """How many of the last units of a chunk go with the next one too: pages only, and less than half of them."""
    most = min(most, (end - first) // 2)
    count = 0
    while count < most and isinstance(units[end - 1 - count], FilePart):
        count += 1
    return count


def _require_all(units: Sequence[Part], chunks: Sequence[Chunk]) -> None:
    """Pages sent are pages of the file."""
    sent = {id(part) for one in chunks for part in one.parts}
    if not all(id(unit) in sent for unit in units):
        raise AssertionError("a page is in no chunk")
