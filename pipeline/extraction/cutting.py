"""A row → the chunks of it that are asked about. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from pipeline.documents.chunks import Counter, chunk
from pipeline.documents.page_chunks import chunk_pages, halved, tokens_of
from pipeline.documents.select import chosen
from pipeline.extraction.plan import Plan
from pipeline.extraction.told_size import smaller_tokens, told_pages
from pipeline.job.settings import Chunks
from pipeline.parts import files_of
from pipeline.types import Chunk, Row

SKIPPED = "chunks_skipped"  # the column of results that says how many


class Cut(Struct, frozen=True):
    """A row's chunks that are asked about, numbered as they are in the document, and how many others it has."""

    chunks: list[Chunk]
    skipped: int = 0


def cut(row: Row, plan: Plan, counter: Counter, *, exact: bool) -> Cut:
    """A row's text or pages, cut; `exact` as of `chunk`. Pages that go as they are are not looked into: all go."""
    if files_of(row.parts):
        return Cut(chunk_pages(row.parts, counter, plan.page_bounds))
    every = chunk(row.text, counter, plan.chunk_tokens, plan.overlap_tokens, exact=exact)
    if not 0 < plan.select < len(every):
        return Cut(every)
    kept = [every[place] for place in chosen([one.text for one in every], plan.select, plan.words_asked)]
    return Cut(kept, len(every) - len(kept))


def smaller(plan: Plan, counter: Counter, whole: Chunk, told: str, cap: int, number: int) -> list[Chunk]:
    """A chunk that was too long, cut in halves or as small as its refusal (`told`) says; numbered from `number` on.

    `cap`: output tokens of its request. One piece or none where it cannot be cut.
    """
    if files_of(whole.parts):
        pieces = halved(whole, plan.page_bounds.overlap_pages, told_pages(told))
        return [Chunk(at, 0, 0, parts, sum(map(tokens_of, parts))) for at, parts in enumerate(pieces, number)]
    tokens = counter.count(whole.text)
    size = smaller_tokens(told, tokens, tokens + plan.fixed_tokens, cap)
    most = max(1, min(tokens // 2 + 1, size or tokens))
    cuts = chunk(whole.text, counter, most, min(plan.overlap_tokens, most // 4), exact=True)
    return [
        replace(one, number=at, start=whole.start + one.start, end=whole.start + one.end)
        for at, one in enumerate(cuts, number)
    ]


def chunk_columns(chunks: Chunks) -> tuple[str, ...]:
    """What results have because of it."""
    return (SKIPPED,) if chunks.select else ()
