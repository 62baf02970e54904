"""The dry-run's figures."""

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.commands.estimate.counted import Counts, History, Seen
from pipeline.commands.estimate.estimator import Terms, cost_of, estimate
from pipeline.commands.estimate.lanes import Ways
from pipeline.job.settings import Limits
from pipeline.money import Rate, Tier
from pipeline.schema.answer_size import AnswerSize
from pipeline.types import Usage

RATE = Rate(Decimal(1), Decimal(1), Decimal(1), Decimal(10), source="made up")
TIERED = replace(RATE, tiers=(Tier(Decimal(2), Decimal(2), Decimal(2), Decimal(15), from_input_tokens=2000),))
FREE_OF_LIMITS = Limits(concurrency=10)
SIZE = AnswerSize(10, 50, 200)
COUNTS = Counts(
    rows=1000,
    bad_rows=1,
    done_rows=2,
    duplicate_rows=3,
    requests=1000,
    input_tokens=1_000_000,
    document_tokens=900_000,
    fixed_tokens_per_request=100,
)
HALF = Ways(batch_share=Decimal("0.5"))
NUMBERS = st.integers(0, 10**9)
COUNTED = st.builds(Counts, *[NUMBERS] * 8, free_requests=NUMBERS, free_output_tokens=NUMBERS)
SIZES = st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(lambda found: AnswerSize(*sorted(found)))
USAGES = st.builds(Usage, *[st.integers(0, 10**6)] * 5)
SEEN = st.builds(Seen, own_tokens=st.floats(0, 1e6), first=USAGES, again=USAGES, agains=st.integers(0, 3))
HISTORIES = st.builds(
    History,
    seen=st.lists(SEEN, min_size=3, max_size=12).map(tuple),
    own=st.booleans(),
    latency_s=st.none() | st.floats(0, 1e3),
)
LIMITS = st.builds(
    Limits,
    concurrency=st.integers(1, 1000),
    requests_per_minute=NUMBERS,
    input_tokens_per_minute=NUMBERS,
    output_tokens_per_minute=NUMBERS,
)


def terms(limits=FREE_OF_LIMITS, rate=RATE, size=SIZE, cap=1000, **more):
    return Terms(size=size, max_output_tokens=cap, limits=limits, rate=rate, **more)


def seen(count, *, own=1000.0, inputs=1000, outputs=30, agains=0):
    """That many answers, all alike; the first `agains` of them were asked for again."""
    used = Usage(input_tokens=inputs, output_tokens=outputs)
    return tuple(Seen(own, used, used if n < agains else Usage(), int(n < agains)) for n in range(count))


@given(COUNTED, st.sampled_from([None, RATE, TIERED]), SIZES, st.none() | HISTORIES, LIMITS, st.booleans())
def test_low_is_never_above_expected_nor_expected_above_high(counts, rate, size, history, limits, flag):
    """Whatever was counted, remembered or limited."""
    on = terms(limits, rate, size, ways=HALF, reasoning_tokens=300.0 * flag, cap_charged=flag)
    found = estimate(replace(counts, free_input_tokens=0), on, history)
    bands = [found.input_tokens, found.output_tokens, found.repairs, found.seconds]
    bands += [found.cost_usd, found.batch_cost_usd] if found.cost_usd else []
    for low, expected, high in bands:
        assert 0 <= low <= expected <= high
        assert math.isfinite(high)
    assert (found.cost_usd is None) == (rate is None)
    json.dumps(found.as_json(), allow_nan=False)


def test_without_history_the_shape_tells_and_with_it_history_does():
    """Answers of 30 tokens on record are worth more than any guess."""
    guessed = estimate(COUNTS, terms(), None)
    known = estimate(COUNTS, terms(), History(seen(1000, agains=50), own=True, latency_s=2.0))
    assert guessed.output_tokens == (10_000, 51_000, 220_000)  # 1,000 answers and 0, 20 or 100 repairs
    assert known.output_tokens[1] == pytest.approx(31_500, rel=0.01)
    assert known.repairs[1] == pytest.approx(50, abs=1)
    assert known == estimate(
        COUNTS, terms(size=AnswerSize(1, 2, 3)), History(seen(1000, agains=50), own=True, latency_s=2.0)
    )
    assert (guessed.output_by, known.output_by) == ("shape", "history")
    assert any("1,000 answers on record" in line for line in known.assumptions)
    assert any("shape" in line for line in guessed.assumptions)


def test_longer_documents_to_come_are_foretold_and_not_averaged_away():
    """Answers seen are a tenth of documents of 100 to 290 tokens; those to come have 1,000."""
    some = tuple(Seen(n, Usage(input_tokens=n, output_tokens=n // 10), Usage(), 0) for n in range(100, 300, 10))
    found = estimate(COUNTS, terms(), History(some, own=True, latency_s=None))
    first = found.output_tokens[1] / (1 + found.repairs[1] / 1000)
    assert first == pytest.approx(100 * 1000, rel=0.02)


def test_a_provider_that_counts_otherwise_is_learned_from_what_it_reports():
    """It reports 1.3 times our count: so are the tokens to come."""
    some = tuple(Seen(n, Usage(input_tokens=round(1.3 * n), output_tokens=9), Usage(), 0) for n in range(900, 1100, 10))
    found = estimate(COUNTS, terms(), History(some, own=True, latency_s=None))
    repairs = found.repairs[1]
    assert found.input_tokens[1] == pytest.approx(1_300_000 + repairs * 1300, rel=0.01)
    assert any("1.300 times ours" in line for line in found.assumptions)


def test_cached_input_on_record_is_priced_as_cached():
    """Half of the input was read from a cache at a tenth of the price."""
    rate = replace(RATE, cached_input=Decimal("0.1"))
    used = Usage(input_tokens=1000, cached_input_tokens=500)
    some = tuple(Seen(1000, used, Usage(), 0) for _ in range(1000))
    found = estimate(COUNTS, terms(rate=rate), History(some, own=True, latency_s=None))
    assert float(found.cost_usd[1]) == pytest.approx(0.55, rel=0.02)
    assert any("50%" in line and "cached" in line for line in found.assumptions)


def test_the_batch_price_is_told_where_there_is_one():
    found = estimate(COUNTS, terms(ways=HALF), None)
    assert found.batch_cost_usd[1] == found.cost_usd[1] / 2
    assert [one.lane for one in found.lanes] == ["live", "batch"]
    assert estimate(COUNTS, terms(), None).batch_cost_usd is None


def test_a_model_that_reasons_may_use_its_cap():
    found = estimate(COUNTS, terms(reasoning_tokens=300.0), None)
    assert found.output_tokens[2] == 1000 * 1100  # answers and repairs, each at its cap
    assert any("reasoning" in line for line in found.assumptions)


def test_no_answer_is_longer_than_its_cap_or_what_its_document_can_fill():
    assert estimate(COUNTS, terms(cap=20), None).output_tokens == (10_000, 20_400, 22_000)
    short = replace(COUNTS, document_tokens=20_000)  # 20 of each document: 10 and 30 more than the least
    assert estimate(short, terms(), None).output_tokens == (10_000, 20_400, 44_000)


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
    found = estimate(COUNTS, terms(Limits(concurrency=10, **limits)), None)
    assert found.seconds[0] == pytest.approx(low_s)


def test_a_limit_that_is_charged_with_the_cap_takes_the_time_of_the_cap():
    """1,000 requests of 1,000 tokens each, however short the answers."""
    limits = Limits(concurrency=10, output_tokens_per_minute=10_000)
    assert estimate(COUNTS, terms(limits, cap_charged=True), None).seconds[0] == pytest.approx(6000)


def test_nothing_to_send_costs_nothing():
    nothing = replace(COUNTS, requests=0, input_tokens=0, document_tokens=0)
    for history in (None, History(seen(20, agains=2), own=True, latency_s=1.0)):
        found = estimate(nothing, terms(Limits(requests_per_minute=5)), history)
        assert found.cost_usd == (0, 0, 0)
        assert (found.input_tokens, found.output_tokens, found.seconds) == ((0, 0, 0), (0, 0, 0), (0, 0, 0))
        assert found.as_json()["cost_usd"] == {"low": "0.000000", "expected": "0.000000", "high": "0.000000"}


def test_no_price_is_no_cost_rather_than_none_to_pay():
    found = estimate(COUNTS, terms(rate=None), None)
    assert found.cost_usd is None
    assert found.as_json()["cost_usd"] is None


def test_the_tier_is_that_of_one_request_and_not_of_all():
    assert cost_of(1_000_000, 0, 1000, TIERED) == Decimal(1)
    assert cost_of(2_000_000, 0, 1000, TIERED) == Decimal(4)


def test_readings_and_summaries_are_counted_and_told():
    more = replace(COUNTS, free_requests=500, free_output_tokens=7000)
    found = estimate(more, terms(), None)
    assert found.output_tokens[0] == 17_000
    assert found.as_json()["requests"] == 1500
    assert any("500 more requests" in line for line in found.assumptions)
