"""Pages of a PDF for a model to see: all of the file as it is, some cut out, or one drawn."""

import struct
import zlib
from ctypes import byref, c_int, string_at

from pipeline.reader.document import Document, opened
from pipeline.reader.pdf import page_text
from pipeline.reader.pdfium import pdfium
from pipeline.reader.read import DAMAGED, Unreadable

_WHITE = 0xFFFFFFFF
_PNG = b"\x89PNG\r\n\x1a\n"
TEXT_KEYWORD = b"text"


def cut(data: bytes, first: int, last: int, password: str | None) -> bytes:
    """A PDF of the pages `first` to `last` (from 1; 0 and 0: all), without a password. Raises Unreadable."""
    with opened(data, password) as document:
        _check_range(document, first, last)
        if first <= 1 and last in {0, document.pages}:
            return _saved(document.handle) if document.is_encrypted else data
        return _of_pages(document, first, last)


def drawn(data: bytes, number: int, px: int, password: str | None, *, with_text: bool) -> bytes:
    """Page `number` as a gray PNG whose longest edge has `px` pixels. Raises Unreadable."""
    with opened(data, password) as document:
        _check_range(document, number, number)
        text = page_text(document, number) if with_text else ""
        with document.page(number) as page:
            return png(*_rendered(page, px), text)


def _check_range(document: Document, first: int, last: int) -> None:
    if last > document.pages or first > max(last, 1):
        raise Unreadable(DAMAGED, f"it has {document.pages} pages: none of {first} to {last}", pages=document.pages)


def _of_pages(document: Document, first: int, last: int) -> bytes:
    numbers = range(first - 1, last)
    for number in numbers:
        with document.page(number + 1):
            pass  # what is filled in is part of it from here on
    made = pdfium.FPDF_CreateNewDocument()
    try:
        indices = (c_int * len(numbers))(*numbers)
        if not pdfium.FPDF_ImportPagesByIndex(made, document.handle, indices, len(numbers), 0):
            raise Unreadable(DAMAGED, f"pages {first} to {last} cannot be cut out of it")
        return _saved(made)
    finally:
        pdfium.FPDF_CloseDocument(made)


def _saved(handle: object) -> bytes:
    """The bytes of an open document, without its security."""
    blocks: list[bytes] = []

    def keep(_: object, block: int, size: int) -> int:
        blocks.append(string_at(block, size))
        return 1

    writer = pdfium.FPDF_FILEWRITE(version=1)
    writer.WriteBlock = type(writer.WriteBlock)(keep)
    if not pdfium.FPDF_SaveAsCopy(handle, byref(writer), pdfium.FPDF_REMOVE_SECURITY):
        raise Unreadable(DAMAGED, "it cannot be saved again without its security")
    return b"".join(blocks)


def _rendered(page: object, px: int) -> tuple[int, int, bytes, int]:
    """Width, height, gray values, and how many bytes a line of them takes."""
    wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = px / max(wide, high, 1e-3)
    width, height = max(1, round(wide * scale)), max(1, round(high * scale))
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
        flags = pdfium.FPDF_ANNOT | pdfium.FPDF_GRAYSCALE
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        return width, height, string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height), stride
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)


def png(width: int, height: int, gray: bytes, stride: int, text: str = "") -> bytes:
    """A gray PNG; `text` goes along unseen (PNG specification, third edition, 11.3.3.4)."""
    lines = b"".join(b"\0" + gray[at : at + width] for at in range(0, stride * height, stride))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    if text:
        chunks.append((b"iTXt", TEXT_KEYWORD + bytes(5) + text.encode()))
    chunks += [(b"IDAT", zlib.compress(lines, 6)), (b"IEND", b"")]
    return _PNG + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
