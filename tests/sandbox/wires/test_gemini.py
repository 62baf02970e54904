"""The sandbox as AI Studio and as Vertex AI: what it refuses, and our own wires against it."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from each_case import each_case
from sandbox_client import SCHEMA, STUB, always

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits, Model, Sandbox
from pipeline.parts import text_parts
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.gemini.wire import GeminiWire, VertexWire
from pipeline.providers.transport.http import HttpTransport
from pipeline.sandbox.exchange import Answer, Ending, Received, Refused, tokens_of
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.server import serve
from pipeline.sandbox.wires.gemini.schemas import problem
from pipeline.sandbox.wires.gemini.wire import Gemini, Vertex
from pipeline.types import AnswerShape, HttpAnswer, Purpose, Request, Stop, Turn

PROVIDERS = {"gemini": (GeminiWire, Gemini()), "vertex": (VertexWire, Vertex())}
MODES = ("json_schema", "tool", "json_object")
SECRETS = {"gemini": Secret("a-key"), "vertex": Secret("a-token", bearer=True)}
PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
VERTEX_PATH = "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
EXPRESS_PATH = "/v1/publishers/google/models/gemini-2.5-flash:generateContent"


def wire_of(provider, mode="json_schema", base_url="", **changes):
    settings = {"name": "gemini-2.5-flash", "max_output_tokens": 1000, "project": "p", **changes}
    model = Model(provider=provider, base_url=base_url, **settings)
    return PROVIDERS[provider][0](model, AnswerShape("Thing", mode, SCHEMA, strict=True))


def request_of(*turns, free_text=False, cap=1000):
    turns = turns or (Turn("user", text_parts("a document")),)
    return Request(b"k" * 16, 0, "0", 0, Purpose.EXTRACT, "Read.", turns, cap, 10, 20, free_text=free_text)


def received(wire, body, secret=None, url=None):
    """Our wire's request as the server hands it to the sandbox's."""
    path, _, query = (url or wire.url).partition("googleapis.com")[2].partition("?")
    headers = wire.headers(body, secret or SECRETS[wire.name], None)
    return Received("POST", path, query, {key.lower(): value for key, value in headers.items()}, body)


def played(wire, sandbox, request, ending=Ending.DONE):
    """Body → question → answer → reply, in memory."""
    asked = received(wire, wire.body(request))
    sandbox.authorise(asked)
    question = sandbox.parse(asked)
    if question.schema is None:
        text = STUB.read(question.document, question.cap_tokens)
    elif question.errors is not None:
        text = json.dumps(STUB.repair(question.document, question.schema, question.errors))
    else:
        text = json.dumps(STUB.extract(question.document, question.schema))
    text = text[: len(text) // 2] if ending is Ending.TRUNCATED else text
    answer = Answer("id1", text, ending, question.prompt_tokens, 7, 1_700_000_000)
    if not question.stream:
        return wire.reply(HttpAnswer(200, {}, sandbox.whole(question, answer)))
    events = wire.stream()
    for event in sandbox.events(question, answer):
        events.feed(event)
    return wire.reply(HttpAnswer(200, {}, events.finish(200, {})))


MATRIX = [(p, m, s) for p in PROVIDERS for m in (*MODES, "free text") for s in (False, True)]


@each_case(("provider", "mode", "stream"), MATRIX)
def test_our_wire_and_the_sandboxs_understand_each_other(provider, mode, stream):
    """In every mode, streamed or not, the record comes back with usage, version and id."""
    sandbox = PROVIDERS[provider][1]
    free = mode == "free text"
    wire = wire_of(provider, "json_schema" if free else mode, stream=stream)
    reply = played(wire, sandbox, request_of(free_text=free))
    assert (reply.text if free else json.loads(reply.text)) == (
        "a document" if free else {"name": "a document", "note": None}
    )
    assert (reply.stop, reply.finish_reason, reply.model_version) == (Stop.DONE, "STOP", "sandbox-rules-1")
    assert (reply.provider_request_id, reply.usage.output_tokens, reply.usage.reasoning_tokens) == ("id1", 7, 0)
    assert reply.usage.input_tokens >= tokens_of("Read.") + tokens_of("a document")


@each_case(("provider", "mode", "stream"), [case for case in MATRIX if case[1] != "free text"])
def test_a_repair_is_understood(provider, mode, stream):
    """After an answer and what was wrong with it, the record is repaired with that."""
    turns = (Turn("user", text_parts("x")), Turn("assistant", text_parts("{")), Turn("user", text_parts("no JSON")))
    reply = played(wire_of(provider, mode, stream=stream), PROVIDERS[provider][1], request_of(*turns))
    assert json.loads(reply.text) == {"name": "x", "note": "no JSON"}


@each_case(("provider", "mode", "stream"), MATRIX[:6] + MATRIX[8:14])
@each_case(("ending", "stop"), [(Ending.TRUNCATED, Stop.TRUNCATED), (Ending.REFUSED, Stop.BLOCKED)])
def test_other_endings(provider, mode, stream, ending, stop):
    """A cut answer is truncated; a refusal is played as what safety stopped, since Google has no other word."""
    reply = played(wire_of(provider, mode, stream=stream), PROVIDERS[provider][1], request_of(), ending)
    assert (reply.stop, reply.usage.output_tokens) == (stop, 7)
    if stop is Stop.BLOCKED or mode == "tool":
        assert reply.text == ""  # half a call is none


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("mode", MODES)
def test_counting_round_trip(provider, mode):
    """The count of a request is what it is then billed for."""
    wire, sandbox = wire_of(provider, mode), PROVIDERS[provider][1]
    question = sandbox.parse(received(wire, wire.count_body(request_of()), url=wire.count_url))
    assert question.count_only
    counted = wire.counted(HttpAnswer(200, {}, sandbox.counted(question)))
    assert counted == played(wire, sandbox, request_of()).usage.input_tokens


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_without_sse_is_a_list(provider):
    """Without alt=sse the same chunks come as one JSON list."""
    wire, sandbox = wire_of(provider, stream=True), PROVIDERS[provider][1]
    asked = received(wire, wire.body(request_of()), url=wire.url.partition("?")[0])
    question = sandbox.parse(asked)
    assert question.stream is False
    answer = Answer("id1", '{"name":"x"}' * 20, Ending.DONE, 5, 7, 0)
    body = sandbox.whole(question, answer)
    assert len(json.loads(body)) > 3
    assert wire.reply(HttpAnswer(200, {}, body)).text == answer.text


def test_a_spoiled_call_is_malformed():
    """Arguments that are no object cannot be sent: the provider says so with its own word, and our wire tries again."""
    wire, sandbox = wire_of("gemini", "tool"), Gemini()
    question = sandbox.parse(received(wire, wire.body(request_of())))
    for text in ('{"name"', "[]", "prose"):
        body = sandbox.whole(question, Answer("id1", text, Ending.DONE, 5, 7, 0))
        with pytest.raises(CallFailed) as failed:
            wire.reply(HttpAnswer(200, {}, body))
        assert (failed.value.kind, failed.value.finish_reason) == (Kind.NO_ANSWER, "MALFORMED_FUNCTION_CALL")


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(sandbox, path=PATH, body=None, headers=(), query=""):
    """(status, status name, reasons, message) of what is refused; None when it is taken."""
    data = body if isinstance(body, bytes) else orjson.dumps(body if body is not None else ask())
    asked = Received("POST", path, query, dict(headers), data)
    try:
        sandbox.authorise(asked)
        sandbox.parse(asked)
    except Refused as error:
        told = orjson.loads(error.body)["error"]
        reasons = [detail.get("reason") for detail in told.get("details", ())]
        return told["code"], told["status"], reasons, told["message"]
    return None


KEYS = [
    (Gemini(), PATH, {}, "", (403, "PERMISSION_DENIED", [])),
    (Gemini(), PATH, {"x-goog-api-key": "invalid"}, "", (400, "INVALID_ARGUMENT", ["API_KEY_INVALID", None])),
    (Gemini(), PATH, {}, "key=invalid", (400, "INVALID_ARGUMENT", ["API_KEY_INVALID", None])),
    (Gemini(), PATH, {}, "key=good", None),
    (Gemini(), PATH, {"authorization": "Bearer token"}, "", None),
    (Vertex(), VERTEX_PATH, {}, "", (401, "UNAUTHENTICATED", ["CREDENTIALS_MISSING"])),
    (Vertex(), VERTEX_PATH, {"x-goog-api-key": "k"}, "", (401, "UNAUTHENTICATED", ["CREDENTIALS_MISSING"])),
    (
        *(Vertex(), VERTEX_PATH, {"authorization": "Bearer invalid"}, ""),
        (401, "UNAUTHENTICATED", ["ACCESS_TOKEN_TYPE_UNSUPPORTED"]),
    ),
    (Vertex(), VERTEX_PATH, {"authorization": "Basic x"}, "", (401, "UNAUTHENTICATED", ["CREDENTIALS_MISSING"])),
    (Vertex(), VERTEX_PATH, {"authorization": "Bearer token"}, "", None),
    (Vertex(), EXPRESS_PATH, {"x-goog-api-key": "k"}, "", None),
    (Vertex(), EXPRESS_PATH, {"x-goog-api-key": "invalid"}, "", (400, "INVALID_ARGUMENT", ["API_KEY_INVALID", None])),
]


@each_case(("sandbox", "path", "headers", "query", "expected"), KEYS)
def test_who_is_let_in(sandbox, path, headers, query, expected):
    """Keys for AI Studio, tokens for Vertex, keys on Vertex's express paths only; each refusal in its own shape."""
    found = refused(sandbox, path, headers=headers, query=query)
    assert (found and found[:3]) == expected


@pytest.mark.parametrize(
    ("provider", "secret"), [("gemini", Secret("invalid")), ("vertex", Secret("invalid", bearer=True))]
)
def test_a_bad_key_parks_the_run(provider, secret):
    """Our wire takes the sandbox's refusal of a key for what it is."""
    wire = wire_of(provider)
    with pytest.raises(Refused) as error:
        PROVIDERS[provider][1].authorise(received(wire, b"", secret))
    with pytest.raises(CallFailed) as failed:
        wire.reply(HttpAnswer(error.value.status, {}, error.value.body))
    assert failed.value.kind is Kind.AUTH


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

USER = {"role": "user", "parts": [{"text": "x"}]}
FUNCTION = {"name": "Thing", "description": "d", "parametersJsonSchema": SCHEMA}


def ask(config=(), **changes):
    body = {"contents": [USER], "generationConfig": {"maxOutputTokens": 100, **dict(config)}, **changes}
    return {key: value for key, value in body.items() if value is not ...}


def tooled(calling=(), **function):
    config = {"toolConfig": {"functionCallingConfig": dict(calling)}} if calling else {}
    return ask(tools=[{"functionDeclarations": [{**FUNCTION, **function}]}], **config)


def nested(inner):
    return {"type": "object", "properties": {"x": inner}, "required": ["x"]}


def schemed(schema):
    return ask({"responseMimeType": "application/json", "responseJsonSchema": schema})


REFUSALS = {
    "no json": (b"{", "Invalid JSON payload"),
    "no object": (b"[]", "should be an object"),
    "unknown field": (ask(temperature=1), 'Unknown name "temperature": Cannot find field.'),
    "unknown inner field": (ask({"max_tokens": 5}), "Unknown name \"max_tokens\" at 'generation_config'"),
    "unknown part": (
        ask(contents=[{"parts": [{"txt": "x"}]}]),
        "Unknown name \"txt\" at 'contents[0].parts[0]': Cannot find field.",
    ),
    "openapi schema": (
        ask({"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}}),
        "Unknown name \"responseSchema\" at 'generation_config'",
    ),
    "contents no objects": (ask(contents=["x"]), "expected an object"),
    "no contents": (ask(contents=...), "contents is not specified"),
    "empty contents": (ask(contents=[]), "contents is not specified"),
    "no parts": (ask(contents=[{"role": "user"}]), "parts must not be empty"),
    "part of nothing": (ask(contents=[{"parts": [{}]}]), "'data' must be set"),
    "picture": (ask(contents=[{"parts": [{"inlineData": {}}]}]), "Base64 decoding failed"),
    "wrong role": (ask(contents=[{"role": "assistant", "parts": [{"text": "x"}]}]), "valid role: user, model"),
    "model's turn last": (
        ask(contents=[USER, {"role": "model", "parts": [{"text": "x"}]}]),
        "ending with a model turn",
    ),
    "too warm": (ask({"temperature": 2.5}), "temperature value of 2.5"),
    "warm in words": (ask({"temperature": "hot"}), "temperature"),
    "two candidates": (ask({"candidateCount": 2}), "one candidate"),
    "no cap": (ask({"maxOutputTokens": 0}), "maxOutputTokens value of 0"),
    "cap too high": (ask({"maxOutputTokens": 65_536}), "maxOutputTokens value of 65536"),
    "cap in words": (ask({"maxOutputTokens": "9"}), "max_output_tokens"),
    "mime unknown": (ask({"responseMimeType": "text/html"}), "response_mime_type"),
    "schema without mime": (ask({"responseJsonSchema": SCHEMA}), "response mime type: 'application/json'"),
    "function and mime": (
        {**tooled(), "generationConfig": {"responseMimeType": "application/json"}},
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    "function's name": (tooled(name="no blanks"), "Invalid function name"),
    "function without name": (tooled(name=None), "Invalid function name"),
    "function twice": (ask(tools=[{"functionDeclarations": [FUNCTION, FUNCTION]}]), "Duplicate function"),
    "function's schema": (tooled(parametersJsonSchema=nested({"type": "thing"})), "x: type 'thing'"),
    "function of no object": (tooled(parametersJsonSchema={"type": "string"}), "of type object"),
    "mode unknown": (tooled({"mode": "SOME"}), "mode"),
    "function unknown": (tooled({"mode": "ANY", "allowedFunctionNames": ["Other"]}), "no declared function: Other"),
    "names without any": (tooled({"mode": "AUTO", "allowedFunctionNames": ["Thing"]}), "ANY or VALIDATED"),
    "calling nothing": (ask(toolConfig={"functionCallingConfig": {"mode": "ANY"}}), "without function_declarations"),
    "bad schema": (schemed({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}), "undefined schema"),
    "too long": (
        ask(contents=[{"parts": [{"text": "x" * 4_000_004}]}]),
        "(1000001) exceeds the maximum number of tokens allowed (1000000)",
    ),
}


@each_case("name", REFUSALS)
@each_case(("sandbox", "path"), [(Gemini(), PATH), (Vertex(), VERTEX_PATH)])
def test_what_google_refuses_is_refused(sandbox, path, name):
    """A bad request is INVALID_ARGUMENT, and the message has the words that clients look for."""
    body, words = REFUSALS[name]
    headers = {"authorization": "Bearer token"}
    status, named, _, message = refused(sandbox, path, body, headers)
    assert (status, named) == (400, "INVALID_ARGUMENT")
    assert words in message


@pytest.mark.parametrize(
    "body",
    [
        ask({"temperature": 0, "topP": 1, "stopSequences": ["x"]}),
        ask({"response_mime_type": "application/json", "response_json_schema": SCHEMA}),
        {"contents": {"parts": {"text": "x"}}, "system_instruction": {"parts": {"text": "y"}}},
        tooled(),
        tooled({"mode": "NONE"}),
        ask(tools=[{"function_declarations": [{"name": "f", "description": "d"}]}]),
        ask(safetySettings=[{"category": "x", "threshold": "y"}], contents=[USER, {**USER, "role": "model"}, USER]),
    ],
)
def test_what_google_takes_is_taken(body):
    """Either spelling of names, one value for a list of one, and fields that the sandbox has no use for."""
    assert refused(Gemini(), PATH, body, {"x-goog-api-key": "k"}) is None


def test_a_429_says_which_limit_and_how_long():
    """AI Studio's tells both in its details, the time in words too; Vertex's tells neither."""
    wire = wire_of("gemini")
    question = Gemini().parse(received(wire, wire.body(request_of())))
    error = orjson.loads(Gemini().throttled(question, Denial("requests", 15, 15, 1, 2.5), 2.5).body)["error"]
    failure, retry = error["details"]
    assert retry["retryDelay"] == "2.500000000s"
    assert [one["quotaValue"] for one in failure["violations"]] == ["15"]
    assert "retry in 2.500000000s" in error["message"]
    fault = orjson.loads(Gemini().throttled(question, None, 0.05).body)["error"]["details"]
    assert "quotaValue" not in fault[0]["violations"][0]
    assert set(orjson.loads(Vertex().throttled(question, None, 0.05).body)["error"]) == {"code", "message", "status"}


def test_a_model_that_knows_only_words():
    """Gemma 3 takes no system instruction, function or JSON type; told in words alone, it answers with a record."""
    path = PATH.replace("gemini-2.5-flash", "gemma-3-27b-it")
    json_type = {"responseMimeType": "application/json"}
    for body, words in [
        (ask(systemInstruction={"parts": [{"text": "x"}]}), "Developer instruction is not enabled"),
        (tooled(), "Function calling is not enabled"),
        (ask(json_type), "JSON mode is not enabled"),
    ]:
        assert words in refused(Gemini(), path, body, {"x-goog-api-key": "k"})[3]
    wire = wire_of("gemini", "json_object", name="gemma-3-27b-it")
    assert json.loads(played(wire, Gemini(), request_of()).text)["name"].endswith("a document")
    assert played(wire, Gemini(), request_of(free_text=True)).text == "Read.a document"


def test_missing_models_and_methods():
    """The model called missing-model is not found, in the words of either service; nor is an unknown method."""
    for sandbox, path, words in [
        (Gemini(), PATH, "models/missing-model is not found"),
        (Vertex(), VERTEX_PATH, "Publisher Model"),
    ]:
        missing = path.replace("gemini-2.5-flash", "missing-model")
        status, named, _, message = refused(sandbox, missing, headers={"authorization": "Bearer t"})
        assert (status, named) == (404, "NOT_FOUND")
        assert words in message
    assert refused(Gemini(), PATH.replace("generate", "embed"), headers={"x-goog-api-key": "k"})[0] == 404


COUNTS = {
    "nothing": ({}, "one of generate_content_request and contents"),
    "both": ({"contents": [USER], "generateContentRequest": ask(model="models/x")}, "one of"),
    "no model": ({"generateContentRequest": ask()}, "model is not specified"),
    "system beside contents": ({"contents": [USER], "systemInstruction": USER}, 'Unknown name "systemInstruction"'),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_cannot_be_counted(name):
    """AI Studio counts contents alone, or a whole request that names its model."""
    body, words = COUNTS[name]
    path = PATH.replace("generateContent", "countTokens")
    assert words in refused(Gemini(), path, body, {"x-goog-api-key": "k"})[3]


TREE = {**nested({"$ref": "#/$defs/T"}), "$defs": {"T": nested({"type": "array", "items": {"$ref": "#/$defs/T"}})}}
SCHEMAS = {
    "no object": ([], "JSON object"),
    "keyword": (nested({"type": "string", "pattern": "x"}), "x: keyword 'pattern'"),
    "keyword in items": (nested({"type": "array", "items": {"const": 1}}), "x[]: keyword 'const'"),
    "keyword in options": (nested({"anyOf": [{"type": "null"}, {"not": {}}]}), "x.anyOf[1]: keyword 'not'"),
    "keyword in a map": (nested({"type": "object", "additionalProperties": {"if": {}}}), "x.*: keyword 'if'"),
    "type": (nested({"type": "text"}), "x: type 'text'"),
    "enum": (nested({"enum": [{}]}), "x: enum"),
    "reference with more": ({**nested({"$ref": "#/$defs/T", "title": "x"}), "$defs": {"T": {}}}, "unsupported fields"),
    "reference to nothing": (nested({"$ref": "#/$defs/T"}), "undefined schema"),
    "required of nothing": ({"type": "object", "properties": {}, "required": ["y"]}, "not defined: y"),
    "endless": (TREE, "a reference to itself"),
}


@each_case("name", SCHEMAS)
def test_a_schema_that_gemini_would_not_keep(name):
    """The place and the reason are told."""
    schema, words = SCHEMAS[name]
    assert words in (problem(schema) or "")


def test_schemas_that_gemini_keeps():
    """References, also to itself where an answer may end, maps, choices and bounds."""
    optional = {"type": "object", "properties": {"child": {"$ref": "#/$defs/T"}}}
    assert problem({**nested({"$ref": "#/$defs/T"}), "$defs": {"T": optional}}) is None
    assert problem(nested({"type": ["integer", "null"], "minimum": 0, "enum": [1, 2]})) is None
    assert problem(nested({"type": "object", "additionalProperties": {"type": "number"}})) is None
    assert problem(SCHEMA) is None


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def served(**config):
    runner, port = await serve(Sandbox(**config), "127.0.0.1", 0, STUB)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def sent(provider, mode="json_schema", *, stream=False, secret=None, timeout_s=10.0, name="gemini-2.5-flash", **config):
    """One request through our transport to the sandbox: its reply, or its failure."""

    async def main():
        async with served(**config) as url:
            limits = Limits(timeout_s=timeout_s, idle_timeout_s=timeout_s)
            transport = HttpTransport(limits, FixedKey(secret or SECRETS[provider]), stream=stream)
            wire = wire_of(provider, mode, url, stream=stream, name=name)
            try:
                answer = await transport.send(wire, request_of())
                return wire.reply(answer)
            except CallFailed as failed:
                return failed
            finally:
                await transport.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(("provider", "mode", "stream"), [case for case in MATRIX if case[1] != "free text"])
def test_over_http_the_record_comes_back(provider, mode, stream):
    """A real server, our transport: the record, in every mode, streamed or not."""
    reply = sent(provider, mode, stream=stream)
    assert json.loads(reply.text) == {"name": "a document", "note": None}
    assert (reply.stop, reply.model_version) == (Stop.DONE, "sandbox-rules-1")


FAULTS = {
    Fault.THROTTLED: Kind.THROTTLED,
    Fault.SERVER_ERROR: Kind.OVERLOADED,
    Fault.DISCONNECT: Kind.CONNECTION,
    Fault.TIMEOUT: Kind.TIMEOUT,
    Fault.TRUNCATED: Stop.TRUNCATED,
    Fault.REFUSED: Stop.BLOCKED,
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_over_http_every_fault_is_what_it_is(provider, stream, fault):
    """Each fault of the sandbox, streamed or not, is taken for what it is."""
    timeout_s = 0.2 if fault is Fault.TIMEOUT else 10.0
    found = sent(provider, stream=stream, timeout_s=timeout_s, **always(fault))
    assert FAULTS[fault] is (found.kind if isinstance(found, CallFailed) else found.stop)
    if fault is Fault.THROTTLED:
        hint = found.retry_after_s
        assert hint is None if provider == "vertex" else 0 < hint <= 1  # Vertex tells none


def test_over_http_a_limit_is_told_and_a_request_over_it_refused():
    """AI Studio's 429 names the limit and the wait; what can never fit is too long."""
    over = sent("gemini", tokens_per_minute=500)
    assert (over.kind, over.status) == (Kind.CONTEXT_EXCEEDED, 400)

    async def twice():
        async with served(requests_per_minute=1) as url:
            wire = wire_of("gemini", base_url=url)
            transport = HttpTransport(Limits(), FixedKey(SECRETS["gemini"]), stream=False)
            answers = [await transport.send(wire, request_of()) for _ in range(2)]
            await transport.aclose()
            assert wire.reply(answers[0]).stop is Stop.DONE
            with pytest.raises(CallFailed) as failed:
                wire.reply(answers[1])
            return failed.value

    failed = asyncio.run(twice())
    assert failed.kind is Kind.THROTTLED
    assert 0 < failed.retry_after_s <= 60
    assert [(one.dimension, one.limit, one.remaining) for one in failed.limits] == [("requests", 1, 0)]


def test_over_http_no_model_and_no_key():
    """A model that is not there and a key that is not good park the run."""
    assert sent("gemini", name="missing-model").kind is Kind.MODEL_UNAVAILABLE
    assert sent("vertex", name="missing-model").kind is Kind.MODEL_UNAVAILABLE
    assert sent("gemini", secret=Secret("invalid")).kind is Kind.AUTH
    assert sent("vertex", secret=Secret("an-api-key")).kind is Kind.AUTH


def test_over_http_headers_are_googles():
    """No limits and no Retry-After in headers; streams are events; a list is JSON."""

    async def main():
        async with served() as url, aiohttp.ClientSession() as session:
            headers = {"x-goog-api-key": "k"}
            path = url + PATH.replace(":generate", ":streamGenerate")
            async with session.post(f"{path}?alt=sse", json=ask(), headers=headers) as answer:
                assert answer.headers["Content-Type"] == "text/event-stream"
                assert answer.headers["server-timing"].startswith("gfet4t7; dur=")
                assert not any(name.lower().startswith(("retry", "x-ratelimit")) for name in answer.headers)
                assert (await answer.read()).startswith(b"data: {")
            async with session.post(path, json=ask(), headers=headers) as answer:
                assert answer.content_type == "application/json"
                assert isinstance(await answer.json(), list)

    asyncio.run(main())
