"""What generateContent answered: a reply, or a failure with its kind. Pure.

Finish words: the API's own list, of 2024 to 2026, both services. Errors: google.rpc.Status, by its details first, then
its status name, then the HTTP status, and text where nothing else says it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.parts import ToolCall
from pipeline.providers.damage import DAMAGED, damage_of
from pipeline.providers.gemini.errors import GoogleStatus, kind_of, limits_in, no_room_in, short_in, status_in
from pipeline.providers.gemini.stream import CUT_OFF, joined
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.json import called_with, count, dumped, items, mapping, parsed, string, told_count
from pipeline.providers.tool_calls import asked_text, wanted
from pipeline.providers.usage import as_told, usage_from
from pipeline.types import Answer, HttpAnswer, Stop, Tool, Usage

STOPS = {
    "STOP": Stop.DONE,
    "MAX_TOKENS": Stop.TRUNCATED,
    "CONTINUATION": Stop.TRUNCATED,  # more would come in answer to another request, of a kind that we do not send
    "SAFETY": Stop.BLOCKED,
    "RECITATION": Stop.BLOCKED,  # with some text or none: what is left out would be lost silently
    "LANGUAGE": Stop.BLOCKED,  # an unsupported language: of the content, and the same next time
    "BLOCKLIST": Stop.BLOCKED,
    "PROHIBITED_CONTENT": Stop.BLOCKED,
    "SPII": Stop.BLOCKED,
    "MODEL_ARMOR": Stop.BLOCKED,
    "ESCALATION": Stop.BLOCKED,
    "IMAGE_SAFETY": Stop.BLOCKED,
    "IMAGE_PROHIBITED_CONTENT": Stop.BLOCKED,
    "IMAGE_RECITATION": Stop.BLOCKED,
}
BROKEN = {  # one sample's bad luck: tried again. An answer with any other word, or none, is judged by its content
    *("OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    *("NO_IMAGE", "IMAGE_OTHER"),
}
ENDS = {
    "PUP_LIMITED_DISABLED": Kind.AUTH,  # the account is limited for breaking the terms of use
    "MISSING_THOUGHT_SIGNATURE": Kind.INVALID_REQUEST,  # of the request, and the same next time
}
NUMBERS = (  # what Vertex says for the words when asked for `enum-encoding=int`, as a gateway may
    *("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST"),
    *("PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "MODEL_ARMOR"),
)
TIER = "x-gemini-service-tier"
REQUEST_IDS = ("x-goog-request-id", "x-request-id")


def reply_in(answer: HttpAnswer, lookups: tuple[Tool, ...] = (), record: str = "") -> Answer:
    """The answer in no dialect; `lookups` are what it may ask for before the `record`.

    Raises:
        CallFailed: it is none.
    """
    body = _answered(answer)
    if DAMAGED in body:
        told = _usage(body.get("usageMetadata"), "something")
        raise damage_of(answer, body, told, _request_id(answer, body), _tier(answer, body))
    text, finish = _content(body)
    usage = _usage(body.get("usageMetadata"), text)
    stop = None if finish in BROKEN or finish in ENDS else STOPS.get(finish, Stop.DONE)
    blocked = _blocked(body)
    if blocked and finish not in STOPS:
        stop, text, finish, usage = Stop.BLOCKED, "", blocked, as_told(usage)  # no model has read it
    if stop is Stop.DONE and lookups:
        own, calls = _asked(body)
        if asked := wanted(calls, lookups, record):
            text, stop = asked_text(own, asked), Stop.TOOLS
    if stop is None or (stop is Stop.DONE and not text):
        kind = ENDS.get(finish, Kind.NO_ANSWER)
        billed = usage if text or finish else as_told(usage)
        raise _failed(answer, body, kind, f"no usable content (finishReason {finish!r})", billed)
    return Answer(
        text,
        stop,
        finish,
        usage,
        model_version=string(body.get("modelVersion")) or None,
        provider_request_id=_request_id(answer, body),
        limits=limits_seen(answer.headers),
        retry_after_s=retry_after_s(answer.headers),
        tier=_tier(answer, body),
    )


def count_in(answer: HttpAnswer) -> int:
    """The tokens in an answer of countTokens.

    Raises:
        CallFailed: there are none.
    """
    body = _answered(answer)
    tokens = count(body.get("totalTokens"))
    if not tokens:
        raise _failed(answer, body, Kind.NO_ANSWER, "no totalTokens in the answer", None)
    return tokens


def _answered(answer: HttpAnswer) -> Mapping[str, Any]:
    """The body of a 200 without an error in it; raises CallFailed for all else."""
    told = parsed(answer.body)
    found = joined(told) if isinstance(told, list) else told
    body = mapping(found)
    if answer.status != 200 or body.get("error"):
        raise _failure(answer, body)
    if not isinstance(found, dict):
        kind = Kind.CONNECTION if answer.body == CUT_OFF else Kind.NO_ANSWER
        raise _failed(answer, body, kind, "the answer is not JSON, or ends in the middle", Usage())
    return body


def _failure(answer: HttpAnswer, body: Mapping[str, Any]) -> CallFailed:
    status = status_in(answer.status, body, answer.body)
    usage = as_told(_usage(body["usageMetadata"], "")) if "usageMetadata" in body else None
    return CallFailed(
        kind_of(status),
        shortened(status.message) or f"status {answer.status}",
        status=answer.status,
        retry_after_s=retry_after_s(answer.headers, status.message, status.waits),
        provider_request_id=_request_id(answer, body) or _told_id(status),
        usage=usage,
        limits=limits_seen(answer.headers) or limits_in(status),
        short=short_in(status),
        no_room=no_room_in(status),
    )


def _failed(answer: HttpAnswer, body: Mapping[str, Any], kind: Kind, message: str, usage: Usage | None) -> CallFailed:
    why = string(_candidate(body).get("finishMessage")) or answer.body[:200].decode("utf-8", "replace")
    text, finish = _content(body)
    return CallFailed(
        kind,
        shortened(f"{message}: {why}"),
        status=answer.status,
        provider_request_id=_request_id(answer, body),
        usage=usage,
        limits=limits_seen(answer.headers),
        finish_reason=finish or None,
        model_version=string(body.get("modelVersion")) or None,
        said=text,
        tier=_tier(answer, body),
    )


def _candidate(body: Mapping[str, Any]) -> Mapping[str, Any]:
    candidates = body.get("candidates")
    return mapping(candidates[0]) if isinstance(candidates, list) and candidates else {}


def _content(body: Mapping[str, Any]) -> tuple[str, str]:
    """(text, or the arguments of the function called; finish word) of the first candidate."""
    candidate = _candidate(body)
    parts = items(mapping(candidate.get("content")).get("parts"))
    called = called_with([("", call) for call in _calls(parts)], "")
    texts = [string(part.get("text")) for part in parts if part.get("thought") is not True]
    return "".join(texts) if called is None else called, _word(candidate.get("finishReason"))


def _asked(body: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], tuple[ToolCall, ...]]:
    """The functions that are called, and all parts, with the signatures of thoughts in them. Not all calls have ids."""
    parts = items(mapping(_candidate(body).get("content")).get("parts"))
    back = [one for one in parts if one.get("text") != "" or "thoughtSignature" in one]
    made = [mapping(one["functionCall"]) for one in parts if isinstance(one.get("functionCall"), dict)]
    named = ((string(one.get("id")), string(one.get("name")), dumped(mapping(one.get("args")))) for one in made)
    return back, tuple(ToolCall(*one) for one in named)


def _calls(parts: list[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        call = part.get("functionCall")
        if isinstance(call, dict):
            yield dumped(mapping(call.get("args")))  # which are left out when empty


def _word(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(NUMBERS):
        return NUMBERS[value]
    return string(value)


def _blocked(body: Mapping[str, Any]) -> str:
    """Why the prompt was blocked, or ""."""
    reason = mapping(body.get("promptFeedback")).get("blockReason")
    return str(reason) if isinstance(reason, str | int) and reason else ""


def _usage(usage: object, text: str) -> Usage:
    """The prompt's count includes cached tokens, the candidates' leaves thinking out; what is 0 is left out."""
    told = mapping(usage)
    thoughts = count(told.get("thoughtsTokenCount"))
    prompt, said = told_count(told.get("promptTokenCount")), told_count(told.get("candidatesTokenCount"))
    if said is None and not text:
        said = 0
    return usage_from(
        None if prompt is None else prompt + count(told.get("toolUsePromptTokenCount")),
        None if said is None else said + thoughts,
        cached=count(told.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def _tier(answer: HttpAnswer, body: Mapping[str, Any]) -> str:
    """Gemini's tier, or Vertex's kind of traffic."""
    told = mapping(body.get("usageMetadata"))
    return string(told.get("serviceTier")) or string(told.get("trafficType")) or answer.headers.get(TIER, "")


def _request_id(answer: HttpAnswer, body: Mapping[str, Any]) -> str | None:
    return string(body.get("responseId")) or next(
        (answer.headers[name] for name in REQUEST_IDS if answer.headers.get(name)), None
    )


def _told_id(status: GoogleStatus) -> str | None:
    return next((found for detail in status.details if (found := string(detail.get("requestId")))), None)
