"""Chat completions as OpenAI's servers speak them: key, request, answer, stream, errors, headers. Pure.

Strict on the way in: what the provider would refuse is refused, with its status and codes.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.sandbox.exchange import (
    MODEL_VERSION,
    Answer,
    Call,
    Ending,
    PageReader,
    Question,
    Received,
    Refused,
    Stamp,
    no_reader,
)
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.wires.openai import errors as openai_errors
from pipeline.sandbox.wires.openai.requests import question_of

FINGERPRINT = "fp_sandbox"
PIECE_CHARS = 48  # of a streamed answer
BAD_KEY = "invalid"
DONE = b"data: [DONE]\n\n"


class OpenAI:
    name = "openai"
    paths: tuple[str, ...] = ("/v1/chat/completions",)
    stream_type = "text/event-stream; charset=utf-8"

    def authorise(self, received: Received) -> None:
        scheme, _, key = received.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            text = "You didn't provide an API key: send it in the header Authorization, as Bearer YOUR_KEY."
            raise openai_errors.refusal(401, text, code="invalid_api_key")
        if key == BAD_KEY:
            raise openai_errors.refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        return question_of(received.body, read)

    def counted(self, question: Question) -> bytes:
        raise NotImplementedError("chat completions have no counting endpoint")

    def whole(self, question: Question, answer: Answer) -> bytes:
        return orjson.dumps(self._completion(question, answer))

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        chunk: dict[str, Any] = {**_head(question, answer), "object": "chat.completion.chunk"}
        if question.stream_usage:
            chunk["usage"] = None
        deltas = _deltas(question, answer)
        ends: list[str | None] = [None] * (len(deltas) - 1) + [_finish_reason(question, answer)]
        events = []
        for delta, end in zip(deltas, ends, strict=True):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
            events.append(event({**chunk, "choices": [choice]}))
        if question.stream_usage:
            events.append(event({**chunk, "choices": [], "usage": _usage(answer)}))
        return [*events, DONE]

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:
        return openai_errors.throttled(question.model, denial, retry_after_s)

    def broken(self, status: int) -> Refused:
        return openai_errors.broken(status)

    def headers(self, stamp: Stamp) -> dict[str, str]:
        headers = {"x-request-id": stamp.request_id, "openai-processing-ms": str(stamp.processing_ms)}
        for level in stamp.levels:
            headers[f"x-ratelimit-limit-{level.lane}"] = str(level.limit)
            headers[f"x-ratelimit-remaining-{level.lane}"] = str(level.remaining)
            headers[f"x-ratelimit-reset-{level.lane}"] = go_duration(level.reset_s)
        if stamp.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(stamp.retry_after_s))
            headers["retry-after-ms"] = str(math.ceil(stamp.retry_after_s * 1000))
        return headers

    def _completion(self, question: Question, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        if answer.ending is Ending.REFUSED:
            message["refusal"] = answer.text
        elif answer.calls:
            message["tool_calls"] = [_lookup(answer, call) for call in answer.calls]
        elif question.tool is not None:
            function = {"name": question.tool, "arguments": answer.text}
            message["tool_calls"] = [{"id": _call_id(answer), "type": "function", "function": function}]
        else:
            message["content"] = answer.text
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(question, answer)}
        return {**_head(question, answer), "object": "chat.completion", "choices": [choice], "usage": _usage(answer)}


def go_duration(seconds: float) -> str:
    """As the Go language prints one, to the millisecond: 0s, 20ms, 1.5s, 6m0s."""
    milliseconds = math.ceil(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"


def pieces_of(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]


def event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _head(question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "created": answer.created_s,
        "model": MODEL_VERSION,
        "service_tier": question.tier,
        "system_fingerprint": FINGERPRINT,
    }


def _finish_reason(question: Question, answer: Answer) -> str:
    if answer.ending is Ending.TRUNCATED:
        return "length"
    chosen = question.tool is not None and not question.tool_forced and answer.ending is Ending.DONE
    called = bool(answer.calls) or chosen
    return "tool_calls" if called else "stop"  # a forced function ends with stop


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _deltas(question: Question, answer: Answer) -> list[dict[str, Any]]:
    """The message in pieces: its role first, nothing last."""
    pieces = pieces_of(answer.text)
    if answer.calls:
        begin: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        told = [one for number, call in enumerate(answer.calls) for one in _lookup_deltas(answer, number, call)]
        return [begin, *told, {}]
    if question.tool is not None and answer.ending is not Ending.REFUSED:
        function = {"name": question.tool, "arguments": ""}
        call = {"index": 0, "id": _call_id(answer), "type": "function", "function": function}
        first = {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}
        rest = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
        return [first, *rest, {}]
    kind = "refusal" if answer.ending is Ending.REFUSED else "content"
    return [{"role": "assistant", "content": "", "refusal": None}, *({kind: piece} for piece in pieces), {}]


def _lookup(answer: Answer, call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _call_id(answer, call), "type": "function", "function": function}


def _lookup_deltas(answer: Answer, number: int, call: Call) -> Iterator[dict[str, Any]]:
    begun = _lookup(answer, call)
    yield {"tool_calls": [{**begun, "index": number, "function": {"name": call.name, "arguments": ""}}]}
    for piece in pieces_of(call.arguments):
        yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _call_id(answer: Answer, call: Call | None = None) -> str:
    return f"call_{answer.id}" + ("" if call is None else f"_{call.number}")
