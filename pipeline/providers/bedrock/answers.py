"""What a model's answer says, and the reply that it is. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.providers.bedrock.errors import no_answer, request_id
from pipeline.providers.hints import limits_seen, retry_after_s
from pipeline.providers.json import mapping, string
from pipeline.providers.usage import as_told
from pipeline.types import Answer, HttpAnswer, PartialUsage, Stop, Usage

UNTOLD = PartialUsage()
TIER = "x-amzn-bedrock-service-tier"


class ModelAnswer(Struct, frozen=True):
    text: str
    finish: str  # in the provider's, or maker's, own word
    usage: Usage = UNTOLD  # as the body tells it
    model_version: str | None = None
    refused: bool = False
    tier: str = ""


def tier_of(answer: HttpAnswer, whole: Mapping[str, Any]) -> str:
    """As Bedrock says it, or as the model's maker does."""
    said = string(mapping(whole.get("serviceTier")).get("type")) or answer.headers.get(TIER, "")
    return said or string(whole.get("service_tier")) or string(mapping(whole.get("usage")).get("service_tier"))


def reply_of(answer: HttpAnswer, told: ModelAnswer, stop: Stop | None, usage: Usage) -> Answer:
    """The reply.

    Raises:
        CallFailed: it is broken, or the answer is done and empty; with what it is billed for.
    """
    if stop is None or (stop is Stop.DONE and not told.text.strip()):
        billed = usage if told.text or told.finish else as_told(usage)
        message = f"no content in the answer (finish reason {told.finish!r})"
        failed = no_answer(answer, message, billed, told.finish or None)
        failed.said, failed.tier = told.text, told.tier
        raise failed
    return Answer(
        told.text,
        stop,
        told.finish,
        usage,
        model_version=told.model_version,
        provider_request_id=request_id(answer.headers),
        limits=limits_seen(answer.headers),
        retry_after_s=retry_after_s(answer.headers),
        tier=told.tier,
    )
