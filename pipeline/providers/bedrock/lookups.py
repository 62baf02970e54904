"""Look-ups as Converse has them: a tool's spec, the calls of an answer, and what they found. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.parts import ResultPart, ToolCall
from pipeline.providers.json import dumped, items, mapping, string
from pipeline.providers.tool_calls import identified, told
from pipeline.text import repaired
from pipeline.types import Tool


def spec_of(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}


def result_block(found: ResultPart) -> dict[str, Any]:
    """Not all models take a status."""
    return {"toolResult": {"toolUseId": found.call, "content": [{"text": repaired(told(found))}]}}


def asked_of(whole: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], tuple[ToolCall, ...]]:
    """The calls of tools, and what goes back before what they found: all blocks but blank texts, which are refused."""
    content = items(mapping(mapping(whole.get("output")).get("message")).get("content"))
    blocks = [one for one in content if set(one) != {"text"} or string(one.get("text")).strip()]
    made = [mapping(one["toolUse"]) for one in blocks if mapping(one.get("toolUse"))]
    calls = ((string(one.get("toolUseId")), string(one.get("name")), input_text(one.get("input"))) for one in made)
    return blocks, identified(calls)


def input_text(value: object) -> str:
    """A tool's input as JSON text. One that came as a string is passed on as it is: it may be JSON by itself."""
    return value if isinstance(value, str) else dumped(value)
