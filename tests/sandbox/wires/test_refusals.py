"""What the provider would refuse, the sandbox refuses, in the same shape."""

import pytest
from each_case import each_case
from sandbox_client import OPEN, SCHEMA, TOOL, USER, ask, nested, posted, shaped, with_client

from pipeline.sandbox.wires.openai.strict_schemas import problem


@pytest.mark.parametrize("key", [None, "", "Bearer ", "Bearer", "sk-without-scheme", "Bearer invalid"])
def test_no_good_key_is_401(key):
    """Without a key, or with the wrong one, nothing is read, and the key is not repeated."""
    got = with_client(lambda client: client.post(b"no json", key=key))
    assert (got.status, got.error["code"], got.error["type"]) == (401, "invalid_api_key", "invalid_request_error")
    assert set(got.error) == {"message", "type", "param", "code"}
    assert got.headers["x-request-id"].startswith("req_")


REFUSALS = {
    "no json": (b"{", None, None, "JSON"),
    "no utf-8": (b'{"model": "\xff"}', None, None, "JSON"),
    "no object": ([], None, None, "object"),
    "unknown parameter": (ask(top_k=1), None, None, "supplied: top_k"),
    "no model": (ask(model=...), None, None, "model parameter"),
    "empty model": (ask(model=""), None, None, "model parameter"),
    "no messages": (ask(messages=...), "messages", "missing_required_parameter", "'messages'"),
    "empty messages": (ask(messages=[]), "messages", "empty_array", "empty array"),
    "unknown role": (ask(messages=[{"role": "robot", "content": "x"}]), "messages[0].role", "invalid_value", "robot"),
    "null content": (
        ask(messages=[{"role": "user", "content": None}]),
        "messages[0].content",
        "invalid_type",
        "content",
    ),
    "picture": (
        ask(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        "messages[0].content[0].image_url.url",
        "missing_required_parameter",
        "image_url.url",
    ),
    "stray tool": (ask(messages=[USER, {"role": "tool", "content": "x"}]), "messages[1].role", None, "tool_calls"),
    "format no object": (ask(response_format="json"), "response_format", "invalid_type", "object"),
    "format unknown": (ask(response_format={"type": "xml"}), "response_format.type", "invalid_value", "xml"),
    "schema without name": (
        ask(response_format=shaped(name=None)),
        "response_format.json_schema.name",
        "missing_required_parameter",
        "name",
    ),
    "schema with bad name": (
        ask(response_format=shaped(name="no blanks")),
        "response_format.json_schema.name",
        "invalid_value",
        "pattern",
    ),
    "schema missing": (
        ask(response_format=shaped(schema=None)),
        "response_format.json_schema.schema",
        "missing_required_parameter",
        "schema",
    ),
    "open object": (
        ask(response_format=shaped(nested(OPEN))),
        "response_format",
        "invalid_json_schema",
        "In context=('properties', 'x'), 'additionalProperties' is required to be supplied and to be false.",
    ),
    "tool not strict enough": (
        ask(
            response_format=...,
            tools=[{"type": "function", "function": {"name": "f", "strict": True, "parameters": OPEN}}],
        ),
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "In context=()",
    ),
    "tool unknown": (
        ask(response_format=..., tools=[TOOL], tool_choice={"type": "function", "function": {"name": "Other"}}),
        "tool_choice",
        "invalid_value",
        "Other",
    ),
    "choice without tools": (ask(tool_choice="auto"), "tool_choice", None, "tools"),
    "json without the word": (ask(response_format={"type": "json_object"}), "messages", None, "'json'"),
    "cap of nothing": (ask(max_completion_tokens=0), "max_completion_tokens", "integer_below_min_value", "got 0"),
    "old cap of nothing": (
        ask(max_completion_tokens=..., max_tokens=-5),
        "max_tokens",
        "integer_below_min_value",
        "got -5",
    ),
    "cap no number": (ask(max_completion_tokens="9"), "max_completion_tokens", "invalid_type", "integer"),
    "cap over the model's": (ask(max_completion_tokens=16_385), "max_completion_tokens", "invalid_value", "16384"),
    "both caps": (ask(max_tokens=5), None, None, "same time"),
    "old cap, new model": (
        ask(model="gpt-5-mini", max_completion_tokens=..., max_tokens=5),
        "max_tokens",
        "unsupported_parameter",
        "max_completion_tokens",
    ),
    "too warm": (ask(temperature=2.5), "temperature", "decimal_above_max_value", "2.5"),
    "not warm at all": (ask(model="o3", temperature=0), "temperature", "unsupported_value", "temperature"),
    "two choices": (ask(n=2), "n", "invalid_value", "n"),
    "stream no boolean": (ask(stream="yes"), "stream", "invalid_type", "boolean"),
    "stream options alone": (ask(stream_options={"include_usage": True}), "stream_options", None, "stream"),
    "too long": (ask("x" * 4 * 128_000), "messages", "context_length_exceeded", "maximum context length is 128000"),
    "too long with the answer": (
        ask("x" * 4 * 127_500),
        "messages",
        "context_length_exceeded",
        "maximum context length is 128000",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_provider_refuses_is_refused(name):
    """A bad request is a 400 in the provider's shape, with its param and code, and bills nothing."""
    body, param, code, words = REFUSALS[name]

    async def use(client):
        got, counters = await client.post(body), await client.counters()
        assert counters["answered"] == 0
        assert counters["by_status"] == {"400": 1}
        return got

    got = with_client(use)
    assert (got.status, got.error["type"]) == (400, "invalid_request_error")
    assert (got.error["param"], got.error["code"]) == (param, code)
    assert words in got.error["message"]


def test_a_missing_model_is_404():
    """The model called missing-model does not exist."""
    got = posted(ask(model="missing-model"))
    assert (got.status, got.error["code"]) == (404, "model_not_found")


def test_other_paths_are_404_in_the_providers_shape():
    """A forgotten /v1 says so."""
    got = with_client(lambda client: client.post(ask(), path="/chat/completions"))
    assert got.status == 404
    assert "/v1/chat/completions" in got.error["message"]


STRICT = {
    "root no object": ({"type": "array", "items": {"type": "string"}}, "root"),
    "property not required": ({**SCHEMA, "required": ["name"]}, "In context=(), 'required' is required"),
    "in items": (nested({"type": "array", "items": OPEN}), "('properties', 'x', 'items'), 'additionalProperties'"),
    "in options": (nested({"anyOf": [{"type": "null"}, OPEN]}), "('properties', 'x', 'anyOf', '1')"),
    "in definitions": ({**SCHEMA, "$defs": {"Line": OPEN}}, "('$defs', 'Line'), 'additionalProperties'"),
    "map": (nested({"type": "object", "additionalProperties": {"type": "string"}}), "'additionalProperties'"),
    "no type": (nested({"description": "anything"}), "'type' key"),
    "default": (nested({"type": "string", "default": ""}), "'default' is not permitted"),
    "length": (nested({"type": "string", "minLength": 1}), "'minLength' is not permitted"),
    "oneOf": (nested({"oneOf": [{"type": "string"}]}), "'oneOf' is not permitted"),
    "reference with more": (nested({"$ref": "#/$defs/A", "description": "x"}), "$ref cannot have keywords"),
    "reference to nothing": (nested({"$ref": "#/$defs/A"}), "can't be resolved"),
    "format": (nested({"type": "string", "format": "uri"}), "not a valid format"),
    "array of what": (nested({"type": "array"}), "missing items"),
    "required of nothing": ({**SCHEMA, "required": ["name", "note", "more"]}, "Extra required key 'more'"),
}


@each_case("name", STRICT)
def test_strict_mode_names_the_place(name):
    """A schema outside strict mode is refused anywhere in it, and the message says where."""
    schema, words = STRICT[name]
    assert words in (problem(schema) or "")


def test_strict_mode_takes_what_it_should():
    """References, also to itself, nullable fields, enums and bounded numbers pass."""
    line = nested({"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]})
    number = {"type": ["number", "null"], "minimum": 0}
    fine = nested({"type": "array", "items": {"$ref": "#/$defs/Line"}})
    assert problem({**fine, "$defs": {"Line": line, "N": number, "E": {"enum": ["a"]}}}) is None
    assert problem(SCHEMA) is None


def test_without_strict_any_schema_passes():
    """Only strict: true is strict."""
    assert posted(ask(response_format=shaped(nested(OPEN), strict=False))).status == 200
