"""Where a price comes from."""

from decimal import Decimal

import pytest

from pipeline.catalog.prices import price_table_name, priced_names, rate_for
from pipeline.job.settings import Prices


@pytest.mark.parametrize(
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


@pytest.mark.parametrize("provider", ["openai", "azure", "anthropic", "bedrock", "gemini", "vertex", "sandbox"])
@pytest.mark.parametrize("model", ["no-such-model-7", ""])
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
