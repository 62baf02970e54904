"""Amazon Bedrock's InvokeModel: each maker's own body and answer, in one frame and with one usage. Pure."""

import base64
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from pipeline.catalog.names import bare_model
from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers.bedrock import prompts
from pipeline.providers.bedrock.answers import TIER, reply_of, tier_of
from pipeline.providers.bedrock.chat import Chat
from pipeline.providers.bedrock.claude import Claude
from pipeline.providers.bedrock.converse import COUNTING, STOPS, counted, stop_of
from pipeline.providers.bedrock.endpoint import Endpoint
from pipeline.providers.bedrock.errors import failure, is_error, no_answer, request_id
from pipeline.providers.bedrock.families import METRICS, Family, Nova
from pipeline.providers.bedrock.models import OLD_MISTRAL, bare_id, is_claude, maker
from pipeline.providers.bedrock.stream import BedrockAssembler, invoke_assembler
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.damage import DAMAGED, damage_of
from pipeline.providers.files import Body
from pipeline.providers.json import count, mapping, parsed, told_count
from pipeline.providers.parameters import tier_asked
from pipeline.providers.usage import first_told, usage_from
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request, Stop, Usage

FINISHES = {  # in lower case; makers differ even in that
    **STOPS,
    "stop": Stop.DONE,
    "tool_calls": Stop.DONE,
    "function_call": Stop.DONE,
    "finish": Stop.DONE,
    "finished": Stop.DONE,
    "complete": Stop.DONE,
    "stop_criteria_met": Stop.DONE,
    "length": Stop.TRUNCATED,
    "model_length": Stop.TRUNCATED,
    "error_limit": Stop.TRUNCATED,
    "content_filter": Stop.BLOCKED,
    "error_toxic": Stop.BLOCKED,
}
CHATS = {
    *("openai", "qwen", "deepseek", "mistral", "google", "minimax", "moonshot", "moonshotai", "nvidia", "zai"),
    *("ai21", "writer"),
}
PROMPTS = (  # where a model's bare name starts so
    ("llama3", prompts.Llama),
    ("llama4", prompts.Llama),
    ("titan-text", prompts.Titan),
    ("command-r", prompts.CommandR),
    ("r1", prompts.R1),
)
GUARDRAIL = "amazon-bedrock-guardrailAction"
TOKENS = "x-amzn-bedrock-{}-token-count"
TOKEN_KINDS = ("input", "cache-read-input", "cache-write-input", "output")


class InvokeWire:
    """Raises JobError for a model whose own body is not known: Converse takes them all."""

    name = "bedrock"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self._endpoint = Endpoint(model)
        self._family = family_of(model, shape)
        self._tier = tier_asked(model, TIER)
        self.url = self._endpoint.url(model.name, "invoke-with-response-stream" if model.stream else "invoke")
        self.count_url = self._endpoint.url(bare_id(model.name), "count-tokens") if is_claude(model.name) else ""

    def __repr__(self) -> str:
        return f"InvokeWire({self.url})"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:
        if body.startswith(COUNTING):
            return self._endpoint.headers(self.count_url, body, secret, now)
        return self._endpoint.headers(self.url, body, secret, now, self._tier)

    def body(self, request: Request) -> Body:
        return self._family.body(request)

    def count_body(self, request: Request) -> bytes:
        return COUNTING + b'{"invokeModel":{"body":"' + base64.b64encode(bytes(self.body(request))) + b'"}}}'

    def counted(self, answer: HttpAnswer) -> int:
        return counted(answer)

    def reply(self, answer: HttpAnswer) -> Answer:
        body = parsed(answer.body)
        if is_error(answer, body):
            raise failure(answer, body)
        whole = mapping(body)
        if not whole:
            raise no_answer(answer, "the answer is no JSON object")
        told = replace(self._family.told(whole), tier=tier_of(answer, whole))
        usage = first_told(told.usage, _metrics_usage(whole.get(METRICS)), _header_usage(answer.headers))
        if DAMAGED in whole:
            raise damage_of(answer, whole, usage, request_id(answer.headers), tier_of(answer, whole))
        stop = Stop.REFUSED if told.refused else stop_of(told.finish.lower(), FINISHES)
        if whole.get(GUARDRAIL) == "INTERVENED":
            stop = Stop.BLOCKED
        return reply_of(answer, told, stop, usage)

    def stream(self) -> BedrockAssembler:
        return invoke_assembler(self._family.chunks())


def family_of(model: Model, shape: AnswerShape) -> Family:
    """The family whose body a model takes.

    Raises:
        JobError: it is not known.
    """
    by, name = maker(model.name), bare_model(model.name)
    if by == "anthropic":
        return Claude(model, shape)
    if by == "amazon" and name.startswith("nova"):
        return Nova(model, shape)
    if by == "mistral" and OLD_MISTRAL.match(name) and not name.startswith(("mistral-large-2407", "pixtral")):
        return prompts.MistralPrompt(model, shape)
    for start, family in PROMPTS:
        if by and name.startswith(start):
            return family(model, shape)
    if by in CHATS:
        return Chat(model, shape)
    raise JobError(
        f"model.api = 'invoke' needs a model's own body, and that of {model.name!r} is not known here. "
        "Set model.api = 'converse', which takes one body for all models. Batches take the model's own: for this one, "
        "set model.lane = 'live'"
    )


def _metrics_usage(metrics: object) -> Usage:
    """As Bedrock itself counted, at the end of a stream."""
    told = mapping(metrics)
    names = ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount", "outputTokenCount")
    return _usage(*(told.get(name) for name in names))


def _header_usage(headers: Mapping[str, str]) -> Usage:
    """As Bedrock itself counted, in the headers of an answer that is no stream."""
    return _usage(*(headers.get(TOKENS.format(kind)) for kind in TOKEN_KINDS))


def _usage(fresh: object, read: object, written: object, output: object) -> Usage:
    """Cached tokens come beside the others."""
    told, cached, kept = told_count(fresh), count(read), count(written)
    inputs = None if told is None else told + cached + kept
    return usage_from(inputs, told_count(output), cached=cached, written=kept)
