"""Service tiers: what the words for them in answers mean, and what they cost where the price table does not say. Pure.

As of 2026-11-30, of the standard price. Where a tier has several prices, or none is published for all models, the
dearest that is known stands here: an answer is never priced below what it may cost.
"""

from collections.abc import Mapping
from decimal import Decimal

PRIORITY, FLEX = "priority", "flex"
STANDARD = {  # at the standard price: reserved capacity is paid for apart, and a batch is priced by its own lane
    *("", "default", "standard", "auto", "on_demand", "scale", "reserved", "provisioned_throughput", "batch"),
    *("unspecified", "service_tier_unspecified", "traffic_type_unspecified"),
}
PREFIXES = ("service_tier_", "on_demand_")
OPENAI = {PRIORITY: Decimal("2.5"), FLEX: Decimal(1)}  # openai.com/api/pricing: 1.67 (gpt-4o-mini) to 2.5 (gpt-5.5)
GOOGLE = {PRIORITY: Decimal(2), FLEX: Decimal("0.5")}  # ai.google.dev/gemini-api/docs/optimization: 75 to 100 % more
FACTORS: Mapping[str, Mapping[str, Decimal]] = {  # by provider; where the price table knows better, that counts
    "openai": OPENAI,
    "azure": OPENAI,
    "sandbox": OPENAI,
    "anthropic": {PRIORITY: Decimal(1)},  # capacity that is committed to, and paid for by contract
    "bedrock": {PRIORITY: Decimal("1.75"), FLEX: Decimal(1)},  # aws.amazon.com/bedrock/service-tiers tells no figures
    "gemini": GOOGLE,
    "vertex": GOOGLE,
}
SOLD: Mapping[str, tuple[str, ...]] = {  # to those who ask for one, by model.service_tier
    **dict.fromkeys(("openai", "azure", "sandbox", "bedrock", "gemini", "vertex"), (FLEX, PRIORITY)),
    "anthropic": (PRIORITY,),  # `auto`: capacity that is committed to, where there is some
}
BY_CONTRACT = {"anthropic"}  # whose dearer tiers are paid for apart: a call costs the standard price


def tier_named(word: str) -> str:
    """The tier that an answer's word means, "" for the standard one. A word that is not known is itself."""
    name = word.strip().lower()
    if name in STANDARD:
        return ""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return "" if name in STANDARD else name
