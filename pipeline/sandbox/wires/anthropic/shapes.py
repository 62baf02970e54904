"""How a request for a message wants its answer: free text, a JSON schema, or a call of a tool. Pure.

A schema is parsed and judged once, however many requests carry it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct

from pipeline.sandbox.exchange import tokens_of
from pipeline.sandbox.wires.anthropic.errors import refusal
from pipeline.sandbox.wires.anthropic.schemas import problem
from pipeline.sandbox.wires.openai.shapes import schema_in

TOOL_KEYS = {"name", "input_schema", "description", "strict", "type", "cache_control"}
CHOICES = {  # type of tool_choice → the keys it takes
    "auto": {"type", "disable_parallel_tool_use"},
    "any": {"type", "disable_parallel_tool_use"},
    "tool": {"type", "name", "disable_parallel_tool_use"},
    "none": {"type"},
}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
NEVER_FORCED = re.compile(r"claude-(?:opus|sonnet|haiku)-5-5|claude-(?:fable|mythos)")
NO_FORMAT = re.compile(r"claude-(?:[23]|instant|v2|(?:opus|sonnet|haiku)-4(?:-[01](?!\d)|-20|@|$))")
SCHEMA_SEARCHES = 50  # braces of a system prompt that are looked at for a schema


class Shape(Struct, frozen=True):
    schema: Mapping[str, Any] | None = None
    tokens: int = 0
    tool: str | None = None
    tool_forced: bool = False
    lookups: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (name, schema) of the other tools that may be called


class Checked(Struct, frozen=True):
    schema: Mapping[str, Any]  # one object for all requests that carry the same schema
    problem: str | None
    tokens: int


def shape_of(request: Mapping[str, Any], model: str, system: str) -> Shape:
    """What the answer is to look like; without a format or a tool, as the system prompt's schema says, if it has one.

    Raises:
        Refused: as the provider would.
    """
    tools = _tools(request, model)
    wanted = _format(request.get("output_config"), model)
    told = schema_in(system)
    if tools.tool is not None and (tools.tool_forced or (wanted is None and told is None)):
        return tools
    first = () if tools.tool is None or tools.schema is None else ((tools.tool, tools.schema),)
    lookups = (*first, *tools.lookups)  # beside a form of the answer no tool is the answer
    if wanted is not None:
        return Shape(wanted.schema, wanted.tokens + tools.tokens, lookups=lookups)
    return Shape(told, tools.tokens, lookups=lookups)


def only(keys: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises Refused for the first key that is not `known`."""
    for key in keys:
        if key not in known:
            raise refusal(400, f"{where}{key}: Extra inputs are not permitted")


def _format(config: object, model: str) -> Checked | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise refusal(400, "output_config: Input should be an object")
    only(config, {"effort", "format"}, "output_config.")
    if config.get("effort") not in (None, *EFFORTS):
        raise refusal(400, f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    wanted = config.get("format")
    if wanted is None:
        return None
    where = "output_config.format"
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise refusal(400, f"{where}.type: Input should be 'json_schema'")
    only(wanted, {"type", "schema"}, f"{where}.")
    if not isinstance(wanted.get("schema"), dict):
        raise refusal(400, f"{where}.schema: Field required")
    if NO_FORMAT.search(model):
        raise refusal(400, f"'{model}' does not support output format.")
    checked = _checked(orjson.dumps(wanted["schema"]))
    if checked.problem:
        raise refusal(400, f"{where}.schema: {checked.problem}")
    return checked


def _tools(request: Mapping[str, Any], model: str) -> Shape:
    """The tool that the answer is to call, if any: the one that is forced, else the first."""
    tools, choice = request.get("tools"), request.get("tool_choice")
    if tools is not None and not isinstance(tools, list):
        raise refusal(400, "tools: Input should be a valid list")
    if not tools:
        if choice is not None:
            raise refusal(400, "tool_choice may only be specified while providing tools.")
        return Shape()
    known = dict(_tool(index, tool, model) for index, tool in enumerate(tools))
    if len(known) < len(tools):
        raise refusal(400, "tools: Tool names must be unique.")
    tokens = sum(checked.tokens for checked in known.values())
    kind, name = _choice(choice, request, model)
    if kind == "none":
        return Shape(tokens=tokens)
    name = name if kind == "tool" else next(iter(known))
    if name not in known:
        raise refusal(400, f"tool_choice.tool.name: Tool '{name}' not found in provided tools")
    others = () if kind == "tool" else tuple((one, known[one].schema) for one in known if one != name)
    return Shape(known[name].schema, tokens, name, kind != "auto", others)


def _choice(choice: object, request: Mapping[str, Any], model: str) -> tuple[str, str]:
    """(type, name)."""
    if choice is None:
        return "auto", ""
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(kind, str) or kind not in CHOICES:
        raise refusal(400, f"tool_choice: Input should have a type of {', '.join(CHOICES)}")
    only(choice, CHOICES[kind], f"tool_choice.{kind}.")
    if kind == "tool" and not isinstance(choice.get("name"), str):
        raise refusal(400, "tool_choice.tool.name: Field required")
    if kind in {"any", "tool"}:
        if NEVER_FORCED.search(model):
            raise refusal(400, 'tool_choice: type "tool" and "any" are not supported for this model.')
        thinking = request.get("thinking")
        if isinstance(thinking, dict) and thinking.get("type") in {"enabled", "adaptive"}:
            raise refusal(400, "Thinking may not be enabled when tool_choice forces tool use.")
    return kind, str(choice.get("name", ""))


def _tool(index: int, tool: object, model: str) -> tuple[str, Checked]:
    where = f"tools.{index}.custom"
    if not isinstance(tool, dict):
        raise refusal(400, f"tools.{index}: Input should be an object")
    if tool.get("type") not in (None, "custom"):
        raise refusal(400, f"tools.{index}: the sandbox has no tools of the provider's own, such as {tool['type']!r}")
    _check_tool(tool, where)
    checked = _checked(orjson.dumps(tool["input_schema"]))
    if tool.get("strict") is True:
        if NO_FORMAT.search(model):
            raise refusal(400, f"'{model}' does not support strict tools.")
        if checked.problem:
            raise refusal(400, f"{where}: {checked.problem}")
    return tool["name"], checked


def _check_tool(tool: Mapping[str, Any], where: str) -> None:
    only(tool, TOOL_KEYS, f"{where}.")
    for key in ("name", "input_schema"):
        if key not in tool:
            raise refusal(400, f"{where}.{key}: Field required")
    name, schema = tool["name"], tool["input_schema"]
    if not isinstance(name, str) or not NAME.match(name):
        raise refusal(400, f"{where}.name: String should match pattern '{NAME.pattern}'")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise refusal(400, f"{where}.input_schema.type: Input should be 'object'")
    if not isinstance(tool.get("description", ""), str):
        raise refusal(400, f"{where}.description: Input should be a valid string")


@lru_cache(maxsize=256)
def _checked(schema_json: bytes) -> Checked:
    schema = orjson.loads(schema_json)
    return Checked(schema, problem(schema), tokens_of(schema_json.decode()))
