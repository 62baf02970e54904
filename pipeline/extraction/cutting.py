"""A row → the chunks of it that are asked about. Pure."""

from msgspec import Struct

from pipeline.documents.chunks import Counter, chunk
from pipeline.documents.page_chunks import chunk_pages
from pipeline.documents.select import chosen
from pipeline.extraction.plan import Plan
from pipeline.job.settings import Chunks
from pipeline.types import Chunk, Row, files_of

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


def chunk_columns(chunks: Chunks) -> tuple[str, ...]:
    """What results have because of it."""
    return (SKIPPED,) if chunks.select else ()
