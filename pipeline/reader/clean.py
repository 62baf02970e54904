"""Text as every reader leaves it, and what is known of a page of it. Pure."""

import re
import unicodedata
from collections.abc import Iterable

from pipeline.reader.read import PAGE_BREAK, Page, PageFacts

LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
BAD = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")


def cleaned(text: str) -> str:
    """NFC; lines end in LF; no control characters but tab, nothing that has no width; no PAGE_BREAK."""
    return unicodedata.normalize("NFC", UNSEEN.sub("", LINE_ENDS.sub("\n", text)))


def page_of(text: str, *, hidden_chars: int = 0) -> Page:
    """A page of text that has no size, cleaned, with its facts. `hidden_chars` were left out of `text`."""
    clean = cleaned(text)
    facts = PageFacts(
        chars=len("".join(clean.split())),
        hidden_chars=hidden_chars,
        bad_chars=sum(1 for _ in BAD.finditer(text)),
        letters=sum(map(str.isalpha, clean)),
        digits=sum(map(str.isdecimal, clean)),
    )
    return Page(clean, facts)


def pages_of(text: str) -> tuple[Page, ...]:
    """A page for each stretch between PAGE_BREAKs; one that ends the text begins no page."""
    return tuple(page_of(stretch) for stretch in text.removesuffix(PAGE_BREAK).split(PAGE_BREAK))


def visible_chars(texts: Iterable[str]) -> int:
    return sum(len("".join(text.split())) for text in texts)
