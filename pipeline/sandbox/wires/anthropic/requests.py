"""A request for a message, judged as strictly as the provider would: a question, or the provider's own error. Pure.

The order of the checks is the order in which a caller mends them: body, model, cap, messages, shape, length.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from pipeline.catalog.windows import ModelLimits, limits_of
from pipeline.sandbox.exchange import Message, PageReader, Question, Refused, document_and_errors, tokens_of
from pipeline.sandbox.files import Files
from pipeline.sandbox.lookups import Looked, looked_up, with_results
from pipeline.sandbox.prefixes import prefix_in
from pipeline.sandbox.wires.anthropic.blocks import Blocks
from pipeline.sandbox.wires.anthropic.errors import refusal
from pipeline.sandbox.wires.anthropic.shapes import only, shape_of

COUNTED = {
    *("cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"),
}
SAMPLING = ("temperature", "top_p", "top_k")
PARAMETERS = {
    *COUNTED,
    *SAMPLING,
    *("container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences"),
    *("stream", "user_profile_id"),
}
NO_SAMPLING_VERSION = "2026-10-21"
NO_SAMPLING = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku)-5|fable|mythos)")
THINKING = ("enabled", "disabled", "adaptive", "between_tools")
ROLES = ("user", "assistant")
MISSING_MODEL = "missing-model"
MESSAGE_TOKENS = 4
REQUEST_TOKENS = 5
MOST_BYTES = 32 * 1024 * 1024


def question_of(body: bytes, version: str, read: PageReader, *, count_only: bool) -> Question:
    """The question in a request body, under a version of the API.

    Raises:
        Refused: as the provider would.
    """
    request = _request(body, version, COUNTED if count_only else PARAMETERS)
    model = _model(request)
    limits = _limits(model)
    cap = None if count_only else _cap(request, model, limits)
    blocks = Blocks(model, Files("anthropic", model, read), _refusal)
    looked = _looked_up(request)
    request |= {"messages": looked.spoken} if looked.results else {}
    messages, system = _messages(request.get("messages"), blocks), _system(request.get("system"))
    _check_sampling(request, model)
    _check_thinking(request.get("thinking"), cap)
    shape = shape_of(request, model, system)
    if blocks.cites and shape.schema is not None and shape.tool is None and "output_config" in request:
        raise refusal(400, "citations: cannot be enabled together with output_config.format")
    fixed_tokens = REQUEST_TOKENS + tokens_of(system) + shape.tokens
    message_tokens = [MESSAGE_TOKENS + message.tokens for message in messages]
    prompt_tokens = fixed_tokens + sum(message_tokens) + looked.tokens
    _check_length(prompt_tokens, cap or 0, limits)
    document, errors = document_and_errors([(message.role, message.whole) for message in messages])
    stream = _stream(request)
    return Question(
        model,
        with_results(document, looked.results),
        prompt_tokens,
        cap,
        shape.schema,
        errors,
        shape.tool,
        shape.tool_forced,
        stream,
        stream_usage=stream,
        count_only=count_only,
        prefix=prefix_in(request, fixed_tokens, message_tokens),
        lookups=shape.lookups,
        looked_up=bool(looked.results),
    )


def _stream(request: Mapping[str, Any]) -> bool:
    stream = request.get("stream", False)
    if not isinstance(stream, bool):
        raise refusal(400, "stream: Input should be a valid boolean")
    return stream


def _looked_up(request: Mapping[str, Any]) -> Looked:
    """Raises Refused, where a call has no result, or no tools are there to be called."""
    looked = looked_up(request.get("messages"), "content", _call, _result)
    if looked.unanswered:
        words = "`tool_use` ids were found without `tool_result` blocks immediately after, or the other way round"
        raise refusal(400, f"messages: {words}: {', '.join(looked.unanswered)}.")
    if looked.results and not request.get("tools"):
        raise refusal(400, "Requests which include `tool_use` or `tool_result` blocks must define tools.")
    return looked


def _call(block: Mapping[str, Any]) -> str | None:
    if block.get("type") != "tool_use":
        return None
    if not isinstance(block.get("input"), dict):
        raise refusal(400, "messages: tool_use.input: Input should be a valid dictionary")
    return str(block.get("id"))


def _result(block: Mapping[str, Any]) -> tuple[str, str] | None:
    if block.get("type") != "tool_result":
        return None
    only(block, {"type", "tool_use_id", "content", "is_error", "cache_control"}, "messages: tool_result.")
    return str(block.get("tool_use_id")), str(block.get("content"))


def _request(body: bytes, version: str, known: set[str]) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise refusal(413, "Request exceeds the maximum size", "request_too_large")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(400, f"The request body is not valid JSON: {error}") from None
    if not isinstance(request, dict):
        raise refusal(400, "Input should be an object")
    if "output_format" in request:
        raise refusal(400, "output_format: This field is deprecated. Use 'output_config.format' instead.")
    only(request, known - (set(SAMPLING) if version == NO_SAMPLING_VERSION else set()), "")
    return request


def _model(request: Mapping[str, Any]) -> str:
    model = request.get("model")
    if model is None:
        raise refusal(400, "model: Field required")
    if not isinstance(model, str) or not model:
        raise refusal(400, "model: String should have at least 1 character")
    if model == MISSING_MODEL:
        raise refusal(404, f"model: {model}", "not_found_error")
    return model


@lru_cache(maxsize=256)
def _limits(model: str) -> ModelLimits:
    return limits_of(model)


def _cap(request: Mapping[str, Any], model: str, limits: ModelLimits) -> int:
    cap = request.get("max_tokens")
    if cap is None:
        raise refusal(400, "max_tokens: Field required")
    if not isinstance(cap, int) or isinstance(cap, bool):
        raise refusal(400, "max_tokens: Input should be a valid integer")
    if cap < 1:
        raise refusal(400, "max_tokens: must be greater than or equal to 1")
    most = limits.max_output_tokens
    if limits.known and cap > most:
        text = f"max_tokens: {cap} > {most}, which is the maximum allowed number of output tokens for {model}"
        raise refusal(400, text)
    return cap


def _refusal(words: str) -> Refused:
    return refusal(400, words)


def _messages(messages: object, blocks: Blocks) -> list[Message]:
    if messages is None:
        raise refusal(400, "messages: Field required")
    if not isinstance(messages, list):
        raise refusal(400, "messages: Input should be a valid list")
    if not messages:
        raise refusal(400, "messages: at least one message is required")
    found = [_message(message, f"messages.{index}", blocks) for index, message in enumerate(messages)]
    blocks.check()
    if found[0].role != "user":
        raise refusal(400, 'messages: first message must use the "user" role')
    if found[-1].role == "assistant":  # some older models would go on with it
        text = "This model does not support assistant message prefill. The conversation must end with a user message."
        raise refusal(400, text)
    return found


def _message(message: object, where: str, blocks: Blocks) -> Message:
    if not isinstance(message, dict):
        raise refusal(400, f"{where}: Input should be an object")
    only(message, {"role", "content"}, f"{where}.")
    role = message.get("role")
    if role == "system":
        raise refusal(400, 'messages: Unexpected role "system". It goes into the top-level `system` parameter.')
    if role not in ROLES:
        raise refusal(400, f"{where}.role: Input should be 'user' or 'assistant'")
    if "content" not in message:
        raise refusal(400, f"{where}.content: Field required")
    content = message["content"]
    if isinstance(content, list) and content:
        return blocks.message(role, content, f"{where}.content")
    return Message(role, _text(content, f"{where}.content", "messages"))


def _system(system: object) -> str:
    if system is None or system == []:
        return ""
    return _text(system, "system", "system")


def _text(content: object, where: str, part: str) -> str:
    """The text of a message's content, or of the system prompt: a string, or a list of text blocks."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise refusal(400, f"{where}: Input should be a valid string or a list of blocks")
    texts = []
    for index, block in enumerate(content):
        place = f"{where}.{index}"
        if not isinstance(block, dict) or block.get("type") != "text":
            raise refusal(400, f"{place}: the sandbox reads text blocks only")
        only(block, {"type", "text", "cache_control"}, f"{place}.text.")
        _check_cache_control(block.get("cache_control"), f"{place}.text.cache_control")
        text = block.get("text")
        if not isinstance(text, str):
            raise refusal(400, f"{place}.text.text: Field required")
        if not text.strip():
            raise refusal(400, f"{part}: text content blocks must contain non-whitespace text")
        texts.append(text)
    return "".join(texts)


def _check_cache_control(control: object, where: str) -> None:
    if control is None:
        return
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise refusal(400, f"{where}.type: Input should be 'ephemeral'")
    only(control, {"type", "ttl"}, f"{where}.")
    if control.get("ttl", "5m") not in {"5m", "1h"}:
        raise refusal(400, f"{where}.ttl: Input should be '5m' or '1h'")


def _check_sampling(request: Mapping[str, Any], model: str) -> None:
    for name in SAMPLING:
        value = request.get(name)
        if value is None:
            continue
        if NO_SAMPLING.search(model):
            raise refusal(400, f"`{name}` is deprecated for this model.")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refusal(400, f"{name}: Input should be a valid number")
        if name != "top_k" and not 0 <= value <= 1:
            raise refusal(400, f"{name}: range: 0..1")


def _check_thinking(thinking: object, cap: int | None) -> None:
    if thinking is None:
        return
    if not isinstance(thinking, dict) or thinking.get("type") not in THINKING:
        raise refusal(400, f"thinking: Input should have a type of {', '.join(THINKING)}")
    budget = thinking.get("budget_tokens")
    if thinking["type"] != "enabled":
        return
    if not isinstance(budget, int) or budget < 1024:
        raise refusal(400, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if cap is not None and cap <= budget:
        raise refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_length(prompt_tokens: int, cap_tokens: int, limits: ModelLimits) -> None:
    most = limits.context_tokens
    if prompt_tokens > limits.max_input_tokens:
        raise refusal(400, f"prompt is too long: {prompt_tokens} tokens > {limits.max_input_tokens} maximum")
    if prompt_tokens + cap_tokens > most:
        text = f"input length and `max_tokens` exceed context limit: {prompt_tokens} + {cap_tokens} > {most}"
        raise refusal(400, f"{text}, decrease one of them and try again")
