"""The price table: genai-prices' data → one `Rate` per job. The only importer of genai_prices; nothing is fetched."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, TypeVar

from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.tiers import FACTORS
from pipeline.job.settings import Prices
from pipeline.money import Rate, Tier, TierPrices

BATCH_USAGE = 1_000_000
PATH = re.compile(  # before the name that the table knows: of AWS, and of Google
    r"^(?:arn:[^/]*/|(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/)?models/)"
)

AnyPrices = TypeVar("AnyPrices", bound=TierPrices)


def rate_for(provider: str, model: str, prices: Prices) -> Rate | None:
    """The job's own prices first, then the table's; None when neither knows the model."""
    if prices.input_usd_per_mtok is not None and prices.output_usd_per_mtok is not None:
        price = prices.input_usd_per_mtok
        return Rate(price, price, price, prices.output_usd_per_mtok, source="the job file's [prices]")
    name = PATH.sub("", model)
    for table in PROVIDERS[provider].price_tables:
        found = _from_table(table, name)
        if found is not None:
            return replace(found, services=tuple(_services(provider, name, found)))
    return None


def priced_names(provider: str) -> list[str]:
    """The models that the table names for a provider."""
    from genai_prices.data import providers  # noqa: PLC0415 (as below)

    return [model.id for table in providers if table.id in PROVIDERS[provider].price_tables for model in table.models]


def price_table_name() -> str:
    """The table and its version, for run.json."""
    return f"genai-prices {version('genai-prices')}"


def _services(provider: str, model: str, standard: Rate) -> Iterator[tuple[str, Rate]]:
    """The other service tiers: by the table, or by the dearest factor that is known."""
    for name, factor in FACTORS[provider].items():
        told = (_from_table(table, model, {"service_tier": name}) for table in PROVIDERS[provider].price_tables)
        yield name, next((one for one in told if one is not None and one != standard), _times(standard, factor))


def _times(rate: Rate, factor: Decimal) -> Rate:
    def dearer(prices: AnyPrices) -> AnyPrices:
        return replace(prices, **{name: factor * getattr(prices, name) for name in TierPrices.__struct_fields__})

    return replace(dearer(rate), tiers=tuple(map(dearer, rate.tiers)))


def _from_table(table: str, model: str, context: Any = None) -> Rate | None:  # noqa: ANN401 (the table's type)
    from genai_prices import Usage, calc_price  # noqa: PLC0415 (0.3 s: only when a job is priced)

    try:
        found = calc_price(
            Usage(input_tokens=1, output_tokens=1),
            model,
            provider_id=table,
            genai_request_timestamp=datetime.now(UTC),
            price_context=context,
        )
    except LookupError:
        return None
    price = found.model_price
    starts = sorted({start for name in ("input_mtok", "output_mtok") for start in _starts(getattr(price, name, None))})
    tiers = tuple(Tier(*_classes(price, start + 1), from_input_tokens=start + 1) for start in starts)
    return Rate(*_classes(price, 0), source=price_table_name(), tiers=tiers)


def _classes(price: Any, tokens: int) -> tuple[Decimal, Decimal, Decimal, Decimal]:  # noqa: ANN401 (the table's type)
    """(input, cached input, cache write, output) USD per million at this many tokens; missing ones cost as input."""
    plain = _at(getattr(price, "input_mtok", None), tokens) or Decimal(0)
    read = _at(getattr(price, "cache_read_mtok", None), tokens)
    write = _at(getattr(price, "cache_write_mtok", None), tokens)
    output = _at(getattr(price, "output_mtok", None), tokens) or Decimal(0)
    return plain, plain if read is None else read, plain if write is None else write, output


def _at(price: Any, tokens: int) -> Decimal | None:  # noqa: ANN401 (a number or tiers)
    if price is None or isinstance(price, Decimal):
        return price
    found: Decimal = price.base
    for tier in sorted(price.tiers, key=lambda tier: tier.start):
        if tokens > tier.start:
            found = tier.price
    return found


def _starts(price: Any) -> list[int]:  # noqa: ANN401 (a number or tiers)
    return [] if price is None or isinstance(price, Decimal) else [tier.start for tier in price.tiers]


def batch_share(provider: str, model: str) -> Decimal | None:
    """What the provider's batch API takes of the list price; None where no batch price is known.

    From genai-prices where it knows; it says nothing of Bedrock and Azure and silently gives the standard price, so
    that what these publish stands in the catalog: half. `sandbox` and servers of others have none.
    """
    entry = PROVIDERS[provider]
    if entry.batch_makers and not any(maker in model for maker in entry.batch_makers):
        return None
    if entry.batch != "by table":
        return entry.batch
    from genai_prices import Usage, calc_price  # noqa: PLC0415 (0.3 s: only when a job is priced)

    name = PATH.sub("", model)
    usage, now = Usage(input_tokens=BATCH_USAGE // 1000, output_tokens=BATCH_USAGE // 1000), datetime.now(UTC)
    try:
        plain, batch = (
            calc_price(
                usage, name, provider_id=entry.price_tables[0], genai_request_timestamp=now, price_context=context
            ).total_price
            for context in ({}, {"processing": "batch"})
        )
    except LookupError:
        return None
    return batch / plain if 0 < batch < plain else None
