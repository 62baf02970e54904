"""What models can be asked for JSON by: a schema that the provider enforces, a forced tool, or words. Data only.

The tables say what is known, by the beginning of a model's name; a name that is in none of them is taken for a model of
today.
"""

from collections.abc import Mapping

from msgspec import Struct

SCHEMA, TOOL, WORDS = "json_schema", "tool", "json_object"
STRICTEST_FIRST = (SCHEMA, TOOL, WORDS)


class Ability(Struct, frozen=True):
    """What a model can be asked by, strictest first. `lacks`: what it is known to refuse, and why."""

    modes: tuple[str, ...]
    strict_tools: bool = True  # it can be held to a tool's schema
    lacks: Mapping[str, str] | None = None


NO_SCHEMA = "has no structured output"
NO_TOOLS = "has no tools"
NOT_FORCED = "cannot be made to call a tool"
NO_JSON = "has no JSON mode"
PROMPTED = "is asked by one prompt with model.api = 'invoke', which takes no schema and no tool"

ALL = Ability(STRICTEST_FIRST)
TOOLS = Ability((TOOL, WORDS), lacks={SCHEMA: NO_SCHEMA})
LOOSE_TOOLS = Ability((TOOL, WORDS), strict_tools=False, lacks={SCHEMA: NO_SCHEMA})
ONLY_TOOLS = Ability((TOOL,), lacks={SCHEMA: NO_SCHEMA, WORDS: NO_JSON})
ONLY_WORDS = Ability((WORDS,), lacks={SCHEMA: NO_SCHEMA, TOOL: NO_TOOLS})
UNFORCED_WORDS = Ability((WORDS,), lacks={SCHEMA: NO_SCHEMA, TOOL: NOT_FORCED})
PROMPTED_WORDS = Ability((WORDS,), lacks={SCHEMA: PROMPTED, TOOL: PROMPTED})
# Not for sure: what is missing here is not chosen by itself, but can be asked for.
UNFORCED = Ability((SCHEMA, WORDS))  # it may answer in words where a tool is wanted
MAYBE_TOOLS = Ability((TOOL, WORDS), strict_tools=False)
MAYBE_WORDS = Ability((WORDS,), strict_tools=False)


def _family(ability: Ability, names: str) -> dict[str, Ability]:
    return dict.fromkeys(names.split(), ability)


OPENAI: Mapping[str, Ability] = {
    **_family(TOOLS, "gpt-3.5-turbo gpt-35-turbo gpt-4-turbo gpt-4-1106 gpt-4-0125 gpt-4o-2024-05-13"),
    **_family(TOOLS, "gpt-5.2-pro gpt-5.4-pro gpt-5.5-pro"),
    **_family(MAYBE_TOOLS, "computer-use-preview"),
    **_family(MAYBE_WORDS, "o3-deep-research o4-mini-deep-research"),
    **_family(ONLY_TOOLS, "gpt-4 gpt-4-32k"),
    **_family(ONLY_WORDS, "chatgpt-4o"),
}
CLAUDE: Mapping[str, Ability] = {
    **_family(ONLY_WORDS, "claude-2 claude-2.0 claude-2.1 claude-v2 claude-instant"),
    **_family(LOOSE_TOOLS, "claude-3 claude-opus-4 claude-sonnet-4 claude-haiku-4 claude-4"),
    **_family(ALL, "claude-opus-4-5 claude-sonnet-4-5 claude-haiku-4-5 claude-opus-4-6 claude-sonnet-4-6"),
    **_family(ALL, "claude-opus-4-7 claude-opus-4-8"),
    **_family(UNFORCED, "claude-opus-5-5 claude-sonnet-5-5 claude-fable-5-1 claude-fable-5-2"),
    **_family(UNFORCED, "claude-mythos-5-1 claude-mythos-5-2"),
}
# Bedrock checks a request against its own copy of Anthropic's schema, which lags behind for the newest models.
CLAUDE_ON_BEDROCK: Mapping[str, Ability] = {
    **CLAUDE,
    **_family(MAYBE_TOOLS, "claude claude-opus-4-7 claude-opus-4-8"),
    **_family(MAYBE_WORDS, "claude-opus-5-5 claude-sonnet-5-5 claude-fable-5-1 claude-fable-5-2"),
    **_family(MAYBE_WORDS, "claude-mythos-5-1 claude-mythos-5-2"),
}
CONVERSE: Mapping[str, Ability] = {
    **CLAUDE_ON_BEDROCK,
    **_family(MAYBE_TOOLS, "nova-micro nova-lite nova-pro nova-premier nova-2-lite"),
    **_family(LOOSE_TOOLS, "mistral-large-2402 mistral-large-2407 pixtral-large-2502"),
    **_family(ONLY_WORDS, "titan-text-express titan-text-lite llama3-8b llama3-70b mistral-7b mixtral-8x7b r1"),
    **_family(UNFORCED_WORDS, "llama3-1 llama3-2 llama3-3 llama4-maverick llama4-scout mistral-small-2402"),
    **_family(UNFORCED_WORDS, "jamba-1-5 command-r command-r-plus"),
    **_family(UNFORCED, "mistral-large-3 ministral-3 magistral-small voxtral-small gemma-3 minimax-m2 kimi-k2"),
    **_family(UNFORCED, "kimi-k3.1 nemotron-nano qwen3 gpt-oss gpt-5.4 gpt-5.5 gpt-6.1 v3 v3.1 v3-v1"),
}
INVOKE: Mapping[str, Ability] = {
    **CONVERSE,
    **_family(PROMPTED_WORDS, "llama3 llama3-1 llama3-2 llama3-3 llama3-8b llama3-70b llama4-maverick llama4-scout"),
    **_family(PROMPTED_WORDS, "mistral-7b mixtral-8x7b mistral-large-2402 mistral-small-2402 command-r command-r-plus"),
}
GEMINI: Mapping[str, Ability] = {
    **_family(TOOLS, "gemini-1.0 gemini-1.5 gemini-pro"),
    **_family(ONLY_WORDS, "gemma-3"),
}
