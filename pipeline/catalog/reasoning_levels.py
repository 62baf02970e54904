"""What each model can be told of how much it reasons, by the beginning of its name. Data of 2026-11-30.

OpenAI: its API reference of `reasoning_effort`, the words of its refusals ("Supported values are: …"), and models.dev.
Anthropic: platform.claude.com, "Effort", "Thinking" and each model's migration guide: a budget up to 4.5, both ways in
4.6, an effort alone from 4.7 on, which newer ones cannot switch off. Google: ai.google.dev and docs.cloud.google.com,
"Thinking": a budget in 2.5, levels from 3 on. Amazon: the user guide of Nova 2, "Extended thinking". Names of tomorrow
count as the newest family.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

NONE, MINIMAL, LOW, MEDIUM, HIGH = LEVELS = ("none", "minimal", "low", "medium", "high")
MANY = 1_000_000  # no limit of the model's own
OFF = ("disabled", "between_tools")  # Claude's words for no thinking, where it has to be told

Dialect = Literal["openai", "claude", "google", "nova", ""]


class Takes(Struct, frozen=True):
    """What a model can be told. `tokens`: the least and the most, where it takes a number of them."""

    dialect: Dialect = ""  # in whose words; "": it cannot be told anything
    levels: tuple[str, ...] = ()
    tokens: tuple[int, int] | None = None
    counts: bool = False  # whether its levels are numbers of tokens as well
    unasked: bool = True  # whether it reasons where it is told nothing
    never: bool = False  # whether it is known not to reason at all
    off: str = ""  # what `none` is called; "": by saying nothing, or by that very word


def _family(takes: Takes, names: str) -> dict[str, Takes]:
    return dict.fromkeys(names.split(), takes)


def _effort(*levels: str, unasked: bool = True) -> Takes:
    return Takes("openai", levels, unasked=unasked)


UNREASONED = Takes(unasked=False, never=True)
UNKNOWN = Takes(unasked=False)
BY_ITSELF = Takes()  # it reasons, and no setting of it is known
ANY_EFFORT = _effort(*LEVELS, unasked=False)  # a server of others: it knows what it takes
O_SERIES = _effort(LOW, MEDIUM, HIGH)
GPT_5 = _effort(MINIMAL, LOW, MEDIUM, HIGH)
GPT_5_1 = _effort(NONE, LOW, MEDIUM, HIGH, unasked=False)
GPT_NEWEST = _effort(NONE, LOW, MEDIUM, HIGH)

OPENAI: Mapping[str, Takes] = {
    **_family(UNREASONED, "gpt-3.5 gpt-3.5-turbo gpt-35-turbo gpt-4 gpt-4-turbo gpt-4.1 gpt-4.5 gpt-4o chatgpt-4o"),
    **_family(UNREASONED, "gpt-3.5-turbo-instruct gpt-5-chat gpt-5.3 gpt-5.3-chat"),
    **_family(BY_ITSELF, "o1-mini o1-preview"),
    **_family(O_SERIES, "o1 o3 o4-mini codex-mini gpt-5-codex gpt-oss gpt-oss-safeguard"),
    **_family(O_SERIES, "gpt-5.1-codex gpt-5.2-codex"),
    **_family(GPT_5, "gpt-5"),
    **_family(_effort(HIGH), "gpt-5-pro"),
    **_family(_effort(MEDIUM), "o3-deep-research o4-mini-deep-research gpt-5.1-chat gpt-5.2-chat"),
    **_family(_effort(MEDIUM, HIGH), "gpt-5.2-pro gpt-5.4-pro gpt-5.5-pro"),
    **_family(GPT_5_1, "gpt-5.1 gpt-5.2 gpt-5.4"),
    **_family(GPT_NEWEST, "gpt-5.3-codex gpt-5.5 gpt-5.6 gpt-6 gpt-6.1"),
    **_family(_effort(*LEVELS), "r1 deepseek-r1 magistral qwq"),  # open models, on servers that know what they take
    **_family(ANY_EFFORT, "gpt-chat gpt-5-search-api gpt-rosalind computer-use"),  # what they take is not published
}
BUDGETED = Takes("claude", LEVELS, (1024, MANY), counts=True, unasked=False)
EFFORT_OR_BUDGET = Takes("claude", (NONE, LOW, MEDIUM, HIGH), (1024, MANY), unasked=False)
CLAUDE_4_7 = Takes("claude", (NONE, LOW, MEDIUM, HIGH), unasked=False)
CLAUDE_5 = Takes("claude", (NONE, LOW, MEDIUM, HIGH), off="disabled")
CLAUDE_NEWEST = Takes("claude", (LOW, MEDIUM, HIGH))
LIKE_CLAUDE = Takes("claude", (NONE, LOW, MEDIUM, HIGH), (1024, MANY), off="disabled")  # servers of others

CLAUDE: Mapping[str, Takes] = {
    **_family(UNREASONED, "claude-instant claude-v1 claude-v2 claude-2 claude-2.0 claude-2.1 claude-3 claude-3-5"),
    **_family(BUDGETED, "claude-3-7 claude-opus-4 claude-sonnet-4 claude-haiku-4 claude-4"),
    **_family(EFFORT_OR_BUDGET, "claude-opus-4-6 claude-sonnet-4-6"),
    **_family(CLAUDE_4_7, "claude-opus-4-7 claude-opus-4-8 claude-opus-4-9"),
    **_family(CLAUDE_5, "claude-opus-5 claude-sonnet-5 claude-haiku-5 claude-haiku-5-5"),
    **_family(Takes("claude", (NONE, LOW, MEDIUM, HIGH), off="between_tools"), "claude-sonnet-5-5"),
    **_family(CLAUDE_NEWEST, "claude claude-opus-5-5 claude-fable-5 claude-mythos-5"),
}
GEMINI_NEWEST = Takes("google", (LOW, MEDIUM, HIGH))
GEMINI_WITH_MINIMAL = Takes("google", (MINIMAL, LOW, MEDIUM, HIGH))

GEMINI: Mapping[str, Takes] = {
    **_family(
        UNREASONED, "gemini-1.0 gemini-1.5 gemini-2.0 gemini-pro gemini-pro-1.5 gemini-flash-1.5 gemma-2 gemma-3"
    ),
    **_family(UNREASONED, "gemma-3n gemini-2.5-flash-tts gemini-2.5-pro-tts gemini-2.5-flash-lite-preview-tts"),
    **_family(Takes("google", LEVELS, (1, 24_576), counts=True), "gemini-2.5-flash"),
    **_family(Takes("google", LEVELS, (512, 24_576), counts=True, unasked=False), "gemini-2.5-flash-lite"),
    **_family(Takes("google", (MINIMAL, LOW, MEDIUM, HIGH), (128, 32_768), counts=True), "gemini-2.5-pro"),
    **_family(Takes("google", (LOW, HIGH)), "gemini-3-pro"),
    **_family(GEMINI_WITH_MINIMAL, "gemini-3-flash gemini-3.1-flash-lite gemini-3.5-flash gemini-3.6-flash"),
    **_family(GEMINI_WITH_MINIMAL, "gemini-3.5-flash-lite gemini-flash-lite-latest"),
    **_family(GEMINI_NEWEST, "gemini gemini-flash-latest gemini-pro-latest"),
    **_family(BY_ITSELF, "gemma gemma-4 gemini-2.5-flash-image gemini-3-pro-image gemini-3.1-flash-image"),
}
NOVA_2 = Takes("nova", (NONE, LOW, MEDIUM, HIGH), unasked=False)

BEDROCK: Mapping[str, Takes] = {
    **OPENAI,
    **CLAUDE,
    **_family(NOVA_2, "nova"),
    **_family(UNREASONED, "nova-micro nova-lite nova-pro nova-premier titan-text-express titan-text-lite"),
    **_family(UNREASONED, "llama3 llama3-1 llama3-2 llama3-3 llama3-8b llama3-70b llama4-maverick llama4-scout"),
    **_family(UNREASONED, "mistral-7b mixtral-8x7b mistral-large mistral-small pixtral-large ministral-3 devstral-2"),
    **_family(UNREASONED, "voxtral-mini voxtral-small gemma-3 qwen3-coder qwen3-vl command-r command-r-plus"),
    **_family(UNREASONED, "jamba-1-5"),
    **_family(BY_ITSELF, "r1 magistral-small kimi-k2-thinking kimi-k3 kimi-k3.1 glm-5.3 qwen3 minimax-m2 nemotron"),
    **_family(BY_ITSELF, "nemotron-nano nemotron-super palmyra-x4 palmyra-x5 v3 v3.1 v3.2"),
}
ALL: Mapping[str, Takes] = {**BEDROCK, **GEMINI}  # of what the sandbox rehearses
