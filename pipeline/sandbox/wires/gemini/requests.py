"""A generateContent or countTokens request, judged as strictly as Google would: a question, or its own error. Pure.

The order of the checks is the order in which a caller mends them: body, fields, contents, shape, numbers, length.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from pipeline.catalog.windows import ModelLimits, limits_of
from pipeline.sandbox.exchange import Message, Question, Refused, document_and_errors, tokens_of
from pipeline.sandbox.lookups import Looked, looked_up, with_results
from pipeline.sandbox.wires.gemini.errors import bad_fields, refusal
from pipeline.sandbox.wires.gemini.fields import Spec, read, snake
from pipeline.sandbox.wires.gemini.parts import Parts
from pipeline.sandbox.wires.gemini.shapes import Shape, shape_of

ROLES = ("user", "model")
UNTAUGHT = re.compile(r"gemma-3")  # knows words only
RANGES = {
    "temperature": (0.0, 2.0),
    "topP": (0.0, 1.0),
    "presencePenalty": (-2.0, 2.0),
    "frequencyPenalty": (-2.0, 2.0),
}


SIGNATURE = "c2FuZGJveA=="  # of the thought behind a look-up


class ListQuestion(Question, frozen=True):
    """A stream asked for without `alt=sse`: all chunks as one JSON list."""


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Refused: it is none.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(400, f"Invalid JSON payload received. {error}") from None
    if not isinstance(found, dict):
        raise refusal(400, "Invalid JSON payload received. The body should be an object.")
    return found


def fields_of(found: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The request with its fields in camelCase.

    Raises:
        Refused: there are fields that the API does not have.
    """
    problems: list[tuple[str, str]] = []
    request: dict[str, Any] = read(found, spec, "", problems)
    if problems:
        raise bad_fields(problems)
    return request


def question_of(request: Mapping[str, Any], model: str, parts: Parts, *, stream: bool, as_list: bool) -> Question:
    """The question in a request whose fields are all known.

    Raises:
        Refused: as Google would.
    """
    looked = _looked_up(request.get("contents"))
    messages = _messages(looked.spoken if looked.results else request.get("contents"), parts)
    if messages[-1].role == "model":
        raise refusal(400, "Requests ending with a model turn are not supported.")
    system = _text(request.get("systemInstruction") or {}, "system_instruction")
    untaught = UNTAUGHT.match(model) is not None
    if untaught:
        _check_untaught(request, model)
    shape = shape_of(request, system, messages[0].text if untaught else "")
    limits = _limits(model)
    cap = _numbers(request.get("generationConfig") or {}, limits)
    if request.get("cachedContent"):
        raise refusal(403, "CachedContent not found (or permission denied).")
    prompt_tokens = counted_tokens(messages, system, shape) + looked.tokens
    most = limits.max_input_tokens
    if prompt_tokens > most:
        text = f"The input token count ({prompt_tokens}) exceeds the maximum number of tokens allowed ({most})."
        raise refusal(400, text)
    document, errors = document_and_errors([(message.role, message.whole) for message in messages])
    kind = ListQuestion if stream and as_list else Question
    return kind(
        model,
        with_results(document, looked.results),
        prompt_tokens,
        cap,
        shape.schema,
        errors,
        shape.tool,
        shape.tool is not None,
        stream and not as_list,
        lookups=shape.lookups,
        looked_up=bool(looked.results),
    )


def _looked_up(contents: object) -> Looked:
    """Raises Refused, where a call has no response, or the signature of the thought behind it is left out."""
    looked = looked_up(contents, "parts", _call, _result)
    if looked.unanswered:
        text = "Please ensure that the number of function response parts is equal to the number of function call parts "
        raise refusal(400, f"{text}of the function call turn.")
    return looked


def _call(part: Mapping[str, Any]) -> str | None:
    if not isinstance(part.get("functionCall"), dict):
        return None
    if part.get("thoughtSignature") != SIGNATURE:
        raise refusal(400, "Function call is missing a thought_signature in functionCall parts.")
    return str(part["functionCall"].get("name"))


def _result(part: Mapping[str, Any]) -> tuple[str, str] | None:
    told = part.get("functionResponse")
    if not isinstance(told, dict):
        return None
    if not isinstance(told.get("response"), dict):
        raise refusal(400, "Invalid value at 'function_response.response': expected an object")
    return str(told.get("name")), orjson.dumps(told["response"]).decode()


def _check_untaught(request: Mapping[str, Any], model: str) -> None:
    config = request.get("generationConfig") or {}
    for name, given in (
        ("Developer instruction", request.get("systemInstruction")),
        ("Function calling", request.get("tools")),
        ("JSON mode", config.get("responseMimeType", "text/plain") != "text/plain"),
    ):
        if given:
            raise refusal(400, f"{name} is not enabled for models/{model}")


def count_question_of(request: Mapping[str, Any], model: str, parts: Parts) -> Question:
    """A request to be counted: nothing but its words matters.

    Raises:
        Refused: it has none.
    """
    messages = _messages(request.get("contents"), parts)
    system = _text(request.get("systemInstruction") or {}, "system_instruction")
    tokens = counted_tokens(messages, system, shape_of(request, system))
    return Question(model, messages[0].whole, tokens, None, count_only=True)


def counted_tokens(messages: Sequence[Message], system: str, shape: Shape) -> int:
    return tokens_of(system) + shape.tokens + sum(message.tokens for message in messages)


def _messages(contents: object, parts: Parts) -> list[Message]:
    if not isinstance(contents, list) or not contents:
        raise refusal(400, "* GenerateContentRequest.contents: contents is not specified\n")
    found = []
    for index, content in enumerate(contents):
        place = f"contents[{index}]"
        role = content.get("role", "user")
        if role not in ROLES:
            raise refusal(400, "Use a valid role: user, model.")
        if not content.get("parts"):
            raise refusal(400, f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n")
        found.append(parts.message(role, content["parts"], place))
    return found


def _text(content: Mapping[str, Any], place: str) -> str:
    texts = []
    for number, part in enumerate(content.get("parts") or ()):
        where = f"{place}.parts[{number}]"
        if not isinstance(part.get("text"), str):
            if set(part) - {"thought", "thoughtSignature"}:
                raise refusal(400, f"The sandbox reads text parts only; '{where}' is none.")
            raise refusal(400, f"* GenerateContentRequest.{where}.data: required oneof field 'data' must be set\n")
        texts.append(part["text"])
    return "".join(texts)


def _numbers(config: Mapping[str, Any], limits: ModelLimits) -> int | None:
    """The cap in tokens, when all numbers are in their ranges."""
    for name, (low, high) in RANGES.items():
        value = config.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _invalid(name, "TYPE_FLOAT", value)
        if not low <= value <= high:
            text = f"it has a {name} value of {value} but the supported range is from {low} to {high}"
            raise refusal(400, f"Unable to submit request because {text}. Update the value and try again.")
    if config.get("candidateCount") not in {None, 1}:
        raise refusal(400, "The sandbox gives one candidate: leave out candidateCount, or set it to 1.")
    cap = config.get("maxOutputTokens")
    if cap is None:
        return None
    if not isinstance(cap, int) or isinstance(cap, bool):
        raise _invalid("maxOutputTokens", "TYPE_INT32", cap)
    most = limits.max_output_tokens
    if cap < 1 or (limits.known and cap > most):
        text = f"it has a maxOutputTokens value of {cap} but the supported range is from 1 to {most}, both inclusive"
        raise refusal(400, f"Unable to submit request because {text}. Update the value and try again.")
    return cap


def _invalid(name: str, kind: str, value: object) -> Refused:
    place = f"generation_config.{snake(name)}"
    return bad_fields([(place, f"Invalid value at '{place}' ({kind}), {orjson.dumps(value).decode()}")])


@lru_cache(maxsize=256)
def _limits(model: str) -> ModelLimits:
    return limits_of(model)
