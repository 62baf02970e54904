"""The chat models that the price table names."""

import re

from pipeline.catalog.prices import priced_names

NO_CHAT = re.compile(
    r"embed|tts|whisper|image|audio|realtime|transcri|moderation|davinci|curie|babbage|^ada$|live|sonic|omni|banana"
    r"|robotics|computer-use|rosalind-"  # gpt-rosalind: by application only, and nothing is published
)
OWN = {"openai": r"", "anthropic": r"", "gemini": r"gemini|gemma", "bedrock": r""}


def chat_models(provider):
    return [name for name in priced_names(provider) if re.match(OWN[provider], name) and not NO_CHAT.search(name)]
