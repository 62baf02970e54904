"""A secret however it is spelled: as it is, in another case, escaped for JSON, URLs or HTML (once or often), base64.

What was escaped is found as it stands, so that it is gone before anything is unescaped, however often that is. Pure.
"""

import base64
import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Self

from msgspec import Struct

REDACTED = b"[redacted]"
LEAST = 10  # of a piece of base64: a shorter one may stand anywhere
UNICODE, PERCENT, ENTITY = re.compile(rb"u00[2-7]"), re.compile(rb"%[2-7]"), re.compile(rb"[&;]#")  # of ASCII
ESCAPABLE = re.compile(r"[^a-z0-9_-]")


class Hunt(Struct, frozen=True):
    """`plain`: one of these is in what has the secret in it, unless more is escaped than has to be."""

    plain: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    @classmethod
    def of(cls, words: tuple[str, ...]) -> Self:
        """For all of the words."""
        coded = [piece for word in words for piece in _base64(word.encode())]
        whole = "|".join([f"(?i:{''.join(map(_spelled, word))})" for word in words] + [*map(_any_slash, coded)])
        return cls(
            tuple(dict.fromkeys(map(_kernel, (*words, *coded)))), re.compile(whole.encode("utf-8", "surrogateescape"))
        )

    def cleared(self, data: bytes) -> bytes:
        """Looking for words is a hundred times as fast as the pattern, which few answers need."""
        lower = data.lower()
        for word in self.plain:
            if word in lower:
                break
        else:
            if not _escapes(lower):
                return data
        return self.pattern.sub(REDACTED, data)


@lru_cache(maxsize=16)
def hunt_for(words: tuple[str, ...]) -> Hunt:
    """Made once for a run's secret, and anew when that is renewed."""
    return Hunt.of(words)


def _escapes(lower: bytes) -> bool:
    """Whether a character that could stand as it is may not do so. Looking for one byte is quickest."""
    return (
        (b"u00" in lower and UNICODE.search(lower) is not None)
        or (b"%" in lower and PERCENT.search(lower) is not None)
        or (b"#" in lower and ENTITY.search(lower) is not None)
    )


def _kernel(word: str) -> bytes:
    """The longest stretch of it that nobody has to escape: it is there however the rest is written."""
    return max(ESCAPABLE.split(word.lower()), key=len).encode()


def _spelled(char: str) -> str:
    """A pattern of one character: itself, or any of its escapes, each of which may have been escaped again."""
    code = ord(char)
    forms = [re.escape(char), rf"\\+u{code:04x}", rf"&(?:amp;)*#(?:0*{code}|x0*{code:x});"]
    if code < 128:
        forms.append(rf"%(?:25)*{code:02x}")
    else:
        forms.append("".join(f"%(?:25)*{byte:02x}" for byte in char.encode()))
    if not char.isalnum():
        forms.append(rf"\\+{re.escape(char)}")
        named = html.escape(char)
        forms += [named.replace("&", "&(?:amp;)*")] if named != char else []
    return f"(?:{'|'.join(forms)})"


def _base64(word: bytes) -> Iterator[str]:
    """What of it is the same in any longer text, by where it begins there; in both alphabets."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + word).rstrip(b"=").decode()
        first, left_over = (0, 2, 3)[before], (before + len(word)) % 3
        piece = coded[first : -1 if left_over else None]
        if len(piece) >= LEAST:
            yield piece
            yield piece.replace("+", "-").replace("/", "_")


def _any_slash(coded: str) -> str:
    """Its slashes may be escaped."""
    return re.escape(coded).replace("/", r"\\*/")
