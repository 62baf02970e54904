"""Which kind a file is, by its bytes and never by its name; and the one way to read a file of any kind.

The name decides only between kinds of text, where the bytes of all are the same: plain, Markdown, HTML without a head.
"""

import importlib
import re
import struct
from collections.abc import Callable
from hashlib import sha256
from typing import cast

from pipeline.reader.images import read_picture
from pipeline.reader.media_types import (
    AVIF,
    DOC,
    DOCX,
    GIF,
    HEIC,
    HTML,
    JPEG,
    LOCKED,
    MAIL,
    MAILBOX,
    MARKDOWN,
    MSG,
    ODF,
    OLE,
    PDF,
    PLAIN,
    PNG,
    PPT,
    PPTX,
    RTF,
    TIFF,
    TNEF,
    UNKNOWN,
    WEBP,
    XLS,
    XLSB,
    XLSX,
    XML,
    ZIP,
)
from pipeline.reader.package import Package
from pipeline.reader.plain import is_text, read_text, start_of
from pipeline.reader.read import (
    EMPTY,
    NOT_A_PDF,
    PASSWORD,
    TOO_LARGE,
    TOO_MANY_PAGES,
    UNSUPPORTED,
    Read,
    ReadOptions,
    Unreadable,
)  # fmt: skip

MAGIC = (  # at the very start
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"{\\rtf", RTF),
    (b"\x78\x9f\x3e\x22", TNEF),
)
BRANDS = {  # of ISO base media files
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"avif", b"avis"), AVIF),
}
OLE_MARK = bytes.fromhex("d0cf11e0a1b11ae1")
OLE_STREAMS = (  # names of streams that tell what is in it
    ("EncryptedPackage", LOCKED), ("__properties_version1.0", MSG), ("WordDocument", DOC), ("Workbook", XLS),
    ("PowerPoint Document", PPT),
)  # fmt: skip
ZIP_PARTS = (
    ("word/document.xml", DOCX), ("word/document2.xml", DOCX), ("xl/workbook.xml", XLSX), ("xl/workbook.bin", XLSB),
    ("ppt/presentation.xml", PPTX), ("META-INF/manifest.xml", ODF),
)  # fmt: skip
PDF_MARK, PDF_WITHIN = b"%PDF-", 1024
HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--(?>.{0,2000}?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
HTML_TAGS = re.compile(r"<(?:p|div|table|span|br|h[1-6]|ul|body|meta|title|center|font|b)\b[^<>]*>", re.IGNORECASE)
XML_START = re.compile(r"\s*<\?xml\s")
HEADERS = re.compile(r"(?:From [^\n]*\r?\n)?((?:[!-9;-~]+:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*)+)\r?\n", re.ASCII)
HEADERS_ALONE = re.compile(
    r"(?:From [^\n]*\r?\n)?((?:[!-9;-~]+:[^\n]*(?:\r?\n|$)(?:[ \t][^\n]*(?:\r?\n|$))*)+)$", re.ASCII
)
MACHINES = frozenset({"received", "message-id", "mime-version", "return-path", "delivered-to", "dkim-signature"})
PEOPLES = frozenset({"from", "to", "subject", "date"})
MAILBOX_NEXT = re.compile(rb"\n\r?\nFrom [^\n]{3,200}\d{4}\r?\n[!-9;-~]{1,70}:")
BY_NAME = {
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".txt": PLAIN, ".text": PLAIN, ".html": HTML, ".htm": HTML, ".xhtml": HTML,
}  # fmt: skip
UNREAD = {  # kinds that are known and not read → what they are called, and what to do
    RTF: "RTF; save it as DOCX or PDF",
    ZIP: "a ZIP; unpack it",
    PPTX: "a presentation; save it as PDF",
    PPT: "a presentation; save it as PDF",
    XLSB: "a binary workbook; save it as XLSX",
    ODF: "an OpenDocument file; save it as DOCX, XLSX or PDF",
    DOC: "a Word file of before 2007; save it as DOCX or PDF",
    XLS: "an Excel file of before 2007; save it as XLSX",
    MSG: "an Outlook message; save it as EML",
    OLE: "an Office file of before 2007; save it as DOCX, XLSX or PDF",
    TNEF: "a winmail.dat of Outlook; ask for the mail as it was written, or save it as EML",
    MAILBOX: "a mailbox of several mails; save each as EML",
    UNKNOWN: "bytes of no kind that is known",
}
LOST = frozenset({HTML, PLAIN, MARKDOWN, XML, UNKNOWN})  # what a download saves in a PDF's place
READERS: dict[str, str] = {
    PDF: "pdf.read_pdf",
    DOCX: "office.read_docx",
    XLSX: "sheets.read_xlsx",
    MAIL: "mail.read_mail",
    HTML: "html.read_html",
}
PICTURES = frozenset({PNG, JPEG, GIF, WEBP, TIFF, HEIC, AVIF})

Reader = Callable[[bytes, str, ReadOptions], Read]


def read_bytes(data: bytes, name: str, options: ReadOptions) -> Read:
    """A file of any kind, read to its end.

    Raises:
        Unreadable: with the reason first, and with the kind and the digest where they are known.
    """
    kind = ""
    try:
        _require_size(data, options)
        kind = kind_of(data, name)
        _require_readable(kind, data, name)
        read = _read(kind, data, name, options)
        _require_few_pages(read, options)
    except Unreadable as error:
        error.media_type = error.media_type or kind
        error.digest = error.digest or sha256(data).hexdigest()
        raise
    return read


def kind_of(data: bytes, name: str) -> str:
    """The media type; UNKNOWN for bytes of no known kind.

    Raises:
        Unreadable: it begins as a ZIP and is cut off.
    """
    if found := next((kind for mark, kind in MAGIC if data.startswith(mark)), None):
        return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp":
        return _brand(data)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(data)
    if data.startswith(OLE_MARK):
        return next((kind for stream, kind in OLE_STREAMS if stream.encode("utf-16-le") in data), OLE)
    place = data.find(PDF_MARK, 0, PDF_WITHIN + len(PDF_MARK))
    if place == 0 or (place > 0 and (b" obj" in data or b"%%EOF" in data)):
        return PDF
    return _text_kind(data, name) if is_text(data) else UNKNOWN


def _read(kind: str, data: bytes, name: str, options: ReadOptions) -> Read:
    if kind in PICTURES:
        return read_picture(data, name, kind, options)
    if kind not in READERS:
        return read_text(data, name, kind, options)
    module, _, function = READERS[kind].partition(".")  # imported when the first of its kind is there
    reader = getattr(importlib.import_module(f"pipeline.reader.{module}"), function)
    return cast("Reader", reader)(data, name, options)


def _require_size(data: bytes, options: ReadOptions) -> None:
    if not data:
        raise Unreadable(EMPTY, "0 bytes")
    if len(data) > options.max_bytes:
        most = options.max_bytes / 1e6
        raise Unreadable(TOO_LARGE, f"{len(data) / 1e6:.1f} MB, where documents.max_mb allows {most:g}")


def _require_few_pages(read: Read, options: ReadOptions) -> None:
    if read.pages > options.max_pages:
        told = f"{read.pages}, where documents.max_pages allows {options.max_pages}"
        raise Unreadable(TOO_MANY_PAGES, told, pages=read.pages)


def _require_readable(kind: str, data: bytes, name: str) -> None:
    if name.lower().endswith(".pdf") and kind in LOST:
        raise Unreadable(NOT_A_PDF, f"it is {_said_of(kind, data)}; fetch the file again")
    if kind == LOCKED:
        raise Unreadable(PASSWORD, "an Office file that opens with a password alone; save it without one")
    if kind in UNREAD or kind.startswith(ODF):
        raise Unreadable(UNSUPPORTED, UNREAD[kind if kind in UNREAD else ODF])


def _said_of(kind: str, data: bytes) -> str:
    if kind == UNKNOWN:
        return (
            "zero bytes alone"
            if not data.strip(b"\x00")
            else f"bytes of no kind that is known, without {PDF_MARK.decode()}"
        )
    return {HTML: "HTML, such as the page of an error or a login", XML: "XML"}.get(kind, "plain text")


def _brand(data: bytes) -> str:
    """By the first known brand of the list; any other is a video or the like."""
    (length,) = struct.unpack(">I", data[:4])
    brands = data[8 : min(length, 256)]
    return next((BRANDS[brand] for i in range(0, len(brands), 4) if (brand := brands[i : i + 4]) in BRANDS), UNKNOWN)


def _in_zip(data: bytes) -> str:
    names = Package(data).names
    return next((kind for part, kind in ZIP_PARTS if part in names), ZIP)


def _text_kind(data: bytes, name: str) -> str:
    start = start_of(data)
    named = next((kind for ending, kind in BY_NAME.items() if name.lower().endswith(ending)), None)
    if HTML_START.match(start):
        return HTML
    if XML_START.match(start):
        return XML
    if _is_mail(start, certain=named is not None):
        return MAILBOX if start.startswith("From ") and MAILBOX_NEXT.search(data) else MAIL
    if named:
        return named
    return HTML if HTML_TAGS.match(start.lstrip()) else PLAIN


def _is_mail(start: str, *, certain: bool) -> bool:
    """By its headers. `certain`: only by those that no person writes, for the name says that it is a text."""
    found = HEADERS.match(start) or HEADERS_ALONE.match(start)
    if found is None:
        return False
    names = {line.partition(":")[0].lower() for line in found[1].splitlines() if line[:1].strip()}
    return bool(names & MACHINES) if certain else bool(names & MACHINES) or len(names & PEOPLES) >= 2
