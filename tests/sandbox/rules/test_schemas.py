"""The sandbox's rules against schemas: whatever is asked for gets a record that fits it."""

import json
import re
import time
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import orjson
import pytest
from each_case import each_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_up_models import MODELS, PATTERNS, Colour, one_of
from pydantic import BaseModel, Field

from pipeline.sandbox.rules.patterns import pattern_of
from pipeline.sandbox.rules.rules import extract
from pipeline.schema.shape import restore, shape_for

TEXT = """Northwind Studio Ltd
Report 17, 3 May 2026
Status: open
Contact: a.person@northwind.example
Weight: 12.50 kg
Approved: yes
Tags: pumps, baths
1 Tea   2.00
Total GBP 2.00
"""
FREE_JSON = (
    "JSON text"  # a dialect's way out, also of deep levels, in which the form of a value is lost: no rule fills it
)
ASKED = [
    *(("openai", "json_schema"), ("openai", "json_object"), ("anthropic", "json_schema")),
    *(("gemini", "tool"), ("bedrock", "tool")),
]


@given(MODELS, st.sampled_from(ASKED))
@settings(max_examples=40, deadline=None)
def test_any_model_gets_a_valid_record_in_every_dialect(model, asked):
    """What a dialect says in words only (lengths, limits, patterns, formats) is honoured, too."""
    shaped = shape_for(model, *asked)
    assume(not shaped.problems and FREE_JSON not in json.dumps(shaped.shape.schema))
    answer = json.loads(orjson.dumps(extract(TEXT, shaped.shape.schema)), parse_float=Decimal)
    model.model_validate_json(json.dumps(restore(shaped, answer), default=str))


KEYWORDS = one_of(
    "type properties required items anyOf oneOf allOf $ref $defs A enum const format pattern minimum maximum"
    " multipleOf title exclusiveMinimum minLength maxLength minItems maxItems prefixItems additionalProperties"
    " uniqueItems nullable description patternProperties propertyNames minProperties contentSchema total lines"
)
WORDS = one_of("object array string number integer STRING null # #/$defs/A date ^(a+)+$ [ at_most_1_items")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**62) | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYWORDS, inner, max_size=6),
    max_leaves=25,
)


@given(st.dictionaries(KEYWORDS, JSON, max_size=8))
@settings(max_examples=50, deadline=None)
def test_no_schema_is_too_strange(schema):
    """Any JSON object as a schema, sense or nonsense, gets a record that can be sent; equal ones get equal records."""
    once = orjson.dumps(extract(TEXT, schema))
    assert isinstance(orjson.loads(once), dict)
    assert orjson.dumps(extract(TEXT, dict(schema))) == once


def test_fields_are_found_by_name_type_and_format():
    """By labels, formats and choices, in names of any spelling; null where nothing is said."""

    class Report(BaseModel):
        status: Literal["closed", "open"]
        contact_email: Annotated[str, Field(json_schema_extra={"format": "email"})]
        weightKg: Annotated[float | None, Field(alias="weight")]  # noqa: N815 (a name as others spell it)
        approved: bool
        reportDate: date | None  # noqa: N815 (as above)
        tags: list[str]
        colour: Colour | None
        serial: str | None

    found = extract(TEXT, Report.model_json_schema())
    assert found == {
        "status": "open",
        "contact_email": "a.person@northwind.example",
        "weight": 12.5,
        "approved": True,
        "reportDate": "2026-05-03",
        "tags": ["pumps", "baths"],
        "colour": None,
        "serial": None,
    }


def test_an_invoice_by_other_names():
    """Fields with the meaning of an invoice's are found in any spelling and nesting."""

    class Vendor(BaseModel):
        name: str

    class Position(BaseModel):
        itemName: str  # noqa: N815 (as others spell it)
        qty: int | None
        lineTotal: Decimal  # noqa: N815 (as above)

    class Totals(BaseModel):
        subtotal: float
        vat: float
        total: float

    class Bill(BaseModel):
        vendor: Vendor
        positions: list[Position]
        totals: Totals
        currencyCode: str  # noqa: N815 (as above)

    lines = "Northwind Studio Ltd\nTea   2   4.00   8.00\nCake  1   2.00   2.00\n"
    assert extract(lines + "Net GBP 10.00\nVAT GBP 2.00\nTotal GBP 12.00\n", Bill.model_json_schema()) == {
        "vendor": {"name": "Northwind Studio Ltd"},
        "positions": [
            {"itemName": "Tea", "qty": 2, "lineTotal": 8.0},
            {"itemName": "Cake", "qty": 1, "lineTotal": 2.0},
        ],
        "totals": {"subtotal": 10.0, "vat": 2.0, "total": 12.0},
        "currencyCode": "GBP",
    }


def test_what_refers_to_itself_is_filled_once():
    """A chain does not repeat what the document says."""

    class Chain(BaseModel):
        title: str
        status: str
        after: "Chain | None"

    assert extract(TEXT, Chain.model_json_schema()) == {
        "title": "Northwind Studio Ltd",
        "status": "open",
        "after": None,
    }


def test_a_list_without_twins_is_filled_up_without_twins():
    """From what was found to the least number of items."""
    items = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 4}
    found = extract(TEXT, {"properties": {"total": items}, "required": ["total"]})["total"]
    assert found[0] == 2
    assert len(set(found)) == len(found) == 4


REF = {"$ref": "#/$defs/A"}
LARGE = [
    {
        "type": "object",
        "properties": {"x": {"type": "array", "minItems": 900_000, "items": {"type": "string"}}},
        "required": ["x"],
    },
    {"$defs": {"A": {"allOf": [REF] * 10}}, "properties": {"x": REF}, "required": ["x"]},
    {"$defs": {"A": {"anyOf": [REF] * 10}}, "properties": {"x": REF}, "required": ["x"]},
    {"$defs": {"A": {"properties": dict.fromkeys("abcdefgh", REF), "required": [*"abcdefgh"]}}, **REF},
    {
        "properties": {f"field {n}": {"type": "number"} for n in range(1000)},
        "required": [f"field {n}" for n in range(1000)],
    },
    {"properties": {"status": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}, "required": ["status"]},
]


@pytest.mark.parametrize("schema", LARGE)
def test_no_schema_takes_long(schema):
    """Endless recursion, lists of a billion items and patterns that explode are answered at once, and shortly."""
    begun = time.process_time()
    answer = extract(TEXT * 1000, schema)
    assert time.process_time() - begun < 5  # measured: below 0.4
    assert len(orjson.dumps(answer)) < 500_000


@each_case(
    "source",
    [
        *PATTERNS,
        r"(a+)+$",
        r"^(?!x)\w{2,4}$",
        r"^\S(.*\S)?$",
        r"^(?P<a>ab)+$",
        r"^[^a-z]$",
        r"^\+?[1-9]\d{1,14}$",
        r"^$",
    ],
)
def test_a_pattern_has_an_example(source):
    """One that matches, of the length that is asked for."""
    pattern = pattern_of(source)
    example = pattern.example(0, 100)
    assert example is not None
    assert re.search(source, example)
    longer = pattern.example(3, 12)
    assert longer is None or (3 <= len(longer) <= 12 and re.search(source, longer))


def test_a_pattern_that_explodes_is_not_tried():
    """Looking ahead needs an engine that can take for ever: it gets no text that could make it."""
    begun = time.process_time()
    assert not pattern_of(r"(?=a)(a+a+)+$b").takes("a" * 28)
    assert time.process_time() - begun < 1
