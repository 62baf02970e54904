"""How much a model takes and gives."""

import pytest
from each_case import each_case

from pipeline.catalog.windows import ModelLimits, limits_of


@each_case(
    ("model", "context", "output"),
    [
        ("gpt-4o-mini", 128_000, 16_384),
        ("gpt-4o-2024-05-13", 128_000, 4_096),
        ("gpt-4", 8_192, 8_192),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 128_000, 16_384),
        ("gpt-5-mini-2025-08-07", 400_000, 128_000),
        ("gpt-5-chat-latest", 128_000, 16_384),
        ("claude-3-5-sonnet-20241022", 200_000, 8_192),
        ("claude-sonnet-4@20250514", 200_000, 64_000),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", 200_000, 32_000),
        ("global.anthropic.claude-opus-4-7-v1:0", 1_000_000, 128_000),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0", 300_000, 10_000),
        ("publishers/google/models/gemini-2.5-flash", 1_000_000, 65_535),
    ],
)
def test_known_windows(model, context, output):
    """The longest prefix decides, whatever region, ARN or path stands before the name."""
    limits = limits_of(model)
    assert (limits.context_tokens, limits.max_output_tokens, limits.known) == (context, output, True)


@pytest.mark.parametrize("model", ["gpt-5.9", "gpt-50", "my-deployment", "", "llama"])
def test_unknown_windows_are_a_guess_that_says_so(model):
    """A newer version is not taken for the one whose name it begins with."""
    assert limits_of(model) == ModelLimits(128_000, 4_096, known=False, max_input_tokens=128_000)


def test_openai_caps_input_by_itself_from_gpt_5_on():
    """400,000 tokens of window are at most 272,000 of input."""
    assert limits_of("gpt-5").max_input_tokens == 272_000
    assert limits_of("gpt-4.1").max_input_tokens == 1_000_000
    assert limits_of("gpt-5-chat-latest").max_input_tokens == 128_000
