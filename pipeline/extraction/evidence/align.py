"""A record against the text that it was made of: where each of its leaves stands there. No token is spent. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from pipeline.extraction.evidence.find import places_of
from pipeline.extraction.evidence.index import Index, Span
from pipeline.extraction.evidence.leaves import Field, Kind, Value, fields_of, values_in
from pipeline.extraction.field_names import Schema

Status = Literal["exact", "normalised", "fuzzy", "derived", "inferred", "quoted", "xml", "not_found", "unverifiable"]
Origin = Literal["text", "ocr", "xml"]
MAX_QUOTE = 120


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

    `ocr`: spans of the text that were read off pictures, in order. `partial`: there is more to the document than its
    text, such as a page that the model saw as a picture. `xml`: the text, or the values, of an e-invoice's XML.
    """

    text: str
    ocr: tuple[Span, ...] = ()
    partial: bool = False
    xml: str = ""


class Prepared(Struct, frozen=True):
    """A schema made ready for its records, once per job."""

    fields: Mapping[str, Field]


def prepared(schema: Schema) -> Prepared:
    """Args: schema: the user's model as `Original.schema` has it."""
    return Prepared(fields_of(schema))


def align(ready: Prepared, record: Mapping[str, Any], source: Source) -> tuple[Leaf, ...]:
    """A leaf for each value that is not null, in the record's order.

    >>> schema = {"properties": {"total": {"type": "number"}}}
    >>> leaf, = align(prepared(schema), {"total": 1234.5}, Source("Total due: 1.234,50 EUR"))
    >>> leaf.status, leaf.quote, leaf.start, leaf.end
    ('normalised', '1.234,50', 11, 19)
    """
    index = Index(source.text)
    return tuple(_leaf(value, index, source) for value in values_in(record, ready.fields))


def _leaf(value: Value, index: Index, source: Source) -> Leaf:
    found = places_of(value, index)
    if found:
        start, end = index.cleaned.start(found[0][0]), index.cleaned.end(found[0][1])
        same = source.text[start:end] == str(value.value)
        return Leaf(
            value.path,
            value.kind,
            value.value,
            "exact" if same else "normalised",
            source.text[start:end][:MAX_QUOTE],
            start,
            end,
            len(found),
            required=value.required,
        )
    return Leaf(value.path, value.kind, value.value, "not_found", required=value.required)
