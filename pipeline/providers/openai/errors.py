"""Why an answer is none: the errors of OpenAI, Azure, and the servers and gateways that speak their dialect. Pure.

Structured code first, then status, and the text only where these leave open what matters.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.providers.file_words import OF_FILES
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.json import dumped, items, mapping, string
from pipeline.providers.openai.answers import Content, usage_of
from pipeline.providers.statuses import BY_STATUS
from pipeline.providers.usage import as_told
from pipeline.types import Dimension, HttpAnswer

CODES = {  # `code` or `type` of an error, in lower case
    name: kind
    for kind, names in {
        Kind.QUOTA: "insufficient_quota credit_balance_exhausted billing_hard_limit_reached billing_not_active"
        " organization_spend_limit_exceeded project_spend_limit_exceeded organization_usage_limit_exceeded"
        " budget_exceeded insufficient_credits insufficient_balance billing_error",
        Kind.AUTH: "invalid_api_key authentication_error auth_error expired_key account_deactivated access_terminated"
        " ip_not_authorized missing_scope invalid_organization mismatched_organization mismatched_project"
        " permission_error permissiondenied unauthorized unsupported_country_region_territory",
        Kind.MODEL_UNAVAILABLE: "model_not_found deploymentnotfound invalid_model unknown_model unavailable_model"
        " model_deprecated modeldeprecated model_decommissioned model_not_available model_terms_required"
        " key_model_access_denied team_model_access_denied user_model_access_denied org_model_access_denied"
        " model_permission_blocked_org model_permission_blocked_project operationnotsupported",
        Kind.CONTEXT_EXCEEDED: "context_length_exceeded string_above_max_length exceed_context_size_error"
        " request_too_large tokens_limit_reached contextwindowexceedederror",
        Kind.BLOCKED: "content_filter responsibleaipolicyviolation content_policy_violation bio_policy invalid_prompt"
        " misalignment_policy_violation image_content_policy_violation contentpolicyviolationerror moderation_blocked"
        " data_inspection_failed",
        Kind.THROTTLED: "rate_limit_exceeded ratelimitreached rate_limit_error slow_down too_many_requests"
        " toomanyrequests throttling_error",
        Kind.OVERLOADED: "server_error server_is_overloaded overloaded_error engine_overloaded_error nocapacity"
        " capacity_exceeded resource_unavailable service_unavailable internalservererror vector_store_timeout",
        Kind.INVALID_REQUEST: "data_residency_mismatch invalid_image invalid_image_format invalid_base64_image"
        " invalid_image_url image_too_large image_too_small image_parse_error invalid_image_mode image_file_too_large"
        " unsupported_image_media_type empty_image_file failed_to_download_image image_file_not_found",
        Kind.NO_ANSWER: "json_validate_failed tool_use_failed output_parse_failed",  # Groq: the model's fault
    }.items()
    for name in names.split()
}
STATUSES = {**BY_STATUS, 407: Kind.AUTH, 410: Kind.MODEL_UNAVAILABLE, 498: Kind.OVERLOADED}
NEVER_FITS = re.compile(r"request too large", re.IGNORECASE)
ASKED = re.compile(r"\blimit:? (\d{1,15})\b.{0,80}?\brequested:? (\d{1,15})\b", re.IGNORECASE | re.DOTALL)
PER_DAY = re.compile(r"per[\s_-]?day|\((?:TPD|RPD)\)", re.IGNORECASE)
EMPTY = re.compile(
    r"current quota|insufficient (?:balance|credit|funds|quota)|credit balance|out of credits|available credits"
    r"|spending limit|call volume quota|budget has been exceeded|account is not active",
    re.IGNORECASE,
)
TOO_LONG = re.compile(
    r"context (?:length|size|window)|maximum model length|too many (?:input )?tokens|(?:prompt|input) is too long"
    r"|inputs` tokens|reduce the length|request too large|maximum input length",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model\b.{0,120}?(?:not exist|not found|deprecated|decommissioned|no longer available)"
    r"|(?:unknown|unsupported|invalid|no such) model|not a valid model|access to (?:the )?model"
    r"|no endpoints found|deployment\b.{0,80}?not exist|organization must be verified|^resource not found"
    r"|only supported in v1/|not a chat model",
    re.IGNORECASE | re.DOTALL,
)
OTHER_API = re.compile(r"only supported in v1/responses|not a chat model|chatCompletion operation does not work")
SET_API = '{} (Set model.api = "responses" if it is a model of the Responses API.)'
FILTERED = re.compile(
    r"content management policy|content[_ ]?policy ?violation|usage polic|safety system|\bflagged\b", re.IGNORECASE
)
FLAGGED = re.compile(r"\bflagged\b", re.IGNORECASE)
BAD_KEY = re.compile(r"(?:incorrect|invalid|missing|no) api[ _]key|api key (?:not valid|is|expired)", re.IGNORECASE)
REFINED = (  # (by code or status, what the text says, what it then is)
    (Kind.THROTTLED, NEVER_FITS, Kind.CONTEXT_EXCEEDED),
    (Kind.THROTTLED, PER_DAY, Kind.QUOTA),
    (Kind.AUTH, FLAGGED, Kind.BLOCKED),
    (Kind.AUTH, EMPTY, Kind.QUOTA),
    (Kind.AUTH, NO_MODEL, Kind.MODEL_UNAVAILABLE),
    *((Kind.INVALID_REQUEST, words, kind) for words, kind in OF_FILES),
    (Kind.INVALID_REQUEST, BAD_KEY, Kind.AUTH),
    (Kind.INVALID_REQUEST, EMPTY, Kind.QUOTA),
    (Kind.INVALID_REQUEST, FILTERED, Kind.BLOCKED),
    (Kind.INVALID_REQUEST, TOO_LONG, Kind.CONTEXT_EXCEEDED),
    (Kind.INVALID_REQUEST, NO_MODEL, Kind.MODEL_UNAVAILABLE),
)
NO_ROOM = re.compile(r"resource[\s_]unavailable|capacity_exceeded", re.IGNORECASE)  # OpenAI's flex, and Groq's
START_BYTES = 500
SHORT = {"requests": Dimension.REQUESTS, "tokens": Dimension.TOKENS}  # the `type` of a 429


def is_error(body: object) -> bool:
    """Whether a body of status 200 is an error all the same."""
    if isinstance(body, list):
        return True
    told = mapping(body)
    choice = next(iter(items(told.get("choices"))), {})
    return bool(told.get("error") or choice.get("error") or told.get("object") == "error")


def failure_of(answer: HttpAnswer, body: object) -> CallFailed:
    """The error of an answer; `body` is the answer's, parsed, or None."""
    details = _details(body)
    message = _message(details) or _fallback(answer)
    if OTHER_API.search(message):
        message = SET_API.format(message)
    hint = retry_after_s(answer.headers, message, details)
    told = mapping(body)
    return CallFailed(
        _kind(answer, details, f"{message}\n{_quotas(details)}", hint),
        shortened(message),
        status=answer.status,
        retry_after_s=hint,
        provider_request_id=request_id(answer, told),
        usage=as_told(usage_of(told["usage"])) if isinstance(told.get("usage"), dict) else None,
        limits=limits_seen(answer.headers),
        model_version=string(told.get("model")) or None,
        short=SHORT.get(string(details.get("type")).lower()),
        no_room=_no_room(answer.status, details, message),
    )


def no_answer(answer: HttpAnswer, body: Mapping[str, Any], message: str, content: Content) -> CallFailed:
    """A 200 that holds no answer. Where the model said nothing, not even its end, only what is told is billed."""
    usage = usage_of(body.get("usage"))
    start = answer.body[:START_BYTES].decode("utf-8", "replace")
    return CallFailed(
        Kind.NO_ANSWER,
        shortened(f"{message}: {start}"),
        status=answer.status,
        provider_request_id=request_id(answer, body),
        usage=usage if content.text or content.finish else as_told(usage),
        limits=limits_seen(answer.headers),
        finish_reason=content.finish or None,
        model_version=string(body.get("model")) or None,
        said=content.text,
        tier=string(body.get("service_tier")),
    )


def request_id(answer: HttpAnswer, body: Mapping[str, Any]) -> str | None:
    """Of the headers, else the answer's own id."""
    found = answer.headers.get("x-request-id") or answer.headers.get("apim-request-id") or string(body.get("id"))
    return found.encode(errors="replace").decode() or None


def _kind(answer: HttpAnswer, details: Mapping[str, Any], message: str, hint_s: float | None) -> Kind:
    status = next(_statuses(details), answer.status)
    if status == 429 and _no_room(status, details, message):
        return Kind.THROTTLED
    kind = _by_code(details, status) or _by_status(status)
    if kind is Kind.THROTTLED and _exceeds(message):
        return Kind.CONTEXT_EXCEEDED
    for before, text, after in REFINED:
        if kind is before and text.search(message):
            return after
    if kind is Kind.THROTTLED and hint_s is None:
        never = answer.headers.get("x-should-retry") == "false"
        return Kind.QUOTA if never or EMPTY.search(message) else kind
    if kind is Kind.QUOTA and status == 402 and hint_s is not None:  # OpenRouter: credit is in flight
        return Kind.THROTTLED
    return kind


def _no_room(status: int, details: Mapping[str, Any], message: str) -> bool:
    """Whether the service tier has no room now: developers.openai.com, flex processing: a 429 that is not billed."""
    return status in {429, 498, 503} and NO_ROOM.search(" ".join((*_codes(details), message))) is not None


def _by_code(details: Mapping[str, Any], status: int) -> Kind | None:
    for code in _codes(details):
        if code in CODES and not (code == "server_error" and 400 <= status < 500):
            return CODES[code]
    return None


def _by_status(status: int) -> Kind:
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Kind.OVERLOADED
    return Kind.NO_ANSWER if status < 400 else Kind.INVALID_REQUEST


def _codes(details: Mapping[str, Any]) -> Iterator[str]:
    inner = mapping(details.get("innererror"))
    for value in (details.get("code"), details.get("type"), inner.get("code"), details.get("error_type")):
        yield string(value).lower()


def _statuses(details: Mapping[str, Any]) -> Iterator[int]:
    """A status within the error: gateways wrap those of others, some in a 200."""
    for name in ("code", "status", "statusCode"):
        value = details.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            yield value


def _details(body: object) -> Mapping[str, Any]:
    """The error itself, wherever it stands: in `error`, in a choice, in a list, or at the top."""
    top = mapping(next(iter(items(body)), {}) if isinstance(body, list) else body)
    error = top.get("error") or next(iter(items(top.get("choices"))), {}).get("error")
    if isinstance(error, dict):
        return error
    return {**top, "message": error} if isinstance(error, str) else top


def _message(details: Mapping[str, Any]) -> str:
    found = next((details[name] for name in ("message", "detail", "error_description") if details.get(name)), "")
    text = found if isinstance(found, str) else dumped(found)
    raw = string(mapping(details.get("metadata")).get("raw"))  # OpenRouter: what the provider behind it said
    return f"{text}: {raw}" if raw else text


def _quotas(details: Mapping[str, Any]) -> str:
    """The names of the quotas that Google says are used up."""
    violations = (one for detail in items(details.get("details")) for one in items(detail.get("violations")))
    return " ".join(string(violation.get("quotaId")) for violation in violations)


def _fallback(answer: HttpAnswer) -> str:
    where = answer.headers.get("location", "")
    text = answer.body[:START_BYTES].decode("utf-8", "replace").strip()
    return f"redirected to {where}" if 300 <= answer.status < 400 and where else text or f"status {answer.status}"


def _exceeds(message: str) -> bool:
    """Whether the text says that the request is larger than the whole limit."""
    found = ASKED.search(message)
    return found is not None and int(found.group(2)) > int(found.group(1))
