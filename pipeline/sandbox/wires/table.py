"""All wires that the sandbox speaks."""

from pipeline.sandbox.exchange import Wire
from pipeline.sandbox.wires.anthropic.wire import Anthropic
from pipeline.sandbox.wires.bedrock.invoke import Invoke
from pipeline.sandbox.wires.bedrock.wire import Converse
from pipeline.sandbox.wires.gemini.wire import Gemini, Vertex
from pipeline.sandbox.wires.openai.azure import Azure, AzureResponses
from pipeline.sandbox.wires.openai.responses import Responses
from pipeline.sandbox.wires.openai.wire import OpenAI

WIRES: tuple[Wire, ...] = (
    OpenAI(),
    Responses(),
    Azure(),
    AzureResponses(),
    Anthropic(),
    Converse(),
    Invoke(),
    Gemini(),
    Vertex(),
)
