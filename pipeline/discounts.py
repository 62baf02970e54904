"""What a provider's batch API takes of the price, for the one line in an estimate that says so.

From genai-prices where it knows; it says nothing of Bedrock and Azure and silently gives the standard price, so that
what these publish stands here: half.
"""

from datetime import UTC, datetime
from decimal import Decimal

TABLES = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "vertex": "google"}
HALF = Decimal("0.5")
PUBLISHED = {"azure": HALF}  # its global batch deployments
BEDROCK = ("anthropic.", "meta.", "mistral.", "amazon.nova")  # makers whose models its batch inference takes
USAGE = 1_000_000


def batch_share(provider: str, model: str) -> Decimal | None:
    """The share of the list price; None where no batch price is known. `sandbox` and servers of others have none."""
    if provider == "bedrock":
        return HALF if any(maker in model for maker in BEDROCK) else None
    if provider not in TABLES:
        return PUBLISHED.get(provider)
    from genai_prices import Usage, calc_price  # noqa: PLC0415 (0.3 s: only when a job is priced)

    usage, now = Usage(input_tokens=USAGE // 1000, output_tokens=USAGE // 1000), datetime.now(UTC)
    try:
        plain, batch = (
            calc_price(
                usage, model, provider_id=TABLES[provider], genai_request_timestamp=now, price_context=context
            ).total_price
            for context in ({}, {"processing": "batch"})
        )
    except LookupError:
        return None
    return batch / plain if 0 < batch < plain else None
