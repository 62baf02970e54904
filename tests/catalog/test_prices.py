"""Where a price comes from."""

from decimal import Decimal

import pytest
from each_case import each_case
from hypothesis import given as drawn
from hypothesis import strategies as st

from pipeline.catalog.prices import (
    batch_share,
    how_to_price,
    like_priced,
    price_table_name,
    priced_names,
    rate_for,
    required_rate,
)
from pipeline.errors import JobError
from pipeline.job.settings import Prices
from pipeline.money import cost_usd
from pipeline.types import Usage

USED = Usage(1_000_003, 400_001, 100_007, 10_009)  # input, cached, written, output


def classes_of(rate):
    return rate and tuple(map(str, (rate.input, rate.cached_input, rate.cache_write, rate.output)))


def given(**prices):
    return Prices(**{name: Decimal(value) if name != "as_model" else value for name, value in prices.items()})


BOTH = {"input_usd_per_mtok": "2", "output_usd_per_mtok": "10"}
CACHED, WRITE = {"cached_input_usd_per_mtok": "0.05"}, {"cache_write_usd_per_mtok": "2.5"}


@each_case(
    ("provider", "model", "classes"),
    [
        ("openai", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("azure", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("sandbox", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("anthropic", "claude-sonnet-4-5", ("3", "0.3", "3.75", "15")),
        ("gemini", "gemini-2.5-pro", ("1.25", "0.125", "1.25", "10")),
        ("gemini", "models/gemini-2.5-flash", ("0.3", "0.03", "0.3", "2.5")),
        ("vertex", "publishers/google/models/gemini-2.5-flash", ("0.3", "0.03", "0.3", "2.5")),
        ("vertex", "projects/p/locations/eu/publishers/google/models/gemini-2.5-flash", ("0.3", "0.03", "0.3", "2.5")),
        ("vertex", "gemini-2.5-flash", ("0.3", "0.03", "0.3", "2.5")),
        ("bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", ("3", "0.3", "3.75", "15")),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            ("0.06", "0.015", "0.06", "0.24"),
        ),
    ],
)
def test_known_models_have_their_price(provider, model, classes):
    """(input, cached, written, output) USD per million; a class that the table lacks costs as input."""
    rate = rate_for(provider, model, Prices())
    assert rate is not None
    assert (rate.input, rate.cached_input, rate.cache_write, rate.output) == tuple(map(Decimal, classes))
    assert rate.source == price_table_name()


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gemini-2.5-pro"])
def test_a_long_request_has_its_dearer_tier(model):
    """The table says from above 200,000 input tokens: the tier starts at the next one."""
    rate = rate_for("anthropic" if model.startswith("claude") else "gemini", model, Prices())
    (tier,) = rate.tiers
    assert tier.from_input_tokens == 200_001
    assert (tier.input, tier.output) == (2 * rate.input, rate.output * Decimal("1.5"))


@each_case("provider", ["openai", "azure", "anthropic", "bedrock", "gemini", "vertex", "sandbox"])
@each_case("model", ["no-such-model-7", ""])
def test_an_unknown_model_has_no_price(provider, model):
    """None, and not a price of nothing: a budget cannot hold without a price."""
    assert rate_for(provider, model, Prices()) is None


def test_the_jobs_own_prices_go_before_the_table():
    """All input costs the given price: no discount is guessed."""
    own = Prices(input_usd_per_mtok=Decimal("0.1"), output_usd_per_mtok=Decimal(0))
    for model in ("gpt-4o-mini", "no-such-model-7"):
        rate = rate_for("openai", model, own)
        assert (rate.input, rate.cached_input, rate.cache_write, rate.output) == (*[Decimal("0.1")] * 3, 0)
        assert "[prices]" in rate.source
        assert rate.tiers == ()


@pytest.mark.parametrize(
    ("provider", "model"),
    [("azure", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"), ("vertex", "gemini-2.5-flash")],
)
def test_the_models_of_a_provider_have_names(provider, model):
    """Of all its tables, and of no other's."""
    assert model in priced_names(provider)
    assert "grok-4" not in priced_names(provider) or provider == "azure"


@pytest.mark.parametrize(
    ("model", "prices", "classes", "usd"),
    [
        ("gpt-4o-mini", {}, ("0.15", "0.075", "0.15", "0.6"), "0.1260057750"),
        ("gpt-4o-mini", CACHED, ("0.15", "0.05", "0.15", "0.6"), "0.1160057500"),
        ("gpt-4o-mini", WRITE, ("0.15", "0.075", "2.5", "0.6"), "0.3610222250"),
        ("gpt-4o-mini", CACHED | WRITE, ("0.15", "0.05", "2.5", "0.6"), "0.3510222000"),
        ("gpt-4o-mini", BOTH, ("2", "2", "2", "10"), "2.1000960000"),
        ("gpt-4o-mini", BOTH | CACHED, ("2", "0.05", "2", "10"), "1.3200940500"),
        ("of-our-own", BOTH | CACHED | WRITE, ("2", "0.05", "2.5", "10"), "1.3700975500"),
        ("of-our-own", BOTH | {"cached_input_usd_per_mtok": "0"}, ("2", "0", "2", "10"), "1.3000940000"),
    ],
)
def test_a_class_has_the_price_that_is_given_for_it(model, prices, classes, usd):
    """To 1e-10 USD. Not given: as other input where [prices] gives that, else the table's."""
    rate = rate_for("openai", model, given(**prices))
    assert classes_of(rate) == classes
    assert cost_usd(USED, rate) == Decimal(usd)
    assert (("[prices]" in rate.source), ("genai-prices" in rate.source)) == (
        bool(prices),
        "input_usd_per_mtok" not in prices,
    )


def test_a_class_that_is_given_alone_has_its_price_in_every_tier():
    """Of long requests and of service tiers; the other classes keep theirs."""
    rate, plain = (rate_for("gemini", "gemini-2.5-pro", prices) for prices in (given(**CACHED), Prices()))
    assert len(rate.tiers) == len(plain.tiers) == 1
    pairs = zip(dict(rate.services).values(), dict(plain.services).values(), strict=True)
    for ours, theirs in (*pairs, *zip(rate.tiers, plain.tiers, strict=True)):
        assert (ours.input, ours.output, ours.cached_input) == (theirs.input, theirs.output, Decimal("0.05"))


@pytest.mark.parametrize("prices", [CACHED, WRITE, CACHED | WRITE])
def test_a_class_alone_is_refused_where_the_others_have_no_price(prices):
    with pytest.raises(
        JobError, match=rf"prices\.{next(iter(prices))} is given, and no price is known for 'of-our-own'"
    ):
        required_rate("openai", "of-our-own", given(**prices))


@pytest.mark.parametrize(
    ("provider", "model", "prices", "classes"),
    [
        ("azure", "prod-extract", {"as_model": "gpt-4o-mini"}, ("0.15", "0.075", "0.15", "0.6")),
        ("azure", "gpt-4", {"as_model": "gpt-4o-mini"}, ("0.15", "0.075", "0.15", "0.6")),
        ("azure", "prod-extract", {"as_model": "gpt-4o-mini", **CACHED}, ("0.15", "0.05", "0.15", "0.6")),
        ("azure", "prod-extract", {"as_model": "gpt-4o-mini", **BOTH}, ("2", "2", "2", "10")),
        ("openai", "anthropic/claude-sonnet-4.5:nitro", {"as_model": "anthropic:claude-sonnet-4-5"},
         ("3", "0.3", "3.75", "15")),
        ("bedrock", "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123def456",
         {"as_model": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}, ("3.3", "0.33", "4.125", "16.5")),
        ("vertex", "projects/1/locations/eu/endpoints/2", {"as_model": "gemini-2.5-flash"},
         ("0.3", "0.03", "0.3", "2.5")),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::abc", {"as_model": "gpt-4.1"}, ("2", "0.5", "2", "8")),
    ],
)  # fmt: skip
def test_a_model_can_be_priced_as_another(provider, model, prices, classes):
    assert classes_of(required_rate(provider, model, given(**prices))) == classes


@pytest.mark.parametrize(
    ("provider", "name", "near"),
    [
        ("openai", "gpt-4o-minni", "gpt-4o-mini"),
        ("azure", "gpt-4o-mini-prod", "gpt-4o-mini"),
        ("openai", "claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
        ("openai", "anthropic:claude-sonet-4-5", "claude-sonnet-4-5"),
        ("bedrock", "claude-sonnet-4-5", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("gemini", "gemini-2.5-falsh", "gemini-2.5-flash"),
        ("anthropic", "sonnet", None),
    ],
)
@pytest.mark.parametrize("own", [{}, BOTH])
def test_a_name_that_no_table_has_is_refused_with_the_nearest(provider, name, near, own):
    with pytest.raises(JobError, match=r"prices\.as = '.*': the price table has no such model") as told:
        required_rate(provider, "x", given(as_model=name, **own))
    assert near is None or repr(near) in str(told.value)


ARN, PATH = "arn:aws:bedrock:us-east-1:", "publishers/google/models/"
FORMS = {
    "openai": ("{}", "openai/{}", "models/{}"),
    "azure": ("{}",),
    "anthropic": ("{}", "anthropic/{}"),
    "bedrock": ("{}", ARN + ":foundation-model/{}", ARN + "123456789012:inference-profile/{}"),
    "gemini": ("{}", "models/{}", "google/{}"),
    "vertex": ("{}", PATH + "{}", "projects/p/locations/l/" + PATH + "{}", "{}@default"),
}
BY_NO_TOKEN = {  # speech and embeddings: no price of text in and text out
    *("whisper-1", "tts-1", "tts-1-hd", "gpt-live-1", "gpt-live-transcribe", "gpt-realtime-translate"),
    *("gpt-realtime-whisper", "gpt-transcribe", "text-embedding-3-large", "text-embedding-3-small"),
    *("text-embedding-ada-002", "gemini-embedding-001", "gemini-embedding-2"),
    *("amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0"),
}


@pytest.mark.parametrize("provider", FORMS)
def test_all_names_of_a_provider_have_a_price_in_all_their_forms(provider):
    """Every model that the table prices by token: a coverage of the table, whatever it will hold tomorrow."""
    unpriced = set()
    for name in priced_names(provider):
        names = [way.format(name) for way in FORMS[provider] if "gpt-oss" not in name]
        names += [f"us.{name.removeprefix('regional.')}"] if name.startswith("regional.") else []
        rates = [rate_for(provider, one, Prices()) for one in names]
        unpriced |= {name} if any(rate is None or rate != rates[0] for rate in rates) else set()
    assert unpriced <= BY_NO_TOKEN


@each_case(
    ("url", "name", "classes"),
    [
        ("https://openrouter.ai/api/v1", "openai/gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5", ("3", "0.3", "3.75", "15")),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o-mini:free", ("0", "0", "0", "0")),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o-mini:nitro", None),
        ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", ("0.59", "0.59", "0.59", "0.79")),
        ("https://api.groq.com/openai/v1", "gpt-4o-mini", None),
        ("https://a.openai.azure.com/openai/v1", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-flash", ("0.3", "0.03", "0.3", "2.5")),
        ("http://127.0.0.1:8000/v1", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("http://127.0.0.1:8000/v1", "llama-3.3-70b-versatile", None),
        ("http://127.0.0.1:8000/v1", "openai/gpt-oss-120b", None),
    ],
)
def test_an_address_that_the_table_knows_has_its_own_prices(url, name, classes):
    """One wire is spoken by many. Elsewhere the names are taken for OpenAI's."""
    assert classes_of(rate_for("openai", name, Prices(), url)) == classes


@pytest.mark.parametrize(
    ("provider", "model", "told"),
    [
        ("openai", "openai/gpt-4o-mini:nitro", "such as prices.as = 'gpt-4o-mini'"),
        ("openai", "anthropic/claude-sonnet-4.5", "such as prices.as = 'anthropic:claude-sonnet-4.5'"),
        ("openai", "google/gemini-2.5-flash", "such as prices.as = 'gemini:gemini-2.5-flash'"),
        ("openai", "llama3.1:8b", "(0 and 0 for a server of your own, or what is free)"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::abc", "A fine-tuned model has prices of its own"),
        ("azure", "my-gpt-4o-mini", "such as prices.as = 'gpt-4o-mini'"),
        ("vertex", "projects/1/locations/eu/endpoints/2", "names no model"),
        ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", "names no model"),
    ],
)
def test_what_to_write_for_a_model_without_a_price(provider, model, told):
    words = how_to_price(provider, model)
    assert told in words
    assert all(key in words for key in ("[prices]", "input_usd_per_mtok", "output_usd_per_mtok", "as = "))


def test_a_name_that_is_free_or_like_none_has_no_model_to_be_priced_as():
    assert like_priced("openai", "openai/gpt-4o-mini:free") == []
    assert like_priced("azure", "prod-extract") == []


@pytest.mark.parametrize(
    ("provider", "model", "prices", "share"),
    [
        ("openai", "gpt-4o-mini", {}, "0.5"),
        ("openai", "gpt-4o-mini", {"batch_share": "0.4"}, "0.4"),
        ("openai", "gpt-4o-mini", {"batch_share": "0"}, "0"),
        ("openai", "of-our-own", {}, None),
        ("openai", "of-our-own", {"batch_share": "1"}, "1"),
        ("openai", "of-our-own", {"as_model": "gpt-4o-mini"}, "0.5"),
        ("openai", "of-our-own", {"as_model": "anthropic:claude-sonnet-4-5"}, None),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/a",
            {"as_model": "amazon.nova-lite-v1:0"},
            "0.5",
        ),
    ],
)
def test_what_a_batch_takes_of_the_price(provider, model, prices, share):
    assert batch_share(provider, model, given(**prices)) == (share and Decimal(share))


PRICE = st.none() | st.decimals(0, 1000, places=6)


@drawn(PRICE, PRICE, st.booleans())
def test_a_rate_has_what_is_given_and_else_what_it_would_have_had(cached, written, own):
    """Class by class, in every tier of length and of service."""
    both = {"input_usd_per_mtok": Decimal(3), "output_usd_per_mtok": Decimal(4)} if own else {}
    classes = {"cached_input_usd_per_mtok": cached, "cache_write_usd_per_mtok": written}
    rate, plain = (rate_for("gemini", "gemini-2.5-pro", Prices(**both, **more)) for more in (classes, {}))
    pairs = zip(dict(rate.services).values(), dict(plain.services).values(), strict=True)
    for ours, theirs in ((rate, plain), *zip(rate.tiers, plain.tiers, strict=True), *pairs):
        assert (ours.input, ours.output) == (theirs.input, theirs.output)
        assert ours.cached_input == (theirs.cached_input if cached is None else cached)
        assert ours.cache_write == (theirs.cache_write if written is None else written)


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "whisper-1"), ("openai", "text-embedding-3-small"), ("gemini", "gemini-embedding-001")],
)
def test_what_is_not_paid_by_token_of_text_has_no_price(provider, model):
    """And not one of nothing, which no cap could be kept by."""
    assert rate_for(provider, model, Prices()) is None


def test_what_the_table_calls_free_costs_nothing():
    assert classes_of(rate_for("gemini", "gemma-3-27b-it", Prices())) == ("0",) * 4
