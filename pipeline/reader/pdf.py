"""A PDF, read: each page's text and facts, and the XML of an e-invoice inside it."""

import hashlib
import re
import unicodedata
from ctypes import byref
from itertools import chain
from typing import Any

from pipeline.reader.attachments import embedded_in
from pipeline.reader.document import PDF, Document, opened
from pipeline.reader.drawn import Drawn, drawn_on
from pipeline.reader.pdfium import pdfium
from pipeline.reader.progress import at_page
from pipeline.reader.read import Page, PageFacts, Piece, Read, ReadOptions, Unreadable
from pipeline.reader.rows import text_of
from pipeline.reader.words import Box, Direction, PageWords, words_of

_STAMP = 25  # characters that can be seen: with fewer, a page's hidden text is what it says
_BULLETS = {  # where Symbol and Wingdings have them, in the private use area
    "\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf0fc": "✓", "\uf0e0": "→", "\uf02d": "-",
    "\uf0a8": "□", "\uf0fe": "☒",
}  # fmt: skip
_BULLET = re.compile("[" + "".join(_BULLETS) + "]")
_BAD = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\ufffe\uffff]")


def read_pdf(data: bytes, name: str, options: ReadOptions) -> Read:
    """The PDF in `data`. Raises Unreadable."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        with opened(data, options.password) as document:
            document.check(options.max_pages)
            pages = tuple(_page(document, number) for number in range(1, document.pages + 1))
            embedded = embedded_in(document) if options.embedded_xml else ()
    except Unreadable as error:
        error.digest = digest
        raise
    piece = Piece(name, PDF, digest, pages)
    return Read(PDF, digest, len(data), (piece,), embedded)


def _page(document: Document, number: int) -> Page:
    at_page(number, document.pages)
    with document.page(number) as page:
        box = _box(page)
        drawn = drawn_on(page, box)
        textpage = pdfium.FPDFText_LoadPage(page)
        try:
            words = words_of(textpage, box, some_hidden=drawn.hidden_text)
        finally:
            pdfium.FPDFText_ClosePage(textpage)
        return _told(page, box, drawn, words)


def page_text(document: Document, number: int) -> str:
    """The text of page `number`, from 1, as `read_pdf` tells it."""
    return _page(document, number).text


def _box(page: Any) -> Box:  # noqa: ANN401 (a handle of pdfium's)
    """The page's borders, as its content is placed."""
    rect = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, byref(rect))
    return rect.left, rect.bottom, rect.right, rect.top


def _told(page: Any, box: Box, drawn: Drawn, words: PageWords) -> Page:  # noqa: ANN401
    chars, hidden_chars = _length(words.visible), _length(words.hidden)
    used = words.visible if chars >= _STAMP or not hidden_chars else [*words.visible, *words.hidden]
    raw = _BULLET.sub(lambda found: _BULLETS[found.group()], "\n\n".join(text_of(part.words) for part in used))
    area = (box[2] - box[0]) * (box[3] - box[1])
    facts = PageFacts(
        chars=chars,
        hidden_chars=hidden_chars,
        bad_chars=len(_BAD.findall(raw)),
        letters=sum(map(str.isalpha, raw)),
        digits=sum(map(str.isdecimal, raw)),
        image_share=min(1.0, drawn.image_area / area) if area > 0 else 0.0,
        width_pt=pdfium.FPDF_GetPageWidthF(page),
        height_pt=pdfium.FPDF_GetPageHeightF(page),
        shapes=drawn.shapes,
    )
    return Page(unicodedata.normalize("NFC", _UNSEEN.sub("", raw)), facts)


def _length(directions: list[Direction]) -> int:
    return sum(len(word.text) for word in chain.from_iterable(part.words for part in directions))
