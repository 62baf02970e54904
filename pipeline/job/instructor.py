"""`provider = "instructor:NAME"`: the word for a provider that is reached through instructor's clients. Pure."""

from collections.abc import Mapping

PREFIX = "instructor:"
NATIVE: Mapping[str, str] = {  # what instructor calls a provider that is spoken to here → our own word for it
    "openai": "openai",
    **dict.fromkeys(("azure", "azure_openai"), "azure"),
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    **dict.fromkeys(("gemini", "google", "genai", "generative-ai"), "gemini"),
    **dict.fromkeys(("vertex", "vertexai"), "vertex"),
    "sandbox": "sandbox",
}
CLOSED: Mapping[str, str] = {  # what instructor knows and is not reached through it: why, and what to do
    "litellm": "a gateway library has retries, keys and prices of its own, which nobody could account for. "
    "Name the provider behind it",
    "xai": "its client speaks gRPC, which is carried by none of our transports. "
    'Write provider = "openai" with base_url = "https://api.x.ai/v1"',
}


def name_in(provider: str) -> str:
    """NAME of instructor:NAME; "" of any other word."""
    return provider.removeprefix(PREFIX) if provider.startswith(PREFIX) else ""


def refused(provider: str) -> str:
    """Why a job does not go through instructor to this one, with the way; "" where it may, or does not want to."""
    name = name_in(provider).lower()
    if name in NATIVE:
        native = NATIVE[name]
        return f'model.provider = {provider!r}: {native} is spoken to without instructor. Write provider = "{native}"'
    return f"model.provider = {provider!r}: {CLOSED[name]}" if name in CLOSED else ""


def split_model(text: str) -> tuple[str, str]:
    """PROVIDER and NAME of PROVIDER:NAME, where a provider may be instructor:NAME; "" and all of it without a colon."""
    if name_in(text):
        through, colon, name = name_in(text).partition(":")
        return (PREFIX + through, name) if colon else (text, "")
    head, colon, tail = text.partition(":")
    return (head, tail) if colon else ("", text)
