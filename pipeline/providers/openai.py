"""OpenAI chat completions, and every server that speaks them: body, reply, failure. Pure.

What the job fixes is encoded once and stands first, byte-identical over rows; per call only the turns and the cap are.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from pipeline.errors import CallFailed, Kind
from pipeline.job import Model
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.secrets import Secret
from pipeline.work import Answered, AnswerShape, Reply, Request, Stop, Usage

BASE_URL = "https://api.openai.com/v1"
STOPS = {
    "stop": Stop.DONE,
    "tool_calls": Stop.DONE,
    "function_call": Stop.DONE,
    "completed": Stop.DONE,
    "length": Stop.TRUNCATED,
    "max_tokens": Stop.TRUNCATED,
    "max_output_tokens": Stop.TRUNCATED,
    "model_length": Stop.TRUNCATED,
    "content_filter": Stop.BLOCKED,
}
CODES = {
    "insufficient_quota": Kind.QUOTA,
    "credit_balance_exhausted": Kind.QUOTA,
    "billing_hard_limit_reached": Kind.QUOTA,
    "organization_spend_limit_exceeded": Kind.QUOTA,
    "project_spend_limit_exceeded": Kind.QUOTA,
    "organization_usage_limit_exceeded": Kind.QUOTA,
    "invalid_api_key": Kind.AUTH,
    "model_not_found": Kind.MODEL_UNAVAILABLE,
    "DeploymentNotFound": Kind.MODEL_UNAVAILABLE,
    "context_length_exceeded": Kind.CONTEXT_EXCEEDED,
    "string_above_max_length": Kind.CONTEXT_EXCEEDED,
    "content_filter": Kind.BLOCKED,
    "ResponsibleAIPolicyViolation": Kind.BLOCKED,
    "rate_limit_exceeded": Kind.THROTTLED,
    "server_error": Kind.OVERLOADED,
}
STATUSES = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    429: Kind.THROTTLED,
    408: Kind.OVERLOADED,
    409: Kind.OVERLOADED,
    425: Kind.OVERLOADED,
}
TOO_LONG = re.compile(
    r"maximum context length|context size|context window|too many tokens|prompt is too long", re.IGNORECASE
)
NEVER_FITS = re.compile(r"request too large", re.IGNORECASE)
PER_DAY = re.compile(r"per day|\((?:TPD|RPD)\)", re.IGNORECASE)
NO_MODEL = re.compile(
    r"model .*(?:does not exist|not found|deprecated|not supported)|deployment .*not exist", re.IGNORECASE
)
NEW_CAP = re.compile(r"^(?:ft:)?(?:gpt-|chatgpt|o\d)")


class OpenAIWire:
    """`model.base_url` ends in /v1."""

    name = "openai"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self.url = (model.base_url or BASE_URL).rstrip("/") + "/chat/completions"
        self._shape = shape
        self._cap = "max_completion_tokens" if NEW_CAP.match(model.name) else "max_tokens"
        free: dict[str, Any] = {"model": model.name}
        if model.temperature is not None:
            free["temperature"] = model.temperature
        if model.stream:
            free |= {"stream": True, "stream_options": {"include_usage": True}}
        self._free_head = orjson.dumps(free)[:-1]
        self._head = orjson.dumps({**free, **_structured(shape)})[:-1]
        self._systems: dict[tuple[str, bool], bytes] = {}

    def __repr__(self) -> str:
        return f"OpenAIWire({self.url})"

    def headers(self, body: bytes, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return {"Authorization": f"Bearer {secret.value}", "Content-Type": "application/json"}

    def body(self, request: Request) -> bytes:
        turns = [{"role": turn.role, "content": _clean(turn.text)} for turn in request.turns]
        messages = orjson.dumps(turns)[1:]
        cap = f',"{self._cap}":{request.max_output_tokens}}}'.encode()
        head = self._free_head if request.free_text else self._head
        return head + b',"messages":[' + self._system(request.system, free_text=request.free_text) + messages + cap

    def _system(self, system: str, *, free_text: bool) -> bytes:
        """The system message, encoded once per job."""
        found = self._systems.get((system, free_text))
        if found is None:
            text = system
            if self._shape.mode == "json_object" and not free_text:
                schema = orjson.dumps(self._shape.schema).decode()
                text = (
                    f"{system}\n\nAnswer with one JSON object of this JSON schema, and nothing else:\n{schema}".strip()
                )
            found = orjson.dumps({"role": "system", "content": _clean(text)}) + b"," if text else b""
            self._systems[system, free_text] = found
        return found

    def reply(self, answer: Answered) -> Reply:
        body = _parsed(answer.body)
        if answer.status != 200 or (isinstance(body, dict) and body.get("error")):
            raise self._failure(answer, body)
        if not isinstance(body, dict):
            raise self._no_answer(answer, "the answer is not JSON", Usage())
        usage = _usage(body.get("usage"))
        text, finish, refusal = _content(body)
        stop = STOPS.get(finish)
        if refusal:
            stop, text = Stop.REFUSED, refusal
        if stop is None or (stop is Stop.DONE and not text):
            raise self._no_answer(answer, f"no content in the answer (finish_reason {finish!r})", usage)
        return Reply(
            text,
            stop,
            finish,
            usage,
            model_version=_string(body.get("model")),
            provider_request_id=_request_id(answer.headers),
            limits=limits_seen(answer.headers),
            retry_after_s=retry_after_s(answer.headers),
        )

    def stream(self) -> "Assembler":
        return Assembler()

    def _failure(self, answer: Answered, body: object) -> CallFailed:
        error = body.get("error") if isinstance(body, dict) else None
        if isinstance(body, dict) and not error:
            error = body
        details = (
            error
            if isinstance(error, dict)
            else {"message": str(error or answer.body[:500].decode("utf-8", "replace"))}
        )
        message = _string(details.get("message")) or answer.body[:500].decode("utf-8", "replace")
        hint = retry_after_s(answer.headers, message)
        return CallFailed(
            _kind(answer.status, details, message),
            shortened(message) or f"status {answer.status}",
            status=answer.status,
            retry_after_s=hint,
            provider_request_id=_request_id(answer.headers),
            limits=limits_seen(answer.headers),
        )

    def _no_answer(self, answer: Answered, message: str, usage: Usage) -> CallFailed:
        start = shortened(answer.body[:200].decode("utf-8", "replace"))
        return CallFailed(
            Kind.CONNECTION if answer.body == CUT_OFF else Kind.NO_ANSWER,
            f"{message}: {start}",
            status=answer.status,
            provider_request_id=_request_id(answer.headers),
            usage=usage,
            limits=limits_seen(answer.headers),
        )


def _kind(status: int, error: Mapping[str, Any], message: str) -> Kind:
    """By structured code first, then by status, by text last."""
    codes = [_string(error.get(name)) or "" for name in ("code", "type")]
    inner = error.get("innererror")
    if isinstance(inner, dict):
        codes.append(_string(inner.get("code")) or "")
    for code in codes:
        kind = CODES.get(code)
        if kind is Kind.THROTTLED and NEVER_FITS.search(message):
            return Kind.CONTEXT_EXCEEDED
        if kind is Kind.THROTTLED and PER_DAY.search(message):
            return Kind.QUOTA
        if kind is not None and not (kind is Kind.OVERLOADED and 400 <= status < 500):
            return kind
    if status == 429 and NEVER_FITS.search(message):
        return Kind.CONTEXT_EXCEEDED
    if status == 429 and PER_DAY.search(message):
        return Kind.QUOTA
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Kind.OVERLOADED
    if status == 404 and NO_MODEL.search(message):
        return Kind.MODEL_UNAVAILABLE
    if status in {400, 413, 422} and TOO_LONG.search(message):
        return Kind.CONTEXT_EXCEEDED
    if status == 200:
        return Kind.NO_ANSWER
    return Kind.INVALID_REQUEST


def _structured(shape: AnswerShape) -> dict[str, Any]:
    if shape.mode == "tool":
        function = {"name": shape.name, "strict": shape.strict, "parameters": shape.schema}
        choice = {"type": "function", "function": {"name": shape.name}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    if shape.mode == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema = {"name": shape.name, "strict": shape.strict, "schema": shape.schema}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _content(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """(text or tool arguments, finish reason, refusal) of the first choice, or of a Responses answer."""
    if "output" in body and "choices" not in body:
        return _responses_content(body)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    finish = _string(choice.get("finish_reason")) or ""
    text = _text(message.get("content"))
    for arguments in _tool_arguments(message):
        text = arguments
        break
    return text, finish, _string(message.get("refusal")) or ""


def _tool_arguments(message: Mapping[str, Any]) -> Iterator[str]:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        for kind, name in (("function", "arguments"), ("custom", "input")):
            inner = call.get(kind) if isinstance(call, dict) else None
            if isinstance(inner, dict) and isinstance(inner.get(name), str):
                yield inner[name]
    legacy = message.get("function_call")
    if isinstance(legacy, dict) and isinstance(legacy.get("arguments"), str):
        yield legacy["arguments"]


def _responses_content(body: Mapping[str, Any]) -> tuple[str, str, str]:
    texts, refusal = [], ""
    output = body.get("output")
    for item in output if isinstance(output, list) else []:
        content = item.get("content") if isinstance(item, dict) else None
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict):
                texts.append(_string(part.get("text")) or "")
                refusal = refusal or _string(part.get("refusal")) or ""
    details = body.get("incomplete_details")
    reason = _string(details.get("reason")) if isinstance(details, dict) else None
    return "".join(texts), reason or _string(body.get("status")) or "", refusal


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(_string(part.get("text")) or "" for part in parts if isinstance(part, dict))


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    prompt = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    output = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    prompt, output = (value if isinstance(value, dict) else {} for value in (prompt, output))
    return Usage(
        _count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        _count(prompt.get("cached_tokens")),
        _count(prompt.get("cache_write_tokens")),
        _count(usage.get("completion_tokens", usage.get("output_tokens"))),
        _count(output.get("reasoning_tokens")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-request-id") or headers.get("apim-request-id")


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _clean(text: str) -> str:
    """Lone surrogates cannot be sent; they become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


CUT_OFF = b""  # what a stream without its end is put together to


class Assembler:
    """Server-sent events of a streamed chat completion → the body it would have had."""

    def __init__(self) -> None:
        self._buffer = b""
        self._whole: dict[str, Any] = {}
        self._message: dict[str, Any] = {"role": "assistant", "content": None}
        self._tools: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self._error: object = None
        self._final: dict[str, Any] | None = None  # a Responses stream ends with its whole answer
        self._first = False

    def feed(self, piece: bytes) -> bool:
        self._buffer = (self._buffer + piece).replace(b"\r\n", b"\n")
        while b"\n\n" in self._buffer:
            event, self._buffer = self._buffer.split(b"\n\n", 1)
            self._event(event)
        return self._first

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (for wires whose end is a status)
        if self._buffer.strip():
            self._event(self._buffer)
        if self._error is not None:
            return orjson.dumps({"error": self._error})
        if self._final is not None:
            return orjson.dumps(self._final)
        if self._finish is None:
            return CUT_OFF
        if self._tools:
            self._message["tool_calls"] = [self._tools[index] for index in sorted(self._tools)]
        choice = {"index": 0, "message": self._message, "finish_reason": self._finish}
        return orjson.dumps({**self._whole, "choices": [choice]})

    def _event(self, event: bytes) -> None:
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        data = _parsed(b"\n".join(lines))
        if not isinstance(data, dict):
            return  # [DONE], a comment, or noise
        if data.get("error"):
            self._error = data["error"]
        kind = _string(data.get("type")) or ""
        if kind.startswith("response."):
            self._response_event(kind, data)
            return
        self._whole |= {name: data[name] for name in ("id", "model", "usage") if data.get(name)}
        choices = data.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._delta(choice)

    def _delta(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        for name in ("content", "refusal"):
            if isinstance(delta.get(name), str) and delta[name]:
                self._message[name] = (self._message.get(name) or "") + delta[name]
                self._first = True
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            inner = call.get("function") if isinstance(call, dict) else None
            if isinstance(inner, dict):
                self._first = True
                kept = self._tools.setdefault(_count(call.get("index")), {"function": {"name": "", "arguments": ""}})
                for name in ("name", "arguments"):
                    kept["function"][name] += _string(inner.get(name)) or ""
        self._finish = _string(choice.get("finish_reason")) or self._finish

    def _response_event(self, kind: str, data: Mapping[str, Any]) -> None:
        self._first = self._first or kind.endswith(".delta")
        inner = data.get("response")
        if kind in {"response.completed", "response.incomplete", "response.failed"} and isinstance(inner, dict):
            self._final = inner
            if inner.get("error"):
                self._error = inner["error"]
