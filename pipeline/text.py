"""Text as it can be sent, shown and read. Pure."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

COMPLAINT: Final = "That answer does not fit the schema:"  # begins what is said of an answer that has to be mended
DOUBT: Final = "These values of that answer are not in the document:"  # the same of one that says too much
RECORDS_BEFORE: Final = "Records of the parts of this document before this one"  # begins what is told of them
PACKED: Final = "documents follow that have nothing to do with each other"  # stands before several in one question
WHERE: Final = "Where does each of these stand?"  # begins a question about lines of a document, which stand before it
STROKES = str.maketrans("łøđ", "lod")  # which Unicode does not take apart


def repaired(text: str) -> str:
    """`text` as it can be sent: pairs of surrogates joined, lone ones made U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def folded(text: str) -> str:
    """Without case and accents, and of characters that look alike one."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(STROKES))
    return plain if plain.isascii() else "".join(char for char in plain if not unicodedata.combining(char))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name that is most like `name`, if one is at all like it."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", cutoff: float = 0.5) -> str:
    """The nearest known name as the end of a message, or `otherwise`."""
    found = nearest(name, known, cutoff)
    return otherwise if found is None else f" Did you mean {found!r}?"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 5400:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def inert(text: str) -> str:
    """`text` with what a terminal would act on (escapes, control characters, changes of direction) made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char == "\n" or not _acts(char) else f"\\u{ord(char):04x}" for char in text)


def _acts(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
