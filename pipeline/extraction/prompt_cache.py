"""Prompt caching: whether a job's fixed part is to be marked for the provider to keep, and what that brought. Pure.

What all rows share (system prompt, schema, tool) stands first in every body, byte-identical. Some providers keep such a
prefix by themselves; others want a mark, and charge more for the call that writes it.
"""

import math
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from pipeline.catalog.names import bare_model, longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Model
from pipeline.money import MTOK, Rate, dollars

LARGEST_MINIMUM = 4096
MINIMUM_TOKENS: Mapping[str, int] = {  # prefix → the shortest prompt that is cached; where sources differ the larger
    **dict.fromkeys(("claude-opus-5", "claude-fable-5", "claude-mythos-5"), 512),
    **dict.fromkeys(("claude-sonnet-5-5", "claude-haiku-5-5"), 512),
    **dict.fromkeys(("claude-opus-4-8", "claude-sonnet-5", "claude-sonnet-4", "claude-sonnet-4-5"), 1024),
    **dict.fromkeys(("claude-opus-4", "claude-opus-4-1", "claude-3-7-sonnet", "claude-3-5-sonnet"), 1024),
    **dict.fromkeys(("claude-opus-4-7", "claude-sonnet-4-6", "claude-3-5-haiku", "claude-3-haiku"), 2048),
    **dict.fromkeys(("claude-opus-4-5", "claude-opus-4-6", "claude-haiku-4-5"), 4096),
    **dict.fromkeys(("nova", "gpt", "o1", "o3", "o4"), 1024),
    **dict.fromkeys(("gemini-2.5-flash", "gemini-2.0"), 1024),
    **dict.fromkeys(("gemini",), 4096),
}


class Caching(Struct, frozen=True):
    """`marked`: bodies carry the provider's mark. `warm`: one call goes alone, for the others to find what it wrote."""

    marked: bool
    warm: bool
    told: str  # one line, for `check`, `estimate` and people


def minimum_tokens(model: str) -> int:
    """Below it a prompt is not cached, marked or not, and nobody is told."""
    return longest_prefix(MINIMUM_TOKENS, bare_model(model)) or LARGEST_MINIMUM


def caching_for(model: Model, fixed_tokens: int, requests: int, rate: Rate | None) -> Caching:
    """What to do about the fixed part of a job that is to send this many requests."""
    provider = model.provider
    if model.caching == "off":
        return Caching(marked=False, warm=False, told="off, by model.caching")
    caches = PROVIDERS[provider].caches
    if not caches:
        return Caching(marked=False, warm=False, told=f"not asked for: unknown of {provider}")
    if provider == "bedrock" and not _takes_marks(model):
        return Caching(marked=False, warm=False, told=f"none: Bedrock offers it for no {model.name} by this API")
    least = minimum_tokens(model.name)
    if fixed_tokens < least:
        told = f"none: {fixed_tokens:,} tokens are the same in every request, and {model.name} keeps {least:,} or more"
        return Caching(marked=False, warm=False, told=told)
    if caches == "by itself":
        told = f"by the provider itself: {fixed_tokens:,} tokens are the same in every request"
        return Caching(marked=False, warm=requests > 1, told=told)
    enough = break_even_requests(rate)
    if model.caching == "auto" and requests < enough:
        told = f"not marked: writing {fixed_tokens:,} tokens pays from {enough} requests on, and {requests} are to go"
        return Caching(marked=False, warm=False, told=told)
    told = f"{fixed_tokens:,} tokens marked: written once, read by {max(0, requests - 1):,} requests"
    return Caching(marked=True, warm=requests > 1, told=told + _saving(fixed_tokens, requests, rate))


def break_even_requests(rate: Rate | None) -> int:
    """Requests from which one write and reads cost less than plain input; 2 where no price is known."""
    if rate is None or rate.cached_input >= rate.input:
        return 2
    extra = max(Decimal(0), rate.cache_write - rate.input)
    return 1 + max(1, math.ceil(extra / (rate.input - rate.cached_input)))


def saved_usd(cached_tokens: int, written_tokens: int, rate: Rate) -> Decimal:
    """What cached reads saved, less what writes cost beyond plain input, at the base tier; below 0 it did not pay."""
    saved = cached_tokens * (rate.input - rate.cached_input) - written_tokens * (rate.cache_write - rate.input)
    return saved / MTOK


def _takes_marks(model: Model) -> bool:
    """Of Bedrock's models: Claude, and Nova by Converse."""
    name = bare_model(model.name)
    return name.startswith("claude") or (name.startswith("nova") and model.api != "invoke")


def _saving(fixed_tokens: int, requests: int, rate: Rate | None) -> str:
    if rate is None or requests < 2:
        return ""
    saved = saved_usd(fixed_tokens * (requests - 1), fixed_tokens, rate)
    return f", which saves about {dollars(saved)}"
