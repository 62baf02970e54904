"""Questions about several documents at once, as the sandbox plays a model: each document is read by itself. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.sandbox.exchange import Extract, Question
from pipeline.sandbox.faults import Drawn, Fault, spoiled
from pipeline.text import PACKED

MARK = re.compile(re.escape(PACKED) + r".*? the mark (\w+):")
ANSWERS, NUMBER, RECORD = "answers", "document", "record"
MOST_SCHEMAS = 256
SCHEMAS: dict[int, tuple[Mapping[str, Any], Mapping[str, Any] | None]] = {}  # rules know a schema by its identity


def pack_answered(extract: Extract, question: Question, drawn: Drawn) -> str | None:
    """The answer to one about several documents; None: it is none."""
    if PACKED not in question.document or question.schema is None or question.errors is not None:
        return None
    schema, texts = _record_schema(question.schema), documents_in(question.document)
    if schema is None or not texts:
        return None
    records = [extract(text, schema) for text in texts]
    if drawn.fault is Fault.INVALID_OUTPUT and drawn.variant // 4 % 2:
        place = drawn.variant % len(records)
        records[place] = orjson.loads(spoiled(records[place], schema, drawn.variant // 8 % 2))
    whole = {ANSWERS: [{NUMBER: number, RECORD: record} for number, record in enumerate(records, 1)]}
    if drawn.fault is Fault.INVALID_OUTPUT and not drawn.variant // 4 % 2:
        return spoiled(whole, question.schema, drawn.variant)
    return orjson.dumps(whole).decode()


def documents_in(text: str) -> list[str]:
    """Those between the lines that hold the question's mark, by number."""
    marked = MARK.search(text) if PACKED in text else None
    if marked is None:
        return []
    line = rf"<document (\d+) {marked[1]}>\n(.*?)\n</document \1 {marked[1]}>\n"
    return [one[2] for one in re.finditer(line, text, re.DOTALL)]


def _record_schema(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of a schema that asks for a list, that of one record in it: the same object for the same schema."""
    if id(schema) not in SCHEMAS:
        if len(SCHEMAS) >= MOST_SCHEMAS:
            SCHEMAS.clear()
        SCHEMAS[id(schema)] = schema, _inner(schema)
    return SCHEMAS[id(schema)][1]


def _inner(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        record = schema["properties"][ANSWERS]["items"]["properties"][RECORD]
    except (KeyError, TypeError):
        return None
    return {**record, **({"$defs": schema["$defs"]} if "$defs" in schema else {})}
