"""The size of an answer by its schema's shape."""

import math

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.schema.answer_size import answer_tokens

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
KEYWORDS = st.sampled_from(
    ["type", "enum", "const", "anyOf", "oneOf", "properties", "items", "minItems", "maxItems", "format", "$ref"]
)
WORDS = st.sampled_from(["string", "array", "object", "null", "date", "#", "#/properties", "#/items"])
SCHEMAS = st.recursive(
    JSON | KEYWORDS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYWORDS | st.text(max_size=5), SCHEMAS, max_size=5))
@example({"enum": 5})
@example({"anyOf": 5})
@example({"type": []})
@example({"type": {}, "format": []})
@example({"properties": {"a": True, "b": None}})
@example({"type": "array", "items": True, "minItems": "1", "maxItems": -1})
def test_any_json_has_a_size(schema):
    """A schema may say anything, in any dialect: the walk ends, and its band is in order."""
    size = answer_tokens(schema)
    assert 1 <= size.low <= size.expected <= size.high
    assert math.isfinite(size.high)


def test_a_schema_that_refers_to_itself_has_a_size():
    node = {"properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}
    assert answer_tokens({"$ref": "#/$defs/Node", "$defs": {"Node": node}}).high < 1000
    assert answer_tokens({"$ref": "#"}).low == 1


def test_more_to_say_is_a_larger_answer():
    """A list of at least 30 beats one of any length, and that one beats a single item."""
    item = {"type": "object", "properties": {"amount": {"type": "number"}}}
    sizes = [
        answer_tokens(schema).expected
        for schema in (item, {"type": "array", "items": item}, {"type": "array", "items": item, "minItems": 30})
    ]
    assert sizes == sorted(set(sizes))
    assert answer_tokens({"type": "array", "items": item, "maxItems": 0}).high < answer_tokens(item).high
