"""One model for each wire there is, with its wire and a request."""

from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, Purpose, Request, Turn, tenant_hash

SHAPE = AnswerShape("Thing", "json_object", {"type": "object", "properties": {}}, strict=False)
REQUEST = Request(b"k", 0, "r", 0, Purpose.EXTRACT, "Read.", (Turn("user", text_parts("a bill")),), 9, 5, 100, "acme")
HASH = tenant_hash("acme")
SETTINGS = {"base_url": "http://127.0.0.1:9", "region": "us-east-1", "project": "p"}
WIRES = {
    "openai": {"provider": "openai", "name": "gpt-4.1"},
    "sandbox": {"provider": "sandbox", "name": "gpt-4.1"},
    "azure": {"provider": "azure", "name": "mine"},
    "azure dated": {"provider": "azure", "name": "mine", "api_version": "2025-04-01-preview"},
    "anthropic": {"provider": "anthropic", "name": "claude-haiku-4-5"},
    "gemini": {"provider": "gemini", "name": "gemini-3.8-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-3.8-flash"},
    "converse": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0"},
    "claude": {"provider": "bedrock", "api": "invoke", "name": "anthropic.claude-haiku-4-5-20251001-v1:0"},
    "nova": {"provider": "bedrock", "api": "invoke", "name": "amazon.nova-lite-v1:0"},
    "llama": {"provider": "bedrock", "api": "invoke", "name": "meta.llama3-1-8b-instruct-v1:0"},
    "mistral": {"provider": "bedrock", "api": "invoke", "name": "mistral.mistral-large-2402-v1:0"},
    "titan": {"provider": "bedrock", "api": "invoke", "name": "amazon.titan-text-express-v1"},
    "cohere": {"provider": "bedrock", "api": "invoke", "name": "cohere.command-r-v1:0"},
    "r1": {"provider": "bedrock", "api": "invoke", "name": "deepseek.r1-v1:0"},
    "chat": {"provider": "bedrock", "api": "invoke", "name": "openai.gpt-oss-20b-1:0"},
}


def model(name, **more):
    return Model(**{**SETTINGS, **WIRES[name], "max_output_tokens": 9, **more})


def wire(name, **more):
    return wire_for(model(name, **more), SHAPE, {})
