"""A Responses request, judged as strictly as the provider would: a question, or the provider's own error. Pure.

What is the same as in a chat completion is judged there, and told in the words of this API.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from pipeline.catalog.apis import CHAT, LEAST_OUTPUT_TOKENS, only_api
from pipeline.sandbox.exchange import Message, PageReader, Question, Refused, document_and_errors
from pipeline.sandbox.files import Files
from pipeline.sandbox.lookups import with_results
from pipeline.sandbox.wires.openai import requests as chat
from pipeline.sandbox.wires.openai.errors import refusal
from pipeline.sandbox.wires.openai.parts import RESPONSES, Parts
from pipeline.sandbox.wires.openai.shapes import Shape, shape_of

PARAMETERS = {
    *("background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens"),
    *("max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier"),
    *("service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools"),
    *("top_logprobs", "top_p", "truncation", "user"),
}
CAP = "max_output_tokens"
PARTS = ("input_text", "output_text", "text")
FORMAT = re.compile(r"(?:^|(?<='))response_format(?:\.json_schema)?")
FUNCTION = re.compile(r"(?<=\])\.function")


def question_of(body: bytes, read: PageReader) -> Question:
    """The question in a request body.

    Raises:
        Refused: as the provider would.
    """
    request = chat.object_in(body)
    for name in sorted(set(request) - PARAMETERS):
        raise refusal(400, f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    model = chat.model_of(request)
    if only_api(model) == CHAT:
        raise refusal(400, f"The requested model '{model}' cannot be used with the Responses API.", "model")
    given = _messages(request.get("input"))
    said = chat.messages_of(given, "input", Parts(Files("openai", model, read), RESPONSES))
    instructions = request.get("instructions") or ""
    messages = [*([Message("system", str(instructions))] if instructions else []), *said]
    shape = _shape(request, said, messages)
    chat.check_numbers(request, model)
    limits = chat.known_limits(model)
    asked = request.get(CAP)
    cap = None if asked is None else chat.checked_cap(CAP, asked, LEAST_OUTPUT_TOKENS, limits)
    prompt_tokens = chat.tokens_in(messages, shape)
    if not chat.fits(prompt_tokens, cap or 0, limits):
        text = "Your input exceeds the context window of this model. Please adjust your input and try again."
        raise refusal(400, text, "input", "context_length_exceeded")
    stream = request.get("stream") or False
    if not isinstance(stream, bool):
        raise refusal(400, "Invalid type for 'stream': expected a boolean.", "stream", "invalid_type")
    spoken, results = chat.looked_up(cast("list[dict[str, Any]]", given), said, shape)
    document, errors = document_and_errors(chat.turns_of([*messages[: len(messages) - len(said)], *spoken]))
    return Question(
        model, with_results(document, results), prompt_tokens, cap, shape.schema, errors, shape.tool, shape.tool_forced,
        stream, tier=chat.tier_of(request), lookups=shape.lookups, looked_up=bool(results),
    )  # fmt: skip


def _messages(given: object) -> object:
    """The input as chat completions have it."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        return given
    messages: list[Any] = []
    for number, item in enumerate(given):
        message = _message(number, item)
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        if calls and messages and isinstance(messages[-1], dict) and messages[-1].get("tool_calls"):
            messages[-1]["tool_calls"] += calls  # items of one answer
        elif message is not None:
            messages.append(message)
    return messages


def _message(number: int, item: object) -> object:
    if not isinstance(item, dict):
        return item
    kind = item.get("type", "message")
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    if kind == "reasoning":
        return None
    if kind != "message":
        where = f"input[{number}]"
        raise refusal(400, f"the sandbox reads messages only; '{where}' is none.", where, "invalid_value")
    content = item.get("content")
    if isinstance(content, list):
        content = [
            {**part, "type": "text"} if isinstance(part, dict) and part.get("type") in PARTS else part
            for part in content
        ]
    return {"role": item.get("role"), "content": content}


def _shape(request: Mapping[str, Any], said: Sequence[Message], messages: Sequence[Message]) -> Shape:
    asked = _as_chat(request)
    if asked.get("response_format") == {"type": "json_object"} and not any("json" in one.text.lower() for one in said):
        text = "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
        raise refusal(400, f"{text}'json_object'.", "text.format")
    try:
        return shape_of(asked, messages)
    except Refused as refused:
        raise _in_own_words(refused) from None


def _as_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says of its answer's form, as chat completions have it."""
    asked: dict[str, Any] = {}
    text = request.get("text")
    wanted = text.get("format") if isinstance(text, dict) else text
    if wanted is not None:
        schema = isinstance(wanted, dict) and wanted.get("type") == "json_schema"
        asked["response_format"] = {"type": "json_schema", "json_schema": wanted} if schema else wanted
    if "tools" in request:
        tools = request["tools"]
        asked["tools"] = [_nested(tool) for tool in tools] if isinstance(tools, list) else tools
    if "tool_choice" in request:
        asked["tool_choice"] = _nested(request["tool_choice"])
    return asked


def _nested(function: object) -> object:
    if not isinstance(function, dict) or function.get("type") != "function":
        return function
    return {"type": "function", "function": {name: value for name, value in function.items() if name != "type"}}


def _in_own_words(refused: Refused) -> Refused:
    error = orjson.loads(refused.body)["error"]
    for name in ("message", "param"):
        error[name] = error[name] and FUNCTION.sub("", FORMAT.sub("text.format", error[name]))
    return Refused(refused.status, orjson.dumps({"error": error}), refused.headers)
