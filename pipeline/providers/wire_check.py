"""What a job's wire does not take: settings that it has no field for, and keys of `model.extra` that it sets. Pure."""

from collections.abc import Iterator, Mapping

import orjson
from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.tiers import FLEX, PRIORITY
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, Purpose, Request, Turn

ANYWHERE = {"base_url": "https://localhost", "region": "us-east-1", "project": "p"}  # a body says nothing of it
OURS: Mapping[str, str] = {  # what changes how an answer is read, or how much of it is paid for
    "stream": "set model.stream instead",
    "stream_options": "set model.stream instead",
    "n": "one answer to a request is read",
    "max_tokens": "set model.max_output_tokens instead",
    "max_completion_tokens": "set model.max_output_tokens instead",
    "max_output_tokens": "set model.max_output_tokens instead",
}
TIERS, TIER_WORDS = {"service_tier", "serviceTier"}, (FLEX, PRIORITY)


def wire_problems(model: Model, shape: AnswerShape) -> Iterator[str]:
    """What is wrong with the settings that go into a body, as its wire finds when it makes one.

    Raises:
        JobError: one has no field there, or the model cannot be asked at all (see `wire_for`).
    """
    if not (model.extra or model.stop or model.seed is not None or model.top_p is not None):
        return
    taken = _keys(model, shape)
    for key, value in model.extra.items():
        if key in taken:
            yield f"extra.{key} is set by this package. Leave it out, or use its own setting"
        elif key in TIERS and (isinstance(value, dict) or value in TIER_WORDS):
            yield f"extra.{key} is set by this package: set model.service_tier instead, so that it is priced"
        elif key in OURS:
            yield f"extra.{key} is set by this package: {OURS[key]}"


def _keys(model: Model, shape: AnswerShape) -> set[str]:
    """Of every body that this job's wire can make."""
    found = {key: value for key, value in ANYWHERE.items() if not getattr(model, key)}
    needed = {key: value for key, value in found.items() if key in PROVIDERS[model.provider].environment}
    wire = wire_for(replace(model, extra={}, **needed), shape, {})
    keys: set[str] = set()
    for free_text in (False, True):
        turn = Turn("user", text_parts("a document"))
        request = Request(b"", 0, "", 0, Purpose.EXTRACT, "a system prompt", (turn,), 1, 1, 1, "a tenant", free_text)
        keys |= set(orjson.loads(bytes(wire.body(request))))
    return keys
