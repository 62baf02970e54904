"""An output cap is told what it costs, and what would do."""

from pipeline.admission.output_cap import sizing
from pipeline.catalog.providers import profile_of


def test_an_oversized_output_cap_is_told_with_the_value_to_use():
    """Where it is charged whatever comes out, or reserved; not where output counts as it is produced."""
    told = sizing(profile_of("openai", "x"), 960, 700, 32_000)
    assert (told.output_tokens, round(told.times)) == (896, 18)
    assert "896" in told.told
    assert sizing(profile_of("bedrock", "x"), 960, 700, 32_000).kept is False
    assert sizing(profile_of("anthropic", "x"), 960, 700, 32_000) is None
    assert sizing(profile_of("openai", "x"), 960, 700, 1024) is None
