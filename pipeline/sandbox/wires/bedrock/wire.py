"""Amazon Bedrock's runtime, as far as Converse goes: signature, request, answer, stream, counting, errors.

Strict on the way in: what the provider would refuse is refused, with its status and exception. Pure but for the time
of day, which a signature is held against.
"""

import base64
import binascii
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from pipeline.catalog.names import REGION, bare_model
from pipeline.sandbox.exchange import Answer, PageReader, Question, Received, Refused, Stamp, no_reader
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.wires.bedrock import errors as bedrock_errors
from pipeline.sandbox.wires.bedrock import sigv4
from pipeline.sandbox.wires.bedrock.answers import converse_events, whole
from pipeline.sandbox.wires.bedrock.frames import STREAM_TYPE
from pipeline.sandbox.wires.bedrock.invoke_requests import invoke_question
from pipeline.sandbox.wires.bedrock.requests import converse_question, known_only, model_of, object_of

BAD_KEY = "invalid"
COUNT_PATH = "/model/{model}/count-tokens"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Runtime:
    """What all operations of the service have in common."""

    name = "bedrock"
    stream_type = STREAM_TYPE

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now

    def authorise(self, received: Received) -> None:
        """A bearer token (a Bedrock API key), or a signature by one of the sandbox's own access keys."""
        scheme, _, rest = received.headers.get("authorization", "").partition(" ")
        if scheme == sigv4.ALGORITHM:
            problem = sigv4.problem(received, self._now())
            if problem is not None:
                raise bedrock_errors.refusal(problem.status, problem.code, problem.message)
        elif scheme.lower() != "bearer" or not rest.strip():
            text = "Missing Authentication Token"
            raise bedrock_errors.refusal(403, "MissingAuthenticationTokenException", text)
        elif rest.strip() == BAD_KEY:
            text = "Authentication failed: Please make sure your API Key is valid."
            raise bedrock_errors.refusal(403, "AccessDeniedException", text)

    def counted(self, question: Question) -> bytes:
        return orjson.dumps({"inputTokens": question.prompt_tokens})

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:  # noqa: ARG002 (it gives no hint)
        return bedrock_errors.throttled(denial)

    def broken(self, status: int) -> Refused:
        return bedrock_errors.broken(status)

    def headers(self, stamp: Stamp) -> dict[str, str]:
        """No limits and no hints: the service sends none."""
        return {"x-amzn-requestid": str(uuid.uuid5(uuid.NAMESPACE_OID, stamp.request_id))}


class Converse(Runtime):
    paths: tuple[str, ...] = ("/model/{model}/converse", "/model/{model}/converse-stream", COUNT_PATH)

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        model, request = model_of(received), object_of(received.body)
        if received.path.endswith("/count-tokens"):
            return counting_question(model, request, read)
        return converse_question(model, request, read, stream=received.path.endswith("-stream"))

    def whole(self, question: Question, answer: Answer) -> bytes:
        return orjson.dumps(whole(question, answer))

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        return converse_events(question, answer)


def counting_question(model: str, request: dict[str, object], read: PageReader) -> Question:
    """A request to be counted. Claude only, by its own name: no profile.

    Raises:
        Refused: as the provider would.
    """
    known_only(request, {"input"})
    inner = request.get("input")
    if not isinstance(inner, dict) or len(inner) != 1 or not set(inner) <= {"converse", "invokeModel"}:
        raise bedrock_errors.invalid("input must have exactly one of converse and invokeModel.")
    if not bare_model(model).startswith("claude") or model.startswith("arn:") or REGION.match(model):
        raise bedrock_errors.invalid("The provided model doesn't support counting tokens.")
    if "converse" in inner:
        asked = inner["converse"]
        known = {"messages", "system", "toolConfig", "additionalModelRequestFields"}
        known_only(asked if isinstance(asked, dict) else {"converse": asked}, known, "#/input/converse")
        found = converse_question(model, asked, read, stream=False)
    else:
        found = invoke_question(model, object_of(_decoded(inner["invokeModel"])), read, stream=False)
    return Question(model, found.document, found.prompt_tokens, None, count_only=True)


def _decoded(asked: object) -> bytes:
    body = asked.get("body") if isinstance(asked, dict) else None
    try:
        return base64.b64decode(body if isinstance(body, str) else "!", validate=True)
    except binascii.Error:
        raise bedrock_errors.refusal(400, "SerializationException", "input.invokeModel.body is no base64") from None
