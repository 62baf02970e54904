"""Gemini and Vertex AI: what is sent, and what every answer of theirs means."""

import json
import random
from datetime import UTC, datetime
from itertools import pairwise

import orjson
import pytest
from each_case import each_case
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple
from places import RECORDINGS

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.gemini.answers import NUMBERS, STOPS
from pipeline.providers.gemini.wire import GeminiWire, VertexWire
from pipeline.types import Answer, AnswerShape, Dimension, HttpAnswer, PartialUsage, Purpose, Request, Stop, Turn, Usage

FOLDER = RECORDINGS / "gemini"
recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of the repository")

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def model_of(provider="gemini", **changes):
    return Model(**{"provider": provider, "name": "gemini-2.5-flash", "max_output_tokens": 100, **changes})


def shape_of(mode="json_schema", **changes):
    return AnswerShape(**{"name": "Thing", "mode": mode, "schema": SCHEMA, "strict": True, **changes})


def request_of(*turns, system="Read.", free_text=False, cap=100):
    turns = turns or (Turn("user", text_parts("a document")),)
    return Request(b"k" * 16, 0, "0", 0, Purpose.EXTRACT, system, turns, cap, 10, 20, free_text=free_text)


def wire_of(mode="json_schema", **changes):
    return GeminiWire(model_of(**changes), shape_of(mode))


def answered(body, status=200, headers=()):
    return HttpAnswer(status, dict(headers), body if isinstance(body, bytes) else orjson.dumps(body))


def outcome(answer, wire=None):
    """(stop or kind, finish word, usage, hint, model version, text or message)."""
    try:
        reply = (wire or wire_of()).reply(answer)
    except CallFailed as failed:
        usage = failed.usage and astuple(failed.usage)
        return failed.kind, failed.finish_reason, usage, failed.retry_after_s, failed.model_version, failed.message
    usage = astuple(reply.usage)
    return reply.stop, reply.finish_reason, usage, reply.retry_after_s, reply.model_version, reply.text


FLASH, FLASH_3 = "gemini-2.5-flash", "gemini-3-flash-preview"
RECORDED = {  # file → stop or kind, finish word, usage, hint, model version, start of the text or message
    "batch-9-last.json": (Kind.NO_ANSWER, None, (0, 0, 0, 0, 0), None, None, "no usable content"),
    "batch-create.json": (Kind.NO_ANSWER, None, (0, 0, 0, 0, 0), None, None, "no usable content"),
    "cached-explicit.json": (Stop.DONE, "STOP", (9622, 9609, 0, 171, 136), None, FLASH, "The RubyLLM"),
    "err-400-api-key-invalid.json": (Kind.AUTH, None, None, None, None, "API key not valid"),
    "err-404-model-stream.json": (Kind.MODEL_UNAVAILABLE, None, None, None, None, "models/does-not-exist is not"),
    "err-404-model.json": (Kind.MODEL_UNAVAILABLE, None, None, None, None, "models/gemini-3.6-flahs is not"),
    "hand-429-RetryInfo-fractional.json": (Kind.THROTTLED, None, None, 34.4, None, "You exceeded"),
    "log-400-function-calling-json-mime-array-wrapped.json": (Kind.INVALID_REQUEST, None, None, None, None, "Function"),
    "log-400-generic-invalid-argument.json": (Kind.INVALID_REQUEST, None, None, None, None, "Request contains"),
    "log-400-schema-too-many-states.json": (Kind.INVALID_REQUEST, None, None, None, None, "The specified schema"),
    "log-429-free-tier-input-tokens.json": (Kind.THROTTLED, None, None, None, None, "You exceeded"),
    "log-429-help-only-no-RetryInfo.json": (Kind.QUOTA, None, None, None, None, "You exceeded"),  # until midnight
    "log-429-plain-no-details.json": (Kind.THROTTLED, None, None, None, None, "Resource has been exhausted"),
    "log-500-internal.json": (Kind.OVERLOADED, None, None, None, None, "An internal error"),
    "log-503-overloaded.json": (Kind.OVERLOADED, None, None, None, None, "The model is overloaded"),
    "log-block-PROHIBITED_CONTENT.json": (
        *(Stop.BLOCKED, "PROHIBITED_CONTENT", (9311, 0, 0, 0, 0), None, "gemini-2.0-flash", ""),
    ),
    "log-finish-OTHER-no-content.json": (Kind.NO_ANSWER, "OTHER", (171, 0, 0, 0, 0), None, None, "no usable content"),
    "log-finish-RECITATION-no-content.json": (Stop.BLOCKED, "RECITATION", (4, 0, 0, 0, 0), None, None, ""),
    "log-vertex-429-array-wrapped.json": (Kind.THROTTLED, None, None, None, None, "Resource exhausted"),
    "max_tokens-no-parts-thinking.json": (Stop.TRUNCATED, "MAX_TOKENS", (15, 0, 0, 2, 2), None, "gemini-2.5-pro", ""),
    "max_tokens.json": (Stop.TRUNCATED, "MAX_TOKENS", (15, 0, 0, 5, 0), None, FLASH, "The capital of France is"),
    "safety-candidate-empty-content.json": (Stop.BLOCKED, "SAFETY", (14, 0, 0, 0, 0), None, "gemini-1.5-flash", ""),
    "stream-text.json": (Stop.DONE, "STOP", (8, 0, 0, 27, 20), None, FLASH, "1, 2, 3"),
    "stream-tool_call.json": (Stop.DONE, "STOP", (48, 0, 0, 75, 61), None, FLASH, "{}"),
    "structured-gemini3-json-schema.json": (Stop.DONE, "STOP", (13, 0, 0, 268, 258), None, FLASH_3, '{"name":"John"'),
    "thinking.json": (Stop.DONE, "STOP", (44, 0, 0, 1667, 1116), None, FLASH_3, "To see your future"),
    "tool_call-thought-signature.json": (
        *(Stop.DONE, "STOP", (120, 0, 0, 164, 132), None, "gemini-3.1-pro-preview", '{"latitude":"52.5200"'),
    ),
    "tool_call.json": (Stop.DONE, "STOP", (103, 0, 0, 136, 106), None, FLASH, '{"latitude":"52.5200"'),
    "vertex-block-MODEL_ARMOR-prompt.json": (Stop.BLOCKED, "MODEL_ARMOR", (0, 0, 0, 0, 0), None, FLASH, ""),
    "vertex-cached.json": (Stop.DONE, "STOP", (9613, 9602, 0, 72, 39), None, FLASH, "The RubyLLM"),
    "vertex-err-400-role.json": (Kind.INVALID_REQUEST, None, None, None, None, "Please use a valid role"),
    "vertex-err-404-model-2024.json": (Kind.MODEL_UNAVAILABLE, None, None, None, None, "Publisher Model"),
    "vertex-err-404-model.json": (Kind.MODEL_UNAVAILABLE, None, None, None, None, "Publisher Model"),
    "vertex-finish-MODEL_ARMOR.json": (Stop.BLOCKED, "MODEL_ARMOR", (19, 0, 0, 33, 27), None, FLASH, ""),
    "vertex-stream.json": (Stop.DONE, "STOP", (7, 0, 0, 32, 25), None, FLASH, "1, 2, 3"),
    "vertex-structured.json": (Stop.DONE, "STOP", (77, 0, 0, 328, 318), None, FLASH_3, '{"name":"John"'),
    "vertex-tool_call.json": (Stop.DONE, "STOP", (70, 0, 0, 72, 55), None, FLASH, '{"longitude":"13.4050"'),
    "vertex-unexpected_tool_call.json": (
        *(Kind.NO_ANSWER, "UNEXPECTED_TOOL_CALL", (22, 0, 0, 137, 134), None, FLASH_3, "no usable content"),
    ),
}


def recording(name):
    """(status, headers, body, whether it is a stream of events)."""
    found = json.loads((FOLDER / name).read_text())
    body = found.get("body_raw") or found["body"]
    headers = {key.lower(): value for key, value in found["headers"].items()}
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return found["status"], headers, raw, found["status"] == 200 and "event-stream" in headers.get("content-type", "")


def put_together(pieces, wire=None):
    events = (wire or wire_of()).stream()
    for piece in pieces:
        events.feed(piece)
    return events.finish(200, {})


@recorded
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_answer_means_what_it_should(name):
    """Outcome, finish word, usage, hint, version and text of each recorded answer, whole or streamed in one piece."""
    status, headers, body, stream = recording(name)
    found = outcome(HttpAnswer(status, headers, put_together([body]) if stream else body))
    *expected, start = RECORDED[name]
    assert list(found[:5]) == expected
    assert found[5].startswith(start) if start else found[5] == ""


@recorded
def test_every_recording_is_in_the_table():
    """No recorded answer is left out."""
    assert {path.name for path in FOLDER.glob("*.json")} == set(RECORDED)


@recorded
@pytest.mark.parametrize("name", ["stream-text.json", "stream-tool_call.json", "vertex-stream.json"])
def test_a_recorded_stream_may_be_cut_anywhere(name):
    """Byte by byte and at random places it puts together to the same body."""
    _, _, body, _ = recording(name)
    whole = put_together([body])
    assert put_together([body[at : at + 1] for at in range(len(body))]) == whole
    chance = random.Random(name)
    for _ in range(20):
        cuts = [0, *sorted(chance.sample(range(len(body)), 5)), len(body)]
        assert put_together([body[start:end] for start, end in pairwise(cuts)]) == whole


@recorded
def test_a_limit_that_a_429_names_is_seen():
    """The quota of a 429 tells the dimension and its limit per minute, and that nothing of it is left."""
    status, headers, body, _ = recording("log-429-free-tier-input-tokens.json")
    with pytest.raises(CallFailed) as failed:
        wire_of().reply(HttpAnswer(status, headers, body))
    assert [(one.dimension, one.limit, one.remaining) for one in failed.value.limits] == [
        (Dimension.INPUT_TOKENS, 250_000, 0)
    ]
    assert failed.value.short is Dimension.INPUT_TOKENS


def test_a_limit_per_day_is_no_limit_per_minute():
    """Only what holds for a minute is told as a lane's limit, and only where it is a number."""
    odd = [violation(quotaId=MINUTE, quotaValue=value) for value in ("", "many", None, 1.5, "9" * 40)]
    answer = status_of(429, "RESOURCE_EXHAUSTED", "x", violation(quotaId=DAY, quotaValue="250"), *odd)
    with pytest.raises(CallFailed) as failed:
        wire_of().reply(answer)
    assert failed.value.limits == ()


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_schema_goes_as_json_schema():
    """The whole body of the enforced mode: system, generationConfig with the schema, roles user and model."""
    turns = (
        Turn("user", text_parts("a document")),
        Turn("assistant", text_parts("{")),
        Turn("user", text_parts("no JSON")),
    )
    assert orjson.loads(wire_of(temperature=0.0).body(request_of(*turns))) == {
        "systemInstruction": {"parts": [{"text": "Read."}]},
        "generationConfig": {
            "temperature": 0.0,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
            "maxOutputTokens": 100,
        },
        "contents": [
            {"role": "user", "parts": [{"text": "a document"}]},
            {"role": "model", "parts": [{"text": "{"}]},
            {"role": "user", "parts": [{"text": "no JSON"}]},
        ],
    }


def test_a_function_is_forced_and_no_json_type_is_asked_for():
    """Functions and a JSON type together are refused by the service: only one of them is sent."""
    body = orjson.loads(wire_of("tool").body(request_of()))
    assert body["generationConfig"] == {"maxOutputTokens": 100}
    (function,) = body["tools"][0]["functionDeclarations"]
    assert (function["name"], function["parametersJsonSchema"]) == ("Thing", SCHEMA)
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["Thing"]}}


def test_json_without_a_schema_is_told_in_words():
    """In json_object mode the schema stands in the system prompt, also when there was none."""
    for system in ("Read.", ""):
        body = orjson.loads(wire_of("json_object").body(request_of(system=system)))
        assert body["generationConfig"] == {"responseMimeType": "application/json", "maxOutputTokens": 100}
        words = body["systemInstruction"]["parts"][0]["text"]
        assert orjson.dumps(SCHEMA).decode() in words
        assert words.startswith(system)


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
def test_free_text_asks_for_no_shape(mode):
    """With free_text there is no schema, no function and no JSON type, in any mode."""
    body = orjson.loads(wire_of(mode).body(request_of(free_text=True, system="")))
    assert set(body) == {"generationConfig", "contents"}
    assert body["generationConfig"] == {"maxOutputTokens": 100}


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
def test_what_the_job_fixes_is_the_same_bytes_over_rows(mode):
    """Two rows share everything up to their documents."""
    wire = wire_of(mode)
    one, two = (wire.body(request_of(Turn("user", text_parts(text)))) for text in ("first document", "another"))
    start = one.index(b"first document")
    assert one[:start] == two[:start]
    assert b"Thing" in one[:start] or orjson.dumps(SCHEMA)[:20] in one[:start] or b"properties" in one[:start]


def test_a_model_that_knows_only_words_is_told_all_in_words():
    """Gemma 3 refuses system instructions and JSON types: what it is to do stands before the document."""
    body = orjson.loads(wire_of("json_object", name="gemma-3-27b-it").body(request_of()))
    assert (set(body), body["generationConfig"]) == ({"generationConfig", "contents"}, {"maxOutputTokens": 100})
    words, document = body["contents"][0]["parts"]
    assert words["text"].startswith("Read.")
    assert orjson.dumps(SCHEMA).decode() in words["text"]
    assert document == {"text": "a document"}
    bare = orjson.loads(wire_of("json_object", name="gemma-3-27b-it").body(request_of(free_text=True, system="")))
    assert bare["contents"][0]["parts"] == [{"text": "a document"}]


def test_lone_surrogates_are_replaced():
    """What UTF-8 cannot say becomes U+FFFD, in documents and in the system prompt."""
    body = orjson.loads(wire_of().body(request_of(Turn("user", text_parts("a\ud800b")), system="c\udfff")))
    assert body["contents"][0]["parts"][0]["text"] == "a�b"
    assert body["systemInstruction"]["parts"][0]["text"] == "c�"


@pytest.mark.parametrize(("name", "sent"), [("Box[int]", "Box_int_"), ("Größe", "Gr__e"), ("9", "_9"), ("", "_")])
def test_a_class_name_becomes_a_functions_name(name, sent):
    """Only letters, digits and underscores, no digit first."""
    body = orjson.loads(GeminiWire(model_of(), shape_of("tool", name=name)).body(request_of()))
    assert body["tools"][0]["functionDeclarations"][0]["name"] == sent


def test_the_key_is_in_a_header_and_in_no_address():
    """An API key has its own header; a token is a bearer; neither is in the address."""
    wire = wire_of()
    assert wire.headers(b"", Secret("the-key"), NOW)["x-goog-api-key"] == "the-key"
    assert wire.headers(b"", Secret("token", bearer=True), NOW)["Authorization"] == "Bearer token"
    assert "key" not in wire.url


HOST = "https://generativelanguage.googleapis.com/v1beta"
GEMINI_URLS = {
    f"{HOST}/models/gemini-2.5-flash:generateContent": {},
    f"{HOST}/models/gemini-flash-latest:generateContent": {"name": "models/gemini-flash-latest"},
    f"{HOST}/tunedModels/mine:generateContent": {"name": "tunedModels/mine"},
    f"{HOST}/models/gemini-2.5-flash:streamGenerateContent?alt=sse": {"stream": True},
    "http://127.0.0.1:1/v1beta/models/a%20b%3F:generateContent": {"base_url": "http://127.0.0.1:1/", "name": "a b?"},
}


@pytest.mark.parametrize("url", GEMINI_URLS)
def test_where_gemini_is_asked(url):
    """The model's name with or without its prefix, streamed or not, on Google's host or another."""
    assert wire_of(**GEMINI_URLS[url]).url == url


@pytest.mark.parametrize("end", ["", "/", "{}", "{}/"])
@pytest.mark.parametrize(("provider", "version"), [("gemini", "/v1beta"), ("vertex", "/v1")])
def test_a_base_url_may_end_in_the_version(provider, version, end):
    """As those of OpenAI's servers do: it is there once."""
    model = model_of(provider, base_url=f"http://127.0.0.1:1/gw{end.format(version)}", project="p")
    assert wire_for(model, shape_of(), {}).url.startswith(
        f"http://127.0.0.1:1/gw{version}/{'models' if provider == 'gemini' else 'projects'}/"
    )


VERTEX_PATH = "v1/projects/p/locations"
ENDPOINT = "projects/q/locations/us-east1/endpoints/7"
VERTEX_URLS = {
    f"https://aiplatform.googleapis.com/{VERTEX_PATH}/global/publishers/google/models/gemini-2.5-flash": {},
    f"https://us-east1-aiplatform.googleapis.com/{VERTEX_PATH}/us-east1/publishers/google/models/gemini-2.5-flash": {
        "region": "us-east1",
        "name": "models/gemini-2.5-flash",
    },
    f"https://aiplatform.eu.rep.googleapis.com/{VERTEX_PATH}/eu/publishers/google/models/m@001": {
        "region": "eu",
        "name": "publishers/google/models/m@001",
    },
    f"https://us-east1-aiplatform.googleapis.com/v1/{ENDPOINT}": {"name": ENDPOINT, "project": "", "region": "asia"},
    f"https://asia-aiplatform.googleapis.com/{VERTEX_PATH}/asia/endpoints/7": {"name": "endpoints/7", "region": "asia"},
    "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash": {
        "api_key_env": "EXPRESS_KEY",
        "region": "asia",
    },
    "http://127.0.0.1:1/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash": {
        "base_url": "http://127.0.0.1:1"
    },
}


@pytest.mark.parametrize("url", VERTEX_URLS)
def test_where_vertex_is_asked(url):
    """Region, project and model as given; a full path says its own; an API key goes to neither project nor region."""
    model = model_of("vertex", **{"project": "p", **VERTEX_URLS[url]})
    assert VertexWire(model, shape_of()).url == f"{url}:generateContent"


def test_vertex_needs_a_project_and_finds_it():
    """Without a project the job is wrong, and the message names what to set; the environment may say it."""
    with pytest.raises(JobError, match=r"model\.project.*GOOGLE_CLOUD_PROJECT"):
        VertexWire(model_of("vertex"), shape_of())
    environ = {"GOOGLE_CLOUD_PROJECT": "mine", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
    wire = wire_for(model_of("vertex"), shape_of(), environ)
    assert wire.url.startswith(
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/mine/locations/europe-west4/"
    )


def test_counting_takes_the_whole_request():
    """AI Studio counts a generateContentRequest; Vertex the request itself, without toolConfig, unknown to it."""
    request = request_of()
    wire = wire_of("tool", name="models/gemini-2.5-flash")
    assert wire.count_url == f"{HOST}/models/gemini-2.5-flash:countTokens"
    inner = orjson.loads(wire.count_body(request))["generateContentRequest"]
    assert inner == {"model": "models/gemini-2.5-flash", **orjson.loads(wire.body(request))}
    vertex = VertexWire(model_of("vertex", project="p"), shape_of("tool"))
    whole = orjson.loads(vertex.body(request))
    assert orjson.loads(vertex.count_body(request)) == {key: whole[key] for key in whole if key != "toolConfig"}


def test_a_count_is_read():
    """totalTokens; an answer without it is none, and an error is the error that it is."""
    assert wire_of().counted(answered({"totalTokens": 31, "promptTokensDetails": []})) == 31
    for answer, kind in [(answered({}), Kind.NO_ANSWER), (answered({}, 503), Kind.OVERLOADED)]:
        with pytest.raises(CallFailed) as failed:
            wire_of().counted(answer)
        assert failed.value.kind is kind


# ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


def candidate(*parts, finish="STOP", **more):
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, **more}]}


@each_case("word", STOPS)
def test_every_finish_word_with_text(word):
    """Each word of the API's list ends an answer as the table says, and is told as the provider said it."""
    found = outcome(answered(candidate({"text": "x"}, finish=word)))
    assert found[:2] == (STOPS[word], word)


NO_ANSWERS = (
    *("OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    *("NO_IMAGE", "IMAGE_OTHER"),
)


@pytest.mark.parametrize("word", NO_ANSWERS)
def test_a_word_that_says_nothing_good_is_no_answer(word):
    """Whatever text comes with it, an ending that is known to be none is tried again."""
    found = outcome(answered(candidate({"text": '{"name":"x"}'}, finish=word)))
    assert found[:2] == (Kind.NO_ANSWER, word)


@pytest.mark.parametrize("word", ["FINISH_REASON_UNSPECIFIED", "A_WORD_OF_2027", ""])
def test_where_no_known_word_tells_its_end_the_content_does(word):
    assert outcome(answered(candidate({"text": '{"name":"x"}'}, finish=word)))[:2] == (Stop.DONE, word)
    assert outcome(answered(candidate(finish=word)))[0] is Kind.NO_ANSWER


def test_words_of_the_account_and_of_the_request():
    """A limited account parks the run; a request that lacks something is refused for ever."""
    assert outcome(answered(candidate(finish="PUP_LIMITED_DISABLED")))[0] is Kind.AUTH
    assert outcome(answered(candidate(finish="MISSING_THOUGHT_SIGNATURE")))[0] is Kind.INVALID_REQUEST


def test_words_may_be_numbers():
    """With enum-encoding=int Vertex answers numbers for its words."""
    assert outcome(answered(candidate({"text": "x"}, finish=1)))[:2] == (Stop.DONE, "STOP")
    assert outcome(answered(candidate(finish=len(NUMBERS) - 1)))[:2] == (Stop.BLOCKED, "MODEL_ARMOR")
    assert outcome(answered(candidate({"text": "x"}, finish=99)))[:2] == (Stop.DONE, "")


def test_thoughts_are_not_the_answer():
    """Parts that are thoughts are left out; an answer of thoughts alone is none, and is billed."""
    usage = {"usageMetadata": {"promptTokenCount": 5, "thoughtsTokenCount": 7, "toolUsePromptTokenCount": 2}}
    parts = ({"text": "hm", "thought": True}, {"text": "a", "thoughtSignature": "s"}, {"text": "b"})
    assert outcome(answered(candidate(*parts) | usage))[::5] == (Stop.DONE, "ab")
    assert outcome(answered(candidate(parts[0]) | usage))[:3] == (Kind.NO_ANSWER, "STOP", (7, 0, 0, 7, 7))


def test_two_different_calls_are_not_one_record():
    """The same call twice is one; different ones are both kept, so that validation sees them."""
    calls = [{"functionCall": {"name": "Thing", "args": {"name": name}}} for name in "aab"]
    assert outcome(answered(candidate(*calls[:2])))[5] == '{"name":"a"}'
    assert outcome(answered(candidate(*calls)))[5] == '{"name":"a"}\n{"name":"b"}'
    assert outcome(answered(candidate({"functionCall": {"name": "Thing"}})))[5] == "{}"


def status_of(http, name, message="words", *details, **more):
    return answered(
        {"error": {"code": http, "message": message, "status": name, "details": list(details), **more}}, http
    )


def violation(**quota):
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]}


def info(reason, **metadata):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}


def delay(text):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": text}


QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."
MINUTE, DAY = "GenerateRequestsPerMinutePerProjectPerModel", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
WRAPPED = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
ERRORS = {
    "key expired": (Kind.AUTH, status_of(400, "INVALID_ARGUMENT", "API key expired.", info("API_KEY_INVALID"))),
    "key, in other words": (Kind.AUTH, status_of(400, "INVALID_ARGUMENT", "renew it", info("API_KEY_INVALID"))),
    "key, details lost": (Kind.AUTH, status_of(400, "INVALID_ARGUMENT", "API key not valid.")),
    "key for another service": (Kind.AUTH, status_of(403, "PERMISSION_DENIED", "x", info("API_KEY_SERVICE_BLOCKED"))),
    "no permission": (Kind.AUTH, status_of(403, "PERMISSION_DENIED")),
    "token expired": (Kind.AUTH, status_of(401, "UNAUTHENTICATED", "x", info("ACCESS_TOKEN_EXPIRED"))),
    "wrong country": (Kind.AUTH, status_of(400, "FAILED_PRECONDITION", "User location is not supported.")),
    "no billing": (Kind.QUOTA, status_of(400, "FAILED_PRECONDITION", "Enable billing on your project.")),
    "not servable": (Kind.MODEL_UNAVAILABLE, status_of(400, "FAILED_PRECONDITION", "Publisher Model x is off.")),
    "no model": (Kind.MODEL_UNAVAILABLE, status_of(404, "NOT_FOUND")),
    "no such name": (Kind.MODEL_UNAVAILABLE, status_of(400, "INVALID_ARGUMENT", "unexpected model name format")),
    "not for new users": (
        Kind.MODEL_UNAVAILABLE,
        status_of(400, "INVALID_ARGUMENT", "x is no longer available to new"),
    ),
    "too long": (
        Kind.CONTEXT_EXCEEDED,
        status_of(
            400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."
        ),
    ),
    "too long on vertex": (
        Kind.CONTEXT_EXCEEDED,
        status_of(400, "INVALID_ARGUMENT", "the input token count is 9 but model only supports up to 8."),
    ),
    "too many bytes": (
        Kind.CONTEXT_EXCEEDED,
        status_of(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit"),
    ),
    "413": (Kind.CONTEXT_EXCEEDED, answered(b"<html>too large</html>", 413)),
    "cap too high": (
        Kind.INVALID_REQUEST,
        status_of(400, "INVALID_ARGUMENT", "it has a maxOutputTokens value of 9 but the supported range is 1 to 8"),
    ),
    "unsupported field": (Kind.INVALID_REQUEST, status_of(501, "UNIMPLEMENTED")),
    "out of range": (Kind.INVALID_REQUEST, status_of(400, "OUT_OF_RANGE")),
    "per minute": (Kind.THROTTLED, status_of(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, violation(quotaId=MINUTE))),
    "per day": (Kind.QUOTA, status_of(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, violation(quotaId=DAY), delay("22s"))),
    "day by metric": (
        Kind.QUOTA,
        status_of(429, "RESOURCE_EXHAUSTED", "x", violation(quotaMetric="x.com/generate_requests_per_model_per_day")),
    ),
    "day in words": (Kind.QUOTA, status_of(429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests per day")),
    "day by unit": (
        Kind.QUOTA,
        status_of(429, "RESOURCE_EXHAUSTED", "x", info("RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}")),
    ),
    "minute by unit": (
        Kind.THROTTLED,
        status_of(429, "RESOURCE_EXHAUSTED", "x", info("RATE_LIMIT_EXCEEDED", quota_unit="1/min/{project}")),
    ),
    "no allowance": (
        Kind.QUOTA,
        status_of(429, "RESOURCE_EXHAUSTED", f"{QUOTA_WORDS}\n* limit: 0, model: x\nPlease retry in 9s."),
    ),
    "an allowance of 0.5": (Kind.THROTTLED, status_of(429, "RESOURCE_EXHAUSTED", "limit: 0.5\nPlease retry in 9s.")),
    "no allowance by value": (
        Kind.QUOTA,
        status_of(429, "RESOURCE_EXHAUSTED", "x", violation(quotaId=MINUTE, quotaValue="0")),
    ),
    "no details but a hint": (
        Kind.THROTTLED,
        status_of(429, "RESOURCE_EXHAUSTED", f"{QUOTA_WORDS} Please retry in 9s."),
    ),
    "no credits": (Kind.QUOTA, status_of(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted. Go to")),
    "spending cap": (Kind.QUOTA, status_of(429, "RESOURCE_EXHAUSTED", "project has exceeded its monthly spending cap")),
    "payment": (Kind.QUOTA, answered({"error": {"code": 402, "message": "pay"}}, 402)),
    "cancelled": (Kind.OVERLOADED, status_of(499, "CANCELLED")),
    "deadline": (Kind.OVERLOADED, status_of(504, "DEADLINE_EXCEEDED")),
    "aborted": (Kind.OVERLOADED, status_of(409, "ABORTED")),
    "unknown": (Kind.OVERLOADED, status_of(500, "UNKNOWN")),
    "proxy": (Kind.OVERLOADED, answered(b"<html>bad gateway</html>", 502)),
    "wrong host": (Kind.INVALID_REQUEST, answered(b"<html>not found</html>", 404)),
    "page with 200": (Kind.NO_ANSWER, answered(b"<html>hello</html>")),
    "empty list": (Kind.NO_ANSWER, answered(b"[]")),
    "nothing": (Kind.CONNECTION, answered(b"")),
    "error in a 200": (Kind.THROTTLED, answered({"error": {"code": 429, "message": "slow"}})),
    "error in a 200, no code": (Kind.NO_ANSWER, answered({"error": "odd"})),
    "gateway's wrapping": (
        Kind.THROTTLED,
        answered({"error": {"code": 500, "status": "UPSTREAM_ERROR", "message": json.dumps(WRAPPED)}}, 500),
    ),
    "gateway's wrapping, not as text": (Kind.THROTTLED, answered({"error": {"code": 500, "message": WRAPPED}}, 500)),
}


@each_case("name", ERRORS)
def test_an_error_is_of_its_kind(name):
    """Reasons in the details first, then the status name, then the HTTP status, and text last."""
    kind, answer = ERRORS[name]
    with pytest.raises(CallFailed) as failed:
        wire_of().reply(answer)
    assert (failed.value.kind, failed.value.status) == (kind, answer.status)
    assert failed.value.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (status_of(429, "RESOURCE_EXHAUSTED", "x", delay("45.837906927s")), 45.837906927),
        (status_of(429, "RESOURCE_EXHAUSTED", "Please retry in 58.8s."), 58.8),
        (status_of(503, "UNAVAILABLE", "x", delay("3s")), 3.0),
        (answered({"error": {"code": 429, "message": "x"}}, 429, {"retry-after": "7"}), 7.0),
        (status_of(429, "RESOURCE_EXHAUSTED"), None),
        (status_of(429, "RESOURCE_EXHAUSTED", "x", delay("soon"), delay(["5s"])), None),
    ],
)
def test_the_time_to_wait(answer, hint):
    """RetryInfo's delay, in the body; a header or the words where there is none."""
    assert outcome(answer)[3] == hint


def test_ids_of_answers():
    """An answer's own id first, then a header; an error may tell one in its details."""
    reply = wire_of().reply(
        answered(candidate({"text": "x"}) | {"responseId": "r1"}, headers={"x-goog-request-id": "h"})
    )
    assert reply.provider_request_id == "r1"
    for answer, found in [
        (answered({}, 503, {"x-goog-request-id": "h"}), "h"),
        (status_of(503, "UNAVAILABLE", "x", {"@type": "google.rpc.RequestInfo", "requestId": "d"}), "d"),
    ]:
        with pytest.raises(CallFailed) as failed:
            wire_of().reply(answer)
        assert failed.value.provider_request_id == found


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def event(body, end=b"\r\n\r\n"):
    return b"data: " + orjson.dumps(body) + end


def usage_of(prompt, out):
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": out}, "modelVersion": "m"}


CHUNKS = [
    {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}], "role": "model"}, "index": 0}]},
    candidate({"text": '{"name":'}, finish=None) | usage_of(9, 1),
    candidate({"text": '"é"}'}, finish=None) | {"usageMetadata": {"promptTokenCount": 9}},
    candidate({"text": ""}) | usage_of(9, 5) | {"responseId": "r"},
]
STREAM = b": ping\r\n\r\n" + b"".join(event(chunk) for chunk in CHUNKS)
WHOLE = candidate({"text": "hm", "thought": True}, {"text": '{"name":"é"}'}) | usage_of(9, 5) | {"responseId": "r"}


@given(st.lists(st.integers(0, len(STREAM)), max_size=8), st.booleans())
@examples(60)
def test_a_stream_is_the_answer_it_would_have_been(cuts, lines):
    """However cut, and with either line end: texts add up, the last usage and finish word count."""
    data = STREAM.replace(b"\r\n", b"\n") if lines else STREAM
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert wire_of().reply(answered(put_together(pieces))) == wire_of().reply(answered(WHOLE))


def test_the_first_token_is_real_content():
    """Comments, empty texts and usage alone are none; a thought or a call is one."""
    events = wire_of().stream()
    assert events.feed(b": ping\n\n") is False
    assert events.feed(event(candidate({"text": ""}, finish=None) | usage_of(9, 0))) is False
    assert events.feed(event(CHUNKS[0])) is True
    calls = wire_of().stream()
    assert calls.feed(event(candidate({"functionCall": {"name": "Thing"}}, finish=None))) is True


def test_a_stream_without_its_end_is_a_broken_connection():
    """Every cut before the finish word is no answer, and says nothing of what came before."""
    for count in range(len(CHUNKS)):
        body = put_together([event(chunk) for chunk in CHUNKS[:count]])
        assert outcome(answered(body))[0] is Kind.CONNECTION
    assert outcome(answered(put_together([b"".join(map(event, CHUNKS))[:-30]])))[0] is Kind.CONNECTION


@pytest.mark.parametrize("end", [b"\n\n", b""])
def test_an_error_in_the_middle(end):
    """An error in the stream is the failure that it names, with what was used until then; it may come bare."""
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    for last in (event(error, end), orjson.dumps(error) + end):
        body = put_together([event(CHUNKS[0]), event(CHUNKS[1]), last])
        assert outcome(answered(body))[:3] == (Kind.OVERLOADED, None, (9, 0, 0, 1, 0))


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, PartialUsage()),
        ({"promptTokenCount": None, "candidatesTokenCount": None}, PartialUsage()),
        ({"totalTokenCount": 12}, PartialUsage()),
        ({"promptTokenCount": "8", "candidatesTokenCount": 4.0}, Usage(8, 0, 0, 4, 0)),
        ({"promptTokenCount": 8}, PartialUsage(8, 0, 0, 0, 0, input_told=True)),
        ({"promptTokenCount": 8, "thoughtsTokenCount": 3}, PartialUsage(8, 0, 0, 0, 3, input_told=True)),
        ({"promptTokenCount": 0, "candidatesTokenCount": 4}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
        ({"candidatesTokenCount": 4}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
    ],
)
def test_usage_that_is_missing_is_said_to_be(told, usage):
    """Whole floats and digits are counts; a count that is absent, null or nonsense is not told, and is no 0."""
    assert wire_of().reply(answered(candidate({"text": "{}"}) | {"usageMetadata": told})).usage == usage


@pytest.mark.parametrize(
    ("body", "usage", "words"),
    [
        (candidate({"text": "{}"}, finish="OTHER"), PartialUsage(), "{}"),
        (candidate(), PartialUsage(), ""),
        ({"candidates": []}, Usage(), ""),
    ],
)
def test_no_answer_is_billed_where_the_model_said_something(body, usage, words):
    """What it said is counted where nothing tells; of what may be no model's nothing is."""
    with pytest.raises(CallFailed) as failed:
        wire_of().reply(answered(body))
    assert (failed.value.kind, failed.value.usage, failed.value.said) == (Kind.NO_ANSWER, usage, words)


def test_a_blocked_prompt_that_tells_no_usage_is_free():
    """No model has read it."""
    assert wire_of().reply(answered({"promptFeedback": {"blockReason": "SAFETY"}})).usage == Usage()


def test_an_output_of_nothing_is_left_out():
    """As every 0 is: there is nothing to count."""
    body = candidate(finish="MAX_TOKENS") | {"usageMetadata": {"promptTokenCount": 8, "thoughtsTokenCount": 3}}
    assert wire_of().reply(answered(body)).usage == Usage(8, 0, 0, 3, 3)


@pytest.mark.parametrize(
    ("before", "usage"), [({}, PartialUsage()), (usage_of(9, 1), PartialUsage(9, 0, 0, 0, 0, input_told=True))]
)
def test_a_stream_that_ends_before_its_usage_does_not_tell_it(before, usage):
    """What a chunk before the last one had counted is not all."""
    chunks = [candidate({"text": "{"}, finish=None) | before, candidate({"text": "}"})]
    reply = wire_of().reply(answered(put_together([event(chunk) for chunk in chunks])))
    assert (reply.text, reply.usage) == ("{}", usage)
    assert wire_of().reply(answered(put_together([event(one) for one in (*chunks, usage_of(9, 5))]))).usage == Usage(
        9, 0, 0, 5, 0
    )


def test_a_blocked_prompt_in_a_stream():
    """A stream that holds only why the prompt was blocked is whole."""
    body = put_together([event({"promptFeedback": {"blockReason": "SAFETY"}} | usage_of(9, 0))])
    assert outcome(answered(body))[:3] == (Stop.BLOCKED, "SAFETY", (9, 0, 0, 0, 0))


def test_a_list_of_chunks_is_a_stream_too():
    """Without alt=sse the chunks are a JSON list: read whole, or streamed; cut off, it is a broken connection."""
    data = b"[" + b"\n,\r\n".join(orjson.dumps(chunk) for chunk in CHUNKS) + b"\n]\n"
    expected = wire_of().reply(answered(WHOLE))
    assert wire_of().reply(answered(data)) == expected
    assert wire_of().reply(answered(put_together([data[:50], data[50:]]))) == expected
    assert outcome(answered(put_together([data[:-20]])))[0] is Kind.CONNECTION


# ── anything at all ──────────────────────────────────────────────────────────────────────────────────────────────────

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("STOP"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
GOOD = [WHOLE, json.loads(ERRORS["per day"][1].body), json.loads(ERRORS["gateway's wrapping"][1].body), [WHOLE, WHOLE]]


def places_in(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places_in(inner, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def tried(read, answer):
    try:
        return read(answer)
    except CallFailed as failed:
        return failed


@given(st.data(), st.sampled_from(GOOD), st.sampled_from([200, 200, 400, 404, 429, 503]))
def test_a_spoiled_answer_is_a_reply_or_a_failure(data, good, status):
    """Whatever stands anywhere in an answer, only a Reply or a CallFailed comes out, also through a stream."""
    path = data.draw(st.sampled_from(list(places_in(good))))
    body = json.dumps(changed(good, path, data.draw(ANY_JSON))).encode()
    for answer in (answered(body, status), answered(put_together([b"data: ", body, b"\n\n"]), status)):
        for read in (wire_of().reply, wire_of().counted):
            assert isinstance(tried(read, answer), Answer | int | CallFailed)


@given(st.binary(max_size=200), st.integers(100, 599))
def test_any_bytes_are_a_failure(body, status):
    """Bytes that are no answer never raise anything but CallFailed."""
    for sent in (body, put_together([body]), put_together([b"data: " + body])):
        with pytest.raises(CallFailed):
            wire_of().reply(answered(sent, status))
