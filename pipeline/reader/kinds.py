"""What kind of file some bytes are, and who reads it."""

import hashlib
import unicodedata

from pipeline.reader.read import UNSUPPORTED, Page, PageFacts, Piece, Read, ReadOptions, Unreadable


def kind_of(data: bytes, name: str) -> str:  # noqa: ARG001 (kinds of text differ by it)
    """The media type."""
    return "application/pdf" if b"%PDF-" in data[:1024] else "text/plain"


def read_bytes(data: bytes, name: str, options: ReadOptions) -> Read:
    """What `data` says, whatever its `name`. Raises Unreadable."""
    if kind_of(data, name) == "application/pdf" or name.lower().endswith(".pdf"):
        from pipeline.reader.pdf import read_pdf  # noqa: PLC0415 (heavy, and only for PDFs)

        return read_pdf(data, name, options)
    try:
        text = unicodedata.normalize("NFC", data.decode("utf-8-sig").replace("\r\n", "\n").replace("\f", "\n"))
    except UnicodeDecodeError as error:
        raise Unreadable(UNSUPPORTED, "it is neither a PDF nor text") from error
    digest = hashlib.sha256(data).hexdigest()
    facts = PageFacts(chars=sum(not char.isspace() for char in text))
    piece = Piece(name, "text/plain", digest, (Page(text, facts),))
    return Read("text/plain", digest, len(data), (piece,))
