"""A JSON Schema in the form that Gemini's batches take."""

import pytest
from dialect_models import models
from dialect_rules import nodes
from each_case import each_case
from examples import examples
from hypothesis import HealthCheck, given

from pipeline.errors import JobError
from pipeline.providers.gemini.response_schema import response_schema
from pipeline.schema.dialects.rewrite import rewrite
from pipeline.schema.dialects.table import GEMINI
from pipeline.schema.json_schema import original_of

WORDS = {
    *("type", "nullable", "description", "format", "enum", "anyOf", "minimum", "maximum"),
    *("properties", "propertyOrdering", "required", "items", "minItems", "maxItems"),
}


def field(schema, **root):
    """How one field is written."""
    return response_schema({"type": "object", "properties": {"a": schema}, **root})["properties"]["a"]


@each_case(
    ("schema", "written"),
    [
        ({"type": "string"}, {"type": "STRING"}),
        ({"type": "integer", "minimum": 1}, {"type": "INTEGER", "minimum": 1}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "date", "title": "T", "pattern": "x"}, {"type": "STRING"}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"anyOf": [{"type": "number"}, {"type": "null"}], "description": "d"},
         {"type": "NUMBER", "nullable": True, "description": "d"}),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}]}),
        ({"type": ["number", "string", "null"]},
         {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}], "nullable": True}),
        ({"enum": ["x", "y"]}, {"type": "STRING", "enum": ["x", "y"]}),
        ({"type": "string", "enum": ["x", None]}, {"type": "STRING", "enum": ["x"], "nullable": True}),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER", "description": "One of 1, 2."}),
        ({"type": "integer", "const": 1, "description": "d."}, {"type": "INTEGER", "description": "d. One of 1."}),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1},
         {"type": "ARRAY", "items": {"type": "BOOLEAN"}, "minItems": 1}),
        ({}, {"type": "STRING"}),
    ],
)  # fmt: skip
def test_a_field(schema, written):
    assert field(schema) == written


def test_order_and_what_is_required():
    schema = {"type": "object", "properties": {"b": {}, "a": {}}, "required": ["b"], "additionalProperties": False}
    written = response_schema(schema)
    assert (written["propertyOrdering"], written["required"]) == (["b", "a"], ["b"])
    assert "additionalProperties" not in written


def test_references_are_put_in():
    named = {"P": {"type": "object", "properties": {"x": {"$ref": "#/$defs/N"}}}, "N": {"type": "number"}}
    written = field({"$ref": "#/$defs/P", "description": "d"}, **{"$defs": named})
    assert written == {
        "type": "OBJECT",
        "description": "d",
        "properties": {"x": {"type": "NUMBER"}},
        "propertyOrdering": ["x"],
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/N"},
        {"$ref": "#"},
        {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
    ],
)
def test_what_has_no_such_form_names_its_place(schema):
    named = {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}
    with pytest.raises(JobError, match=r"the record\.a"):
        field(schema, **{"$defs": named})


@examples(20, suppress_health_check=list(HealthCheck))
@given(models())
def test_every_schema_that_is_asked_live_has_such_a_form(spec):
    written = response_schema(rewrite(original_of(spec.annotation).schema, GEMINI).schema)
    for _, node in nodes(written, ""):
        assert node.keys() <= WORDS
        assert "type" in node or "anyOf" in node
        assert node.keys() >= {"properties"} or node.get("type") != "OBJECT"
