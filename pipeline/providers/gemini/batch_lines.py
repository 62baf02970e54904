"""A line of a batch's results: the answer as generateContent would have given it, or its error. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.providers.batch_words import line_of
from pipeline.providers.batches import BatchLine, Fate
from pipeline.providers.hints import shortened
from pipeline.providers.json import encoded, mapping, parsed, string, told_count
from pipeline.types import HttpAnswer

CODES = {  # google.rpc.Code → its name, and what a live call is answered with
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 400),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}
STATUSES = dict(CODES.values())
CANCELLED = "CANCELLED"
NAMES = ("key", "custom_id")  # the second is what others write into `metadata`


def line_in(line: bytes) -> BatchLine | None:
    told = line_of(line)
    name = _name(told)
    if not name or not {"response", "error"} & told.keys():
        return None
    response, error = told.get("response"), told.get("error")
    if isinstance(response, dict) and response:
        return _answered(name, response)
    if error:
        return _refused(name, mapping(error) or {"message": string(error)})
    # Nobody says that it was not billed.
    return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, b"null"))


def _name(told: Mapping[str, Any]) -> str:
    metadata = mapping(told.get("metadata"))
    return string(told.get("key")) or next((found for key in NAMES if (found := string(metadata.get(key)))), "")


def _answered(name: str, response: Mapping[str, Any]) -> BatchLine:
    error = response.get("error")
    if error and "usageMetadata" not in response:
        return _refused(name, mapping(error) or {"message": string(error)})
    return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, encoded(response)))


def _refused(name: str, error: Mapping[str, Any]) -> BatchLine:
    word, answer = as_live(error)
    words = shortened(string(error.get("message")))
    if word == CANCELLED:
        return BatchLine(name, Fate.CANCELLED, error_code=word, error=words)
    return BatchLine(name, Fate.REFUSED, answer, word or str(answer.status), words)


def as_live(error: Mapping[str, Any]) -> tuple[str, HttpAnswer]:
    """The name of a Status, whose code is google.rpc's or that of HTTP, and what a live call is answered with."""
    code = told_count(error.get("code")) or 0
    word, status = CODES.get(code, (string(error.get("status")), code if 400 <= code < 600 else 0))
    status = status or STATUSES.get(word, 500)
    body = {"error": {**error, "code": status, **({"status": word} if word else {})}}
    return word, HttpAnswer(status, {}, encoded(body))


def vertex_line_in(line: bytes, label: str) -> BatchLine | None:
    """A line of Vertex AI's: the request as it was sent, with our name under `label`, its answer, and a status."""
    told = line_of(line)
    name = string(mapping(mapping(told.get("request")).get("labels")).get(label))
    if not name or not {"response", "status"} & told.keys():
        return None
    response, status = told.get("response"), string(told.get("status"))
    if isinstance(response, dict) and response:
        return _answered(name, response)
    if status:
        return _refused(name, _error_in(status))
    return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, b"null"))  # nobody says that it was not billed


def _error_in(status: str) -> Mapping[str, Any]:
    """Of words with an error in JSON among them: `Bad Request: {"error": {"code": 400, ...}}`."""
    told = mapping(parsed(status[status.find("{") :].encode())) if "{" in status else {}
    error = mapping(told.get("error"))
    if error:
        return error
    return {"message": status, **({"status": CANCELLED} if CANCELLED.lower() in status.lower() else {})}
