"""How a request to Bedrock wants its answer: free text, a schema in words, an output format, or a call of a tool. Pure.

What each model takes is the service's own rule, as known in 2026-11: a schema as output format and strict tools are for
Claude 4.5 and 4.6 and for open models; forced tools for all but Llama and the newest Claude.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct

from pipeline.catalog.names import bare_model
from pipeline.sandbox.exchange import tokens_of
from pipeline.sandbox.wires.bedrock.errors import Refusal, invalid
from pipeline.sandbox.wires.bedrock.schemas import problem
from pipeline.sandbox.wires.openai.shapes import schema_in

NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
NO_SCHEMAS = re.compile(r"nova|titan|llama|command|jamba|mistral-7b|mixtral|mistral-large-24|r1")
NO_TOOLS = re.compile(r"titan|llama3-(?:8b|70b)|mistral-7b|mixtral|r1")
NOT_BY_NAME = re.compile(r"mistral|llama|command")
NOT_FORCED = re.compile(r"llama")
CLAUDE_WITH_SCHEMAS = re.compile(r"claude-\w+-4-[56](?!\d)")
CLAUDE_NOT_FORCED = re.compile(r"claude-(?:opus|sonnet|haiku)-5-5|claude-(?:fable|mythos)-5-\d(?!\d)")
NO_SAMPLING = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku)-5|fable|mythos)")


class Shape(Struct, frozen=True):
    schema: Mapping[str, Any] | None = None
    tokens: int = 0
    tool: str | None = None
    tool_forced: bool = False
    lookups: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (name, schema) of the other tools that may be called


def enforces(model: str) -> bool:
    """Whether the service holds this model's answers to a schema."""
    name = bare_model(model)
    if name.startswith("claude-"):
        return CLAUDE_WITH_SCHEMAS.match(name) is not None
    return NO_SCHEMAS.match(name) is None


def cannot_be_forced(model: str) -> bool:
    return CLAUDE_NOT_FORCED.match(bare_model(model)) is not None


def converse_shape(request: Mapping[str, Any], system: str, model: str) -> Shape:
    """What the answer is to look like.

    Raises:
        Refused: as the provider would.
    """
    config = request.get("toolConfig")
    if config is not None:
        return _tool(config, model, schema_in(system))
    wanted = request.get("outputConfig")
    if wanted is None:
        return Shape(schema_in(system))
    if not isinstance(wanted, dict) or not isinstance(wanted.get("textFormat"), dict):
        raise invalid("The textFormat field at outputConfig is required.")
    if not enforces(model):
        raise extra("output_config.format")
    text_format = wanted["textFormat"]
    structure = text_format.get("structure")
    definition = structure.get("jsonSchema") if isinstance(structure, dict) else None
    schema = definition.get("schema") if isinstance(definition, dict) else None
    if text_format.get("type") != "json_schema" or not isinstance(schema, str):
        raise invalid("outputConfig.textFormat needs type json_schema, and a schema that is a string of JSON.")
    return Shape(checked(schema, "outputConfig.textFormat"), tokens_of(schema))


def extra(field: str) -> Refusal:
    """A field of the Messages API that Bedrock's copy of it does not have for a model."""
    return invalid(f"The model returned the following errors: {field}: Extra inputs are not permitted")


@lru_cache(maxsize=256)
def checked(schema_json: str, where: str) -> Mapping[str, Any]:
    """A schema that is to be enforced, as one object for all requests that carry it."""
    try:
        schema = json.loads(schema_json)
    except ValueError:
        raise invalid(f"{where}: the schema is not valid JSON.") from None
    wrong = problem(schema)
    if wrong is not None:
        raise invalid(f"The model returned the following errors: {where}: {wrong}")
    return schema  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def kept(schema_json: bytes) -> Mapping[str, Any]:
    return orjson.loads(schema_json)  # type: ignore[no-any-return]


def tool_schema(name: object, schema: object, model: str, *, strict: bool, where: str) -> Mapping[str, Any]:
    """A tool's schema, as one object for all requests that carry it.

    Raises:
        Refused: its name or schema cannot be, or it is strict where nothing enforces it.
    """
    if not isinstance(name, str) or not NAME.match(name):
        raise invalid(f"Value at '{where}.name' failed to satisfy constraint: Member must satisfy {NAME.pattern}")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid(f"The value at {where}.inputSchema.json.type must be one of the following: object.")
    if strict and not enforces(model):
        raise extra("tools.0.custom.strict")
    text = orjson.dumps(schema)
    return checked(text.decode(), where) if strict else kept(text)


def _tool(config: object, model: str, told: Mapping[str, Any] | None) -> Shape:
    """The tool that the answer is to call: the one that is forced, else the first; none, beside a schema in words."""
    tools = config.get("tools") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(tools, list) or not tools:
        raise invalid("Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length at least 1")
    if NO_TOOLS.match(bare_model(model)):
        raise invalid("This model doesn't support tool use.")
    found: dict[str, Mapping[str, Any]] = {}
    for index, tool in enumerate(tools):
        spec = tool.get("toolSpec") if isinstance(tool, dict) else None
        if not isinstance(spec, dict):
            raise invalid(f"toolConfig.tools.{index} has no toolSpec.")
        inner = spec.get("inputSchema")
        schema = inner.get("json") if isinstance(inner, dict) else None
        where = f"toolConfig.tools.{index}.toolSpec"
        name = spec.get("name")
        found[str(name)] = tool_schema(name, schema, model, strict=spec.get("strict") is True, where=where)
    tokens = sum(tokens_of(orjson.dumps(schema).decode()) for schema in found.values())
    name, forced = _chosen(config.get("toolChoice"), list(found), model)
    if told is not None and not forced:
        return Shape(told, tokens, lookups=tuple(found.items()))
    by_name = isinstance(config.get("toolChoice"), dict) and "tool" in config["toolChoice"]
    others = () if by_name else tuple((other, schema) for other, schema in found.items() if other != name)
    return Shape(found[name], tokens, name, forced, others)


def _chosen(choice: object, names: list[str], model: str) -> tuple[str, bool]:
    if choice is None:
        return names[0], False
    if not isinstance(choice, dict) or len(choice) != 1 or not set(choice) <= {"auto", "any", "tool"}:
        raise invalid("toolConfig.toolChoice must have exactly one of auto, any and tool.")
    kind = next(iter(choice))
    bare = bare_model(model)
    if kind != "auto" and cannot_be_forced(model):
        text = 'tool_choice: type "tool" and "any" are not supported for this model.'
        raise invalid(f"The model returned the following errors: {text}")
    if (kind == "tool" and NOT_BY_NAME.match(bare)) or (kind == "any" and NOT_FORCED.match(bare)):
        field = f"toolConfig.toolChoice.{kind}"
        raise invalid(f"This model doesn't support the {field} field. Remove {field} and try again.")
    if kind != "tool":
        return names[0], kind == "any"
    name = choice["tool"].get("name") if isinstance(choice["tool"], dict) else None
    if name not in names:
        raise invalid(f"toolConfig.toolChoice.tool.name {name!r} names no tool of toolConfig.tools.")
    return str(name), True
