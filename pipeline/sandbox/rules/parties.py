"""Who an invoice is from and to, and the number it has. Pure."""

import re
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from pipeline.sandbox.rules import words
from pipeline.sandbox.rules.page import Line, Page

MAX_CHARS = 120
HEAD_LINES = 6  # among which a letterhead stands
ADDRESS_LINES = 60  # among which the buyer is named
HEADING_CHARS = 14  # that may stand beside the word of a heading
SIGN_OFF_WORDS = 5
NAMES_BELOW = 2  # of a sign-off: a person and a firm
AFTER_FORM = ("株式会社", "有限会社", "合同会社")  # forms that stand before the name, too
CELL_BREAK = re.compile(r" {2,}|\t| \| | · ")
NAME_BREAK = re.compile(r" {2,}|\t| ?\||\s[·–—-]\s| ?\(|,|[:;]\s")
AROUND = " \t*_#>•-,;:."
SENTENCE = re.compile(r"[.!?,:]\s*$|\b(?:we|you|our|your|wir|sie|nous|vous|please|bitte|is|was)\b")
ADDRESS = re.compile(r"@|\b(?:tel|fax|www|vat|p\.?iva|nif|cif|siret|kvk|org\.?nr|iban|ust)\b|〒|\d{4,}")
MISREAD_LETTER = re.compile(r"(?<=[a-zß-ž])1(?=[a-zß-ž])")  # Mi1ler


class Named(Struct, frozen=True):
    """A name, and the line it is on."""

    name: str
    line: int


def supplier_of(page: Page) -> str | None:
    """By a word such as `Seller`; else the letterhead or the first company that is not the buyer; else who signed."""
    told = _told(page)
    if told is not None:
        return told
    company, head = next(_companies(page), None), _letterhead(page)
    found = head if head is not None and (company is None or head.line < company.line) else company
    found = found or _signature(page) or _above_number(page)
    return found.name if found else None


def customer_of(page: Page) -> str | None:
    for number, line in enumerate(page.lines[:ADDRESS_LINES]):
        match = words.BUYER.search(line.folded)
        if match is None:
            continue
        if "御中" in match[0]:
            return name_in(line.clean[: match.start()])
        rest = line.clean[match.end() :].lstrip(" :./|\t")
        below = page.lines[number + 1].clean if number + 1 < len(page.lines) else ""
        found = name_in(rest) if rest and not words.BUYER.search(rest.lower()) else name_in(below)
        if found:
            return found
    return None


def number_of(page: Page) -> str | None:
    """The document's own number: one with a word for number before it, else one right after the document's name."""
    found: list[str] = []
    for match in words.NUMBERED.finditer(page.folded):
        line = page.lines[page.line_at(match.start())]
        before = CELL_BREAK.split(line.folded[: match.start() - line.start])[-1] + match[0]
        if words.OTHER_DOCUMENT.search(before):
            continue
        text = page.clean[match.start("number") : match.end("number")].rstrip(".,-/")
        if match["word"]:
            return text
        found.append(text)
    if found:
        return found[0]
    # Here dates count too: a number may look like one.
    bare = words.BARE_NUMBER.search(page.mended.lower()) if len(page.mended.lower()) == len(page.mended) else None
    return page.mended[bare.start("number") : bare.end("number")].rstrip(".,-/") if bare else None


def _told(page: Page) -> str | None:
    """The name after `Seller:`, or below it when it stands as a heading."""
    for match in chain(words.SELLER.finditer(page.folded), words.SELLER_HEADING.finditer(page.folded)):
        rest = page.clean[match.start("name") : match.end("name")]
        line = page.line_at(match.start("name"))
        if rest.rstrip().endswith(":") and line + 1 < len(page.lines):
            rest = page.lines[line + 1].clean
        name = None if "@" in rest else name_in(rest)
        if name:
            return name
    return None


def _companies(page: Page) -> Iterator[Named]:
    """Names with a company's form, but those that are the buyer's."""
    for match in words.COMPANY.finditer(page.clean):
        number = page.line_at(match.start())
        line = page.lines[number]
        start, end = match.start() - line.start, match.end() - line.start
        begin = max((one.end() for one in CELL_BREAK.finditer(line.clean, 0, start)), default=0)
        if words.BUYER.search(line.folded, 0, end) or "御中" in line.clean[end:]:
            continue
        if number and _is_heading(page.lines[number - 1]):
            continue
        name = name_in(line.clean[begin:])
        if name and not line.clean[begin:start].rstrip()[-1:].isdigit():  # 20 KG
            yield Named(name, number)


def _is_heading(line: Line) -> bool:
    """Whether a line is nothing but the heading of the buyer's address."""
    match = words.BUYER.search(line.folded)
    return match is not None and len(line.folded.strip()) - (match.end() - match.start()) < HEADING_CHARS


def _letterhead(page: Page) -> Named | None:
    """The first line that is no title, if a name is what it is."""
    for number, line in enumerate(page.lines[:HEAD_LINES]):
        folded = line.folded.strip()
        if not folded or words.TITLE.match(folded):
            continue
        if words.GREETING.match(folded) or words.NUMBERED.search(folded) or words.BUYER.search(folded) or line.dated:
            return None
        cell = CELL_BREAK.split(line.clean.strip(), maxsplit=1)[0]
        if SENTENCE.search(cell.lower()) or ADDRESS.search(cell.lower()) or ":" in cell:
            return None
        name = name_in(cell)
        return Named(name, number) if name else None
    return None


def _signature(page: Page) -> Named | None:
    """What stands below `Kind regards`: the firm below the person, if there is one."""
    for number, line in enumerate(page.lines):
        folded = line.folded.strip()
        if not words.SIGN_OFF.match(folded) or folded.count(" ") >= SIGN_OFF_WORDS:
            continue
        below = list(enumerate(page.lines[number + 1 : number + 1 + NAMES_BELOW], start=number + 1))
        names = [(at, one.clean) for at, one in below if not any(char.isdigit() for char in one.clean)]
        found = [Named(name, at) for at, text in names if (name := name_in(text))]
        if found:
            return found[-1]
    return None


def _above_number(page: Page) -> Named | None:
    """The line above the one that has the invoice's number."""
    match = words.NUMBERED.search(page.folded)
    number = page.line_at(match.start()) if match else 0
    name = name_in(page.lines[number - 1].clean) if number else None
    return Named(name, number - 1) if name else None


def name_in(text: str) -> str | None:
    """A name without what stands around it: address, register number, emphasis."""
    text = text.strip(AROUND[:-1]).lstrip(AROUND)
    form = words.COMPANY.search(text)
    if form is not None and form.start() > 0 and form[0] not in AFTER_FORM:
        text = text[: form.end()]
    else:
        text = NAME_BREAK.split(text, maxsplit=1)[0].rstrip(AROUND)
    text = MISREAD_LETTER.sub("l", text)
    return text[:MAX_CHARS] if sum(map(str.isalpha, text)) > 1 else None
