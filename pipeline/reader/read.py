"""What reading a file brings: its pieces, their pages, and the facts that decide how each page goes to a model.

A mail has a piece for its body and one for each attachment; any other file is one piece.
"""

from msgspec import Struct

PAGE_BREAK = "\f"  # between the pages of a text; no page's own text has it


class ReadOptions(Struct, frozen=True):
    """What a reader is held to; of [documents]."""

    max_pages: int = 1000
    max_bytes: int = 50_000_000
    password: str | None = None
    embedded_xml: bool = True  # whether the XML of an e-invoice is looked for


class PageFacts(Struct, frozen=True, array_like=True):
    """What is known of a page without looking at it."""

    chars: int = 0  # that can be seen
    hidden_chars: int = 0  # drawn so that they cannot: the text layer of a scan
    bad_chars: int = 0  # of all: U+FFFD, private use, control
    letters: int = 0
    digits: int = 0
    image_share: float = 0.0  # of the page's area that pictures cover, from 0 to 1
    width_pt: float = 0.0  # as it is shown, turned by /Rotate; points of 1/72 inch. 0: it has no such size
    height_pt: float = 0.0
    shapes: int = 0  # lines, curves and shadings that are drawn: with no text and no picture, the page is not blank
    by_ocr: bool = False  # what is known of its characters was read off its picture


class Page(Struct, frozen=True, array_like=True):
    """One page, or all of a file that has none. `text` is clean: NFC, its lines end in LF, no PAGE_BREAK in it."""

    text: str
    facts: PageFacts


class Piece(Struct, frozen=True, array_like=True):
    """One file, or one part of a mail."""

    name: str
    media_type: str
    digest: str  # sha256 of its bytes, in hex
    pages: tuple[Page, ...]
    width_px: int = 0  # of an image; of several frames the largest
    height_px: int = 0


class Embedded(Struct, frozen=True, array_like=True):
    """The XML of an e-invoice inside a PDF."""

    name: str
    xml: bytes


class Read(Struct, frozen=True, array_like=True):
    """One file, read to its end."""

    media_type: str
    digest: str  # sha256 of all of its bytes, in hex
    size: int
    pieces: tuple[Piece, ...]
    embedded: tuple[Embedded, ...] = ()

    @property
    def pages(self) -> int:
        return sum(len(piece.pages) for piece in self.pieces)


class Unreadable(Exception):
    """A file that cannot be read: `reason` is one of the contract's words, `told` all that there is to say.

    What was found out before is kept: `media_type` and `digest` are "" where it was nothing.
    """

    def __init__(self, reason: str, told: str = "", *, media_type: str = "", digest: str = "", pages: int = 0) -> None:
        super().__init__(f"{reason}: {told}" if told else reason)
        self.reason = reason
        self.told = told
        self.media_type = media_type
        self.digest = digest
        self.pages = pages


EMPTY, NOT_A_PDF, DAMAGED, PASSWORD = "empty file", "not a PDF", "damaged", "password"
TOO_MANY_PAGES, TOO_LARGE, ONLY_SCANS = "too many pages", "too large", "only scans, and no way to read them"
BAD_TEXT, CRASHED, UNSUPPORTED = "unreadable text layer", "the reader crashed", "unsupported kind"
CHANGED = "changed while it was read"
OUT_OF_REACH = "out of reach"  # no such file, no permission, a disk that fails
