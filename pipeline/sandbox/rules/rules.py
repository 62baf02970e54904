"""What the sandbox answers: rules in the place of a model. Deterministic, total, and fast."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from pipeline.sandbox.exchange import BYTES_PER_TOKEN, cut
from pipeline.sandbox.rules.lines import named_lines
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.records import Reading, Writer
from pipeline.sandbox.rules.schemas import Builder, Shape
from pipeline.text import RECORDS_BEFORE, WHERE

READ_TOKENS = 2_000  # of free text, where nobody says how much
READ_SHARE = 0.8  # of a cap
NOTHING_TO_READ = "(empty)"
MAX_SHAPES = 256
SHAPES: dict[int, tuple[Mapping[str, Any], Shape]] = {}  # each keeps its schema alive


def extract(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What the document says, as a record of the schema. The schema must not be changed between calls."""
    return Writer(Reading(_this_part(text))).record(_shape(schema))


def repair(text: str, schema: Mapping[str, Any], errors: str) -> dict[str, Any]:  # noqa: ARG001 (a model would read them)
    """The same, with totals that follow from each other, and without items that do not add up to them."""
    return Writer(Reading(_this_part(text), mend=True)).record(_shape(schema))


def read(text: str, cap_tokens: int | None) -> str:
    """The document in plain lines, where no schema is asked for; never empty, and well within the cap."""
    if WHERE in text:
        return named_lines(text)
    room_tokens = READ_TOKENS if cap_tokens is None else max(1, int(cap_tokens * READ_SHARE))
    lines = [" ".join(row.split()) for row in Page(text).rows] or [NOTHING_TO_READ]
    ends = accumulate(len(line.encode()) + 1 for line in lines)
    count = sum(end - 1 <= room_tokens * BYTES_PER_TOKEN for end in ends)
    return "\n".join(lines[:count]) or cut(lines[0], room_tokens)


def _this_part(text: str) -> str:
    """Without the records of parts before, which are there only to understand it: a block that an empty line ends."""
    told, found, rest = text.partition(RECORDS_BEFORE)
    return told + rest.partition("\n\n")[2] if found else text


def _shape(schema: Mapping[str, Any]) -> Shape:
    """Found again by the schema's identity: equal ones come as one object, and hashing one is dear."""
    if id(schema) not in SHAPES:
        if len(SHAPES) >= MAX_SHAPES:
            SHAPES.clear()
        SHAPES[id(schema)] = schema, Builder(schema).build()
    return SHAPES[id(schema)][1]
