"""Bytes → text, whatever of the usual encodings they are in; and plain text and Markdown files."""

import codecs
import re
from typing import Final

from pipeline.reader.clean import pages_of
from pipeline.reader.one_piece import one_piece
from pipeline.reader.read import UNSUPPORTED, Read, ReadOptions, Unreadable

SAMPLE_BYTES: Final = 64 * 1024
MOST_CONTROLS = 0.02  # of the bytes of a text; noise has a tenth
MOST_HIGH = 0.3  # of the letters in Windows-1252: no Western language has so many accents
FEW_HIGH = 8  # in a short text, which tells nothing
BOMS = (  # UTF-32 first: its mark begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
AS_BROWSERS_DO = {"iso8859-1": "cp1252", "gb2312": "gb18030", "shift_jis": "cp932"}
CONTROLS = bytes({*range(9), *range(0x0E, 0x20)} - {0x1B})
HIGH = re.compile(b"[\x80-\xff]")
LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")
UNKNOWN_ENCODING = "its encoding is neither UTF-8, UTF-16 nor Windows-1252; save it as UTF-8"


def read_text(data: bytes, name: str, media_type: str, options: ReadOptions) -> Read:
    """Plain text or Markdown, as it is. A form feed begins a page.

    Raises:
        Unreadable: its encoding is not known.
    """
    del options
    return one_piece(data, name, media_type, pages_of(decoded(data)))


def decoded(data: bytes, declared: str | None = None) -> str:
    """The text of a whole file; `declared` is the encoding that it says itself, and counts where it is one.

    A mark at the start counts first. Then UTF-8, where that is what most of it is; else Windows-1252.

    Raises:
        Unreadable: it is in some other encoding.
    """
    marked = _marked(data)
    if marked:
        return data.decode(marked, "replace").removeprefix("\ufeff")
    if (told := _declared(data, declared)) is not None:
        return told
    text = data.decode("utf-8", "replace")
    meant = data.count(b"\xef\xbf\xbd")  # the character that stands for a bad one, in the file itself
    bad, high = text.count("\ufffd") - meant, len(HIGH.findall(data)) - 3 * meant
    if high >= 3 * bad:
        return text
    if high > max(FEW_HIGH, MOST_HIGH * len(LETTERS.findall(data))):
        raise Unreadable(UNSUPPORTED, UNKNOWN_ENCODING)
    return data.decode("cp1252", "replace")


def is_text(data: bytes) -> bool:
    """By a sample of the start: a mark of Unicode, or next to no control characters."""
    sample = data[:SAMPLE_BYTES]
    if _marked(sample):
        return True
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    return controls <= max(1, MOST_CONTROLS * len(sample)) and bool(sample.translate(None, b"\x00"))


def start_of(data: bytes) -> str:
    """The first of a text's characters, for a look at what it is; bytes that are none are U+FFFD."""
    sample = data[:SAMPLE_BYTES]
    return sample.decode(_marked(sample) or "utf-8", "replace").removeprefix("\ufeff")


def _marked(data: bytes) -> str | None:
    """The encoding that the first bytes tell; UTF-16 without a mark by where its zero bytes are."""
    found = next((encoding for bom, encoding in BOMS if data.startswith(bom)), None)
    if found or len(data) < 4:
        return found
    even, odd = (data[first:SAMPLE_BYTES:2].count(0) * 2 / min(len(data), SAMPLE_BYTES) for first in (0, 1))
    if odd > 0.3 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 and odd < 0.05 else None


def _declared(data: bytes, encoding: str | None) -> str | None:
    """The text in this encoding; None where it says nothing, is none, or is not the one that the text is in."""
    name = (encoding or "ascii").lower()
    try:
        plain = codecs.lookup(name).name
        return None if plain in {"ascii", "utf-8"} else data.decode(AS_BROWSERS_DO.get(plain, name))
    except (LookupError, ValueError):  # the latter: of a byte, or of a zero in the name
        return None
