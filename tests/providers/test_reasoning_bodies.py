"""model.reasoning in the bodies of every wire: where each provider looks for it, and what has to give way to it."""

import json
from itertools import product

import pytest
from each_case import each_case
from msgspec.structs import replace

from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import settled, wire_for
from pipeline.types import AnswerShape, Purpose, Request, Turn

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
CAP = 4000
ASKED = Request(b"k" * 16, 0, "r", 0, Purpose.EXTRACT, "Read.", (Turn("user", text_parts("a document")),), CAP, 10, 20)
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ADAPTIVE = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
PLACES = {"azure": "https://acme.openai.azure.com", "vertex": ""}


def wire(provider, name, reasoning, mode="json_schema", **more):
    settings = {"region": "us-east-1", "project": "p", "base_url": PLACES.get(provider, ""), **more}
    model = Model(provider=provider, name=name, max_output_tokens=CAP, reasoning=reasoning, **settings)
    return wire_for(settled(model, {}), AnswerShape("Thing", mode, SCHEMA, strict=True), {})


def body(*made, free_text=False, **more):
    return json.loads(wire(*made, **more).body(replace(ASKED, free_text=free_text)))


SAID = [  # provider, model, what is asked, where it stands, what stands there
    ("openai", "gpt-5-mini", "minimal", ("reasoning_effort",), "minimal"),
    ("openai", "some-model", "none", ("reasoning_effort",), "none"),
    ("azure", "gpt-5-mini", "high", ("reasoning_effort",), "high"),
    ("anthropic", "claude-sonnet-4-5", 2000, ("thinking",), BUDGET["thinking"]),
    ("anthropic", "claude-opus-5-5", "low", ("output_config", "effort"), "low"),
    ("gemini", "gemini-2.5-flash", "none", ("generationConfig", "thinkingConfig"), {"thinkingBudget": 0}),
    ("gemini", "gemini-3.8-flash", "low", ("generationConfig", "thinkingConfig"), {"thinkingLevel": "LOW"}),
    ("vertex", "gemini-2.5-pro", 512, ("generationConfig", "thinkingConfig"), {"thinkingBudget": 512}),
    ("bedrock", CLAUDE, 2000, ("additionalModelRequestFields",), BUDGET),
    ("bedrock", "us.anthropic.claude-opus-4-7", "low", ("additionalModelRequestFields",), ADAPTIVE),
    ("bedrock", "openai.gpt-oss-120b-1:0", "low", ("additionalModelRequestFields",), {"reasoning_effort": "low"}),
    (
        *("bedrock", "us.amazon.nova-2-lite-v1:0", "low", ("additionalModelRequestFields", "reasoningConfig")),
        {"type": "enabled", "maxReasoningEffort": "low"},
    ),
]
INVOKED = [
    ("bedrock", CLAUDE, 2000, ("thinking",), BUDGET["thinking"]),
    ("bedrock", "us.anthropic.claude-opus-4-7", "low", ("output_config", "effort"), "low"),
    ("bedrock", "openai.gpt-oss-120b-1:0", "low", ("reasoning_effort",), "low"),
    (
        *("bedrock", "us.amazon.nova-2-lite-v1:0", "medium", ("reasoningConfig",)),
        {"type": "enabled", "maxReasoningEffort": "medium"},
    ),
]
ALL = [(*one, "auto") for one in SAID] + [(*one, "invoke") for one in INVOKED]


@each_case(("provider", "name", "asked", "place", "value", "api"), ALL)
def test_it_stands_where_the_provider_looks_for_it(provider, name, asked, place, value, api):
    """In requests with the schema, and in those in plain words; streamed or not."""
    for free_text, stream in product((False, True), repeat=2):
        found = body(provider, name, asked, api=api, stream=stream, free_text=free_text)
        for key in place:
            found = found[key]
        assert found == value


@each_case(("provider", "name", "asked", "place", "value", "api"), ALL)
def test_default_leaves_the_body_as_it_was(provider, name, asked, place, value, api):
    told = json.dumps(body(provider, name, "default", api=api))
    assert not any(word in told for word in ("easoning", "think", "effort"))


@pytest.mark.parametrize("api", ["anthropic", "auto", "invoke"])
def test_a_claude_that_thinks_is_told_to_call_its_tool_and_not_made_to(api):
    """A forced tool beside thinking is a 400. The schema's own way is kept."""
    name, provider = ("claude-sonnet-4-5", "anthropic") if api == "anthropic" else (CLAUDE, "bedrock")
    more = {} if api == "anthropic" else {"api": api}
    forced, free = (body(provider, name, asked, mode="tool", **more) for asked in ("default", 2000))
    choices = [(one.get("toolConfig") or one).get("toolChoice") or one["tool_choice"] for one in (forced, free)]
    assert "tool" in (choices[0].get("type"), *choices[0])
    assert "auto" in (choices[1].get("type"), *choices[1])
    assert "tool Thing" in json.dumps(free["system"])
    assert "tool Thing" not in json.dumps(forced["system"])


@pytest.mark.parametrize(("provider", "api"), [("anthropic", "auto"), ("bedrock", "invoke")])
def test_a_schema_and_an_effort_share_one_member(provider, api):
    name = "claude-opus-4-6" if provider == "anthropic" else "us.anthropic.claude-opus-4-6-v1"
    found = body(provider, name, "low", api=api)["output_config"]
    assert (found["effort"], found["format"]["schema"]) == ("low", SCHEMA)
    assert body(provider, name, "low", api=api, free_text=True)["output_config"] == {"effort": "low"}


def test_betas_and_reasoning_share_one_member():
    found = body("bedrock", CLAUDE, 2000, betas=("context-1m-2025-08-07",))["additionalModelRequestFields"]
    assert found == {"anthropic_beta": ["context-1m-2025-08-07"], **BUDGET}


@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_nova_at_its_highest_effort_is_sent_no_cap(api):
    name = "us.amazon.nova-2-lite-v1:0"
    assert "inferenceConfig" not in body("bedrock", name, "high", api=api)
    assert body("bedrock", name, "medium", api=api)["inferenceConfig"] == {"maxTokens": CAP}


def test_tokens_are_counted_without_reasoning():
    """Counting takes the schema, and no effort beside it."""
    counted = json.loads(wire("anthropic", "claude-opus-4-6", "low").count_body(ASKED))
    assert "thinking" not in counted
    assert "effort" not in counted["output_config"]
