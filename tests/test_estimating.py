"""The dry-run's figures, and the size of an answer by its schema's shape."""

import json
import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.estimating import Counts, History, cost_of, estimate
from pipeline.job import Limits
from pipeline.pricing import Rate, Tier
from pipeline.shape_size import Size, answer_tokens

RATE = Rate(Decimal(1), Decimal(1), Decimal(1), Decimal(10), source="made up")
TIERED = replace(RATE, tiers=(Tier(Decimal(2), Decimal(2), Decimal(2), Decimal(15), from_input_tokens=2000),))
FREE_OF_LIMITS = Limits(concurrency=10)
SIZE = Size(10, 50, 200)
COUNTS = Counts(
    rows=1000,
    bad_rows=1,
    done_rows=2,
    duplicate_rows=3,
    requests=1000,
    chunks=1000,
    input_tokens=1_000_000,
    document_tokens=900_000,
    fixed_tokens_per_request=100,
)
NUMBERS = st.integers(0, 10**9)
COUNTED = st.builds(Counts, *[NUMBERS] * 9, free_requests=NUMBERS, free_output_tokens=NUMBERS)
SIZES = st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(lambda found: Size(*sorted(found)))
HISTORIES = st.builds(
    History,
    requests=st.integers(1, 10**6),
    output_tokens_mean=st.floats(0, 1e5),
    output_tokens_stdev=st.floats(0, 1e5),
    repair_share=st.floats(0, 1),
    latency_s=st.none() | st.floats(0, 1e3),
    input_scale=st.floats(0.1, 10),
)
LIMITS = st.builds(
    Limits,
    concurrency=st.integers(1, 1000),
    requests_per_minute=NUMBERS,
    input_tokens_per_minute=NUMBERS,
    output_tokens_per_minute=NUMBERS,
)
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


@given(COUNTED, st.sampled_from([None, RATE, TIERED]), SIZES, st.integers(1, 10**6), st.none() | HISTORIES, LIMITS)
def test_low_is_never_above_expected_nor_expected_above_high(counts, rate, size, cap, history, limits):
    """Whatever was counted, remembered or limited."""
    found = estimate(counts, rate, size, cap, history, limits)
    bands = [found.input_tokens, found.output_tokens, found.repairs, found.seconds]
    bands += [found.cost_usd] if found.cost_usd else []
    for low, expected, high in bands:
        assert 0 <= low <= expected <= high
        assert math.isfinite(high)
    assert (found.cost_usd is None) == (rate is None)
    json.dumps(found.as_json(), allow_nan=False)


def test_without_history_the_shape_tells_and_with_it_history_does():
    """An answer of 30 tokens on record is worth more than any guess."""
    history = History(100, 30.0, 0.0, 0.05, 2.0)
    guessed = estimate(COUNTS, RATE, SIZE, 1000, None, FREE_OF_LIMITS)
    known = estimate(COUNTS, RATE, SIZE, 1000, history, FREE_OF_LIMITS)
    assert guessed.output_tokens == (10_000, 51_000, 220_000)  # 1,000 answers and 0, 20 or 100 repairs
    assert known.output_tokens == (30_000, 31_500, 33_600)
    assert known.repairs == (0, 50, 120)
    assert known == estimate(COUNTS, RATE, Size(1, 2, 3), 1000, history, FREE_OF_LIMITS)
    assert any("the last 100 answers on record" in line for line in known.assumptions)
    assert any("shape" in line for line in guessed.assumptions)


def test_no_answer_is_longer_than_its_cap_or_what_its_document_can_fill():
    assert estimate(COUNTS, RATE, SIZE, 20, None, FREE_OF_LIMITS).output_tokens == (10_000, 20_400, 22_000)
    short = replace(COUNTS, document_tokens=20_000)  # 20 of each document: 10 and 30 more than the least
    assert estimate(short, RATE, SIZE, 1000, None, FREE_OF_LIMITS).output_tokens == (10_000, 20_400, 44_000)


@pytest.mark.parametrize(
    ("limits", "low_s"),
    [
        ({}, 100 * (1 + 10 / 60)),  # 1,000 requests in 10 slots
        ({"requests_per_minute": 100}, 600),
        ({"input_tokens_per_minute": 10_000}, 6000),
        ({"output_tokens_per_minute": 1000}, 600),
        ({"requests_per_minute": 100, "input_tokens_per_minute": 10_000}, 6000),
        ({"requests_per_minute": 10**9}, 100 * (1 + 10 / 60)),
    ],
)
def test_the_slowest_limit_bounds_the_time(limits, low_s):
    found = estimate(COUNTS, RATE, SIZE, 1000, None, Limits(concurrency=10, **limits))
    assert found.seconds[0] == pytest.approx(low_s)


def test_nothing_to_send_costs_nothing():
    nothing = replace(COUNTS, requests=0, chunks=0, input_tokens=0, document_tokens=0)
    found = estimate(nothing, RATE, SIZE, 1000, None, Limits(requests_per_minute=5))
    assert found.cost_usd == (0, 0, 0)
    assert (found.input_tokens, found.output_tokens, found.seconds) == ((0, 0, 0), (0, 0, 0), (0, 0, 0))
    assert found.as_json()["cost_usd"] == {"low": "0.000000", "expected": "0.000000", "high": "0.000000"}


def test_no_price_is_no_cost_rather_than_none_to_pay():
    found = estimate(COUNTS, None, SIZE, 1000, None, FREE_OF_LIMITS)
    assert found.cost_usd is None
    assert found.as_json()["cost_usd"] is None


def test_the_tier_is_that_of_one_request_and_not_of_all():
    assert cost_of(1_000_000, 0, 1000, TIERED) == Decimal(1)
    assert cost_of(2_000_000, 0, 1000, TIERED) == Decimal(4)


def test_readings_and_summaries_are_counted_and_told():
    more = replace(COUNTS, free_requests=500, free_output_tokens=7000)
    found = estimate(more, RATE, SIZE, 1000, None, FREE_OF_LIMITS)
    assert found.output_tokens[0] == 17_000
    assert found.as_json()["requests"] == 1500
    assert any("500 more requests" in line for line in found.assumptions)


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
