"""Azure OpenAI: its APIs at a resource, by deployment and dated version or by the v1 endpoint. Pure.

What differs from OpenAI's own: the key's header, where the model stands, what older versions do not know, the errors
of what stands before the model, and the marks that the content filter leaves on every answer.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from pipeline.sandbox.exchange import Answer, PageReader, Question, Received, Refused, Stamp, no_reader
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.wires.openai import azure_errors
from pipeline.sandbox.wires.openai.requests import REASONING, question_of
from pipeline.sandbox.wires.openai.responses import Responses
from pipeline.sandbox.wires.openai.wire import BAD_KEY, OpenAI, event

DATED = re.compile(r"^20\d\d-\d\d-\d\d(?:-preview)?$")
UNDATED = {"", "v1", "preview", "latest"}
REGION = "Sandbox"
HARMLESS = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
JAILBREAK = {"jailbreak": {"filtered": False, "detected": False}}
STREAM_OPTIONS_SINCE = NEW_CAP_SINCE = "2024-09-01"
NEW_CAP_FOR_ALL_SINCE = "2024-12-01"
SCHEMAS_SINCE = "2024-08-01"
RESPONSES_SINCE = "2025-03-01"


class AtAzure(OpenAI):
    """The resource, whatever is asked of it."""

    def authorise(self, received: Received) -> None:
        scheme, _, token = received.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            if token.strip() == BAD_KEY:
                raise azure_errors.bad_token()
            return
        key = received.headers.get("api-key", "").strip()
        if key in {"", BAD_KEY}:
            raise azure_errors.bad_key(missing=not key)

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:
        return azure_errors.throttled(question.model, denial, retry_after_s)

    def broken(self, status: int) -> Refused:
        return azure_errors.broken(status)

    def headers(self, stamp: Stamp) -> dict[str, str]:
        return {**super().headers(stamp), "apim-request-id": stamp.request_id, "x-ms-region": REGION}


class Azure(AtAzure):
    name = "azure"
    paths = ("/openai/deployments/{deployment}/chat/completions", "/openai/v1/chat/completions")

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        version = parse_qs(received.query).get("api-version", [""])[0]
        parts = received.path.strip("/").split("/")
        deployment = unquote(parts[2]) if parts[1] == "deployments" else None
        if deployment is None and version not in UNDATED:
            raise azure_errors.refusal(400, "BadRequest", "This API version is not supported here.")
        if deployment is not None:
            if not DATED.match(version):
                raise azure_errors.refusal(404, "404", "Resource not found")
            _check_version(received.body, version, deployment)
        try:
            return question_of(received.body, read, deployment, provider="azure")
        except Refused as refused:
            if refused.status == 404:
                raise azure_errors.no_deployment() from None
            raise

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        filtered = [{"prompt_index": 0, "content_filter_results": {**HARMLESS, **JAILBREAK}}]
        nothing = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": filtered}
        return [event(nothing), *super().events(question, answer)]

    def _completion(self, question: Question, answer: Answer) -> dict[str, Any]:
        whole = super()._completion(question, answer)
        whole["choices"][0]["content_filter_results"] = HARMLESS
        whole["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": {**HARMLESS, **JAILBREAK}}]
        return whole


class AzureResponses(AtAzure, Responses):
    name = "azure responses"
    paths = ("/openai/v1/responses", "/openai/responses")

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        version = parse_qs(received.query).get("api-version", [""])[0]
        if "/v1/" in received.path and version not in UNDATED:
            raise azure_errors.refusal(400, "BadRequest", "This API version is not supported here.")
        if "/v1/" not in received.path and not (DATED.match(version) and version >= RESPONSES_SINCE):
            raise azure_errors.refusal(404, "404", "Resource not found")
        try:
            return super().parse(received, read)
        except Refused as refused:
            raise azure_errors.no_deployment() if refused.status == 404 else refused from None


def _check_version(body: bytes, version: str, deployment: str) -> None:
    """What a version does not know, it refuses."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    if not isinstance(request, dict):
        return
    since = NEW_CAP_SINCE if REASONING.match(deployment) else NEW_CAP_FOR_ALL_SINCE
    for name, first in (("max_completion_tokens", since), ("stream_options", STREAM_OPTIONS_SINCE)):
        if name in request and version < first:
            raise azure_errors.refusal(400, None, f"Unrecognized request argument supplied: {name}")
    wanted = request.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema" and version < SCHEMAS_SINCE:
        text = f"The response_format json_schema needs an API version from {SCHEMAS_SINCE}-preview on."
        raise azure_errors.refusal(400, "BadRequest", text)
