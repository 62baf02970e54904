"""How a chat completion request wants its answer: free text, a JSON object, a schema, or a call of a function. Pure.

A schema is parsed and judged once, however many requests carry it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from pipeline.sandbox.exchange import Message, tokens_of
from pipeline.sandbox.wires.openai.errors import refusal
from pipeline.sandbox.wires.openai.strict_schemas import problem

FORMATS = ("json_object", "json_schema", "text")
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
SCHEMA_SEARCHES = 50  # braces of a system prompt that are looked at for a schema


class Shape(Struct, frozen=True):
    schema: Mapping[str, Any] | None = None
    tokens: int = 0
    tool: str | None = None
    tool_forced: bool = False
    lookups: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (name, schema) of the other functions that may be called


class Checked(Struct, frozen=True):
    schema: Mapping[str, Any]  # one object for all requests that carry the same schema
    problem: str | None  # with strict mode
    tokens: int


def shape_of(request: Mapping[str, Any], messages: Sequence[Message]) -> Shape:
    """What the answer is to look like.

    Raises:
        Refused: as the provider would.
    """
    tools = _tools(request)
    answer = request.get("response_format")
    if answer is None:
        return tools
    if not isinstance(answer, dict):
        text = f"Invalid type for 'response_format': expected an object, but got {type(answer).__name__} instead."
        raise refusal(400, text, "response_format", "invalid_type")
    kind = answer.get("type")
    if kind not in FORMATS:
        text = f"Invalid value: {kind!r}. Supported values are: {', '.join(map(repr, FORMATS))}."
        raise refusal(400, text, "response_format.type", "invalid_value")
    if kind == "text" or tools.tool_forced:
        return tools
    return _beside(tools, _formed(answer, messages))


def _beside(tools: Shape, form: Shape) -> Shape:
    """Functions beside a form of the answer: none of them is the answer."""
    first = () if tools.tool is None or tools.schema is None else ((tools.tool, tools.schema),)
    return replace(form, tokens=form.tokens + tools.tokens, lookups=(*first, *tools.lookups))


def _formed(answer: Mapping[str, Any], messages: Sequence[Message]) -> Shape:
    if answer["type"] == "json_object":
        return _json_object(messages)
    wanted = answer.get("json_schema")
    if not isinstance(wanted, dict):
        name = "response_format.json_schema"
        raise refusal(400, f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    _check_name(wanted.get("name"), "response_format.json_schema.name")
    checked = _checked_schema(wanted.get("schema"), "response_format.json_schema.schema")
    if wanted.get("strict") is True and checked.problem:
        text = f"Invalid schema for response_format '{wanted['name']}': {checked.problem}"
        raise refusal(400, text, "response_format", "invalid_json_schema")
    return Shape(checked.schema, checked.tokens)


def _json_object(messages: Sequence[Message]) -> Shape:
    if not any("json" in message.text.lower() for message in messages):
        text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        raise refusal(400, text, "messages")
    told = "\n".join(message.text for message in messages if message.role in {"system", "developer"})
    return Shape(schema_in(told) or {"type": "object", "properties": {}})


def _tools(request: Mapping[str, Any]) -> Shape:
    """The function that the answer is to call, if any: the one that is forced, else the first."""
    tools, choice = request.get("tools"), request.get("tool_choice")
    if tools is None:
        if choice not in (None, "none"):
            raise refusal(400, "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
        return Shape()
    if not isinstance(tools, list) or not tools:
        raise refusal(400, "Invalid 'tools': expected an array with minimum length 1.", "tools", "empty_array")
    functions = dict(_function(index, tool) for index, tool in enumerate(tools))
    tokens = sum(checked.tokens for checked in functions.values())
    if choice == "none":
        return Shape(tokens=tokens)
    if choice in (None, "auto", "required"):
        (first, checked), *others = functions.items()
        return Shape(checked.schema, tokens, first, lookups=tuple((name, one.schema) for name, one in others))
    wanted = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if name not in functions:
        text = f"Invalid value for 'tool_choice': {choice!r} names no function of 'tools'."
        raise refusal(400, text, "tool_choice", "invalid_value")
    return Shape(functions[name].schema, tokens, name, tool_forced=True)


def _function(index: int, tool: object) -> tuple[str, Checked]:
    where = f"tools[{index}]"
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict):
        raise refusal(400, f"Missing required parameter: '{where}.function'.", where, "missing_required_parameter")
    _check_name(function.get("name"), f"{where}.function.name")
    empty = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    checked = _checked_schema(function.get("parameters", empty), f"{where}.function.parameters")
    if function.get("strict") is True and checked.problem:
        text = f"Invalid schema for function '{function['name']}': {checked.problem}"
        raise refusal(400, text, f"{where}.function.parameters", "invalid_function_parameters")
    return function["name"], checked


def _check_name(name: object, where: str) -> None:
    if name is None:
        raise refusal(400, f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    if not isinstance(name, str) or not NAME.match(name):
        text = f"Invalid '{where}': string does not match pattern. Expected a string that matches '{NAME.pattern}'."
        raise refusal(400, text, where, "invalid_value")


def _checked_schema(schema: object, where: str) -> Checked:
    if not isinstance(schema, dict):
        raise refusal(400, f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    return _checked(orjson.dumps(schema))


@lru_cache(maxsize=256)
def _checked(schema_json: bytes) -> Checked:
    schema = orjson.loads(schema_json)
    return Checked(schema, problem(schema), tokens_of(schema_json.decode()))


@lru_cache(maxsize=256)
def schema_in(text: str) -> Mapping[str, Any] | None:
    """The first JSON Schema of an object in a prompt."""
    decoder = json.JSONDecoder()
    start = -1
    for _ in range(SCHEMA_SEARCHES):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, _end = decoder.raw_decode(text, start)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            return value
    return None
