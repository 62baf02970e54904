"""What was read of a file → what of it goes to the model: its text, its pages as they are, or pages drawn. Pure.

Decided by page, from facts about the page; a file goes one way, a mail's parts each their own.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.file_limits import FileLimits
from pipeline.catalog.page_tokens import PageTokens, image_tokens, pdf_page_tokens, pdf_text_billed
from pipeline.documents.chunks import rough_tokens
from pipeline.job.settings import Documents, Model
from pipeline.parts import FilePart, Part, Parts, TextPart, text_parts
from pipeline.reader.ocr import EXTRA
from pipeline.reader.read import (
    BAD_TEXT,
    EMPTY,
    ONLY_SCANS,
    PAGE_BREAK,
    TOO_LARGE,
    UNSUPPORTED,
    Page,
    PageFacts,
    Piece,
    Read,
    Unreadable,
)

PDF, PNG = "application/pdf", "image/png"
TEXT, NATIVE, IMAGE, AUTO = "text", "native", "image", "auto"
OCR_PX = 2000  # longest edge of a page that OCR looks at; it makes larger ones smaller itself
FEW_CHARS = 25  # a page with fewer has a stamp or a page number, not its text
LOGO_SHARE, FEW_SHAPES = 0.1, 10  # a page with no text and more than this has something on it
SCAN_SHARE = 0.6  # of a page that pictures cover: a logo is none
DRAWN_SHAPES = 300  # lines and shapes of a page whose letters are drawn; ruled forms have text as well
BAD_SHARE = 0.02
WORDY_LETTERS = 200  # a page of so many and no digit at all may have a wrong map of its characters
DRAWN_BYTES_PER_PX = 0.35  # of a gray PNG: 0.03 for a page of text, near 1 for a noisy scan
TEXT_MARGIN = 1.1  # of what a provider reads of a PDF's text over what we read
NAME = "document"  # neutral: a model may see it
BY_MODEL = "Ask a model that reads PDFs or images, with documents.read = 'auto'"
BY_OCR = f"have pages read here by OCR, with documents.read = 'auto' or 'text': {EXTRA}"
WAYS_OUT = f"{BY_MODEL}; or {BY_OCR}"
SAVE_ANEW = "Save it anew as UTF-8, or as PDF"


class Rules(Struct, frozen=True):
    """How a job's files go to its model."""

    settings: Documents
    model: Model
    limits: FileLimits
    password: str | None = None  # of protected files
    evidence: bool = False  # records are looked for in what was read


class Sorted(Struct, frozen=True):
    """One file, made ready. `parts`: text, or one part for each page."""

    mode: str
    parts: Parts


def sort_of(facts: PageFacts) -> str:
    """`blank`, `scan`, `garbage`, `suspect` (perhaps garbage) or `text`."""
    chars = facts.chars + facts.hidden_chars
    if facts.by_ocr:
        return "text" if chars else "blank"  # as far as anybody here can tell
    if chars < FEW_CHARS and (facts.image_share >= SCAN_SHARE or facts.shapes >= DRAWN_SHAPES):
        return "scan"
    if chars == 0:
        return "scan" if facts.image_share > LOGO_SHARE or facts.shapes > FEW_SHAPES else "blank"
    if facts.bad_chars > BAD_SHARE * chars:
        return "garbage"
    if facts.letters > WORDY_LETTERS and facts.digits == 0:
        return "suspect"
    return "text"


def pages_for_ocr(read: Read, path: str, rules: Rules) -> list[FilePart]:
    """The pages that go as text or not at all, and have none that is sound: as pictures, for OCR to look at."""
    return [
        FilePart(PNG, read.digest, NAME, 0, 0, place, place, OCR_PX, path, number)
        for number, piece in enumerate(read.pieces)
        if _only_as_text(piece, rules)
        for place, page in enumerate(piece.pages, 1)
        if sort_of(page.facts) in {"scan", "garbage"}
    ]


def may_need_ocr(rules: Rules) -> bool:
    """Whether some file of the job might."""
    read, limits = rules.settings.read, rules.limits
    return read == TEXT or (read == AUTO and (not limits.images or not (limits.pdf or PNG in limits.images)))


def _only_as_text(piece: Piece, rules: Rules) -> bool:
    """Whether a piece that could be drawn goes as text whatever is on it: that is asked for, or the model is blind."""
    read, limits = rules.settings.read, rules.limits
    if piece.media_type.startswith("image/"):
        return read == TEXT or (read == AUTO and not limits.images)
    blind = not limits.pdf and PNG not in limits.images
    return piece.media_type == PDF and (read == TEXT or (read == AUTO and blind))


def with_seen(read: Read, seen: Mapping[tuple[int, int], Page]) -> Read:
    """The same with what OCR made of pages, each by its piece, from 0, and its place in it, from 1."""
    pieces = []
    for number, piece in enumerate(read.pieces):
        pages = (_as_seen(page, seen.get((number, place))) for place, page in enumerate(piece.pages, 1))
        pieces.append(replace(piece, pages=tuple(pages)))
    return replace(read, pieces=tuple(pieces))


def _as_seen(page: Page, seen: Page | None) -> Page:
    if seen is None:
        return page
    return Page(seen.text, replace(seen.facts, width_pt=page.facts.width_pt, height_pt=page.facts.height_pt))


def made_ready(read: Read, path: str, rules: Rules) -> Sorted:
    """What of the file goes to the model.

    Raises:
        Unreadable: there is no way, with the pages that stand against it.
    """
    ways = [_way(piece, rules) for piece in read.pieces]
    mode = next((way for way in (NATIVE, IMAGE) if way in ways), TEXT)
    if mode == TEXT:
        text = PAGE_BREAK.join(_text(number, piece) for number, piece in enumerate(read.pieces))
        if not text.replace(PAGE_BREAK, "").strip():
            raise _nothing(read)
        return Sorted(TEXT, text_parts(text))
    parts: list[Part] = []
    for number, (piece, way) in enumerate(zip(read.pieces, ways, strict=True)):
        if way == TEXT:
            parts.append(TextPart(_text(number, piece)))
        else:
            parts += _pages(read, number, way, path, rules)
    return Sorted(mode, tuple(parts))


def _nothing(read: Read) -> Unreadable:
    if any(page.facts.by_ocr for piece in read.pieces for page in piece.pages):
        return Unreadable(ONLY_SCANS, f"OCR finds no text on any page. {BY_MODEL}")
    return Unreadable(EMPTY, "it has no text on any page")


def _text(number: int, piece: Piece) -> str:
    """A piece's text; those of a mail after its body have their names above."""
    text = PAGE_BREAK.join(page.text for page in piece.pages)
    return f"[{piece.name}]\n{text}" if number else text


def _way(piece: Piece, rules: Rules) -> str:
    read, sorts = rules.settings.read, [sort_of(page.facts) for page in piece.pages]
    unread = {sort for sort in sorts if sort not in {"text", "blank"}}
    if piece.media_type.startswith("image/"):
        return TEXT if all(page.facts.by_ocr for page in piece.pages) else _image_way(piece, rules)
    if piece.media_type != PDF:
        return _only_text(sorts, SAVE_ANEW)
    if read == TEXT or (read == AUTO and not unread):
        return _only_text(sorts)
    native, drawn = rules.limits.pdf, PNG in rules.limits.images
    if read == NATIVE and not native:
        raise Unreadable(UNSUPPORTED, f"documents.read = 'native': {rules.limits.why_no_pdf}")
    if read == IMAGE and not drawn:
        raise Unreadable(UNSUPPORTED, f"documents.read = 'image': {rules.limits.why_no_images}")
    if native and read != IMAGE:
        return NATIVE
    if drawn:
        return IMAGE
    return _only_text(sorts)


def _only_text(sorts: Sequence[str], ways_out: str = WAYS_OUT) -> str:
    """Text, where no page stands against it."""
    if garbage := _numbers(sorts, "garbage"):
        raise Unreadable(BAD_TEXT, f"{garbage} of {len(sorts)}: characters that are none. {ways_out}")
    if scans := _numbers(sorts, "scan"):
        verb = "are" if "," in scans else "is"
        raise Unreadable(ONLY_SCANS, f"{scans} of {len(sorts)} {verb} without text. {ways_out}")
    return TEXT


def _numbers(sorts: Sequence[str], wanted: str) -> str:
    """The pages of this sort: `page 3`, or `pages 2, 3`; "" for none."""
    found = [number for number, sort in enumerate(sorts, 1) if sort == wanted]
    shown = ", ".join(map(str, found[:10])) + (", …" if len(found) > 10 else "")
    return f"page{'s' if len(found) > 1 else ''} {shown}" if found else ""


def _image_way(piece: Piece, rules: Rules) -> str:
    limits, read = rules.limits, rules.settings.read
    if read == TEXT:
        raise Unreadable(ONLY_SCANS, f"it is {piece.media_type}, and documents.read = 'text'. {WAYS_OUT}")
    if not limits.images:
        raise Unreadable(ONLY_SCANS, f"it is {piece.media_type}: {limits.why_no_images}; or {BY_OCR}")
    fits = max(piece.width_px, piece.height_px) <= limits.image_px
    if read != IMAGE and piece.media_type in limits.images and fits and len(piece.pages) == 1:
        return NATIVE
    return IMAGE


def _pages(read: Read, number: int, way: str, path: str, rules: Rules) -> list[FilePart]:
    """One part for each page of a piece that does not go as text; what is drawn goes without blank pages."""
    piece, limits = read.pieces[number], rules.limits
    most_bytes = min(
        limits.file_bytes if piece.media_type == PDF else limits.image_bytes, limits.request_bytes * 3 // 4
    )
    size = -(-read.size // max(1, read.pages))
    if way == NATIVE and size > most_bytes:
        each = " a page" if read.pages > 1 else ""
        told = f"{size / 1e6:.1f} MB{each}, and the provider takes {most_bytes / 1e6:.1f}"
        raise Unreadable(TOO_LARGE, told)
    made = []
    for place, page in enumerate(piece.pages, 1):
        if way == NATIVE and piece.media_type == PDF:
            first, px, media_type, tokens = place, 0, PDF, _pdf_page(page, rules.model)
        elif way == NATIVE:
            first, px, media_type = 0, 0, piece.media_type
            tokens = image_tokens(rules.model, piece.width_px, piece.height_px)
        elif sort_of(page.facts) == "blank":
            continue
        else:
            first, px, media_type = place, rules.settings.image_px, PNG
            width, height = drawn_px(page.facts.width_pt, page.facts.height_pt, px)
            tokens, size = image_tokens(rules.model, width, height), int(width * height * DRAWN_BYTES_PER_PX)
        made.append(
            FilePart(
                media_type, read.digest, NAME, tokens.ceiling, tokens.expected, first, first, px, path, number, size
            )
        )
    return made


def _pdf_page(page: Page, model: Model) -> PageTokens:
    picture = pdf_page_tokens(model, page.facts.width_pt, page.facts.height_pt)
    if not pdf_text_billed(model):
        return picture
    text_bytes = len(page.text.encode("utf-8", "surrogatepass"))
    text = rough_tokens(page.text) if page.text else 0
    return PageTokens(picture.expected + text, picture.ceiling + int(text_bytes * TEXT_MARGIN) + 1)


def drawn_px(width_pt: float, height_pt: float, longest_px: int) -> tuple[int, int]:
    """Width and height of a page that is drawn so that its longer edge has so many pixels; at least 1 each."""
    longest = max(width_pt, height_pt)
    if longest <= 0:
        return longest_px, longest_px
    return (max(1, round(longest_px * width_pt / longest)), max(1, round(longest_px * height_pt / longest)))
