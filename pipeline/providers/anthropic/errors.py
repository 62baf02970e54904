"""What Anthropic's servers, and what stands before them, say when there is no answer → a typed failure. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.providers.file_words import OF_FILES
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.json import mapping, string
from pipeline.providers.statuses import BY_STATUS
from pipeline.types import HttpAnswer

ERROR_CODES = {  # error.details.error_code, which names the cause; most errors have none
    "enforced_spend_limit_reached": Kind.QUOTA,
    "contract_spend_limit_reached": Kind.QUOTA,
    "linked_organization_spend_limit_reached": Kind.QUOTA,
    "linked_organization_billing_unavailable": Kind.QUOTA,
    "ramp_limit_exceeded": Kind.THROTTLED,
    "organization_on_hold": Kind.AUTH,
    "organization_type_not_supported": Kind.AUTH,
    "cmek_key_disabled": Kind.AUTH,
    "cmek_key_network_blocked": Kind.AUTH,
    "cmek_key_unreachable": Kind.OVERLOADED,
    "cmek_context_unavailable": Kind.OVERLOADED,
    "request_body_too_large_after_decoding": Kind.CONTEXT_EXCEEDED,
    "image_dimensions_too_large": Kind.CONTEXT_EXCEEDED,  # of more than 20 images less is taken of each
}
ERROR_TYPES = {  # error.type; `invalid_request_error` is left to the status: it is used for any 4xx
    "authentication_error": Kind.AUTH,
    "permission_error": Kind.AUTH,
    "billing_error": Kind.QUOTA,
    "not_found_error": Kind.MODEL_UNAVAILABLE,  # the only thing that a request for a message names
    "rate_limit_error": Kind.THROTTLED,
    "request_too_large": Kind.CONTEXT_EXCEEDED,
    "overloaded_error": Kind.OVERLOADED,
    "timeout_error": Kind.OVERLOADED,
    "conflict_error": Kind.OVERLOADED,
    "api_error": Kind.OVERLOADED,
}
NO_CREDIT = re.compile(r"credit balance|api usage limits|(?:spend|spending|billing) limit", re.IGNORECASE)
PER_DAY = re.compile(r"per day|daily", re.IGNORECASE)
LONG_CONTEXT = re.compile(r"long context", re.IGNORECASE)
TOO_LONG = re.compile(
    r"(?:prompt|input|request) is too (?:long|large)|exceeds the maximum size|context (?:window|length|limit)",
    re.IGNORECASE,
)
FILTERED = re.compile(r"content filter", re.IGNORECASE)
DISABLED = re.compile(r"organization has been disabled", re.IGNORECASE)
OF_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)
NOWHERE = re.compile(r"^\W*not[ _]found\W*$|\b(?:page|path|url|endpoint|route)\b", re.IGNORECASE)
TOLD = {  # what only the words tell apart: kind by code, type or status → the first of these that the message fits
    Kind.INVALID_REQUEST: (
        *OF_FILES,
        (NO_CREDIT, Kind.QUOTA),  # out of credit, and the spend limit that one sets oneself, are a 400
        (TOO_LONG, Kind.CONTEXT_EXCEEDED),
        (FILTERED, Kind.BLOCKED),
        (DISABLED, Kind.AUTH),
    ),
    Kind.THROTTLED: (
        (NO_CREDIT, Kind.QUOTA),
        (PER_DAY, Kind.QUOTA),
        (LONG_CONTEXT, Kind.CONTEXT_EXCEEDED),  # an account without long prompts: no waiting makes this one fit
    ),
    Kind.AUTH: ((OF_MODEL, Kind.MODEL_UNAVAILABLE),),
    Kind.MODEL_UNAVAILABLE: ((NOWHERE, Kind.INVALID_REQUEST),),
    Kind.OVERLOADED: ((FILTERED, Kind.BLOCKED),),
}


def is_error(body: object) -> bool:
    return isinstance(body, dict) and (body.get("type") == "error" or bool(body.get("error")))


def failure_of(answer: HttpAnswer, body: object) -> CallFailed:
    """The failure in an answer that is none: of a status other than 200, or of an error in the middle of a stream."""
    error = _error(body)
    message = string(error.get("message")) or answer.body[:500].decode("utf-8", "replace")
    return CallFailed(
        kind_of(answer.status, error, message),
        shortened(message) or f"status {answer.status}",
        status=answer.status,
        retry_after_s=retry_after_s(answer.headers, message, error),
        provider_request_id=request_id(answer.headers, body),
        limits=limits_seen(answer.headers),
    )


def kind_of(status: int, error: Mapping[str, Any], message: str) -> Kind:
    """By the code that names the cause, then by the error's type, then by status; by text last."""
    code = string(mapping(error.get("details")).get("error_code"))
    if code in ERROR_CODES:
        return ERROR_CODES[code]
    kind = _kind_of_type(status, string(error.get("type")))
    if status == 404 and kind is Kind.INVALID_REQUEST and OF_MODEL.search(message):
        return Kind.MODEL_UNAVAILABLE
    return next((told for words, told in TOLD.get(kind, ()) if words.search(message)), kind)


def request_id(headers: Mapping[str, str], body: object) -> str | None:
    return headers.get("request-id") or string(mapping(body).get("request_id")) or None


def _kind_of_type(status: int, kind_word: str) -> Kind:
    kind = ERROR_TYPES.get(kind_word)
    if kind is not None and not (kind_word == "api_error" and 400 <= status < 500):
        return kind
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return Kind.OVERLOADED
    if status < 400 and kind_word != "invalid_request_error":
        return Kind.NO_ANSWER
    return Kind.INVALID_REQUEST


def _error(body: object) -> Mapping[str, Any]:
    """The error object, however deep: as Anthropic sends it, bare, or as a gateway's one string."""
    if not isinstance(body, dict):
        return {}
    error = body.get("error")
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else body
