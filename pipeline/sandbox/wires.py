"""All wires that the sandbox speaks."""

from importlib import import_module
from importlib.util import find_spec

from pipeline.sandbox.exchange import Wire

NAMES = (
    "pipeline.sandbox.openai:OpenAI",
    "pipeline.sandbox.azure:Azure",
    "pipeline.sandbox.anthropic:Anthropic",
    "pipeline.sandbox.bedrock:Converse",
    "pipeline.sandbox.bedrock_invoke:Invoke",
    "pipeline.sandbox.gemini:Gemini",
    "pipeline.sandbox.gemini:Vertex",
)
WIRES: tuple[Wire, ...] = tuple(
    getattr(import_module(module), kind)() for module, kind in (name.split(":") for name in NAMES) if find_spec(module)
)
