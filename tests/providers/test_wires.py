"""What holds for every wire."""

import pytest
from each_case import each_case

from pipeline.catalog.providers import ENTRIES
from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import FilePart, text_parts
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, Purpose, Request, Turn

SHAPE = AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=False)
INVOKED = ["anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0", "meta.llama3-1-8b-instruct-v1:0",
           "openai.gpt-oss-20b-1:0", "cohere.command-r-v1:0", "deepseek.r1-v1:0", "amazon.titan-text-express-v1",
           "mistral.mistral-large-2402-v1:0"]  # fmt: skip
MODELS = [
    *({"provider": entry.name, "name": "some-model"} for entry in ENTRIES),
    *({"provider": entry.name, "name": "some-model", "api": "responses"} for entry in ENTRIES if entry.responses_wire),
    *({"provider": "bedrock", "name": name, "api": "invoke"} for name in INVOKED),
]


@each_case("model", MODELS, ids=lambda model: "-".join(model.values()))
def test_a_file_that_a_wire_cannot_carry_is_refused_before_anything_is_sent(model):
    """It is never left out in silence; and what was not sent has cost nothing."""
    settings = {"base_url": "http://127.0.0.1:9", "region": "us-east-1", "project": "p", "api_version": "2024-10-21"}
    shape = SHAPE if model.get("api") != "invoke" else AnswerShape("Thing", "json_object", {}, strict=False)
    wire = wire_for(Model(**settings, **model, max_output_tokens=9), shape, {})
    parts = (*text_parts("a bill"), FilePart("image/png", "d1", "page.png", 1500))
    request = Request(b"k", 0, "r", 0, Purpose.EXTRACT, "", (Turn("user", parts),), 9, 5, 100)
    with pytest.raises(CallFailed) as failed:
        wire.body(request)
    assert (failed.value.kind, failed.value.sent, failed.value.fate_unknown) == (Kind.INVALID_REQUEST, False, False)
