"""How providers count, by provider and model."""

from pipeline.catalog.limit_profiles import UNKNOWN
from pipeline.catalog.providers import profile_of


def test_profiles_are_chosen_by_provider_and_model():
    """Five units for an output token of Claude on Bedrock; an unknown provider gives back what was not used."""
    assert profile_of("bedrock", "us.anthropic.claude-sonnet-4-5").burn == 5.0
    assert profile_of("bedrock", "amazon.nova-pro-v1:0").burn == 1.0
    assert (profile_of("openai", "x").settle, UNKNOWN.settle) == ("none", "refund")
