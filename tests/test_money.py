"""Money: what a call cost, and the most it can cost."""

from decimal import Decimal
from fractions import Fraction

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.money import QUANTUM, Rate, Tier, cost_usd, dollars, from_units, prices_at, to_units, worst_case_usd
from pipeline.types import Usage

TOKENS = st.integers(0, 5_000_000)
USD = st.decimals(0, 1000, places=4)
CLASSES = st.tuples(USD, USD, USD, USD)
RATES = st.builds(
    lambda classes, tiers: Rate(
        *classes,
        source="made up",
        tiers=tuple(Tier(*prices, from_input_tokens=start) for start, prices in sorted(tiers.items())),
    ),
    CLASSES,
    st.dictionaries(st.integers(1, 1_000_000), CLASSES, max_size=3),
)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS)
PLAIN = Rate(Decimal(2), Decimal("0.5"), Decimal("2.5"), Decimal(10), source="made up")


def independent_usd(usage, rate):
    """The same sum in fractions, token class by token class."""
    classes = (rate.input, rate.cached_input, rate.cache_write, rate.output)
    for tier in rate.tiers:
        if usage.input_tokens >= tier.from_input_tokens:
            classes = (tier.input, tier.cached_input, tier.cache_write, tier.output)
    left = usage.input_tokens
    read = min(left, usage.cached_input_tokens)
    left -= read
    write = min(left, usage.cache_write_tokens)
    left -= write
    counts = (left, read, write, usage.output_tokens)
    return sum(Fraction(price) * count for price, count in zip(classes, counts, strict=True)) / 1_000_000


@given(USAGES, RATES)
def test_a_cost_is_the_exact_sum_rounded_once(usage, rate):
    """Plain, cached and written tokens each at their price, in the tier of the whole request, to 1e-10 USD."""
    cost = cost_usd(usage, rate)
    assert abs(Fraction(cost) - independent_usd(usage, rate)) <= Fraction(QUANTUM) / 2
    assert cost.as_tuple().exponent == -10


@given(USAGES, RATES, TOKENS, TOKENS)
def test_no_call_costs_more_than_its_worst_case(usage, rate, more_input, more_output):
    """The hard cap rests on this: any usage within the ceilings costs no more than was reserved."""
    ceiling, cap = usage.input_tokens + more_input, usage.output_tokens + more_output
    assert worst_case_usd(ceiling, cap, rate) >= cost_usd(usage, rate)


@given(USAGES, RATES)
def test_a_cost_in_units_comes_back_as_it_was(usage, rate):
    cost = cost_usd(usage, rate)
    assert from_units(to_units(cost)) == cost


@given(st.decimals(0, 1000, places=14))
def test_a_finer_amount_is_never_booked_lower(usd):
    """What does not fit into whole units is rounded up."""
    assert 0 <= from_units(to_units(usd)) - usd < QUANTUM


def test_a_million_small_costs_add_up_exactly():
    """Ten cents a million times are a hundred thousand dollars: no float is anywhere in between."""
    cost = cost_usd(Usage(50_000), PLAIN)
    assert isinstance(cost, Decimal)
    assert sum([cost] * 1_000_000) == Decimal(100_000)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(), "0"),
        (Usage(1_000_000, output_tokens=1_000_000), "12"),
        (Usage(1_000_000, 400_000, 100_000), "1.45"),  # 0.5 M plain 1.00, 0.4 M cached 0.20, 0.1 M written 0.25
        (Usage(1_000_000, 9_000_000, 9_000_000), "0.5"),  # cached reads beyond the input are cut to it
        (Usage(1_000_000, 0, 9_000_000), "2.5"),
        (Usage(1), "0.000002"),
        (Usage(1, output_tokens=10, reasoning_tokens=10), "0.000102"),  # reasoning is in the output already
    ],
)
def test_costs_worked_out_by_hand(usage, usd):
    assert cost_usd(usage, PLAIN) == Decimal(usd)


def test_a_tier_holds_from_its_first_token_on_and_for_the_whole_request():
    tier = Tier(Decimal(4), Decimal(1), Decimal(5), Decimal(20), from_input_tokens=1000)
    rate = Rate(Decimal(2), Decimal("0.5"), Decimal("2.5"), Decimal(10), source="made up", tiers=(tier,))
    assert prices_at(rate, 999) is rate
    assert prices_at(rate, 1000) is tier
    assert cost_usd(Usage(1000), rate) == 2 * 1000 * cost_usd(Usage(1), rate)
    assert worst_case_usd(999, 0, rate) == Decimal("0.0024975")
    assert worst_case_usd(1000, 0, rate) == Decimal("0.005")


AMOUNTS = st.decimals(0, 100_000, places=10)


@each_case(
    ("amount", "beside", "told"),
    [
        ("0.0004", ["0.005"], "$0.0004"), ("0.00497", ["0.005"], "$0.00497"), ("4.9996", ["5"], "$4.9996"),
        ("5", ["5"], "$5.00"), ("0", ["0.005"], "$0.00"), ("1234.5", [], "$1,234.50"), ("0.42", ["5"], "$0.42"),
        ("0.0000000004", [], "$0.0000000004"), ("-0.5", [], "-$0.50"), ("1e-7", [], "$0.0000001"),
        ("4.9999", [], "$5.00"),
        ("0.123456789", [], "$0.123457"),
    ],
)  # fmt: skip
def test_amounts_are_told_with_as_many_digits_as_it_takes(amount, beside, told):
    """What is spent does not read as nothing, nor as the cap that it is not."""
    assert dollars(Decimal(amount), *map(Decimal, beside)) == told


@given(AMOUNTS, AMOUNTS)
def test_two_amounts_read_as_two(one, other):
    """And what is not 0 does not read as 0."""
    assert (dollars(one, other) == dollars(other, one)) == (one == other)
    assert (dollars(one, other) == "$0.00") == (one == 0)
