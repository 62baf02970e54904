"""How a generateContent request wants its answer: free text, JSON, a schema, or a call of a function. Pure.

A schema is judged once, however many requests carry it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from msgspec import Struct

from pipeline.sandbox.exchange import tokens_of
from pipeline.sandbox.wires.gemini.errors import refusal
from pipeline.sandbox.wires.gemini.schemas import problem
from pipeline.sandbox.wires.openai.shapes import schema_in

JSON_TYPE = "application/json"
MIME_TYPES = ("text/plain", JSON_TYPE, "text/x.enum")
NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$")
MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


class Shape(Struct, frozen=True):
    schema: Mapping[str, Any] | None = None  # JSON Schema; None: free text
    tokens: int = 0
    tool: str | None = None  # the function that is called
    lookups: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (name, schema) of the others that may be


class Judged(Struct, frozen=True):
    schema: Mapping[str, Any]  # one object for all requests that carry the same schema
    problem: str | None
    tokens: int


def shape_of(request: Mapping[str, Any], system: str, told: str = "") -> Shape:
    """What the answer is to look like; `told`: where a schema may stand in words alone.

    Raises:
        Refused: as Google would.
    """
    config = request.get("generationConfig") or {}
    mime = config.get("responseMimeType") or "text/plain"
    if mime not in MIME_TYPES:
        raise refusal(400, f"* GenerateContentRequest.generation_config.response_mime_type: allowed: {MIME_TYPES}\n")
    functions = _functions(request.get("tools") or ())
    if functions and mime == JSON_TYPE:
        raise refusal(400, f"Function calling with a response mime type: '{mime}' is unsupported")
    chosen = _chosen(request.get("toolConfig") or {}, functions)
    if functions:
        tokens = sum(judged.tokens for judged in functions.values())
        if not chosen:
            return Shape(tokens=tokens)
        calling = (request.get("toolConfig") or {}).get("functionCallingConfig") or {}
        allowed = calling.get("allowedFunctionNames") or functions
        others = tuple((name, functions[name].schema) for name in allowed if name != chosen)
        return Shape(functions[chosen].schema, tokens, chosen, others)
    return Shape(schema_in(told)) if told and mime == "text/plain" else _answer(config, mime, system)


def _answer(config: Mapping[str, Any], mime: str, system: str) -> Shape:
    asked = config.get("responseJsonSchema")
    if asked is None:
        return Shape(schema_in(system) or ANYTHING) if mime == JSON_TYPE else Shape()
    if mime != JSON_TYPE:
        raise refusal(400, f"A response schema is only supported with response mime type: '{JSON_TYPE}'")
    judged = _json_schema(orjson.dumps(asked))
    if judged.problem:
        place = "GenerateContentRequest.generation_config.response_json_schema"
        raise refusal(400, f"* {place}: {judged.problem}\n")
    return Shape(judged.schema, judged.tokens)


def _functions(tools: object) -> dict[str, Judged]:
    found: dict[str, Judged] = {}
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        for number, function in enumerate(tool.get("functionDeclarations") or ()):
            place = f"tools[{index}].function_declarations[{number}]"
            name = function.get("name")
            if not isinstance(name, str) or not NAME.match(name):
                text = f"* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an"
                raise refusal(400, f"{text} underscore; letters, digits, _ . : - follow, 128 at the most.\n")
            if name in found:
                raise refusal(400, f"Duplicate function declaration found: {name}")
            found[name] = _parameters(function, place)
    return found


def _parameters(function: Mapping[str, Any], place: str) -> Judged:
    judged = _json_schema(orjson.dumps(function.get("parametersJsonSchema") or ANYTHING))
    wrong = judged.problem
    if wrong is None and judged.schema.get("type") != "object":
        wrong = "the parameters should be of type object"
    if wrong:
        raise refusal(400, f"* GenerateContentRequest.{place}.parameters: {wrong}\n")
    return judged


def _chosen(config: Mapping[str, Any], functions: Mapping[str, Judged]) -> str | None:
    """The function that the answer calls: the first that is allowed. None: text is answered."""
    calling = config.get("functionCallingConfig") or {}
    mode, allowed = calling.get("mode", "AUTO"), calling.get("allowedFunctionNames") or []
    if mode not in MODES:
        raise refusal(400, f"Invalid value at 'tool_config.function_calling_config.mode': {mode!r}")
    if calling and not functions and mode != "NONE":
        raise refusal(400, "Function calling config is set without function_declarations.")
    if allowed and mode not in {"ANY", "VALIDATED"}:
        raise refusal(400, "allowed_function_names should only be set when the mode is ANY or VALIDATED.")
    unknown = [name for name in allowed if name not in functions]
    if unknown:
        raise refusal(400, f"allowed_function_names names no declared function: {unknown[0]}")
    if mode == "NONE" or not functions:
        return None
    return str(allowed[0]) if allowed else next(iter(functions))


@lru_cache(maxsize=256)
def _json_schema(schema_json: bytes) -> Judged:
    schema = orjson.loads(schema_json)
    wrong = problem(schema)
    return Judged(schema if isinstance(schema, dict) else ANYTHING, wrong, tokens_of(schema_json.decode()))
