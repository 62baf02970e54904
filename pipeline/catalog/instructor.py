"""What differs between the providers behind instructor, where it does not go by their name. Data only.

Variables of keys, as the vendors' clients and instructor 1.17 read them; names of telemetry, by OpenTelemetry's list of
`gen_ai.provider.name`. A name that is not here is NAME_API_KEY, its own table of prices, and asked by tools. As of
2026-11-30.
"""

from collections.abc import Mapping

from msgspec import Struct

from pipeline.catalog.abilities import MAYBE_TOOLS, SCHEMA, TOOL, WORDS, Ability


class Vendor(Struct, frozen=True, kw_only=True):
    """One of them. Empty: by its name."""

    key_env: str = ""
    needs_key: bool = True
    price_table: str = ""  # of genai-prices
    ability: Ability = MAYBE_TOOLS
    otel_name: str = ""


PROMPTED = "is asked by a prompt alone through instructor"
CLOSES_MAPS = (
    "loses fields that are maps: its client writes additionalProperties: false over their values in a JSON schema"
)
VENDORS: Mapping[str, Vendor] = {
    "cohere": Vendor(key_env="CO_API_KEY", ability=Ability((SCHEMA, WORDS), lacks={TOOL: PROMPTED})),
    "databricks": Vendor(key_env="DATABRICKS_TOKEN"),
    "mistral": Vendor(ability=Ability((TOOL, WORDS), strict_tools=False, lacks={SCHEMA: CLOSES_MAPS}),
                      otel_name="mistral_ai"),
    "ollama": Vendor(needs_key=False),
    "perplexity": Vendor(ability=Ability((WORDS,), lacks={SCHEMA: PROMPTED, TOOL: PROMPTED})),
}  # fmt: skip
LEFT_ALONE = (  # keys of [model] that nothing is done with on this way
    "stream", "transport", "caching", "region", "project", "api_version", "betas", "send_tenant",
)  # fmt: skip
KEYWORDS: Mapping[str, str] = {  # of instructor's own `create`, and what it writes for an answer's form
    **dict.fromkeys(("max_retries", "token_budget"), "one attempt is made a call, and limits.max_attempts counts them"),
    **dict.fromkeys(("hooks", "cache", "cache_namespace", "cache_ttl"), "every answer is on the ledger instead"),
    **dict.fromkeys(("response_model", "mode", "strict", "autodetect_images"), "set extract.mode instead"),
    **dict.fromkeys(("tools", "tool_choice", "response_format"), "set extract.mode instead"),
    "context": "documents are no templates",
    "timeout": "set limits.timeout_s instead",
}
