"""The user's schema for several documents at once: a list with a record for each, under the document's number. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from pipeline.schema.dialects.restore import SAME, Back, Each, Fields, Way
from pipeline.schema.shape import Shaped, shape_of
from pipeline.types import AnswerShape

ANSWERS, NUMBER, RECORD = "answers", "document", "record"
WORDS = "One for each document, in the order of their numbers"
NUMBER_WORDS = "The number of the document, as it stands before and after it"


def listed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list of such records; its definitions stay where references look for them.

    >>> listed({"type": "object", "properties": {}})["properties"]["answers"]["items"]["required"]
    ['document', 'record']
    """
    record = {key: value for key, value in schema.items() if key != "$defs"}
    number = {"type": "integer", "description": NUMBER_WORDS}
    entry = {"type": "object", "properties": {NUMBER: number, RECORD: record}, "required": [NUMBER, RECORD]}
    answers = {"type": "array", "items": entry, "description": WORDS}
    whole = {"type": "object", "properties": {ANSWERS: answers}, "required": [ANSWERS]}
    return {**whole, **({"$defs": schema["$defs"]} if "$defs" in schema else {})}


def listed_shape(single: Shaped, provider: str, mode: str, *, model_name: str = "", api: str = "") -> Shaped:
    """A list of what `single` asks for, as the provider is asked for it; it may have problems that `single` has not."""
    name = f"{single.shape.name}_list"
    return shape_of(listed(single.original), name, provider, mode, model_name=model_name, api=api)


def item_of(whole: Shaped, single: Shaped) -> Shaped:
    """One record of such a list, in the dialect that the list is asked for in."""
    schema = whole.shape.schema
    entry = schema["properties"][ANSWERS]["items"]
    record = entry["properties"][RECORD]
    record = {**record, **({"$defs": schema["$defs"]} if "$defs" in schema else {})}
    shape = AnswerShape(single.shape.name, whole.shape.mode, record, whole.shape.strict)
    back = replace(whole.back, way=_inside(whole.back.way))
    return Shaped(shape, single.original, not _plain(back), back=back)


def _plain(back: Back) -> bool:
    return back.way == SAME


def _inside(way: Way) -> Way:
    """The way of one record, of that of the whole list."""
    if isinstance(way, Fields):
        way = way.fields[ANSWERS].way
    if isinstance(way, Each):
        way = way.way
    return way.fields[RECORD].way if isinstance(way, Fields) else SAME
