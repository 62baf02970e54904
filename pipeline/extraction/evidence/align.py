"""A record against the text that it was made of: where each of its leaves stands there. No token is spent. Pure."""

import html
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from pipeline.extraction.evidence.choose import chosen, stands_everywhere
from pipeline.extraction.evidence.derive import Grounds
from pipeline.extraction.evidence.find import in_order, places_of
from pipeline.extraction.evidence.index import Index, Span
from pipeline.extraction.evidence.items import Candidate, candidate
from pipeline.extraction.evidence.labels import Phrases, phrases_of
from pipeline.extraction.evidence.leaves import MOST_BITS, Field, Kind, Value, fields_of, values_in
from pipeline.extraction.field_names import Schema

Status = Literal[
    "exact", "normalised", "fuzzy", "derived", "inferred", "quoted", "xml", "not_found", "unverifiable"
]  # fmt: skip
Origin = Literal["text", "ocr", "xml"]
MAX_QUOTE = 120
ELEMENT = re.compile(r">([^<>]+)<")


class Leaf(Struct, frozen=True):
    """One value of a record and where it stands: code points of the row's text, end exclusive; None where it does not.

    `places`: how many there were to choose from. `required`: by the schema.
    """

    path: str
    kind: Kind
    value: Any
    status: Status
    quote: str = ""
    start: int | None = None
    end: int | None = None
    places: int = 0
    source: Origin = "text"
    required: bool = False


class Source(Struct, frozen=True):
    """What a record was made of.

    `ocr`: spans of the text that were read off pictures, or that nobody sees. `partial`: there is more to the document
    than its text, such as a page that the model saw as a picture. `xml`: of an e-invoice that came with it.
    """

    text: str
    ocr: tuple[Span, ...] = ()
    partial: bool = False
    xml: str = ""


class Prepared(Struct, frozen=True):
    """A schema made ready for its records, once per job."""

    fields: Mapping[str, Field]
    phrases: Phrases


def prepared(schema: Schema) -> Prepared:
    """`schema`: the user's model, as `Original.schema` has it."""
    fields = fields_of(schema)
    return Prepared(fields, phrases_of(fields))


def align(ready: Prepared, record: Mapping[str, Any], source: Source) -> tuple[Leaf, ...]:
    """A leaf for each value that is not null, in the record's order.

    >>> schema = {"properties": {"total": {"type": "number"}}}
    >>> leaf, = align(prepared(schema), {"total": 1234.5}, Source("Total due: 1.234,50 EUR"))
    >>> leaf.status, leaf.quote, leaf.start, leaf.end
    ('normalised', '1.234,50', 11, 19)
    """
    index = Index(source.text)
    values = list(values_in(record, ready.fields))
    candidates = [_candidate(value, index) for value in values]
    places = chosen(candidates, ready.phrases, index)
    rest = _Rest(values, places, index, source)
    return tuple(
        _placed(one, places[one.value.path], index, source) if one.value.path in places else rest.leaf(one)
        for one in candidates
    )


def _candidate(value: Value, index: Index) -> Candidate:
    spans: Sequence[Span] = places_of(value, index)
    if spans or value.kind != "text":
        return candidate(value, spans)
    return candidate(value, in_order(shown(value.value), index), is_fuzzy=True)


def shown(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    """As text; of a number that Python refuses to write, nothing."""
    return "" if isinstance(value, int) and value.bit_length() > MOST_BITS else str(value)


def _placed(one: Candidate, span: Span, index: Index, source: Source) -> Leaf:
    value, said = one.value, shown(one.value.value)
    start, end = index.cleaned.start(span[0]), index.cleaned.end(span[1])
    begin = _exact(said, (start, end), source.text)
    status: Status = "fuzzy" if one.is_fuzzy else "normalised"
    if begin is not None:
        status, start, end = "exact", begin, begin + len(said)
    origin: Origin = "ocr" if source.ocr and any(first < end and start < last for first, last in source.ocr) else "text"
    if origin == "ocr" and status == "exact":
        status = "normalised"
    quote = source.text[start:end][:MAX_QUOTE]
    return Leaf(
        value.path, value.kind, value.value, status, quote, start, end, len(one.spans), origin, value.required
    )  # fmt: skip


def _exact(said: str, span: Span, text: str) -> int | None:
    """Where the value stands as it is spelt, if it does: signs around its letters and digits included."""
    if text[slice(*span)] == said:
        return span[0]
    first = next((place for place, char in enumerate(said) if char.isalnum()), 0)
    begins = (span[0] - first, span[0])
    return next((one for one in begins if one >= 0 and one + len(said) >= span[1] and text.startswith(said, one)), None)


class _Rest:
    """What was not found in the text as it is, or stands everywhere."""

    def __init__(self, values: Sequence[Value], places: Mapping[str, Span], index: Index, source: Source) -> None:
        self.grounds = Grounds(values, places, index)
        self.index, self.source = index, source
        self.blank = not source.text.strip()

    def leaf(self, one: Candidate) -> Leaf:
        value = one.value
        follows, span = (False, None) if one.spans else self.grounds.derived(value)
        status, origin = self._status(one, follows=follows)
        leaf = Leaf(
            value.path, value.kind, value.value, status, places=len(one.spans), source=origin, required=value.required
        )  # fmt: skip
        if span is None or status != "derived":
            return leaf
        start, end = self.index.cleaned.start(span[0]), self.index.cleaned.end(span[1])
        quote = self.source.text[start:end][:MAX_QUOTE]
        return Leaf(value.path, value.kind, value.value, status, quote, start, end, required=value.required)

    def _status(self, one: Candidate, *, follows: bool) -> tuple[Status, Origin]:
        if follows:
            return "derived", "text"
        if one.value.kind in {"bool", "enum"} or (one.spans and stands_everywhere(one)):
            return ("unverifiable" if self.blank else "inferred"), "text"
        if self.xml is not None and not one.spans and places_of(one.value, self.xml):
            return "xml", "xml"
        if self.blank or self.source.partial:
            return "unverifiable", "text"
        is_unit = one.value.number in {0, 1}  # said by saying nothing
        return ("inferred" if is_unit else "not_found"), "text"

    @cached_property
    def xml(self) -> Index | None:
        texts = ELEMENT.findall(self.source.xml) or [self.source.xml]
        return Index(html.unescape("\n".join(texts))) if self.source.xml else None
