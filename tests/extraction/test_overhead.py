"""What a schema costs in input tokens, by what recorded answers say."""

import json
import re

import pytest
from places import RECORDINGS

from pipeline.documents.tokens import counter_for
from pipeline.extraction.overhead import fixed_tokens
from pipeline.extraction.overhead import seen as shown
from pipeline.types import AnswerShape

FOLDER = RECORDINGS / "openai"
STRUCTURED = ("refusal-structured-1", "structured-json_schema-2-parse", "structured-json_schema-3-dd-parse")


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of this repository")
@pytest.mark.parametrize("name", [*STRUCTURED, "structured-langchain"])
def test_a_schema_costs_what_recorded_answers_say_it_does(name):
    """To within three tokens."""
    recorded = json.loads((FOLDER / f"chat-{name}.json").read_text())
    request, counter = recorded["request"]["body"], counter_for("openai", recorded["request"]["body"]["model"])
    asked = request["response_format"]["json_schema"]
    system = "".join(one["content"] for one in request["messages"] if one["role"] == "system")
    user = "".join(one["content"] for one in request["messages"] if one["role"] == "user")
    shape = AnswerShape(asked["name"], "json_schema", asked["schema"], strict=True)
    ours = fixed_tokens("openai", system, user, shape, counter)
    assert abs(ours - recorded["body"]["usage"]["prompt_tokens"]) <= 3


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of this repository")
def test_a_function_costs_what_a_recorded_answer_says_it_does():
    """31 tokens beside the message, by the usage at the end of a recorded stream."""
    recorded = json.loads((FOLDER / "chat-stream-tool_calls-usage.json").read_text())
    (usage,) = set(re.findall(r'prompt_tokens\\*": ?(\d+)', json.dumps(recorded)))
    request = recorded["request"]["body"]
    function, (message,) = request["tools"][0]["function"], request["messages"]
    shape = AnswerShape(function["name"], "tool", function["parameters"], strict=True)
    counter = counter_for("openai", request["model"])
    assert abs(fixed_tokens("openai", "", message["content"], shape, counter) - int(usage)) <= 1


def test_a_property_called_title_is_shown_and_a_title_is_not():
    schema = {"title": "Book", "additionalProperties": False, "properties": {"title": {"title": "T", "type": "string"}}}
    assert shown(schema) == {"properties": {"title": {"type": "string"}}}
