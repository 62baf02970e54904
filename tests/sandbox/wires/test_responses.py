"""The sandbox as OpenAI's and Azure's Responses API: what it takes, what it refuses, and in which words."""

import json

import pytest
from each_case import each_case
from sandbox_client import FORCED, OPEN, SCHEMA, posted, with_client

from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.openai.azure import AzureResponses
from pipeline.sandbox.wires.openai.responses import Responses

FORMAT = {"type": "json_schema", "name": "Thing", "strict": True, "schema": SCHEMA}
TOOL = {"type": "function", "name": "Thing", "strict": True, "parameters": SCHEMA}


def ask(document="a document", /, **changes):
    body = {
        "model": "gpt-4o-mini",
        "input": [{"role": "system", "content": "Read."}, {"role": "user", "content": document}],
        "max_output_tokens": 1000,
        "text": {"format": FORMAT},
        **changes,
    }
    return {key: value for key, value in body.items() if value is not ...}


def parsed(body, wire=None, path="/v1/responses", query=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (wire or Responses()).parse(Received("POST", path, query, {}, data))


def refused(body, **where):
    with pytest.raises(Refused) as caught:
        parsed(body, **where)
    return caught.value.status, json.loads(caught.value.body)["error"]


def test_a_question():
    question = parsed(ask())
    assert (question.document, question.schema, question.cap_tokens) == ("a document", SCHEMA, 1000)
    tool = parsed(ask(text=..., tools=[TOOL], tool_choice={"type": "function", "name": "Thing"}))
    assert (tool.tool, tool.tool_forced, tool.schema) == ("Thing", True, SCHEMA)
    assert parsed(ask(text=...)).schema is None
    assert parsed(ask(input="in one text", text=...)).document == "in one text"
    words = ask(
        input=[{"role": "system", "content": f"JSON of {json.dumps(SCHEMA)}"}], text={"format": {"type": "json_object"}}
    )
    assert parsed(words).schema == SCHEMA


@pytest.mark.parametrize(
    "changes",
    [
        {"instructions": "Be brief."},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a document"}]}]},
        {"text": {"format": FORMAT, "verbosity": "low"}, "reasoning": {"effort": "low"}, "store": False},
        {"temperature": 0.5, "top_p": 1, "service_tier": "flex", "safety_identifier": "x", "truncation": "auto"},
        {"max_output_tokens": 16},
        {"max_output_tokens": ...},
    ],
)
def test_what_it_takes(changes):
    assert parsed(ask(**changes)).document == "a document"


def test_a_repair_is_seen():
    turns = [
        {"role": "user", "content": "doc"},
        {"role": "assistant", "content": "{"},
        {"role": "user", "content": "no"},
    ]
    question = parsed(ask(input=turns))
    assert (question.document, question.errors) == ("doc", "no")


@each_case(
    ("changes", "param", "code", "words"),
    [
        ({"seed": 1}, "seed", "unknown_parameter", "Unknown parameter: 'seed'"),
        ({"stop": ["x"]}, "stop", "unknown_parameter", "'stop'"),
        ({"messages": []}, "messages", "unknown_parameter", "'messages'"),
        ({"max_completion_tokens": 9}, "max_completion_tokens", "unknown_parameter", ""),
        ({"response_format": {}}, "response_format", "unknown_parameter", ""),
        ({"input": ...}, "input", "missing_required_parameter", "Missing required parameter: 'input'"),
        ({"input": []}, "input", "empty_array", "Invalid 'input'"),
        ({"input": 5}, "input", "invalid_type", "Invalid type for 'input'"),
        ({"input": [5]}, "input[0]", "invalid_type", "'input[0]'"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value", "Invalid value: 'robot'"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", "invalid_value", "messages only"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value", ">= 16, but got 15"),
        ({"max_output_tokens": "9"}, "max_output_tokens", "invalid_type", ""),
        ({"temperature": 3}, "temperature", "decimal_above_max_value", ""),
        ({"stream": "yes"}, "stream", "invalid_type", ""),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value", "'xml'"),
        ({"text": {"format": {**FORMAT, "name": None}}}, "text.format.name", "missing_required_parameter", ".name'"),
        ({"text": {"format": {**FORMAT, "schema": OPEN}}}, "text.format", "invalid_json_schema", "'Thing'"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format", None, "must contain the word 'json'"),
        (
            {"text": {"format": {"type": "json_object"}}, "instructions": "as JSON"},
            "text.format", None, "Response input messages must contain the word 'json'",
        ),
        ({"tools": [{**TOOL, "parameters": OPEN}]}, "tools[0].parameters", "invalid_function_parameters", "'Thing'"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]", "missing_required_parameter", "'tools[0]'"),
        ({"tools": [TOOL], "tool_choice": FORCED}, "tool_choice", "invalid_value", ""),
        ({"input": "x" * 4_000_000}, "input", "context_length_exceeded", "exceeds the context window of this model"),
        ({"model": "gpt-4o-search-preview"}, "model", None, "cannot be used with the Responses API"),
    ],
)  # fmt: skip
def test_what_it_refuses(changes, param, code, words):
    status, told = refused(ask(**changes))
    assert (status, told["param"], told["code"]) == (400, param, code)
    assert words in told["message"]


def test_what_is_no_object_is_refused():
    assert refused(b"{")[0] == refused(b"[]")[0] == 400


def test_a_model_that_has_no_chat_completions_is_told_so():
    chat = {"model": "o3-pro", "messages": [{"role": "user", "content": "x"}]}
    got = posted(chat)
    assert (got.status, got.error["param"]) == (404, "model")
    assert got.error["message"] == "This model is only supported in v1/responses and not in v1/chat/completions."


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/openai/v1/responses", "", None),
        ("/openai/v1/responses", "api-version=preview", None),
        ("/openai/responses", "api-version=2025-04-01-preview", None),
        ("/openai/v1/responses", "api-version=2025-04-01-preview", 400),
        ("/openai/responses", "api-version=2024-10-21", 404),
        ("/openai/responses", "", 404),
    ],
)
def test_azure_knows_it_at_both_endpoints(path, query, status):
    if status is None:
        assert parsed(ask(model="mine"), AzureResponses(), path, query).model == "mine"
    else:
        assert refused(ask(), wire=AzureResponses(), path=path, query=query)[0] == status


def test_a_deployment_that_is_not_there():
    told = refused(ask(model="missing-model"), wire=AzureResponses(), path="/openai/v1/responses")
    assert told[1]["code"] == "DeploymentNotFound"


# ── what it answers ─────────────────────────────────────────────────────────────────────────────────────────────────


def streamed(body, **config):
    async def use(client):
        return await client.post({**body, "stream": True}, path="/v1/responses")

    lines = with_client(use, **config).text.split("\n\n")[:-1]
    return [json.loads(line.partition("data: ")[2]) for line in lines]


@pytest.mark.parametrize(
    ("body", "config", "kind", "end"),
    [
        (ask("long " * 40), {}, "output_text", "completed"),
        (ask("long " * 40, text=..., tools=[TOOL]), {}, "function_call_arguments", "completed"),
        (ask("long " * 40), {"refused": 1.0}, "refusal", "completed"),
        (ask("long " * 40), {"truncated": 1.0}, "output_text", "incomplete"),
    ],
)
def test_a_stream_in_its_events(body, config, kind, end):
    """Numbered, begun, in pieces, once more as a whole; the last one is the answer as it is without streaming."""
    events = streamed(body, **config)
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    kinds = [one["type"] for one in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-2:] == ["response.output_item.done", f"response.{end}"]
    pieces = "".join(one["delta"] for one in events if one["type"] == f"response.{kind}.delta")
    (item,) = events[-1]["response"]["output"]
    (told,) = item.get("content", [item])
    assert pieces == next(told[name] for name in ("text", "refusal", "arguments") if name in told)

    async def use(client):
        return await client.post(body, path="/v1/responses")

    whole = with_client(use, **config).body
    last = events[-1]["response"]
    assert {**whole, "id": 0, "created_at": 0, "output": 0} == {**last, "id": 0, "created_at": 0, "output": 0}
    assert whole["status"] == end
