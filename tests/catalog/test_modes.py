"""Which mode a model is asked in: the strictest that it has, and no one that it is known to refuse."""

import json

import pytest
from each_case import each_case
from places import RECORDINGS

from pipeline.catalog.modes import ability_of, mode_for, mode_problem

SCHEMA, TOOL, WORDS = "json_schema", "tool", "json_object"


@each_case(
    ("provider", "model", "api", "mode"),
    [
        ("openai", "gpt-4o-mini", "", SCHEMA),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::x", "", SCHEMA),
        ("openai", "gpt-4o-2024-05-13", "", TOOL),
        ("openai", "gpt-4.1", "", SCHEMA),
        ("openai", "gpt-4-0613", "", TOOL),
        ("openai", "gpt-3.5-turbo-0125", "", TOOL),
        ("openai", "a-model-of-tomorrow", "", SCHEMA),
        ("azure", "our-deployment", "", SCHEMA),
        ("sandbox", "any", "", SCHEMA),
        ("anthropic", "claude-3-7-sonnet-20250219", "", TOOL),
        ("anthropic", "claude-opus-4-20250514", "", TOOL),
        ("anthropic", "claude-opus-4-1-20250805", "", TOOL),
        ("anthropic", "claude-haiku-4-5-20251001", "", SCHEMA),
        ("anthropic", "claude-opus-5-5", "", SCHEMA),
        ("anthropic", "claude-2.1", "", WORDS),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "converse", SCHEMA),
        ("bedrock", "us.anthropic.claude-opus-4-7", "converse", TOOL),
        ("bedrock", "global.anthropic.claude-opus-5-5", "converse", WORDS),
        ("bedrock", "us.amazon.nova-2-lite-v1:0", "converse", TOOL),
        ("bedrock", "mistral.mistral-large-3-675b-instruct", "converse", SCHEMA),
        ("bedrock", "openai.gpt-oss-120b-1:0", "converse", SCHEMA),
        ("bedrock", "meta.llama3-3-70b-instruct-v1:0", "converse", WORDS),
        ("bedrock", "amazon.titan-text-express-v1", "converse", WORDS),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "converse", TOOL),
        ("openai", "o3-pro", "responses", SCHEMA),
        ("openai", "gpt-5.3-codex", "auto", SCHEMA),
        ("openai", "computer-use-preview-2025-03-11", "responses", TOOL),
        ("openai", "o4-mini-deep-research", "auto", WORDS),
        ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", "invoke", SCHEMA),
        ("bedrock", "mistral.mistral-large-2402-v1:0", "invoke", WORDS),
        ("gemini", "gemini-2.5-flash", "", SCHEMA),
        ("gemini", "gemini-1.5-pro", "", TOOL),
        ("vertex", "publishers/google/models/gemini-3-flash-preview", "", SCHEMA),
        ("gemini", "gemma-3-27b-it", "", WORDS),
    ],
)
def test_auto_is_the_strictest(provider, model, api, mode):
    """A schema that the provider enforces where the model has it, else a tool, else words; so for two_step too."""
    assert mode_for(provider, model, api, "auto") == mode
    assert mode_for(provider, model, api, "two_step") == mode
    assert mode_problem(provider, model, api, mode) is None
    assert mode_for(provider, model, api, "json_object") == "json_object"


@pytest.mark.parametrize(
    ("provider", "model", "api", "asked", "way_out"),
    [
        ("openai", "gpt-4-0613", "", SCHEMA, "'auto' or 'tool'"),
        ("openai", "gpt-4-0613", "", WORDS, "'auto' or 'tool'"),
        ("anthropic", "claude-sonnet-4-20250514", "", SCHEMA, "'auto' or 'tool' or 'json_object'"),
        ("bedrock", "meta.llama3-3-70b-instruct-v1:0", "converse", TOOL, "'auto' or 'json_object'"),
        ("bedrock", "meta.llama3-3-70b-instruct-v1:0", "invoke", SCHEMA, "'auto' or 'json_object'"),
        ("gemini", "gemma-3-27b-it", "", TOOL, "'auto' or 'json_object'"),
    ],
)
def test_what_a_model_refuses_is_a_problem_with_a_way_out(provider, model, api, asked, way_out):
    """A mode that the model is known to lack is told before anything is sent, with the modes that it has."""
    problem = mode_problem(provider, model, api, asked)
    assert problem.startswith(f"extract.mode = {asked!r}: {model} ")
    assert problem.endswith(f"Set it to {way_out}")


def test_what_is_not_known_for_sure_is_no_problem():
    """A deployment's name says nothing, and what a provider may have by now can be asked for."""
    assert mode_problem("azure", "gpt-4", "", SCHEMA) is None
    assert mode_problem("bedrock", "us.anthropic.claude-opus-5-5", "converse", SCHEMA) is None
    assert mode_problem("anthropic", "claude-opus-5-5", "", TOOL) is None
    assert not ability_of("bedrock", "us.anthropic.claude-opus-4-7").strict_tools


MARKS = {"json_schema": SCHEMA, "responseJsonSchema": SCHEMA, "toolConfig": TOOL, "tools": TOOL}


def recorded():
    """(provider, model, mode) of every recorded request that was answered."""
    for file in sorted(RECORDINGS.glob("*/*.json")):
        told = json.loads(file.read_bytes())
        request = told.get("request") or {}
        body = request.get("body")
        if told["status"] != 200 or not isinstance(body, dict):
            continue
        url = request["url"].partition("?")[0]
        named = url.rpartition("/models/")[2] or url
        model = body.get("model") or named.split("/model/")[-1].rpartition("/")[0] or named.partition(":")[0]
        for mark, mode in MARKS.items():
            if mark in json.dumps(body):
                yield file.parent.name, model.replace("%3A", ":"), mode


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded answers are not part of this repository")
def test_no_recorded_answer_is_called_impossible():
    """What a provider has answered is nothing that a model lacks."""
    found = list(recorded())
    assert len(found) > 25
    assert [one for one in found if mode_problem(one[0], one[1], "converse", one[2])] == []
