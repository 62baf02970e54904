"""Context windows by model name, so that a chunk's size can be worked out before anything is sent.

Pure data, no import but the standard library. Where two published figures differ the smaller one stands: too small a
window costs a cut, too large a one a refused request.
"""

from collections.abc import Mapping

from msgspec import Struct

from pipeline.catalog.names import bare_model, longest_prefix


class ModelLimits(Struct, frozen=True):
    """What a model can take. `known` is false when the name is not in the table and the figures are a guess."""

    context_tokens: int  # input and output together
    max_output_tokens: int  # the highest cap that a request may ask for
    known: bool
    max_input_tokens: int  # less than context_tokens where the provider caps the input by itself


def limits_of(model: str) -> ModelLimits:
    """The limits of a model, by the longest prefix in the table; 128,000 and 4,096 tokens for one that is not in it."""
    name = bare_model(model).removeprefix("ft:")
    found = longest_prefix(LIMITS, name)
    if found is None:
        return ModelLimits(128_000, 4_096, known=False, max_input_tokens=128_000)
    context, output = found
    # From gpt-5 on OpenAI refuses input beyond the window less the largest output, however little output is asked for.
    separate = name.startswith(("gpt-5", "gpt-6")) and output >= 128_000
    return ModelLimits(context, output, known=True, max_input_tokens=context - output if separate else context)


def _family(context: int, output: int, names: str) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names.split(), (context, output))


LIMITS: Mapping[str, tuple[int, int]] = {  # prefix → (context_tokens, max_output_tokens)
    # OpenAI
    **_family(16_385, 4_096, "gpt-3.5-turbo gpt-35-turbo"),
    **_family(4_096, 4_096, "gpt-3.5 gpt-3.5-turbo-instruct gpt-35-turbo-instruct"),
    **_family(8_192, 8_192, "gpt-4"),
    **_family(32_000, 32_000, "gpt-4-32k"),
    **_family(128_000, 4_096, "gpt-4-turbo gpt-4-1106 gpt-4-0125 gpt-4-vision gpt-4o-2024-05-13"),
    **_family(128_000, 16_384, "gpt-4o chatgpt-4o gpt-4.5 gpt-5-chat gpt-5.1-chat gpt-5.2-chat gpt-5.3 gpt-5.3-chat"),
    **_family(128_000, 16_384, "gpt-chat"),
    **_family(1_000_000, 32_768, "gpt-4.1"),
    **_family(128_000, 32_768, "o1-preview"),
    **_family(128_000, 65_536, "o1-mini"),
    **_family(200_000, 100_000, "o1 o3 o4-mini codex-mini"),
    **_family(400_000, 128_000, "gpt-5 gpt-5.1 gpt-5.2 gpt-5.3-codex gpt-5.4-mini gpt-5.4-nano"),
    **_family(400_000, 272_000, "gpt-5-pro"),
    **_family(1_000_000, 128_000, "gpt-5.4 gpt-5.5 gpt-5.6 gpt-6 gpt-6.1"),
    **_family(128_000, 32_768, "gpt-oss"),
    # Anthropic, here, on Bedrock and on Vertex
    **_family(9_000, 4_096, "claude-v1"),
    **_family(100_000, 4_096, "claude-instant claude-2 claude-v2"),
    **_family(200_000, 4_096, "claude-3"),
    **_family(200_000, 8_192, "claude-3-5"),
    **_family(200_000, 32_000, "claude-opus-4 claude-4-opus"),
    **_family(200_000, 64_000, "claude-3-7 claude-sonnet-4 claude-4-sonnet claude-haiku-4 claude-opus-4-5"),
    **_family(1_000_000, 64_000, "claude-sonnet-4-6"),
    **_family(1_000_000, 128_000, "claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-sonnet-5"),
    **_family(1_000_000, 128_000, "claude-haiku-5 claude-fable-5 claude-mythos-5"),
    # Google
    **_family(32_000, 2_048, "gemini-pro gemini-1.0-pro"),
    **_family(1_000_000, 8_192, "gemini-1.5-flash gemini-1.5-pro gemini-flash-1.5 gemini-2.0-flash"),
    **_family(1_000_000, 65_535, "gemini-2.5-flash gemini-2.5-pro gemini-3-flash gemini-3-pro gemini-3.1-flash"),
    **_family(1_000_000, 65_535, "gemini-3.1-pro gemini-3.5-flash gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash"),
    **_family(1_000_000, 65_535, "gemini-4-argon gemini-flash-latest gemini-flash-lite-latest gemini-pro-latest"),
    **_family(
        8_192, 8_192, "gemini-2.5-flash-tts gemini-2.5-pro-tts gemini-2.5-flash-lite-preview-tts gemini-embedding"
    ),
    **_family(32_768, 32_768, "gemini-2.5-flash-image"),
    **_family(8_192, 8_192, "gemma-2"),
    **_family(32_768, 8_192, "gemma-3n"),
    **_family(128_000, 8_192, "gemma-3"),
    **_family(256_000, 8_192, "gemma-4"),
    # Bedrock's others
    **_family(128_000, 10_000, "nova-micro"),
    **_family(300_000, 10_000, "nova-lite nova-pro"),
    **_family(1_000_000, 10_000, "nova-premier"),
    **_family(1_000_000, 64_000, "nova-2-lite"),
    **_family(8_192, 8_192, "titan-text-express"),
    **_family(4_096, 4_096, "titan-text-lite"),
    **_family(8_192, 2_048, "llama3-8b llama3-70b"),
    **_family(128_000, 2_048, "llama3-1 llama3-2"),
    **_family(128_000, 8_192, "llama3-3"),
    **_family(1_000_000, 8_192, "llama4-maverick llama4-scout"),
    **_family(32_000, 4_096, "mistral-7b mixtral-8x7b"),
    **_family(32_000, 8_192, "mistral-large-2402 mistral-small-2402"),
    **_family(128_000, 8_192, "mistral-large-2407 pixtral-large-2502 ministral-3"),
    **_family(256_000, 8_192, "mistral-large-3"),
    **_family(256_000, 8_192, "devstral-2"),
    **_family(128_000, 40_000, "magistral-small"),
    **_family(32_000, 4_096, "voxtral-mini"),
    **_family(32_000, 8_192, "voxtral-small"),
    **_family(128_000, 32_768, "r1"),
    **_family(1_000_000, 16_000, "kimi-k3 kimi-k3.1"),  # whose output is not published: that of the one before
    **_family(1_000_000, 101_376, "glm-5.3"),
    **_family(128_000, 4_096, "nemotron-nano"),
    **_family(256_000, 131_072, "nemotron-super"),
    **_family(128_000, 65_536, "qwen3-coder"),
    **_family(256_000, 131_072, "qwen3-coder-30b"),
    **_family(256_000, 32_768, "qwen3-vl"),
    **_family(120_000, 8_192, "palmyra-x4"),
    **_family(1_000_000, 8_192, "palmyra-x5"),
    **_family(32_000, 8_192, "qwen3-32b"),
    **_family(16_384, 16_384, "phi-4"),
    **_family(32_768, 16_384, "phi-4-reasoning phi-4-reasoning-plus"),
    **_family(128_000, 4_096, "phi-4-mini phi-4-multimodal"),
}
