"""The Messages API as Anthropic's servers speak it: key, version, request, answer, stream, errors, headers.

Strict on the way in: what the provider would refuse is refused, with its status and type. Errors have their request id
in the header only.
"""

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline.sandbox.exchange import (
    MODEL_VERSION,
    Answer,
    Ending,
    PageReader,
    Question,
    Received,
    Refused,
    Stamp,
    no_reader,
)
from pipeline.sandbox.quota import Denial, Level
from pipeline.sandbox.wires.anthropic import errors as anthropic_errors
from pipeline.sandbox.wires.anthropic.errors import refusal, unauthorised
from pipeline.sandbox.wires.anthropic.requests import question_of

VERSIONS = ("2023-06-01", "2026-10-21")
BETA = re.compile(r"^[a-z0-9-]+-20\d\d-\d\d-\d\d$")
COUNT_PATH = "/v1/messages/count_tokens"
ORGANISATION = "00000000-0000-4000-8000-000000000000"
PIECE_CHARS = 48  # of a streamed answer
BAD_KEY = "invalid"
ROUNDED_FROM = 10_000  # limits of tokens as large as real ones are told to the nearest thousand


class Anthropic:
    """Pure but for `clock_s`, Unix time, which the headers that name an instant need."""

    name = "anthropic"
    paths: tuple[str, ...] = ("/v1/messages", COUNT_PATH)
    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, clock_s: Callable[[], float] = time.time) -> None:
        self._clock_s = clock_s

    def authorise(self, received: Received) -> None:
        key = received.headers.get("x-api-key", "").strip()
        scheme, _, token = received.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        if not key and not token:
            raise unauthorised("x-api-key header is required")
        if (key or token) == BAD_KEY:
            raise unauthorised("invalid x-api-key" if key else "Invalid bearer token")

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        version = received.headers.get("anthropic-version")
        if version is None:
            raise refusal(400, "anthropic-version: header is required")
        if version not in VERSIONS:
            raise refusal(400, f"anthropic-version: {version!r} is not a valid version")
        for beta in filter(None, map(str.strip, received.headers.get("anthropic-beta", "").split(","))):
            if not BETA.match(beta):
                raise refusal(400, f"Unexpected value(s) `{beta}` for the `anthropic-beta` header.")
        return question_of(received.body, version, read, count_only=received.path == COUNT_PATH)

    def counted(self, question: Question) -> bytes:
        return orjson.dumps({"input_tokens": question.prompt_tokens})

    def whole(self, question: Question, answer: Answer) -> bytes:
        message = _message(answer)
        if answer.calls:
            asked = [{**block, "input": orjson.loads(told)} for block, told in _lookups(answer)]
            return orjson.dumps({**message, "content": asked, "stop_reason": "tool_use", "usage": _usage(answer)})
        block = _block(question, answer)
        if block is not None and block["type"] == "tool_use":
            block["input"] = _object(answer.text) or {}  # of a call that was cut off nothing is left
        ending = {"stop_reason": _stop_reason(question, answer), "stop_details": _stop_details(answer)}
        return orjson.dumps({**message, "content": [] if block is None else [block], **ending, "usage": _usage(answer)})

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        begun = {**_usage(answer), "output_tokens": 1}
        events = [_event("message_start", message={**_message(answer), "usage": begun})]
        block = None if answer.calls else _block(question, answer)
        for index, (called, told) in enumerate(_lookups(answer)):
            events += _block_events(called, told, index)
        if block is not None:
            events += _block_events(block, answer.text)
        delta = {"stop_reason": _stop_reason(question, answer), "stop_sequence": None}
        usage = {name: value for name, value in _usage(answer).items() if name.endswith("_tokens")}
        events.append(_event("message_delta", delta={**delta, "stop_details": _stop_details(answer)}, usage=usage))
        return [*events, _event("message_stop")]

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:  # noqa: ARG002 (told in a header)
        return anthropic_errors.throttled(question.model, denial)

    def broken(self, status: int) -> Refused:
        return anthropic_errors.broken(status)

    def headers(self, stamp: Stamp) -> dict[str, str]:
        headers = {"request-id": stamp.request_id, "anthropic-organization-id": ORGANISATION}
        for level in stamp.levels:
            start = f"anthropic-ratelimit-{level.lane}"
            headers[f"{start}-limit"] = str(level.limit)
            headers[f"{start}-remaining"] = str(_remaining(level))
            headers[f"{start}-reset"] = rfc_3339(self._clock_s() + level.reset_s)
        if stamp.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(stamp.retry_after_s))
        return headers


def rfc_3339(unix_s: float) -> str:
    """The instant, in whole seconds and never early."""
    return datetime.fromtimestamp(math.ceil(unix_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _remaining(level: Level) -> int:
    rounded = level.lane != "requests" and level.limit >= ROUNDED_FROM
    return min(level.limit, round(level.remaining, -3)) if rounded else level.remaining


def _message(answer: Answer) -> dict[str, Any]:
    """As it begins."""
    return {
        "model": MODEL_VERSION,
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _block(question: Question, answer: Answer) -> dict[str, Any] | None:
    """The one content block, as it begins; a refusal has none. What is no object cannot be a call's input."""
    if answer.ending is Ending.REFUSED:
        return None
    if question.tool is not None and (answer.ending is Ending.TRUNCATED or _object(answer.text) is not None):
        return {"type": "tool_use", "id": f"toolu_{answer.id}", "name": question.tool, "input": {}}
    return {"type": "text", "text": answer.text}


def _lookups(answer: Answer) -> list[tuple[dict[str, Any], str]]:
    """Each look-up's block as it begins, and its arguments."""
    ids = (f"toolu_{answer.id}_{call.number}" for call in answer.calls)
    return [
        ({"type": "tool_use", "id": name, "name": call.name, "input": {}}, call.arguments)
        for name, call in zip(ids, answer.calls, strict=True)
    ]


def _block_events(block: Mapping[str, Any], text: str, index: int = 0) -> list[bytes]:
    kind, name = ("input_json_delta", "partial_json") if block["type"] == "tool_use" else ("text_delta", "text")
    begun = {**block, "text": ""} if block["type"] == "text" else block
    pieces = [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]
    deltas = [_event("content_block_delta", index=index, delta={"type": kind, name: piece}) for piece in pieces]
    start = _event("content_block_start", index=index, content_block=begun)
    return [start, _event("ping"), *deltas, _event("content_block_stop", index=index)]


def _stop_reason(question: Question, answer: Answer) -> str:
    if answer.ending is Ending.TRUNCATED:
        return "max_tokens"
    if answer.ending is Ending.REFUSED:
        return "refusal"
    if answer.calls:
        return "tool_use"
    block = _block(question, answer)
    return "tool_use" if block is not None and block["type"] == "tool_use" else "end_turn"


def _stop_details(answer: Answer) -> dict[str, Any] | None:
    if answer.ending is not Ending.REFUSED:
        return None
    return {"type": "refusal", "category": None, "explanation": answer.text}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "cache_read_input_tokens": answer.cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": answer.cache_write_tokens, "ephemeral_1h_input_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _event(kind: str, **data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **data}) + b"\n\n"
