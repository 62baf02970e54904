"""All wires that the sandbox speaks."""

from pipeline.sandbox.anthropic import Anthropic
from pipeline.sandbox.azure import Azure
from pipeline.sandbox.bedrock import Converse
from pipeline.sandbox.bedrock_invoke import Invoke
from pipeline.sandbox.exchange import Wire
from pipeline.sandbox.gemini import Gemini, Vertex
from pipeline.sandbox.openai import OpenAI

WIRES: tuple[Wire, ...] = (OpenAI(), Azure(), Anthropic(), Converse(), Invoke(), Gemini(), Vertex())
