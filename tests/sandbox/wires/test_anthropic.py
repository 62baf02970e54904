"""The sandbox as Anthropic: strict on the way in, true in shape on the way out, and spoken to by our own wire."""

import asyncio
import json
import math

import orjson
import pytest
from each_case import each_case
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_client import SCHEMA, STUB, always, client_of, nested

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits, Model, Sandbox
from pipeline.parts import text_parts
from pipeline.providers.anthropic.wire import AnthropicWire
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.sandbox.exchange import Answer, Ending, Received, Refused, Stamp, tokens_of
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.quota import Denial, Level
from pipeline.sandbox.wires.anthropic.schemas import problem
from pipeline.sandbox.wires.anthropic.wire import Anthropic
from pipeline.types import Answer as ModelAnswer
from pipeline.types import AnswerShape, Dimension, HttpAnswer, Purpose, Request, Stop, Turn, Usage

KEY = {"x-api-key": "sk-any", "anthropic-version": "2023-06-01", "content-type": "application/json"}
SANDBOX = Anthropic(clock_s=lambda: 1_700_000_000.2)
MODES = ("json_schema", "tool", "json_object")
TOOL = {"name": "Thing", "input_schema": SCHEMA, "strict": True}
FORCED = {"type": "tool", "name": "Thing", "disable_parallel_tool_use": True}
USER = {"role": "user", "content": "a document"}
MATRIX = [
    pytest.param(mode, stream, id=f"{mode}-{'stream' if stream else 'whole'}")
    for mode in MODES
    for stream in (False, True)
]


def ask(**changes):
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 1000,
        "messages": [USER],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        **changes,
    }
    return {key: value for key, value in body.items() if value is not ...}


def parsed(body, path="/v1/messages", **headers):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return SANDBOX.parse(Received("POST", path, "", {**KEY, **headers}, data))


def wire(mode="json_schema", base_url="", *, stream=False, **changes):
    model = {"provider": "anthropic", "name": "claude-haiku-4-5", "max_output_tokens": 1000, **changes}
    return AnthropicWire(
        Model(**model, base_url=base_url, stream=stream), AnswerShape("Thing", mode, SCHEMA, strict=True)
    )


def asking(text="a document", *, system="Read.", free_text=False, turns=None, cap=1000):
    turns = turns or (Turn("user", text_parts(text)),)
    return Request(b"k" * 16, 0, "r", 0, Purpose.EXTRACT, system, turns, cap, 10, 20, free_text=free_text)


REPAIR = (Turn("user", text_parts("x")), Turn("assistant", text_parts("{")), Turn("user", text_parts("no JSON")))
LONG = "x" * 500


def answered(ours, request, text=None, ending=Ending.DONE):
    """Our wire's question, the sandbox's answer to it, and our wire's reading of that; no network."""
    received = Received("POST", "/v1/messages", "", KEY, ours.body(request))
    SANDBOX.authorise(received)
    question = SANDBOX.parse(received)
    if text is None:
        schema = question.schema
        record = STUB.extract(question.document, schema) if schema else None
        record = STUB.repair(question.document, schema, question.errors) if question.errors else record
        text = json.dumps(record, separators=(",", ":")) if schema else question.document
    answer = Answer("7", text, ending, question.prompt_tokens, tokens_of(text), 0)
    headers = SANDBOX.headers(Stamp("req_7"))
    if not question.stream:
        return ours.reply(HttpAnswer(200, headers, SANDBOX.whole(question, answer)))
    assembler = ours.stream()
    flags = [assembler.feed(event) for event in SANDBOX.events(question, answer)]
    assert flags[0] is False
    assert flags[-1] is (ending is not Ending.REFUSED)
    return ours.reply(HttpAnswer(200, headers, assembler.finish(200, headers)))


@pytest.mark.parametrize(("mode", "stream"), MATRIX)
def test_each_way_of_asking_is_answered(mode, stream):
    """A document and a repair come back as records, free text as text; usage, model and id with them."""
    ours = wire(mode, stream=stream)
    reply = answered(ours, asking(LONG))
    assert json.loads(reply.text) == {"name": LONG, "note": None}
    assert (reply.stop, reply.finish_reason) == (Stop.DONE, "tool_use" if mode == "tool" else "end_turn")
    assert (reply.model_version, reply.provider_request_id) == ("sandbox-rules-1", "req_7")
    assert reply.usage.output_tokens == tokens_of(reply.text)
    assert reply.usage.input_tokens > tokens_of(LONG)
    assert json.loads(answered(ours, asking(turns=REPAIR)).text) == {"name": "x", "note": "no JSON"}
    free = answered(ours, asking(LONG, free_text=True))
    assert (free.text, free.finish_reason) == (LONG, "end_turn")


@pytest.mark.parametrize(("mode", "stream"), MATRIX)
def test_each_ending_is_read_as_it_was_meant(mode, stream):
    """Cut off, declined, and an answer that fits no schema, in every mode; both ways of reading agree."""
    ours = wire(mode, stream=stream)
    cut = answered(ours, asking(), '{"name":"a do', Ending.TRUNCATED)
    assert (cut.stop, cut.finish_reason) == (Stop.TRUNCATED, "max_tokens")
    assert cut.text == ("{}" if mode == "tool" and not stream else '{"name":"a do')
    refused = answered(ours, asking(), "No.", Ending.REFUSED)
    assert (refused.stop, refused.finish_reason, refused.text) == (Stop.REFUSED, "refusal", "No.")
    assert refused.usage.output_tokens == 1
    assert answered(ours, asking(), '{"name": 7,').text == '{"name": 7,'
    assert answered(ours, asking(), "It says x.").stop is Stop.DONE


@pytest.mark.parametrize("stream", [False, True])
def test_models_that_cannot_be_forced_are_asked_all_the_same(stream):
    """With a choice left to it, the sandbox calls the tool."""
    reply = answered(wire("tool", stream=stream, name="claude-opus-5-5"), asking())
    assert (json.loads(reply.text)["name"], reply.finish_reason) == ("a document", "tool_use")


async def over_http(config, ours_of, requests, limits=None):
    """What our transport brings back for each request: a Reply, or the CallFailed."""
    async with client_of(Sandbox(**config)) as client:
        ours = ours_of(client.url)
        stream = b'"stream":true' in ours.body(asking())
        transport = HttpTransport(limits or Limits(), FixedKey(Secret("sk-any-key")), stream=stream)
        try:
            return [await _sent(transport, ours, request) for request in requests], await client.counters()
        finally:
            await transport.aclose()


async def _sent(transport, ours, request):
    try:
        answer = await transport.send(ours, request)
        return ours.reply(answer), answer
    except CallFailed as failure:
        return failure, None


def sent(mode, stream, *requests, limits=None, changes=None, **config):
    made = over_http(
        config, lambda url: wire(mode, url, stream=stream, **(changes or {})), requests or [asking()], limits
    )
    return asyncio.run(made)


@pytest.mark.parametrize(("mode", "stream"), MATRIX)
def test_over_http_a_question_is_answered(mode, stream):
    """The same over a real connection, and the books of both sides agree."""
    ((reply, answer),), counters = sent(mode, stream)
    assert json.loads(reply.text) == {"name": "a document", "note": None}
    assert (reply.stop, reply.retry_after_s, reply.limits) == (Stop.DONE, None, ())
    assert reply.usage == Usage(counters["billed_prompt_tokens"], 0, 0, counters["billed_completion_tokens"], 0)
    assert (answer.ttft_ms is not None) == stream
    assert reply.provider_request_id == answer.headers["request-id"]


FAULTS = {
    Fault.THROTTLED: (Kind.THROTTLED, {429}),
    Fault.SERVER_ERROR: (Kind.OVERLOADED, {500, 529}),
    Fault.DISCONNECT: (Kind.CONNECTION, {200}),
    Fault.TIMEOUT: (Kind.TIMEOUT, {None, 200}),
    Fault.TRUNCATED: (Stop.TRUNCATED, None),
    Fault.REFUSED: (Stop.REFUSED, None),
    Fault.INVALID_OUTPUT: (Stop.DONE, None),
}


@pytest.mark.parametrize(("mode", "stream"), MATRIX)
@pytest.mark.parametrize("fault", FAULTS)
def test_over_http_every_fault_arrives_as_what_it_is(fault, mode, stream):
    """Each fault, in each mode, at once and as a stream, has its kind or its ending, and never another's."""
    expected, statuses = FAULTS[fault]
    limits = Limits(timeout_s=0.3 if fault is Fault.TIMEOUT else 20)
    results, _ = sent(
        mode, stream, *map(asking, "abcd"[: 1 if fault is Fault.TIMEOUT else 4]), limits=limits, **always(fault)
    )
    for got, _answer in results:
        assert (got.stop if isinstance(got, ModelAnswer) else got.kind) is expected
        if isinstance(got, CallFailed):
            assert got.status in statuses
            assert got.usage is None
            assert got.retry_after_s == (1.0 if fault is Fault.THROTTLED else None)
        else:
            assert got.usage.input_tokens > 0
            assert got.text


def test_over_http_an_empty_bucket_says_when_and_how_much():
    """The second request of a minute for one is a 429 with its wait in whole seconds, its limit and what is left."""
    results, counters = sent(
        "json_schema", False, asking("a"), asking("b"), requests_per_minute=1, tokens_per_minute=50_000
    )
    (first, _), (second, _) = results
    left = {seen.dimension: seen for seen in first.limits}
    assert (left[Dimension.REQUESTS].limit, left[Dimension.REQUESTS].remaining) == (1, 0)
    assert (left[Dimension.TOKENS].limit, left[Dimension.TOKENS].remaining) == (50_000, 49_000)
    assert 58 <= left[Dimension.REQUESTS].reset_s <= 61
    assert (second.kind, second.status) == (Kind.THROTTLED, 429)
    assert second.retry_after_s == math.ceil(second.retry_after_s) > 55
    assert {seen.dimension for seen in second.limits} == {Dimension.REQUESTS, Dimension.TOKENS}
    assert counters["rate_limited"] == 1


def test_over_http_a_request_is_counted_for_free():
    """What counting says is what the answer is billed, and counting bills nothing."""

    async def main():
        async with client_of(Sandbox()) as client:
            ours, secret = wire("tool", client.url), Secret("sk-any-key")
            transport = HttpTransport(Limits(), FixedKey(secret), stream=False)
            try:
                body = ours.count_body(asking(LONG))
                answer = await transport.post(ours.count_url, body, ours.headers(body, secret, None), secret, ours)
                assert (await client.counters())["answered"] == 0
                reply = ours.reply(await transport.send(ours, asking(LONG)))
                return ours.counted(answer), reply.usage.input_tokens
            finally:
                await transport.aclose()

    counted, billed = asyncio.run(main())
    assert counted == billed > tokens_of(LONG)


def test_over_http_errors_have_the_providers_shape():
    """A refusal is JSON of the provider's shape with the request's id in a header."""

    async def main():
        async with client_of(Sandbox()) as client:
            url = client.url + "/v1/messages"
            async with client.session.post(url, data=orjson.dumps(ask(max_tokens=...)), headers=KEY) as answer:
                return answer.status, answer.headers, await answer.json()

    status, headers, body = asyncio.run(main())
    assert (status, headers["Content-Type"]) == (400, "application/json")
    assert body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"},
    }
    assert headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": " "}, {"authorization": "sk-any"}, {"authorization": "Bearer "}, {"x-api-key": "invalid"},
     {"authorization": "Bearer invalid"}, {"x-api-key": "invalid", "authorization": "Bearer good"}],
)  # fmt: skip
def test_no_good_key_is_401(headers):
    """Without a key or a token, or with the wrong one; where there are both, the key counts."""
    with pytest.raises(Refused) as refused:
        SANDBOX.authorise(Received("POST", "/v1/messages", "", headers, b""))
    assert (refused.value.status, json.loads(refused.value.body)["error"]["type"]) == (401, "authentication_error")


def test_a_key_and_a_token_are_both_good():
    """Either header lets in."""
    for headers in ({"x-api-key": "sk"}, {"authorization": "Bearer token"}):
        SANDBOX.authorise(Received("POST", "/v1/messages", "", headers, b""))


def system(content):
    return ask(system=content)


def messages(*found):
    return ask(messages=list(found))


def schema(inner):
    return ask(output_config={"format": {"type": "json_schema", "schema": inner}})


def tools(*found, **changes):
    return ask(output_config=..., tools=list(found), **changes)


REFUSALS = {
    "no json": (b"{", "valid JSON"),
    "no object": ([], "object"),
    "unknown parameter": (ask(frequency_penalty=1), "frequency_penalty: Extra inputs are not permitted"),
    "old parameter": (ask(output_format={}), "output_config.format"),
    "no model": (ask(model=...), "model: Field required"),
    "empty model": (ask(model=""), "model"),
    "no cap": (ask(max_tokens=...), "max_tokens: Field required"),
    "cap no number": (ask(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    "cap of nothing": (ask(max_tokens=0), "max_tokens"),
    "cap over the model's": (ask(max_tokens=64_001), "max_tokens: 64001 > 64000"),
    "no messages": (ask(messages=...), "messages: Field required"),
    "messages no list": (ask(messages="x"), "valid list"),
    "empty messages": (messages(), "at least one message"),
    "message no object": (messages("x"), "messages.0"),
    "system among messages": (messages({"role": "system", "content": "x"}, USER), "`system` parameter"),
    "unknown role": (messages({"role": "robot", "content": "x"}), "messages.0.role"),
    "assistant first": (messages({"role": "assistant", "content": "x"}, USER), 'must use the "user" role'),
    "prefill": (messages(USER, {"role": "assistant", "content": "{"}), "prefill"),
    "message with more": (messages({**USER, "name": "x"}), "messages.0.name: Extra inputs"),
    "message without content": (messages({"role": "user"}), "messages.0.content: Field required"),
    "null content": (messages({"role": "user", "content": None}), "messages.0.content"),
    "empty content": (messages({"role": "user", "content": []}), "messages.0.content"),
    "blank text": (messages({"role": "user", "content": " "}), "messages: text content blocks"),
    "picture": (messages({"role": "user", "content": [{"type": "image"}]}), "image.source: Field required"),
    "text no string": (messages({"role": "user", "content": [{"type": "text"}]}), "messages.0.content.0.text.text"),
    "empty system block": (system([{"type": "text", "text": ""}]), "system: text content blocks"),
    "system no text": (system(7), "system"),
    "cache control unknown": (system([{"type": "text", "text": "x", "cache_control": {"type": "x"}}]), "'ephemeral'"),
    "cache control for a day": (
        system([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1d"}}]), "ttl"),
    "too warm": (ask(temperature=1.5), "temperature"),
    "temperature no number": (ask(temperature="hot"), "temperature"),
    "temperature of a new model": (ask(model="claude-opus-4-7", temperature=0), "deprecated for this model"),
    "top_k of a new model": (ask(model="claude-sonnet-5-5", top_k=5), "deprecated for this model"),
    "thinking unknown": (ask(thinking={"type": "hard"}), "thinking"),
    "thinking too little": (ask(thinking={"type": "enabled", "budget_tokens": 9}), "1024"),
    "thinking over the cap": (ask(thinking={"type": "enabled", "budget_tokens": 2000}), "thinking.budget_tokens"),
    "stream no boolean": (ask(stream="yes"), "stream"),
    "config no object": (ask(output_config=7), "output_config"),
    "config with more": (ask(output_config={"verbosity": "low"}), "output_config.verbosity: Extra inputs"),
    "effort unknown": (ask(output_config={"effort": "huge"}), "output_config.effort"),
    "format unknown": (ask(output_config={"format": {"type": "xml"}}), "output_config.format.type"),
    "format without schema": (ask(output_config={"format": {"type": "json_schema"}}), "schema: Field required"),
    "format with a name": (
        ask(output_config={"format": {"type": "json_schema", "schema": SCHEMA, "name": "x"}}), "format.name: Extra"),
    "format of an old model": (ask(model="claude-sonnet-4-20250514"), "output format"),
    "open object": (
        schema(nested({"type": "object", "properties": {}})),
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"),
    "tools no list": (ask(tools={}), "tools"),
    "tool no object": (tools("x"), "tools.0"),
    "tool of the provider": (tools({"type": "web_search_20250305", "name": "web_search"}), "web_search_20250305"),
    "tool with more": (tools({**TOOL, "parameters": {}}), "tools.0.custom.parameters: Extra inputs"),
    "tool without a name": (tools({"input_schema": SCHEMA}), "tools.0.custom.name: Field required"),
    "tool without a schema": (tools({"name": "x"}), "tools.0.custom.input_schema: Field required"),
    "tool with a bad name": (tools({**TOOL, "name": "no blanks"}), "pattern"),
    "tool of a list": (tools({**TOOL, "input_schema": {"type": "array"}}), "input_schema.type"),
    "tool described by a number": (tools({**TOOL, "description": 7}), "description"),
    "tool not strict enough": (
        tools({**TOOL, "input_schema": {"type": "object"}}), "tools.0.custom: For 'object' type"),
    "strict tool of an old model": (tools(TOOL, model="claude-3-5-haiku-20241022", max_tokens=10), "strict"),
    "two of a name": (tools(TOOL, TOOL), "unique"),
    "choice without tools": (ask(tool_choice={"type": "auto"}), "tool_choice"),
    "choice unknown": (tools(TOOL, tool_choice={"type": "required"}), "tool_choice"),
    "choice no object": (tools(TOOL, tool_choice="auto"), "tool_choice"),
    "choice with more": (tools(TOOL, tool_choice={"type": "any", "name": "x"}), "tool_choice.any.name: Extra inputs"),
    "choice of nothing": (tools(TOOL, tool_choice={"type": "tool"}), "tool_choice.tool.name: Field required"),
    "choice of another": (tools(TOOL, tool_choice={"type": "tool", "name": "Other"}), "'Other' not found"),
    "forced while thinking": (
        tools(TOOL, tool_choice=FORCED, thinking={"type": "adaptive"}), "Thinking may not be enabled"),
    "forced on a model that cannot be": (tools(TOOL, tool_choice=FORCED, model="claude-opus-5-5"), "not supported"),
    "too long": (messages({"role": "user", "content": "x" * 4 * 200_000}), "prompt is too long: 2000"),
    "too long with the answer": (
        messages({"role": "user", "content": "x" * 4 * 199_500}), "`max_tokens` exceed context limit: 199"),
}  # fmt: skip


@each_case("name", REFUSALS)
def test_what_the_provider_refuses_is_refused(name):
    """A bad request is a 400 in the provider's shape that names what is wrong."""
    body, words = REFUSALS[name]
    with pytest.raises(Refused) as refused:
        parsed(body)
    told = json.loads(refused.value.body)
    assert (refused.value.status, told["type"], told["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in told["error"]["message"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (ask(model="missing-model"), {}, 404, "not_found_error"),
        (b" " * (32 * 2**20 + 1), {}, 413, "request_too_large"),
        (ask(), {"anthropic-version": "2023-01-01"}, 400, "invalid_request_error"),
        (ask(), {"anthropic-beta": "good-2026-01-01,bad"}, 400, "invalid_request_error"),
        (ask(temperature=1.0), {"anthropic-version": "2026-10-21"}, 400, "invalid_request_error"),
    ],
)
def test_other_refusals_have_their_own_status(body, headers, status, kind):
    """An unknown model, a body over 32 MB, a version or beta that is none, sampling under the newest version."""
    with pytest.raises(Refused) as refused:
        parsed(body, **headers)
    assert (refused.value.status, json.loads(refused.value.body)["error"]["type"]) == (status, kind)


def test_without_a_version_nothing_is_read():
    """The header is required."""
    with pytest.raises(Refused, match="anthropic-version"):
        SANDBOX.parse(Received("POST", "/v1/messages", "", {"x-api-key": "k"}, orjson.dumps(ask())))


@pytest.mark.parametrize("extra", [{"max_tokens": 10}, {"temperature": 0.5}, {"stream": True}])
def test_counting_takes_only_what_has_tokens(extra):
    """No cap, sampling or streaming; the rest as for a message."""
    count = "/v1/messages/count_tokens"
    assert parsed(ask(max_tokens=...), path=count).count_only
    with pytest.raises(Refused, match="Extra inputs"):
        parsed({**ask(max_tokens=...), **extra}, path=count)


def test_what_is_right_passes():
    """Both versions, betas, strings and blocks, a temperature where a model has one, thinking, any schema of a tool."""
    parts = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "b"},
    ]
    body = ask(temperature=0.3, system=parts, messages=[{"role": "user", "content": parts}], metadata={"user_id": "x"})
    assert parsed(body, **{"anthropic-beta": "files-api-2025-04-14, x-2026-01-01"}).document == "ab"
    assert parsed(ask(), **{"anthropic-version": "2026-10-21"}).cap_tokens == 1000
    assert parsed(ask(thinking={"type": "adaptive"}, output_config={"effort": "low", "format": None})).schema is None
    loose = {"name": "Loose", "input_schema": {"type": "object", "properties": {}}}
    assert parsed(tools(loose, TOOL, tool_choice={"type": "none"})).tool is None
    assert parsed(tools(loose, TOOL, tool_choice={"type": "any"})).tool == "Loose"
    assert parsed(tools(TOOL, model="any-other-model", tool_choice=FORCED)).tool_forced
    assert parsed(ask(output_config=..., system=f"Fill {{this}}: {json.dumps(SCHEMA)}")).schema == SCHEMA


def nullable(count):
    union = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    names = [f"f{number}" for number in range(count)]
    return {**SCHEMA, "properties": dict.fromkeys(names, union), "required": names}


def optional(count):
    return {**SCHEMA, "properties": {f"f{number}": {"type": "string"} for number in range(count)}, "required": []}


LINE = {
    "type": "object",
    "properties": {"of": {"$ref": "#/$defs/Line"}},
    "required": ["of"],
    "additionalProperties": False,
}
SCHEMAS = {
    "map": (nested({"type": "object", "additionalProperties": {"type": "string"}}), "'additionalProperties'"),
    "in items": (nested({"type": "array", "items": {"type": "object"}}), "'additionalProperties'"),
    "in options": (nested({"anyOf": [{"type": "null"}, {"type": "object"}]}), "'additionalProperties'"),
    "in definitions": ({**SCHEMA, "$defs": {"Line": {"type": "object"}}}, "'additionalProperties'"),
    "bounded integer": (nested({"type": "integer", "minimum": 0}), "For 'integer' type, property minimum not"),
    "bounded number": (
        nested({"type": "number", "maximum": 1, "minimum": 0}), "'number' type, properties minimum, maximum not"),
    "nullable bounded number": (nested({"type": ["number", "null"], "multipleOf": 1}), "property multipleOf"),
    "length": (nested({"type": "string", "maxLength": 9}), "'string' type, property maxLength"),
    "most items": (nested({"type": "array", "items": {"type": "string"}, "maxItems": 2}), "maxItems"),
    "two items at least": (nested({"type": "array", "items": {"type": "string"}, "minItems": 2}), "'minItems' values"),
    "tuple": (nested({"type": "array", "prefixItems": []}), "prefixItems"),
    "properties by pattern": ({**SCHEMA, "patternProperties": {}}, "patternProperties"),
    "format": (nested({"type": "string", "format": "binary"}), "'binary'"),
    "looking ahead": (nested({"type": "string", "pattern": "^(?=x)"}), "pattern"),
    "oneOf": (nested({"oneOf": [{"type": "string"}]}), "'oneOf'"),
    "no type": (nested({"description": "anything"}), "must have a 'type'"),
    "unknown type": (nested({"type": "date"}), "'date'"),
    "types of none": (nested({"type": []}), "[]"),
    "objects in enum": (nested({"enum": [{}]}), "'enum'"),
    "reference to nothing": (nested({"$ref": "#/$defs/A"}), "cannot be resolved"),
    "reference outside": (nested({"$ref": "https://example.org/schema"}), "cannot be resolved"),
    "circle": ({**nested({"$ref": "#/$defs/Line"}), "$defs": {"Line": LINE}}, "Circular"),
    "too many unions": (nullable(17), "union types (17"),
    "too many optional": (optional(25), "optional parameters (25"),
}  # fmt: skip


@each_case("name", SCHEMAS)
def test_a_schema_that_is_not_taken_says_why(name):
    """Anywhere in the schema; the words name the type and the keyword."""
    found, words = SCHEMAS[name]
    assert words in (problem(found) or "")


def test_schemas_that_are_taken():
    """Nullable fields, enums, formats, simple patterns, one item at least, shared definitions, defaults, the limits."""
    line = {**LINE, "properties": {"of": {"$ref": "#/$defs/Kind"}}}
    lines = nested({"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1})
    assert problem({**lines, "$defs": {"Line": line, "Kind": {"enum": ["a", None]}}}) is None
    fine = {"type": ["string", "null"], "format": "date", "pattern": "^[a-z]+$", "default": None, "title": "X"}
    assert problem(nested(fine)) is None
    for found in (SCHEMA, nullable(16), optional(24), {"type": "array", "items": {"const": 1}}):
        assert problem(found) is None


KEYWORDS = st.sampled_from(
    [
        "type",
        "object",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "$ref",
        "$defs",
        "minItems",
        "format",
        "array",
    ]
)
LEAVES = st.none() | st.integers() | KEYWORDS | st.just("#/$defs/object")
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(KEYWORDS, TREES))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_any_schema_is_judged(found):
    """No schema, however wrong, is more than refused."""
    assert isinstance(problem(found), str | None)


def test_headers_of_levels():
    """The provider's names; token counts of large limits to the nearest thousand; resets as instants, never early."""
    levels = (Level("requests", 60, 59, 1.0), Level("tokens", 20_000, 18_499, 4.5))
    assert SANDBOX.headers(Stamp("req_1", levels, retry_after_s=0.2)) == {
        "request-id": "req_1",
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:22Z",
        "anthropic-ratelimit-tokens-limit": "20000",
        "anthropic-ratelimit-tokens-remaining": "18000",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:25Z",
        "retry-after": "1",
    }


def test_a_429_names_the_limit():
    """Of an empty bucket with its figure, as a fault without."""
    question = parsed(ask())
    told = [SANDBOX.throttled(question, denial, 1.0) for denial in (Denial("tokens", 50_000, 1, 2, 1.0), None)]
    assert {refused.status for refused in told} == {429}
    words = [json.loads(refused.body)["error"]["message"] for refused in told]
    assert "50,000 tokens per minute" in words[0]
    assert "per minute" not in words[1]


def test_events_come_in_the_providers_order():
    """Start, block, ping, deltas, end of block, ending with usage, stop: each named in its line and in its data."""
    question = parsed(ask(stream=True))
    events = SANDBOX.events(question, Answer("7", "x" * 100, Ending.DONE, 9, 25, 0))
    names = [event.partition(b"\n")[0].removeprefix(b"event: ").decode() for event in events]
    data = [json.loads(event.partition(b"data: ")[2]) for event in events]
    assert names == [one["type"] for one in data]
    deltas = ["content_block_delta"] * 3
    assert names == [
        "message_start", "content_block_start", "ping", *deltas, "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert data[0]["message"]["usage"]["input_tokens"] == data[-2]["usage"]["input_tokens"] == 9
    assert (data[-2]["delta"]["stop_reason"], data[-2]["usage"]["output_tokens"]) == ("end_turn", 25)
