"""Why Bedrock gave no answer, by its own exception names first, by status next, by its words last. Pure.

The name of the exception is in the header x-amzn-errortype, in the body's `__type`, or is an event of a stream. A
recorded error may have lost both; then status and words are all there is.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.providers.file_words import OF_FILES
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.json import mapping, string
from pipeline.providers.statuses import BY_STATUS
from pipeline.types import HttpAnswer, Usage

CUT_OFF = b""  # what a stream without its end is put together to
CODES = {
    "ThrottlingException": Kind.THROTTLED,
    "Throttling": Kind.THROTTLED,
    "ThrottledException": Kind.THROTTLED,
    "TooManyRequestsException": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "ServiceQuotaExceededException": Kind.THROTTLED,  # "you can resubmit your request later": a minute's quota
    "ModelNotReadyException": Kind.OVERLOADED,  # the service model says throttling: false; a model being loaded
    "ModelTimeoutException": Kind.OVERLOADED,
    "ModelErrorException": Kind.OVERLOADED,
    "ModelStreamErrorException": Kind.OVERLOADED,
    "InternalServerException": Kind.OVERLOADED,
    "InternalFailure": Kind.OVERLOADED,
    "InternalServerError": Kind.OVERLOADED,
    "ServiceUnavailableException": Kind.OVERLOADED,
    "ServiceUnavailable": Kind.OVERLOADED,
    "ConflictException": Kind.OVERLOADED,
    "ResourceNotFoundException": Kind.MODEL_UNAVAILABLE,
    "ResourceNotFound": Kind.MODEL_UNAVAILABLE,
    "FTUFormNotFilled": Kind.MODEL_UNAVAILABLE,
    "BadCScoreException": Kind.MODEL_UNAVAILABLE,
    "MPAgreementBeingCreated": Kind.MODEL_UNAVAILABLE,
    "AccessDeniedException": Kind.AUTH,
    "AccessDenied": Kind.AUTH,
    "NotAuthorized": Kind.AUTH,
    "OptInRequired": Kind.AUTH,
    "UnrecognizedClientException": Kind.AUTH,
    "InvalidClientTokenId": Kind.AUTH,
    "ExpiredTokenException": Kind.AUTH,
    "ExpiredToken": Kind.AUTH,
    "RequestExpired": Kind.AUTH,
    "InvalidSignatureException": Kind.AUTH,
    "SignatureDoesNotMatch": Kind.AUTH,
    "IncompleteSignature": Kind.AUTH,
    "IncompleteSignatureException": Kind.AUTH,
    "MissingAuthenticationToken": Kind.AUTH,
    "MissingAuthenticationTokenException": Kind.AUTH,
}
TOO_LONG = re.compile(
    r"(?:input|prompt|request|conversation|document) is too (?:long|large)|too many (?:total )?(?:input|prompt) tokens"
    r"|input tokens? exceeded|maximum (?:context|input|prompt|sequence) length|context (?:limit|window|length)"
    r"|(?:input|prompt|context) length .{0,40}exceed|exceeds? (?:the )?(?:model'?s? )?max(?:imum)? (?:context|input)"
    r"|number of input tokens|too many tokens: |total text bytes|expected maxLength"
    r"|reduce (?:the )?(?:length|size) of (?:the |your )?(?:prompt|input|message)"
    r"|value at '(?:body|prompt|inputText|system|messages)[^']*' failed .{0,80}length less than or equal",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model (?:identifier|id) is (?:invalid|not)|on-demand throughput|value (?:'[^']*' )?at 'modelId'"
    r"|(?:could not|cannot|unable to) (?:resolve|find) the foundation model|end of (?:its )?life|marked .{0,40}legacy"
    r"|access to the model|model access is denied|use case details|aws-marketplace"
    r"|not authori[sz]ed to access this model|not (?:supported|available) in (?:this|the|your) region"
    r"|model .{0,80}(?:does not exist|not found|has been retired|is not available)",
    re.IGNORECASE,
)
PER_DAY = re.compile(r"per day|daily|per month", re.IGNORECASE)
FILTERED = re.compile(r"content (?:filter|moderation|policy)|blocked by", re.IGNORECASE)
NOT_ALLOWED = re.compile(r"^operation not allowed|account .{0,40}(?:suspended|not authori[sz]ed)", re.IGNORECASE)
SPOKEN_FOR = (  # what a refusal of the request can mean, by its words
    *OF_FILES,
    (TOO_LONG, Kind.CONTEXT_EXCEEDED),
    (NO_MODEL, Kind.MODEL_UNAVAILABLE),
    (FILTERED, Kind.BLOCKED),
    (NOT_ALLOWED, Kind.AUTH),
)


def failure(answer: HttpAnswer, body: object) -> CallFailed:
    """What an answer that is an error means."""
    details = _details(body)
    message = _message(details) or answer.body[:500].decode("utf-8", "replace")
    code = _code(answer.headers, details)
    return CallFailed(
        _kind(answer.status, code, message),
        shortened(f"{code}: {message}" if code else message) or f"status {answer.status}",
        status=answer.status,
        retry_after_s=retry_after_s(answer.headers, message, details),
        provider_request_id=request_id(answer.headers),
        limits=limits_seen(answer.headers),
        no_room=code.startswith("ServiceUnavailable"),
    )


def no_answer(answer: HttpAnswer, message: str, usage: Usage | None = None, finish: str | None = None) -> CallFailed:
    """A 200 that holds no answer; one that was cut off is the connection's failure."""
    start = shortened(answer.body[:200].decode("utf-8", "replace"))
    return CallFailed(
        Kind.CONNECTION if answer.body == CUT_OFF else Kind.NO_ANSWER,
        f"{message}: {start}",
        status=answer.status,
        provider_request_id=request_id(answer.headers),
        usage=usage,
        limits=limits_seen(answer.headers),
        finish_reason=finish,
    )


def is_error(answer: HttpAnswer, body: object) -> bool:
    """An exception in the middle of a stream comes with the status 200, and so may one that a proxy wrapped."""
    return answer.status != 200 or "x-amzn-errortype" in answer.headers or bool(_code({}, _details(body)))


def request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")


def _kind(status: int, code: str, message: str) -> Kind:
    kind = CODES.get(code)
    if kind is None and not code.startswith("Validation"):
        kind = _by_status(status)
    if kind is Kind.THROTTLED and PER_DAY.search(message):
        return Kind.QUOTA
    if kind is Kind.AUTH and NO_MODEL.search(message):
        return Kind.MODEL_UNAVAILABLE
    if code.startswith("Model"):  # it may be the model's own refusal, passed on as its failure
        own = ((TOO_LONG, Kind.CONTEXT_EXCEEDED), *OF_FILES)
        kind = next((told for words, told in own if words.search(message)), kind)
    if kind is not None:
        return kind
    return next((kind for words, kind in SPOKEN_FOR if words.search(message)), Kind.INVALID_REQUEST)


def _by_status(status: int) -> Kind | None:
    """None for a refusal of the request, whose words say more."""
    if status < 400:
        return Kind.NO_ANSWER
    return Kind.OVERLOADED if status >= 500 else BY_STATUS.get(status)


def _details(body: object) -> Mapping[str, Any]:
    """The object that holds the error, however it is wrapped."""
    outer = mapping(body)
    for name in ("Output", "error", "Error"):
        if isinstance(outer.get(name), dict) and not {"output", "__type"} & outer.keys():
            return mapping(outer[name])
    return outer


def _code(headers: Mapping[str, str], details: Mapping[str, Any]) -> str:
    """`ThrottlingException` of `com.amazon.bedrock#ThrottlingException:http://…`, or of `throttlingException`."""
    named = headers.get("x-amzn-errortype") or string(details.get("__type")) or string(details.get("code"))
    name = named.partition(":")[0].rpartition("#")[2].strip()
    return name[:1].upper() + name[1:]


def _message(details: Mapping[str, Any]) -> str:
    return string(details.get("message")) or string(details.get("Message"))
