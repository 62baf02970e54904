"""Names of models without what providers put around them."""

from decimal import Decimal

import pytest
from each_case import each_case

from pipeline.catalog.modes import ability_of
from pipeline.catalog.names import bare_model
from pipeline.catalog.prices import rate_for
from pipeline.catalog.sampling import temperature_advice
from pipeline.catalog.windows import limits_of
from pipeline.documents.tokens import counter_for
from pipeline.job.settings import Prices


def test_bare_model_leaves_versions_alone():
    """A dot in a version is no maker."""
    assert bare_model("gpt-4.1-mini") == "gpt-4.1-mini"
    assert bare_model("Meta-Llama/Llama-3.1-8B") == "llama-3.1-8b"
    assert bare_model("apac.anthropic.claude-3-haiku-20240307-v1:0") == "claude-3-haiku-20240307-v1:0"


ARN, ACCOUNT = "arn:aws:bedrock:us-east-1:", "arn:aws:bedrock:us-east-1:123456789012:"
AS_PEOPLE_HAVE_THEM = [  # provider, name, input price, window
    ("openai", "gpt-4o-mini", "0.15", 128_000),
    ("openai", "GPT-4o-mini", "0.15", 128_000),
    ("openai", "gpt-4o-mini-2024-07-18", "0.15", 128_000),
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", "0.3", 128_000),
    ("openai", "ft:gpt-4o-2024-08-06:acme:invoices:abc:ckpt-step-90", "3.75", 128_000),
    ("openai", "ft:gpt-4.1-2025-04-14:acme::abc", None, 1_000_000),
    ("openai", "openai/gpt-4o-mini", "0.15", 128_000),
    ("openai", "openai/gpt-4o-mini:free", None, 128_000),
    ("openai", "openai/gpt-4o-mini:nitro", None, 128_000),
    ("openai", "anthropic/claude-sonnet-4.5", None, 200_000),
    ("openai", "anthropic/claude-3.5-sonnet", None, 200_000),
    ("openai", "llama3.1:8b", None, None),
    ("openai", "/models/llama-3.1-8b", None, None),
    ("openai", "/models/gpt-4o-mini", None, 128_000),
    ("openai", "./gpt-4o-mini", None, 128_000),
    ("openai", "meta-llama/Llama-3.1-8B-Instruct", None, None),
    ("openai", "openai/gpt-oss-120b", None, 128_000),
    ("azure", "gpt-4o-mini", "0.15", 128_000),
    ("azure", "prod-extract", None, None),
    ("azure", "gpt-4o-mini-2024-07-18.ft-0e208cf33a6a466994aff31a08aba678", "0.3", 128_000),
    ("azure", "gpt-4.1-2025-04-14.ft-0e208cf33a6a466994aff31a08aba678", None, 1_000_000),
    ("anthropic", "claude-sonnet-4-5-20250929", "3", 200_000),
    ("anthropic", "claude-sonnet-4-5@20250929", "3", 200_000),
    ("anthropic", "anthropic/claude-sonnet-4-5", "3", 200_000),
    ("gemini", "models/gemini-2.5-flash", "0.3", 1_000_000),
    ("gemini", "tunedModels/invoices-abc123", None, None),
    ("gemini", "gemini-2.5-flash-001", None, 1_000_000),
    ("vertex", "google/gemini-2.5-flash", "0.3", 1_000_000),
    ("vertex", "gemini-2.5-flash@default", "0.3", 1_000_000),
    ("vertex", "publishers/google/models/gemini-2.5-flash", "0.3", 1_000_000),
    ("vertex", "publishers/anthropic/models/claude-sonnet-4-5@20250929", "3", 200_000),
    ("vertex", "projects/p/locations/eu/publishers/google/models/gemini-2.5-flash", "0.3", 1_000_000),
    ("vertex", "projects/1/locations/us-central1/endpoints/123", None, None),
    ("vertex", "projects/1/locations/us-central1/models/gemini-2.5-flash", None, 1_000_000),
    ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", 200_000),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", 200_000),
    ("bedrock", "apac.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", 200_000),
    ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3", 200_000),
    ("bedrock", "us-gov.anthropic.claude-3-haiku-20240307-v1:0", "0.25", 200_000),
    ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0:200k", "0.25", 200_000),
    ("bedrock", ARN + ":foundation-model/amazon.nova-lite-v1:0", "0.06", 300_000),
    ("bedrock", "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-lite-v1:0", "0.06", 300_000),
    ("bedrock", ACCOUNT + "inference-profile/us.amazon.nova-lite-v1:0", "0.06", 300_000),
    ("bedrock", ACCOUNT + "application-inference-profile/abc123def456", None, None),
    ("bedrock", ACCOUNT + "provisioned-model/abc123def456", None, None),
    ("bedrock", ACCOUNT + "imported-model/abc123def456", None, None),
    ("bedrock", ACCOUNT + "custom-model-deployment/abc123def456", None, None),
    ("bedrock", ACCOUNT + "custom-model/amazon.nova-lite-v1:0:300k/abc123def456", None, None),
    ("bedrock", ACCOUNT + "default-prompt-router/anthropic.claude:1", None, None),
]


@each_case(("provider", "name", "usd", "window"), AS_PEOPLE_HAVE_THEM)
def test_a_name_as_people_have_it_is_found_or_is_not_guessed_at(provider, name, usd, window):
    """By its price, which is never another model's, and by its window."""
    rate, limits = rate_for(provider, name, Prices()), limits_of(name)
    assert (rate and rate.input) == (usd and Decimal(usd))
    assert (limits.context_tokens if limits.known else None) == window


@pytest.mark.parametrize(
    ("provider", "name", "modes", "counter"),
    [
        ("openai", "ft:gpt-3.5-turbo-0125:acme::abc", ("tool", "json_object"), "cl100k_base"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::abc", ("json_schema", "tool", "json_object"), "o200k_base"),
        ("openai", "anthropic/claude-sonnet-4.5", ("json_schema", "tool", "json_object"), "o200k_base x 1.35"),
        ("openai", "llama3.1:8b", ("json_schema", "tool", "json_object"), "o200k_base x 1.05"),
        ("anthropic", "claude-3-haiku-20240307", ("tool", "json_object"), "o200k_base x 1.35"),
        (
            "bedrock",
            ACCOUNT + "inference-profile/us.amazon.nova-lite-v1:0",
            ("tool", "json_object"),
            "o200k_base x 1.6",
        ),
    ],
)
def test_it_is_asked_and_counted_as_the_model_that_it_is(provider, name, modes, counter):
    assert ability_of(provider, name).modes == modes
    assert counter_for(provider, name).name == counter


@pytest.mark.parametrize("name", ["claude-opus-4-7", "anthropic/claude-opus-4.7", "claude-opus-4-7@20260416"])
def test_a_claude_that_takes_no_temperature_is_known_by_all_its_names(name):
    assert temperature_advice(name, 0.5).sure
