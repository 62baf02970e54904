"""The price table: genai-prices' data → one `Rate` per job. The only importer of genai_prices; nothing is fetched."""

import difflib
import functools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, TypeVar

from msgspec.structs import replace

from pipeline.catalog.names import bare_model, listed_name
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.tiers import FACTORS
from pipeline.errors import JobError
from pipeline.job.settings import Model, Prices
from pipeline.money import Rate, Tier, TierPrices

BATCH_USAGE = 1_000_000
REHEARSED_SHARE = Decimal("0.5")
OWN = "the job file's [prices]"
OPEN_WEIGHTS = re.compile(r"gpt-oss")  # `openai/gpt-oss-120b` is the weights' name, and runs on anybody's server
OPENROUTER, FREE = "openrouter", ":free"
MAKERS = ("openai", "anthropic", "gemini")  # whose models others sell too
A_SLIP, LIKE, MOST_LIKE = 0.85, 0.7, 3

AnyPrices = TypeVar("AnyPrices", bound=TierPrices)


def rate_for(provider: str, model: str, prices: Prices, base_url: str = "") -> Rate | None:
    """The job's own prices first, then the table's, of `prices.as` where that is given; None when neither knows.

    A class that the job alone gives a price for has it in every tier; the others keep the table's.
    """
    plain, output = prices.input_usd_per_mtok, prices.output_usd_per_mtok
    if plain is not None and output is not None:
        return _with_own(Rate(plain, plain, plain, output, source=OWN), prices)
    found = _listed(provider, model, base_url) if not prices.as_model else _as_another(provider, prices, base_url)
    return None if found is None else _with_own(found, prices)


def required_rate(provider: str, model: str, prices: Prices, base_url: str = "") -> Rate | None:
    """As `rate_for`, and what [prices] says has to mean something.

    Raises:
        JobError: `prices.as` is in no price table, or a class has a price and the others have none.
    """
    rate = rate_for(provider, model, prices, base_url)
    if (
        prices.as_model
        and (rate is None or rate.source.startswith(OWN))
        and _as_another(provider, prices, base_url) is None
    ):
        raise JobError(_no_such(provider, prices.as_model))
    given = [f"{name}_usd_per_mtok" for name, price in _own_classes(prices).items() if price is not None]
    if given and rate is None:
        told = f"prices.{given[0]} is given, and no price is known for {model!r} to go with it"
        raise JobError(f"{told}. {how_to_price(provider, model)}")
    return rate


def how_to_price(provider: str, model: str) -> str:
    """What to write into the job file for a model that has no price, with the name that may be meant."""
    own = "" if PROVIDERS[provider].credentials else " (0 and 0 for a server of your own, or what is free)"
    mend = (
        f"In [prices], give input_usd_per_mtok and output_usd_per_mtok{own}, or as = the model of the price table "
        "that it costs the same as"
    )
    if model.startswith("ft:") or ".ft-" in model:
        return f"{mend}. A fine-tuned model has prices of its own"
    if not listed_name(model):
        return f"{mend}: {model} names no model of it"
    like = like_priced(provider, model)[:1]
    return f"{mend}, such as prices.as = {like[0]!r}" if like else mend


def like_priced(provider: str, model: str) -> list[str]:
    """What `prices.as` may be for a name that is not priced, the likeliest first: alike, or with less around it."""
    name = listed_name(model).lower().rpartition("/")[2]
    return list(dict.fromkeys(_alike(provider, name)))[:MOST_LIKE] if name and not name.endswith(FREE) else []


def _alike(provider: str, name: str) -> Iterator[str]:
    names, bare = {bare_model(one): one for one in priced_names(provider)}, bare_model(name)
    yield from (full for one, full in names.items() if one.startswith(f"{bare}-"))
    yield from (names[one] for one in difflib.get_close_matches(bare, names, MOST_LIKE, cutoff=A_SLIP))
    own = [short for short in _shortened(name) if _listed(provider, short) is not None]
    yield from own
    for maker in () if own else MAKERS:
        yield from (f"{maker}:{short}" for short in _shortened(name) if _listed(maker, short) is not None)
    yield from (names[one] for one in difflib.get_close_matches(bare, names, MOST_LIKE, cutoff=LIKE))


def _shortened(name: str) -> Iterator[str]:
    """A name with less and less at its end: `gpt-4o-mini:nitro`, `gpt-4o-mini-prod`."""
    while name:
        yield name
        name = name[: max(0, *map(name.rfind, "-:@"))]


def priced_names(provider: str) -> list[str]:
    """The models that the table names for a provider."""
    from genai_prices.data import providers  # noqa: PLC0415 (as below)

    return [model.id for table in providers if table.id in PROVIDERS[provider].price_tables for model in table.models]


@functools.cache  # the package's description is read for it
def price_table_name() -> str:
    """The table and its version, for run.json."""
    return f"genai-prices {version('genai-prices')}"


def _meant(provider: str, model: str, prices: Prices) -> tuple[str, str]:
    """The (provider, model) that is looked up: `prices.as`, a name of the provider or PROVIDER:NAME, where given."""
    head, colon, tail = prices.as_model.partition(":")
    if colon and head in PROVIDERS:
        return head, tail
    return provider, prices.as_model or model


def _as_another(provider: str, prices: Prices, base_url: str) -> Rate | None:
    """The rate of the model that `prices.as` names."""
    meant, name = _meant(provider, "", prices)
    found = (meant == provider and _listed(provider, name, base_url)) or _listed(meant, name)
    return found and replace(found, source=f"{found.source}, as {prices.as_model}")


def _no_such(provider: str, given: str) -> str:
    """Why a name that `prices.as` gives is none, and which may be meant."""
    provider, name = _meant(provider, "", Prices(as_model=given))
    near = like_priced(provider, name)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"prices.as = {given!r}: the price table has no such model of {provider}.{hint} "
        "A model of another provider is PROVIDER:NAME; without one, give input_usd_per_mtok and output_usd_per_mtok"
    )


def _own_classes(prices: Prices) -> dict[str, Decimal | None]:
    """The classes that can be given alone, by their names in a rate."""
    return {"cached_input": prices.cached_input_usd_per_mtok, "cache_write": prices.cache_write_usd_per_mtok}


def _with_own(rate: Rate, prices: Prices) -> Rate:
    """The rate with the classes that the job gives a price of their own, whatever the tier."""
    own = {name: price for name, price in _own_classes(prices).items() if price is not None}
    if not own:
        return rate

    def told(one: AnyPrices) -> AnyPrices:
        return replace(one, **own)

    source = rate.source if rate.source == OWN else f"{rate.source}, and {OWN}"
    services = tuple((name, replace(told(one), tiers=tuple(map(told, one.tiers)))) for name, one in rate.services)
    return replace(told(rate), tiers=tuple(map(told, rate.tiers)), services=services, source=source)


def _listed(provider: str, model: str, base_url: str = "") -> Rate | None:
    """The table's rate, with those of the other service tiers."""
    name, tables = listed_name(model), _tables(provider, base_url)
    if OPENROUTER in tables and name.endswith(FREE):
        return Rate(*[Decimal(0)] * len(TierPrices.__struct_fields__), source=f"{FREE} at {OPENROUTER}")
    for table in tables if name else ():
        for written in _spellings(table, name):
            found = _from_table(table, written)
            if found is not None:
                return replace(found, services=tuple(_services(provider, tables, written, found)))
    return None


def _spellings(table: str, name: str) -> Iterator[str]:
    """The name, and without its maker as gateways write it: `openai/gpt-4o-mini` is what OpenAI calls gpt-4o-mini."""
    yield name
    plain = name.removeprefix(f"{table}/")
    if plain != name and not OPEN_WEIGHTS.match(plain):
        yield plain


def _tables(provider: str, base_url: str) -> Sequence[str]:
    """The tables of whose address it is, where that is known: a wire is spoken by many. Else of the provider."""
    from genai_prices.data import providers  # noqa: PLC0415 (as below)

    entry = PROVIDERS[provider]
    host = next((one.id for one in providers if base_url and re.match(one.api_pattern, base_url)), None)
    if host is None or host in entry.price_tables:
        return entry.price_tables
    return next((one.price_tables for one in PROVIDERS.values() if one.price_tables[0] == host), (host,))


def _services(provider: str, tables: Sequence[str], model: str, standard: Rate) -> Iterator[tuple[str, Rate]]:
    """The other service tiers: by the table, or by the dearest factor that is known."""
    for name, factor in FACTORS.get(provider, {}).items():
        told = (_from_table(table, model, {"service_tier": name}) for table in tables)
        yield name, next((one for one in told if one is not None and one != standard), _times(standard, factor))


def _times(rate: Rate, factor: Decimal) -> Rate:
    def dearer(prices: AnyPrices) -> AnyPrices:
        return replace(prices, **{name: factor * getattr(prices, name) for name in TierPrices.__struct_fields__})

    return replace(dearer(rate), tiers=tuple(map(dearer, rate.tiers)))


def _from_table(table: str, model: str, context: Any = None) -> Rate | None:  # noqa: ANN401 (the table's type)
    price = _price(table, model, context)
    if price is None or not _by_token(price):
        return None
    starts = sorted({start for name in ("input_mtok", "output_mtok") for start in _starts(getattr(price, name, None))})
    tiers = tuple(Tier(*_classes(price, start + 1), from_input_tokens=start + 1) for start in starts)
    return Rate(*_classes(price, 0), source=price_table_name(), tiers=tiers)


def _price(table: str, model: str, context: Any) -> Any:  # noqa: ANN401 (the table's types)
    """What the table has for a name that it matches, or that is an entry's own (`regional.…`), which it need not."""
    from genai_prices import Usage, calc_price  # noqa: PLC0415 (0.3 s: only when a job is priced)
    from genai_prices.data import providers  # noqa: PLC0415

    now = datetime.now(UTC)
    try:
        usage = Usage(input_tokens=1, output_tokens=1)
        found = calc_price(usage, model, provider_id=table, genai_request_timestamp=now, price_context=context)
    except LookupError:
        entries = (one for listed in providers if listed.id == table for one in listed.models)
        named = next((one for one in entries if one.id == model), None)
        return named and named.get_prices(now, context)
    return found.model_price


def _by_token(price: Any) -> bool:  # noqa: ANN401 (the table's type)
    """Whether text in and text out have a price, or nothing has: the table's word for a model that is free."""
    told = {name for name, value in vars(price).items() if value is not None}
    return not told or {"input_mtok", "output_mtok"} <= told


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


def lane_share(model: Model, prices: Prices) -> Decimal:
    """What a line of a batch is billed at; the usual half where nothing is known, as in the sandbox."""
    found = batch_share(model.provider, model.name, prices)
    return REHEARSED_SHARE if found is None else found


def batch_share(provider: str, model: str, prices: Prices) -> Decimal | None:
    """What the provider's batch API takes of the list price; None where no batch price is known.

    The job's own first. Then from genai-prices where it knows; it says nothing of Bedrock and Azure and silently gives
    the standard price, so that what these publish stands in the catalog: half. `sandbox` and servers of others have
    none.
    """
    if prices.batch_share is not None:
        return prices.batch_share
    meant, model = _meant(provider, model, prices)
    entry = PROVIDERS[provider]
    if meant != provider or (entry.batch_makers and not any(maker in model for maker in entry.batch_makers)):
        return None
    if entry.batch != "by table":
        return entry.batch
    from genai_prices import Usage, calc_price  # noqa: PLC0415 (0.3 s: only when a job is priced)

    usage, now = Usage(input_tokens=BATCH_USAGE // 1000, output_tokens=BATCH_USAGE // 1000), datetime.now(UTC)
    try:
        plain, batch = (
            calc_price(
                usage,
                listed_name(model),
                provider_id=entry.price_tables[0],
                genai_request_timestamp=now,
                price_context=context,
            ).total_price
            for context in ({}, {"processing": "batch"})
        )
    except LookupError:
        return None
    return batch / plain if 0 < batch < plain else None
