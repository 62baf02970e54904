"""Text → chunks within a token budget, each with its place in the text.

Pure: the counter is an argument. One pass of the tokenizer gives every token's end; cuts are then found by searching,
and their counts by subtracting, wherever the text around a cut shows that no token can reach across it.
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from pipeline.documents.boundaries import LOOK, best_cut, first_start, is_safe
from pipeline.parts import text_parts
from pipeline.text import repaired
from pipeline.types import Chunk

ROUGH_BYTES_PER_TOKEN = 3.6  # between prose (4.5), JSON and invoices (3) and Chinese (4)


class Counter(Protocol):
    """Counts tokens as a model does, or estimates them. Surrogates count as `repaired` makes of them.

    No token is shorter than a byte, so a text never has more tokens than UTF-8 bytes. `additive` promises what the
    encodings of OpenAI keep: no token reaches across the places that `is_safe` names, so counts add up there.
    """

    @property
    def name(self) -> str: ...
    @property
    def exact(self) -> bool: ...
    @property
    def additive(self) -> bool: ...

    def count(self, text: str) -> int: ...

    def ends(self, text: str) -> Sequence[int]:
        """Where each token ends, in UTF-8 bytes from the start; as many as `count` says, the last at the end."""
        ...


class _Mark(Struct, frozen=True):
    """A place in the text. `token` is how many tokens of the whole text end up to it; `safe` as of `is_safe`."""

    char: int
    byte: int
    token: int
    safe: bool


class _Page(Struct, frozen=True):
    """A text that was tokenised once."""

    text: str
    data: bytes
    ends: Sequence[int]
    counter: Counter

    def mark(self, char: int, near: _Mark) -> _Mark:
        """The mark at `char`, counted on from `near`, which is at or before it."""
        byte = near.byte + len(self.text[near.char : char].encode())
        return _Mark(char, byte, bisect_right(self.ends, byte), is_safe(self.text, char))

    def char_at(self, token: int, near: _Mark) -> int:
        """The last character boundary that the first `token` tokens reach, counted on from `near`."""
        end = self.ends[min(token, len(self.ends)) - 1]
        return near.char + len(self.data[near.byte : end].decode(errors="ignore"))

    def count(self, start: _Mark, end: _Mark) -> int:
        """The tokens of the text between two marks, as `counter.count` finds them, from as little text as possible."""
        left = start if start.safe else self._safe_mark(range(start.char + 1, min(start.char + LOOK, end.char)), start)
        right = end if end.safe else self._safe_mark(range(end.char - 1, max(end.char - LOOK, start.char), -1), start)
        if not self.counter.additive or left is None or right is None or left.char >= right.char:
            return self.counter.count(self.text[start.char : end.char])
        inside = right.token - left.token
        before = self.counter.count(self.text[start.char : left.char]) if left is not start else 0
        return before + inside + (self.counter.count(self.text[right.char : end.char]) if right is not end else 0)

    def _safe_mark(self, chars: range, near: _Mark) -> _Mark | None:
        return next((self.mark(char, near) for char in chars if is_safe(self.text, char)), None)


def chunk(text: str, counter: Counter, max_tokens: int, overlap_tokens: int = 0, *, exact: bool = False) -> list[Chunk]:
    """Cut `text` where it breaks best: section, paragraph, line, sentence, word, and at last between characters.

    Every chunk counts at most `max_tokens`, save a single character (or CRLF) that has more: it stands alone with its
    true count. Chunks cover the text without a gap; each starts at most `overlap_tokens` before the last one's end.
    A text with no more bytes than `max_tokens` is one chunk, not tokenised: its `tokens` is then `rough_tokens`,
    unless `exact` asks for the count. Empty text has no chunk.

    Raises:
        ValueError: max_tokens is less than 1, or overlap_tokens is negative or half of max_tokens or more.
    """
    if max_tokens < 1 or not 0 <= 2 * overlap_tokens < max_tokens:
        raise ValueError(
            f"max_tokens = {max_tokens}, overlap_tokens = {overlap_tokens}: max_tokens should be 1 or more, "
            "and the overlap 0 or more and less than half of it"
        )
    if not text:
        return []
    clean = repaired(text)
    if _surely_fits(clean, max_tokens):
        return [Chunk(0, 0, len(text), text_parts(text), counter.count(clean) if exact else rough_tokens(clean))]
    page = _Page(clean, clean.encode(), counter.ends(clean), counter)
    # `repaired` joins a pair of surrogates into one character: the places after it move by one.
    joined = [] if clean is text else [at - nth for nth, at in enumerate(_pairs(text))]
    chunks: list[Chunk] = []
    for start, end, tokens in _pieces(page, max_tokens, overlap_tokens):
        first, last = start + bisect_left(joined, start), end + bisect_left(joined, end)
        chunks.append(Chunk(len(chunks), first, last, text_parts(text[first:last]), tokens))
    return chunks


def rough_tokens(text: str) -> int:
    """An estimate without a tokenizer, within about a third either way on prose, invoices and Chinese; at least 1."""
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    return max(1, math.ceil(size / ROUGH_BYTES_PER_TOKEN))


def available_tokens(
    window: int,
    max_output_tokens: int,
    fixed_tokens: int,
    margin_share: float = 0.02,
    *,
    max_input_tokens: int | None = None,
) -> int:
    """What a window leaves for a chunk: less the output, what every request holds, and a margin for miscounting.

    Raises:
        ValueError: nothing is left.
    """
    margin = math.ceil(window * margin_share)
    room = window - max_output_tokens
    if max_input_tokens is not None:
        room = min(room, max_input_tokens)
    left = room - fixed_tokens - margin
    if left < 1:
        capped = f", input at most {max_input_tokens}" if max_input_tokens is not None else ""
        raise ValueError(
            f"window {window}{capped}, less output {max_output_tokens}, prompt and schema {fixed_tokens} and "
            f"margin {margin}, leaves {left} tokens"
        )
    return left


def _pieces(page: _Page, max_tokens: int, overlap_tokens: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and tokens of each chunk."""
    start, covered = _Mark(0, 0, 0, safe=True), 0
    while True:
        end, tokens = _longest(page, start, max_tokens, covered)
        if end.char <= covered:  # the overlap left no room for anything new
            start = page.mark(covered, start)
            continue
        yield start.char, end.char, tokens
        if end.char == len(page.text):
            return
        covered = end.char
        start = _overlap_start(page, start, end, overlap_tokens) if overlap_tokens else end


def _longest(page: _Page, start: _Mark, max_tokens: int, covered: int) -> tuple[_Mark, int]:
    """The end of the longest good chunk from `start`, and its tokens."""
    budget = max_tokens
    while budget > 0:
        last = len(page.text) if start.token + budget >= len(page.ends) else page.char_at(start.token + budget, start)
        if last <= start.char:
            break
        half = page.char_at(start.token + max(1, budget // 2), start)
        cut = last if last == len(page.text) else best_cut(page.text, max(half, covered, start.char) + 1, last)
        if cut <= start.char:
            break
        end = page.mark(cut, start)
        tokens = page.count(start, end)
        if tokens <= max_tokens:
            return end, tokens
        budget -= max(1, tokens - max_tokens)
    crlf = page.text.startswith("\r\n", start.char)
    end = page.mark(start.char + (2 if crlf else 1), start)
    return end, page.counter.count(page.text[start.char : end.char])


def _overlap_start(page: _Page, start: _Mark, end: _Mark, overlap_tokens: int) -> _Mark:
    """Where the next chunk starts: at most `overlap_tokens` before `end`, at a line, a sentence or a word."""
    budget = overlap_tokens
    while budget > 0 and end.token - budget > start.token:
        first = max(start.char + 1, page.char_at(end.token - budget, start))
        if first >= end.char:
            break
        at = page.mark(first_start(page.text, first, end.char), start)
        over = page.count(at, end) - overlap_tokens
        if over <= 0:
            return at
        budget -= max(1, over)
    return end


def _surely_fits(clean: str, max_tokens: int) -> bool:
    return len(clean) <= max_tokens and (clean.isascii() or len(clean.encode()) <= max_tokens)


def _pairs(text: str) -> Iterator[int]:
    return (match.start() for match in re.finditer("[\ud800-\udbff][\udc00-\udfff]", text))
