"""A chat completion request, judged as strictly as the provider would: a question, or the provider's own error. Pure.

The order of the checks is the order in which a caller mends them: body, model, messages, shape, parameters, length.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from pipeline.catalog.apis import RESPONSES, only_api
from pipeline.catalog.windows import ModelLimits, limits_of
from pipeline.sandbox.exchange import Message, PageReader, Question, document_and_errors
from pipeline.sandbox.files import Files
from pipeline.sandbox.lookups import with_results
from pipeline.sandbox.wires.openai.errors import refusal
from pipeline.sandbox.wires.openai.parts import CHAT, Parts
from pipeline.sandbox.wires.openai.shapes import Shape, shape_of

PARAMETERS = {
    *("frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "metadata"),
    *("model", "n", "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "prompt_cache_retention"),
    *("reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream"),
    *("stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity"),
}
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
CAPS = ("max_completion_tokens", "max_tokens")
REASONING = re.compile(r"^(?:ft:)?(?:o\d|gpt-[56](?!.*chat))")
FIXED_TEMPERATURE = re.compile(r"^(?:ft:)?(?:o\d|gpt-5(?:-mini|-nano|-pro)?(?:-\d|$))")
TIERS = ("auto", "default", "flex", "scale", "priority")
MISSING_MODEL = "missing-model"
MESSAGE_TOKENS = 3


def question_of(body: bytes, read: PageReader, deployment: str | None = None, *, provider: str = "openai") -> Question:
    """The question in a request body; a deployment named by the URL stands for the model.

    Raises:
        Refused: as the provider would.
    """
    request = object_in(body)
    unknown = sorted(set(request) - PARAMETERS)
    if unknown:
        raise refusal(400, f"Unrecognized request argument{'s' * (len(unknown) > 1)} supplied: {', '.join(unknown)}")
    model = model_of(request if deployment is None else {"model": deployment})
    if deployment is None and only_api(model) == RESPONSES:
        raise refusal(404, "This model is only supported in v1/responses and not in v1/chat/completions.", "model")
    parts = Parts(Files(provider, model, read), CHAT, takes_files=provider != "azure")
    messages = messages_of(request.get("messages"), "messages", parts)
    shape = shape_of(request, messages)
    check_numbers(request, model)
    limits = known_limits(model)
    cap = _cap(request, model, limits)
    prompt_tokens = tokens_in(messages, shape)
    if not fits(prompt_tokens, cap or 0, limits):
        most = limits.context_tokens
        asked = f"{prompt_tokens} tokens in the messages and {cap or 0} in the completion"
        text = (
            f"This model's maximum context length is {most} tokens. However, there are {asked}. Shorten the messages."
        )
        raise refusal(400, text, "messages", "context_length_exceeded")
    stream, stream_usage = _stream(request)
    spoken, results = looked_up(request["messages"], messages, shape)
    document, errors = document_and_errors(turns_of(spoken))
    return Question(
        model, with_results(document, results), prompt_tokens, cap, shape.schema, errors, shape.tool, shape.tool_forced,
        stream, stream_usage, tier=tier_of(request), lookups=shape.lookups, looked_up=bool(results),
    )  # fmt: skip


def looked_up(
    given: Sequence[Mapping[str, Any]], messages: Sequence[Message], shape: Shape
) -> tuple[list[Message], list[str]]:
    """What is said without its look-ups, and what these found; or a Refused, where a call has no result."""
    own: set[object] = set()  # ids of calls that are no answer
    waiting: set[object] = set()
    spoken, results = [], []
    for raw, message in zip(given, messages, strict=True):
        if waiting and raw["role"] != "tool":
            break
        calls = [one for one in raw.get("tool_calls") or () if isinstance(one, dict)]
        if any((one.get("function") or {}).get("name") != shape.tool for one in calls):
            waiting = {one.get("id") for one in calls}
            own |= waiting
        elif raw["role"] == "tool" and raw.get("tool_call_id") in own:
            waiting.discard(raw["tool_call_id"])
            results.append(message.text)
        else:
            spoken.append(message)
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        raise refusal(400, f"{text}'tool_call_id'. Without a response are: {', '.join(map(str, waiting))}", "messages")
    return spoken, results


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is, or a Refused."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(400, f"the JSON body of the request cannot be parsed: {error}") from None
    if not isinstance(request, dict):
        raise refusal(400, "the body of the request should be a JSON object")
    return request


def model_of(request: Mapping[str, Any]) -> str:
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise refusal(400, "you must provide a model parameter")
    if model == MISSING_MODEL:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise refusal(404, message, code="model_not_found")
    return model


def messages_of(messages: object, name: str, parts: Parts) -> list[Message]:
    """What is said, in the parameter of this name; or a Refused."""
    if messages is None:
        raise refusal(400, f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    if not isinstance(messages, list):
        raise refusal(400, f"Invalid type for '{name}': expected an array of objects.", name, "invalid_type")
    if not messages:
        message = f"Invalid '{name}': empty array. Expected an array with minimum length 1."
        raise refusal(400, message, name, "empty_array")
    found: list[Message] = []
    tools_called = False
    for index, message in enumerate(messages):
        where = f"{name}[{index}]"
        if not isinstance(message, dict):
            raise refusal(400, f"Invalid type for '{where}': expected an object.", where, "invalid_type")
        role = message.get("role")
        if role not in ROLES:
            listed = ", ".join(f"'{known}'" for known in ROLES)
            text = f"Invalid value: {role!r}. Supported values are: {listed}."
            raise refusal(400, text, f"{where}.role", "invalid_value")
        if role == "tool" and not tools_called:
            raise refusal(400, "messages with role 'tool' must follow a message with 'tool_calls'.", f"{where}.role")
        tools_called = bool(message.get("tool_calls")) or (role == "tool" and tools_called)
        found.append(_message(message, where, parts))
    return found


def _message(message: Mapping[str, Any], where: str, parts: Parts) -> Message:
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return parts.message(message["role"], content, f"{where}.content")
    return Message(message["role"], _text(message, where))


def _text(message: Mapping[str, Any], where: str) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    calls = message.get("tool_calls")
    if content is None and message["role"] == "assistant" and (calls or message.get("refusal")):
        return orjson.dumps(calls).decode() if calls else str(message["refusal"])
    expected = "expected one of a string or array of objects"
    text = f"Invalid type for '{where}.content': {expected}, but got {type(content).__name__} instead."
    raise refusal(400, text, f"{where}.content", "invalid_type")


def turns_of(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """What was asked and answered; what a tool says of a call of it is no answer."""
    asks = {"user", "tool"}
    said = [("user" if message.role in asks else message.role, message.whole) for message in messages]
    turns = [(role, text) for role, text in said if role in {"user", "assistant"}]
    return turns or said


@lru_cache(maxsize=256)
def known_limits(model: str) -> ModelLimits:
    return limits_of(model)


def _cap(request: Mapping[str, Any], model: str, limits: ModelLimits) -> int | None:
    given = [name for name in CAPS if request.get(name) is not None]
    if len(given) > 1:
        raise refusal(400, "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    if not given:
        return None
    name = given[0]
    cap = request[name]
    if name == "max_tokens" and REASONING.match(model):
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise refusal(400, text, name, "unsupported_parameter")
    return checked_cap(name, cap, 1, limits)


def checked_cap(name: str, cap: object, least: int, limits: ModelLimits) -> int:
    """A cap that the model takes, or a Refused."""
    if not isinstance(cap, int) or isinstance(cap, bool):
        raise refusal(400, f"Invalid type for '{name}': expected an integer.", name, "invalid_type")
    if cap < least:
        text = f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {cap} instead."
        raise refusal(400, text, name, "integer_below_min_value")
    if limits.known and cap > limits.max_output_tokens:
        most = limits.max_output_tokens
        text = f"{name} is too large: {cap}. This model supports at most {most} completion tokens."
        raise refusal(400, text, name, "invalid_value")
    return cap


def check_numbers(request: Mapping[str, Any], model: str) -> None:
    for name, low, high in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
    ):
        value = request.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refusal(400, f"Invalid type for '{name}': expected a number.", name, "invalid_type")
        if not low <= value <= high:
            side, code = (
                ("below minimum", "decimal_below_min_value")
                if value < low
                else ("above maximum", "decimal_above_max_value")
            )
            raise refusal(
                400, f"Invalid '{name}': decimal {side} value. Expected {low} to {high}, got {value}.", name, code
            )
    temperature = request.get("temperature")
    if temperature not in {None, 1} and FIXED_TEMPERATURE.match(model):
        text = (
            f"Unsupported value: 'temperature' does not support {temperature} with this model. Only the default (1) is."
        )
        raise refusal(400, text, "temperature", "unsupported_value")
    for name in ("top_p", "stop"):
        if request.get(name) is not None and FIXED_TEMPERATURE.match(model):
            text = f"Unsupported parameter: '{name}' is not supported with this model."
            raise refusal(400, text, name, "unsupported_parameter")
    if request.get("n") not in {None, 1}:
        raise refusal(400, "the sandbox gives one choice: leave out 'n', or set it to 1.", "n", "invalid_value")


def tier_of(request: Mapping[str, Any]) -> str:
    """The sandbox has room at every tier."""
    tier = request.get("service_tier") or "default"
    if tier not in TIERS:
        listed = ", ".join(f"'{known}'" for known in TIERS)
        text = f"Invalid value: {tier!r}. Supported values are: {listed}."
        raise refusal(400, text, "service_tier", "invalid_value")
    return "default" if tier == "auto" else str(tier)


def fits(prompt_tokens: int, cap_tokens: int, limits: ModelLimits) -> bool:
    return prompt_tokens <= limits.max_input_tokens and prompt_tokens + cap_tokens <= limits.context_tokens


def tokens_in(messages: Sequence[Message], shape: Shape) -> int:
    return MESSAGE_TOKENS + shape.tokens + sum(MESSAGE_TOKENS + message.tokens for message in messages)


def _stream(request: Mapping[str, Any]) -> tuple[bool, bool]:
    """(stream, usage at its end)."""
    stream, options = request.get("stream") or False, request.get("stream_options")
    if not isinstance(stream, bool):
        raise refusal(400, "Invalid type for 'stream': expected a boolean.", "stream", "invalid_type")
    if options is None:
        return stream, False
    if not stream:
        raise refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if not isinstance(options, dict):
        raise refusal(400, "Invalid type for 'stream_options': expected an object.", "stream_options", "invalid_type")
    return stream, options.get("include_usage") is True
