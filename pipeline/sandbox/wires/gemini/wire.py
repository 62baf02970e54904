"""generateContent as Google's servers speak it: AI Studio (Gemini) and Vertex AI. Key, request, answer, stream. Pure.

Strict on the way in: what Google would refuse is refused, with its status, name and details.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

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
from pipeline.sandbox.files import Files
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.wires.gemini import errors as gemini_errors
from pipeline.sandbox.wires.gemini.fields import GEMINI, GEMINI_COUNT, VERTEX, VERTEX_COUNT, Spec
from pipeline.sandbox.wires.gemini.parts import Parts
from pipeline.sandbox.wires.gemini.requests import (
    SIGNATURE,
    ListQuestion,
    count_question_of,
    fields_of,
    object_in,
    question_of,
)

BAD_KEY = "invalid"
MISSING_MODEL = "missing-model"
PIECE_CHARS = 48  # of a streamed answer
METHODS = ("generateContent", "streamGenerateContent", "countTokens")
BLOCKED = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}


class Gemini:
    """AI Studio. Google has no word for an answer that declines: a refusal is played as one that safety stopped."""

    name = "gemini"
    service = "generativelanguage.googleapis.com"
    paths: tuple[str, ...] = ("/v1beta/models/{call}", "/v1beta/tunedModels/{call}", "/v1/models/{call}")
    stream_type = "text/event-stream"
    fields: Spec = GEMINI

    def authorise(self, received: Received) -> None:
        key = received.headers.get("x-goog-api-key") or _query(received, "key") or _bearer(received)
        if not key:
            text = "Method doesn't allow unregistered callers: send an API key in the header x-goog-api-key."
            raise gemini_errors.refusal(403, text)
        if key == BAD_KEY:
            raise gemini_errors.bad_key(self.service)

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        model, _, method = unquote(received.path).rpartition("/")[2].rpartition(":")
        if method not in METHODS:
            raise gemini_errors.refusal(404, f"Method not found: {method}")
        found = object_in(received.body)
        parts = Parts(Files(self.name, model, read), len(received.body))
        version = received.path.split("/")[1]
        if method == "countTokens":
            return self._counting(found, model, version, parts)
        request = fields_of(found, self.fields)
        self._check_model(model, version)
        as_list = _query(received, "alt") != "sse"
        return question_of(request, model, parts, stream=method == "streamGenerateContent", as_list=as_list)

    def counted(self, question: Question) -> bytes:
        details = [{"modality": "TEXT", "tokenCount": question.prompt_tokens}]
        return orjson.dumps({"totalTokens": question.prompt_tokens, "promptTokensDetails": details})

    def whole(self, question: Question, answer: Answer) -> bytes:
        if isinstance(question, ListQuestion):
            return b"[" + b"\n,\r\n".join(self._chunks(question, answer)) + b"\n]"
        candidate = self._candidate(answer, _parts(question, answer), _finish(question, answer))
        return orjson.dumps(self._body(answer, [candidate]))

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        return [b"data: " + chunk + b"\r\n\r\n" for chunk in self._chunks(question, answer)]

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:
        if denial is not None and denial.retry_after_s is None:
            return gemini_errors.never_fits(denial)
        return gemini_errors.throttled(question.model, denial, retry_after_s)

    def broken(self, status: int) -> Refused:
        return gemini_errors.broken(status)

    def headers(self, stamp: Stamp) -> dict[str, str]:
        """Nothing about limits, and no Retry-After: the wait is in the body."""
        return {
            "vary": "Origin, Referer, X-Origin",
            "x-content-type-options": "nosniff",
            "x-frame-options": "SAMEORIGIN",
            "x-xss-protection": "0",
            "server-timing": f"gfet4t7; dur={stamp.processing_ms}",
        }

    def _check_model(self, model: str, version: str) -> None:
        if model in {MISSING_MODEL, ""}:
            where = f"models/{model} is not found for API version {version}, or is not supported for generateContent."
            raise gemini_errors.refusal(404, where)

    def _counting(self, found: Mapping[str, Any], model: str, version: str, parts: Parts) -> Question:
        request = fields_of(found, GEMINI_COUNT)
        self._check_model(model, version)
        inner = request.get("generateContentRequest")
        if (inner is None) == (request.get("contents") is None):
            text = "CountTokens requires one of generate_content_request and contents to be set."
            raise gemini_errors.refusal(400, text)
        if inner is not None and not inner.get("model"):
            text = "* CountTokensRequest.generate_content_request.model: model is not specified\n"
            raise gemini_errors.refusal(400, text)
        return count_question_of(inner if inner is not None else request, model, parts)

    def _chunks(self, question: Question, answer: Answer) -> list[bytes]:
        """The answer piece by piece; a function call comes whole, and the ending with nothing."""
        finish = _finish(question, answer)
        parts = _parts(question, answer)
        if len(parts) == 1 and "text" in parts[0]:
            text = parts[0]["text"]
            parts = [{"text": text[start : start + PIECE_CHARS]} for start in range(0, len(text), PIECE_CHARS)]
        last = [{"text": ""}] if parts else []
        candidates = [self._candidate(answer, [part], "") for part in parts]
        candidates.append(self._candidate(answer, last, finish))
        return [orjson.dumps(self._body(answer, [candidate])) for candidate in candidates]

    def _candidate(self, answer: Answer, parts: list[dict[str, Any]], finish: str) -> dict[str, Any]:
        """One without parts has none, and when it was blocked no role either."""
        blocked = answer.ending is Ending.REFUSED
        content: dict[str, Any] = {} if blocked else {"parts": parts, "role": "model"} if parts else {"role": "model"}
        ending = {"finishReason": finish} if finish else {}
        ratings = {"safetyRatings": [BLOCKED]} if blocked else {}
        return {"content": content, **ending, "index": 0, **ratings}

    def _body(self, answer: Answer, candidates: list[dict[str, Any]]) -> dict[str, Any]:
        usage = {**_usage(answer), "serviceTier": "standard"}
        named = {"modelVersion": MODEL_VERSION, "responseId": answer.id}
        return {"candidates": candidates, "usageMetadata": usage, **named}


class Vertex(Gemini):
    """Vertex AI: a bearer token, or an API key on the paths without a project (express mode)."""

    name = "vertex"
    service = "aiplatform.googleapis.com"
    paths = tuple(
        f"/{version}/{path}/{{call}}"
        for version in ("v1", "v1beta1")
        for path in (
            "projects/{project}/locations/{region}/publishers/google/models",
            "projects/{project}/locations/{region}/endpoints",
            "publishers/google/models",
        )
    )
    fields: Spec = VERTEX

    def authorise(self, received: Received) -> None:
        token, key = _bearer(received), received.headers.get("x-goog-api-key") or _query(received, "key")
        express = received.path.split("/")[2] == "publishers"
        if key and express and not token:
            if key == BAD_KEY:
                raise gemini_errors.bad_key(self.service)
            return
        if not token:
            missing = (
                "API keys are not supported by this API" if key else "The request has no authentication credential"
            )
            why = gemini_errors.reason("CREDENTIALS_MISSING", self.service)
            raise gemini_errors.refusal(401, f"{missing}. Expected an OAuth 2 access token.", why)
        if token == BAD_KEY:
            why = gemini_errors.reason("ACCESS_TOKEN_TYPE_UNSUPPORTED", self.service)
            text = "The request has an invalid authentication credential. Expected an OAuth 2 access token."
            raise gemini_errors.refusal(401, text, why)

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:  # noqa: ARG002 (Vertex tells neither)
        """Nothing says which limit, or how long to wait."""
        if denial is not None and denial.retry_after_s is None:
            return gemini_errors.never_fits(denial)
        return gemini_errors.refusal(429, "Resource exhausted. Try again later.")

    def _check_model(self, model: str, version: str) -> None:  # noqa: ARG002 (AI Studio names it)
        if model in {MISSING_MODEL, ""}:
            text = f"Publisher Model `{model}` was not found or your project does not have access to it."
            raise gemini_errors.refusal(404, text)

    def _counting(self, found: Mapping[str, Any], model: str, version: str, parts: Parts) -> Question:
        request = fields_of(found, VERTEX_COUNT)
        self._check_model(model, version)
        return count_question_of(request, model, parts)

    def _candidate(self, answer: Answer, parts: list[dict[str, Any]], finish: str) -> dict[str, Any]:
        candidate = super()._candidate(answer, parts, finish)
        del candidate["index"]
        return candidate

    def _body(self, answer: Answer, candidates: list[dict[str, Any]]) -> dict[str, Any]:
        created = datetime.fromtimestamp(answer.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = super()._body(answer, candidates)
        usage = {name: value for name, value in body["usageMetadata"].items() if name != "serviceTier"}
        return {**body, "usageMetadata": {**usage, "trafficType": "ON_DEMAND"}, "createTime": created}


def _parts(question: Question, answer: Answer) -> list[dict[str, Any]]:
    if answer.ending is Ending.REFUSED or not answer.text:
        return []
    if answer.calls:
        return [
            {"functionCall": {"name": call.name, "args": orjson.loads(call.arguments)}, "thoughtSignature": SIGNATURE}
            for call in answer.calls
        ]
    if question.tool is None:
        return [{"text": answer.text}]
    arguments = _arguments(answer)
    return [] if arguments is None else [{"functionCall": {"name": question.tool, "args": arguments}}]


def _finish(question: Question, answer: Answer) -> str:
    if answer.ending is Ending.REFUSED:
        return "SAFETY"
    if answer.ending is Ending.TRUNCATED:
        return "MAX_TOKENS"
    if answer.calls:
        return "STOP"
    return "MALFORMED_FUNCTION_CALL" if question.tool is not None and _arguments(answer) is None else "STOP"


def _arguments(answer: Answer) -> dict[str, Any] | None:
    """Of a function call; None where the text is no object, as when it was cut or spoiled."""
    try:
        found = orjson.loads(answer.text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _usage(answer: Answer) -> dict[str, Any]:
    """Counts of 0 are left out; what safety stopped counts too."""
    prompt, output = answer.prompt_tokens, answer.completion_tokens
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": output, "totalTokenCount": prompt + output}
    details = {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]}
    return {**{name: count for name, count in counts.items() if count}, **details}


def _query(received: Received, name: str) -> str:
    return parse_qs(received.query).get(name, [""])[0]


def _bearer(received: Received) -> str:
    scheme, _, token = received.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
