"""What was read of a file → the text that its record is looked for in, and what is known of that text by page. Pure."""

from collections.abc import Iterator

from pipeline.documents.pages import TEXT, Sorted, sort_of
from pipeline.parts import text_of
from pipeline.reader.read import PAGE_BREAK, Page, Read
from pipeline.types import Reading

PAGED = ("application/pdf", "image/")


def reading_of(read: Read, ready: Sorted) -> Reading:
    """Of a file that goes as text, that text; of one that goes as it is, or drawn, the text of its sound pages.

    A page that nobody can read keeps its place, empty: a value that is nowhere may stand on it.
    """
    pages = [page for piece in read.pieces for page in piece.pages]
    sorts = [sort_of(page.facts) for page in pages]
    sound = [sort in {"text", "blank"} for sort in sorts]
    if ready.mode == TEXT:
        text = text_of(ready.parts)
    else:
        text = PAGE_BREAK.join(page.text if good else "" for page, good in zip(pages, sound, strict=True))
    return Reading(text, tuple(_by_eye(pages)), all(sound), read.pages > 1 or read.media_type.startswith(PAGED))


def _by_eye(pages: list[Page]) -> Iterator[int]:
    for number, page in enumerate(pages, 1):
        if page.facts.by_ocr or page.facts.hidden_chars > page.facts.chars:
            yield number
