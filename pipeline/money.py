"""Usage and rate → USD, in `Decimal` throughout; and what something will come to. Pure."""

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pipeline.types import Usage

QUANTUM = Decimal("1e-10")
UNITS_PER_USD = Decimal("1e10")
MTOK = Decimal(1_000_000)
MOST_DIGITS = 10  # after the point


class TierPrices(Struct, frozen=True):
    """USD per million tokens, by class."""

    input: Decimal
    cached_input: Decimal
    cache_write: Decimal
    output: Decimal


class Tier(TierPrices, frozen=True, kw_only=True):
    """Other prices for the whole request, from this many input tokens on."""

    from_input_tokens: int


class Rate(TierPrices, frozen=True, kw_only=True):
    """A model's prices; `source` says where from, with its date."""

    source: str
    tiers: tuple[Tier, ...] = ()  # by rising from_input_tokens
    services: tuple[tuple[str, "Rate"], ...] = ()  # of other service tiers, by their names
    asked: str = ""  # the service tier that the job asks for; "": the standard one

    @property
    def expected(self) -> "Rate":
        """The prices of the service tier that is asked for."""
        return rate_at(self, self.asked)


def cost_usd(usage: Usage, rate: Rate) -> Decimal:
    """What one attempt cost, to 1e-10 USD. Cached reads beyond the input, which some servers report, are cut to it."""
    prices = prices_at(rate, usage.input_tokens)
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    plain = usage.input_tokens - cached - written
    total = (
        plain * prices.input
        + cached * prices.cached_input
        + written * prices.cache_write
        + usage.output_tokens * prices.output
    )
    return (total / MTOK).quantize(QUANTUM, ROUND_HALF_EVEN)


def at_share(rate: Rate, share: Decimal) -> Rate:
    """The prices of the batch lane: a share of all classes, whatever service tier an answer names."""

    def cut(prices: TierPrices) -> dict[str, Decimal]:
        return {name: getattr(prices, name) * share for name in TierPrices.__struct_fields__}

    tiers = tuple(replace(tier, **cut(tier)) for tier in rate.tiers)
    return replace(rate, **cut(rate), tiers=tiers, services=(), asked="")


def rate_at(rate: Rate, service: str) -> Rate:
    """The prices of a service tier ("": the standard one); of one that is not known, the dearest there are."""
    if not service:
        return rate
    known = dict(rate.services)
    return known.get(service) or max((rate, *known.values()), key=lambda one: (one.output, one.input))


def dearer(one: Rate, other: Rate) -> Rate:
    return max(one, other, key=lambda rate: (rate.output, rate.input))


def worst_case_usd(input_tokens_ceiling: int, max_output_tokens: int, rate: Rate) -> Decimal:
    """The most that one attempt can cost: all input in the dearest class and tier, all output used."""
    dearest_in, dearest_out = max(rate.input, rate.cached_input, rate.cache_write), rate.output
    for tier in rate.tiers:
        if tier.from_input_tokens <= input_tokens_ceiling:
            dearest_in = max(dearest_in, tier.input, tier.cached_input, tier.cache_write)
            dearest_out = max(dearest_out, tier.output)
    total = (input_tokens_ceiling * dearest_in + max_output_tokens * dearest_out) / MTOK
    return total.quantize(QUANTUM, ROUND_CEILING)


def rounded_up(usd: Decimal) -> Decimal:
    """To two digits that count, as a cap that people set.

    >>> rounded_up(Decimal("0.00012341")), rounded_up(Decimal("3.2"))
    (Decimal('0.00013'), Decimal('3.2'))
    """
    return usd.quantize(Decimal(1).scaleb(max(usd.adjusted() - 1, -MOST_DIGITS)), ROUND_CEILING) if usd else usd


def to_units(usd: Decimal) -> int:
    """USD as a whole number of 1e-10 USD, for integer columns."""
    return math.ceil(usd * UNITS_PER_USD)


def from_units(units: int) -> Decimal:
    return Decimal(units).scaleb(-10)


def prices_at(rate: Rate, input_tokens: int) -> TierPrices:
    """The prices that hold for a request with this many input tokens."""
    found: TierPrices = rate
    for tier in rate.tiers:
        if input_tokens >= tier.from_input_tokens:
            found = tier
    return found


def told_price(rate: Rate) -> str:
    """The prices in words; of cached input and cache writes where they differ from other input's."""
    classes = {
        "cached": rate.cached_input if rate.cached_input != rate.input else None,
        "cache writes": rate.cache_write if rate.cache_write != rate.input else None,
        "out": rate.output,
    }
    told = [f"${rate.input} in", *(f"${price} {name}" for name, price in classes.items() if price is not None)]
    return f"{', '.join(told)} per million tokens"


def money(units: int, *beside: Decimal) -> str:
    """1e-10 USD as `dollars` has it."""
    return dollars(from_units(units), *beside)


def dollars(amount: Decimal, *beside: Decimal) -> str:
    """USD as people read it: cents for dollars, up to six digits for less, and as many more as it takes.

    That is: what is not 0 does not read as 0, nor as one of the amounts `beside` it that it is not.
    """
    size = abs(amount)
    least = 2 if size >= 1 else min(MOST_DIGITS, max(6, 1 - size.adjusted())) if size else 2
    others = [one for one in beside if one != amount]
    told = (n for n in range(least, MOST_DIGITS) if all(f"{one:.{n}f}" != f"{amount:.{n}f}" for one in others))
    digits = next(told, MOST_DIGITS)
    whole, _, cents = f"{size:,.{digits}f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{cents.rstrip('0').ljust(2, '0')}"


Amount = TypeVar("Amount")


Other = TypeVar("Other")


class Band(NamedTuple, Generic[Amount]):
    """What something will come to: at the least, as expected, at the most."""

    low: Amount
    expected: Amount
    high: Amount

    def each(self, change: Callable[[Amount], Other]) -> "Band[Other]":
        return Band(change(self.low), change(self.expected), change(self.high))
