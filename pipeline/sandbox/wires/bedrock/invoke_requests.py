"""The bodies that models of two makers take through InvokeModel: Claude's and Nova's. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec.structs import replace

from pipeline.catalog.names import bare_model
from pipeline.sandbox.exchange import Message, PageReader, Question, tokens_of
from pipeline.sandbox.files import Files
from pipeline.sandbox.prefixes import prefix_in
from pipeline.sandbox.wires.anthropic.blocks import Blocks, Bounds
from pipeline.sandbox.wires.bedrock.errors import invalid, malformed
from pipeline.sandbox.wires.bedrock.requests import (
    MESSAGE_TOKENS,
    ROLES,
    check_cap,
    check_number,
    converse_question,
    known_only,
    message_tokens,
    question_of,
)
from pipeline.sandbox.wires.bedrock.shapes import (
    NO_SAMPLING,
    Shape,
    cannot_be_forced,
    checked,
    enforces,
    extra,
    tool_schema,
)
from pipeline.sandbox.wires.openai.shapes import schema_in

CLAUDE = {
    *("anthropic_beta", "anthropic_version", "max_tokens", "messages", "metadata", "output_config", "stop_sequences"),
    *("system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p"),
}
VERSION = "bedrock-2023-05-31"
TOOL = {"name", "input_schema", "description", "strict", "type", "cache_control"}
CHOICES = ("auto", "any", "tool", "none")


def invoke_question(model: str, request: Mapping[str, Any], read: PageReader, *, stream: bool) -> Question:
    """The question in a model's own body.

    Raises:
        Refused: as the provider would, or it is the body of a model that the sandbox does not play.
    """
    name = bare_model(model)
    if name.startswith("nova"):
        return converse_question(model, request, read, stream=stream, nova=True)
    if not name.startswith("claude"):
        raise invalid(f"The sandbox plays Claude and Nova for InvokeModel, and no {model}: use Converse.")
    known_only(request, CLAUDE)
    for field in ("anthropic_version", "max_tokens", "messages"):
        if field not in request:
            raise malformed(f"#: required key [{field}] not found")
    if request["anthropic_version"] != VERSION:
        raise invalid("Invalid API version")
    for field in ("temperature", "top_p"):
        check_number(request.get(field), field)
    if request.get("temperature") is not None and NO_SAMPLING.match(name):
        raise invalid("`temperature` is deprecated for this model.")
    system = _text(request.get("system", ""), "system")
    shape = _shape(request, system, model)
    cap = check_cap(request["max_tokens"], model)
    blocks = Blocks(model, Files("bedrock", model, read), invalid, Bounds(image_mb=5))
    turns = _messages(request["messages"], blocks)
    if blocks.cites and "output_config" in request:
        raise invalid("citations: cannot be enabled together with output_config.format")
    question = question_of(model, system, turns, (shape, cap), stream=stream)
    fixed_tokens = MESSAGE_TOKENS + shape.tokens + tokens_of(system)
    return replace(question, prefix=prefix_in(request, fixed_tokens, message_tokens(turns)))


def _messages(messages: object, blocks: Blocks) -> list[Message]:
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    found = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        found.append(_message(message, f"messages.{index}", blocks))
    blocks.check()
    return found


def _message(message: Mapping[str, Any], where: str, blocks: Blocks) -> Message:
    content = message.get("content")
    if isinstance(content, list) and any(isinstance(block, dict) and block.get("type") != "text" for block in content):
        return blocks.message(str(message["role"]), content, f"{where}.content")
    text = _text(content, f"{where}.content")
    if not text.strip():
        raise invalid(f"{where}: all messages must have non-empty content")
    return Message(str(message["role"]), text)


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for block in content if isinstance(content, list) else [None]:
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise invalid(f"{where}: the sandbox reads strings and text blocks only")
        texts.append(block["text"])
    return "".join(texts)


def _shape(request: Mapping[str, Any], system: str, model: str) -> Shape:
    if "tools" in request:
        return _tool(request["tools"], request.get("tool_choice"), model)
    if "tool_choice" in request:
        raise invalid("tool_choice may only be specified while providing tools")
    config = request.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else None
    if wanted is None:
        return Shape(schema_in(system))
    if not enforces(model):
        raise extra("output_config.format")
    schema = wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        raise invalid("output_config.format: type json_schema and a schema are required")
    text = orjson.dumps(schema).decode()
    return Shape(checked(text, "output_config.format.schema"), tokens_of(text))


def _tool(tools: object, choice: object, model: str) -> Shape:
    if not isinstance(tools, list) or not tools:
        raise invalid("tools: List should have at least 1 item")
    found: dict[str, Mapping[str, Any]] = {}
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise invalid(f"tools.{index}: Input should be an object")
        for field in tool.keys() - TOOL:
            raise extra(f"tools.{index}.custom.{field}")
        strict = tool.get("strict") is True
        where = f"tools.{index}.custom"
        found[str(tool.get("name"))] = tool_schema(
            tool.get("name"), tool.get("input_schema"), model, strict=strict, where=where
        )
    tokens = sum(tokens_of(orjson.dumps(schema).decode()) for schema in found.values())
    name, forced = _chosen({"type": "auto"} if choice is None else choice, list(found), model)
    return Shape(found[name], tokens, name, forced) if name else Shape(tokens=tokens)


def _chosen(choice: object, names: list[str], model: str) -> tuple[str, bool]:
    """The tool to call, "" for none; and whether the model has to."""
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or kind not in CHOICES:
        raise invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if kind == "none":
        return "", False
    if kind != "auto" and cannot_be_forced(model):
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
    name = choice.get("name") if kind == "tool" else names[0]
    if name not in names:
        raise invalid(f"Tool '{name}' not found in provided tools")
    return str(name), kind != "auto"
