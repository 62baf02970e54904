"""What a model gets of a file: all of it as it is, some pages cut out, or one page drawn."""

import hashlib

from pipeline.reader.read import CHANGED, ReadOptions, Unreadable
from pipeline.reader.source import take
from pipeline.types import FilePart

PDF = "application/pdf"


def load(path: str, part: FilePart, options: ReadOptions, *, with_text: bool) -> bytes:
    """The bytes of `part`, whose source is at `path`. Raises Unreadable."""
    data = take(path, options.max_bytes)
    if hashlib.sha256(data).hexdigest() != part.digest:
        raise Unreadable(CHANGED, "it is not the file any more that was read before: run again")
    if b"%PDF-" not in data[:1024]:
        return data
    from pipeline.reader.pages import cut, drawn  # noqa: PLC0415 (heavy, and only for PDFs)

    if part.px:
        return drawn(data, max(part.first, 1), part.px, options.password, with_text=with_text)
    return cut(data, part.first, part.last, options.password)
