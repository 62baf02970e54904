"""Pages that are read off their pictures, each once for as long as this process lives: it takes seconds."""

from collections.abc import Sequence

from pipeline.documents.pages import Rules, pages_for_ocr, with_seen
from pipeline.documents.sources.readings import Readings
from pipeline.documents.sources.spool import Placed
from pipeline.parts import FilePart
from pipeline.reader.ocr import installed
from pipeline.reader.pool import Readers
from pipeline.reader.read import Page, Read, Unreadable

Found = Read | Unreadable
Seen = dict[tuple[str, int, int], Page | Unreadable]  # by digest, piece and page


def seen_too(
    files: Sequence[Placed], found: Sequence[Found], rules: Rules, readers: Readers, readings: Readings
) -> list[Found]:
    """What reading `files` brought, with what OCR makes of the pages that need it, if it is there."""
    asked = [_asked(one, file, rules) for one, file in zip(found, files, strict=True)]
    if not any(asked) or not installed():
        return list(found)
    pages = {_key(part): part for parts in asked for part in parts}
    seen: Seen = {key: page for key in pages if (page := readings.page(*key)) is not None}
    new = [part for key, part in pages.items() if key not in seen]
    for part, page in zip(new, readers.see_many(new), strict=True):
        seen[_key(part)] = page
        readings.put_page(*_key(part), page)
    return [_with(one, parts, seen) for one, parts in zip(found, asked, strict=True)]


def _asked(found: Found, file: Placed, rules: Rules) -> list[FilePart]:
    return [] if isinstance(found, Unreadable) else pages_for_ocr(found, file.path, rules)


def _key(part: FilePart) -> tuple[str, int, int]:
    return part.digest, part.piece, part.first


def _with(found: Found, parts: Sequence[FilePart], seen: Seen) -> Found:
    """The first page that OCR cannot look at is why the file cannot be used."""
    if isinstance(found, Unreadable):
        return found
    pages = {}
    for part in parts:
        page = seen[_key(part)]
        if isinstance(page, Unreadable):
            told = f"OCR of page {part.first}: {page.told}"
            return Unreadable(page.reason, told, media_type=found.media_type, digest=found.digest, pages=found.pages)
        pages[part.piece, part.first] = page
    return with_seen(found, pages)
