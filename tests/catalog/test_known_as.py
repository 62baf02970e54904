"""By which name a model's window, tokenizer and limits are looked up."""

import pytest

from pipeline.catalog.known_as import known_as
from pipeline.job.settings import Model, Prices


@pytest.mark.parametrize(
    ("provider", "name", "given", "known"),
    [
        ("openai", "gpt-4o-mini", "", "gpt-4o-mini"),
        ("openai", "gpt-4o-mini", "gpt-4.1", "gpt-4o-mini"),
        ("openai", "in-house", "gpt-4.1", "gpt-4.1"),
        ("openai", "in-house", "anthropic:claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("openai", "in-house", "ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini-2024-07-18:acme::abc"),
        ("azure", "prod-extract", "gpt-4o-mini", "gpt-4o-mini"),
        ("azure", "gpt-4", "gpt-4o-mini", "gpt-4o-mini"),
        ("azure", "gpt-4", "", "gpt-4"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:provisioned-model/a",
            "amazon.nova-lite-v1:0",
            "amazon.nova-lite-v1:0",
        ),
    ],
)
def test_prices_as_speaks_where_the_name_says_nothing(provider, name, given, known):
    """A deployment's name is the user's own: on Azure it never says anything for sure."""
    model = Model(provider=provider, name=name, max_output_tokens=1)
    assert known_as(model, Prices(as_model=given)) == known
