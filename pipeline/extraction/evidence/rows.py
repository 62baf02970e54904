"""A row's records against the text of the row: by page and chunk, as the ledger keeps it. Pure."""

import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.extraction.evidence.align import Leaf, Prepared, Source, align, prepared
from pipeline.extraction.evidence.asked import line_spans, seen_on
from pipeline.extraction.evidence.share import NOT_FOUND, QUOTED, grounded_share
from pipeline.parts import FilePart, TextPart
from pipeline.reader.read import PAGE_BREAK
from pipeline.types import Chunk, Evidence, Row

INFERRED_KINDS = frozenset({"enum", "bool"})
MOST_QUOTE_CHARS = 120
NEIGHBOURS = 1  # lines about the one that a model names: it counts them, now and then, one too many


class Stretch(Struct, frozen=True):
    """What of a row's text one chunk is about."""

    number: int
    start: int
    end: int


class Found(Struct, frozen=True):
    """Where the values of one record stand, in the row's text from `stretch` on."""

    leaves: tuple[Leaf, ...]
    stretch: Stretch

    @property
    def missing(self) -> tuple[Leaf, ...]:
        return tuple(leaf for leaf in self.leaves if leaf.status == NOT_FOUND and leaf.kind not in INFERRED_KINDS)


class RowText:
    """A row's text, and what is known of it by page."""

    def __init__(self, row: Row, chunks: Sequence[Chunk]) -> None:
        reading = row.reading
        self.text = row.text if reading is None else reading.text
        self._by_eye = () if reading is None else reading.by_eye
        self._paged = reading is not None and reading.paged
        self._partial = reading is not None and not reading.whole
        self._pages = [0, *(one.end() for one in re.finditer(PAGE_BREAK, self.text))] if reading else [0]
        self._xml = (
            "" if row.witness is None else "".join(f"<v>{html.escape(value)}</v>" for value in _values_in(row.witness))
        )
        self.stretches = [self._stretch(chunk) for chunk in chunks]

    @property
    def whole(self) -> Stretch:
        return Stretch(0, 0, len(self.text))

    def found(self, ready: Prepared, record_json: str, stretch: Stretch) -> Found:
        """The record against this stretch of the text."""
        source = Source(
            self.text[stretch.start : stretch.end], tuple(self._ocr_in(stretch)), partial=self._partial, xml=self._xml
        )
        return Found(align(ready, json.loads(record_json), source), stretch)

    def evidence(self, found: Found) -> tuple[Evidence, ...]:
        return tuple(self._one(leaf, found.stretch) for leaf in found.leaves)

    def _one(self, leaf: Leaf, stretch: Stretch) -> Evidence:
        status = "inferred" if leaf.kind in INFERRED_KINDS else leaf.status
        if leaf.start is None or leaf.end is None:
            return Evidence(leaf.path, status, leaf.quote or None, source="xml" if leaf.status == "xml" else None)
        start = leaf.start + stretch.start
        return Evidence(
            path=leaf.path,
            status=status,
            quote=leaf.quote,
            start=start,
            end=leaf.end + stretch.start,
            page=bisect_right(self._pages, start) if self._paged else None,
            chunk=next((one.number for one in self.stretches if one.start <= start < one.end), None),
            places=leaf.places,
            source=leaf.source,
        )

    def _ocr_in(self, stretch: Stretch) -> Iterator[tuple[int, int]]:
        for page in self._by_eye:
            start, end = self._page_span(page)
            if start < stretch.end and end > stretch.start:
                yield max(0, start - stretch.start), min(end, stretch.end) - stretch.start

    def _page_span(self, page: int) -> tuple[int, int]:
        """Start and end of a page, from 1, without the break behind it."""
        starts = self._pages
        end = starts[page] - 1 if page < len(starts) else len(self.text)
        return (starts[page - 1], end) if page <= len(starts) else (len(self.text), len(self.text))

    def _stretch(self, chunk: Chunk) -> Stretch:
        """Of a mail whose parts go as they are it is not known which pages are whose: all of it then."""
        files = [part for part in chunk.parts if isinstance(part, FilePart)]
        if not files:
            return Stretch(chunk.number, chunk.start, chunk.end)
        simple = not any(isinstance(part, TextPart) for part in chunk.parts)
        if simple and all(part.first and not part.piece for part in files):
            first, last = min(part.first for part in files), max(max(part.first, part.last) for part in files)
            return Stretch(chunk.number, self._page_span(first)[0], self._page_span(last)[1])
        return Stretch(chunk.number, 0, len(self.text))


def named(found: Found, words: str, words_start: int, lines: Mapping[int, int], asked: Sequence[Leaf]) -> Found:
    """With those of `asked` that do stand on the line that was named for them.

    `words` are what was asked about, from `words_start` of the row's text on; `lines` are those of `lines_named`.
    """
    spans = line_spans(words)
    shift = words_start - found.stretch.start
    quoted = {}
    for number, line in lines.items():
        near = spans[max(0, line - NEIGHBOURS)][0], spans[min(len(spans) - 1, line + NEIGHBOURS)][1]
        for start, end in (spans[line], near):
            if (seen := seen_on(words[start:end], asked[number])) is not None:
                at, to = start + seen[0], start + seen[1]
                quote = words[at:to][:MOST_QUOTE_CHARS]
                path = asked[number].path
                quoted[path] = replace(
                    asked[number], status=QUOTED, quote=quote, start=at + shift, end=to + shift, places=1
                )
                break
    return replace(found, leaves=tuple(quoted.get(leaf.path, leaf) for leaf in found.leaves))


def carried(found: Found, before: Found) -> Found:
    """With what had been named before of values that are still the same."""
    known = {(leaf.path, str(leaf.value)): leaf for leaf in before.leaves if leaf.status == QUOTED}
    leaves = (known.get((one.path, str(one.value)), one) if one.status == NOT_FOUND else one for one in found.leaves)
    return replace(found, leaves=tuple(leaves))


def share_of(text: RowText, found: Sequence[Found]) -> float | None:
    """As `grounded_share`, over all of a row's records."""
    return grounded_share([one for record in found for one in text.evidence(record)])


def ready_for(schema: Mapping[str, Any]) -> Prepared:
    """A job's schema, once per job."""
    return prepared(schema)


def _values_in(facts: object) -> Iterator[str]:
    if isinstance(facts, Mapping):
        for inner in facts.values():
            yield from _values_in(inner)
    elif isinstance(facts, list | tuple):
        for inner in facts:
            yield from _values_in(inner)
    elif facts not in (None, ""):
        yield str(facts)
