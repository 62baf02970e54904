"""What Claude models differ in on this wire, by name. Pure.

Names of tomorrow count as the newest family: what that refuses is not sent, or is known to be refused.
"""

import re
from collections.abc import Mapping

from pipeline.windows import bare_model, longest_prefix

NO_SAMPLING = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku)-(?:[5-9]|[1-9]\d)(?!\d)|fable|mythos)")
NO_FORCING = re.compile(r"claude-(?:(?:opus|sonnet|haiku)-(?:5-[5-9]|[6-9]|[1-9]\d)(?!\d)|fable|mythos)")
LARGEST_CACHE_MINIMUM = 4096
CACHE_MINIMUM_TOKENS: Mapping[
    str, int
] = {  # prefix → the shortest prompt that is cached; where sources differ the larger
    **dict.fromkeys(("claude-opus-5", "claude-fable-5", "claude-mythos-5"), 512),
    **dict.fromkeys(("claude-sonnet-5-5", "claude-haiku-5-5"), 512),
    **dict.fromkeys(("claude-opus-4-8", "claude-sonnet-5", "claude-sonnet-4", "claude-sonnet-4-5"), 1024),
    **dict.fromkeys(("claude-opus-4", "claude-opus-4-1", "claude-3-7-sonnet", "claude-3-5-sonnet"), 1024),
    **dict.fromkeys(("claude-opus-4-7", "claude-sonnet-4-6", "claude-3-5-haiku", "claude-3-haiku"), 2048),
    **dict.fromkeys(("claude-opus-4-5", "claude-opus-4-6", "claude-haiku-4-5"), 4096),
}


def refuses_temperature(model: str) -> bool:
    """Whether a request with a temperature is a 400, whatever the API version."""
    return NO_SAMPLING.search(model.lower()) is not None


def refuses_forcing(model: str) -> bool:
    """Whether a `tool_choice` that leaves the model no choice is a 400."""
    return NO_FORCING.search(model.lower()) is not None


def worth_caching(model: str, fixed_tokens: int) -> bool:
    """Whether the part that all requests share is long enough for the provider to keep.

    Below the minimum a marked prompt is not cached, without a word. Above it the first row pays 1.25 times the input
    price for that part, and every row within five minutes of another a tenth.
    """
    return fixed_tokens >= (longest_prefix(CACHE_MINIMUM_TOKENS, bare_model(model)) or LARGEST_CACHE_MINIMUM)
