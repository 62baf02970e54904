"""OpenAI's wire: what it sends, recorded answers, and rounds through the sandbox."""

import itertools
import json
import random

import pytest
from each_case import each_case
from openai_family import (
    DOCUMENT,
    MODES,
    RECORD,
    asked,
    made,
    model_of,
    outcome,
    over_http,
    replied,
    round_in_memory,
    shape_of,
)
from places import RECORDINGS
from sandbox_client import SCHEMA, always

from pipeline.errors import CallFailed, Kind
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.openai.wire import OpenAIWire
from pipeline.providers.usage import as_told
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.wires.openai.wire import OpenAI
from pipeline.types import Answer, PartialUsage, Stop, Usage

WIRE = made(model_of())
STREAMING = made(model_of(stream=True))

# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
def test_the_fixed_part_stands_first_and_is_the_same_for_all_rows(mode):
    """Two rows' bodies are byte-identical up to the document: that is what providers cache."""
    wire = made(model_of(temperature=0.0), mode)
    one, two = wire.body(asked("first")), wire.body(asked("second", cap=7))
    assert one[: one.index(b"first")] == two[: two.index(b"second")]
    body = json.loads(two)
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("gpt-4o-mini", 0.0, 7)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_each_mode_asks_in_its_own_way():
    """json_schema: enforced; tool: one forced function; json_object: the schema in words, and JSON asked for."""
    schema = json.loads(made(model_of()).body(asked()))["response_format"]
    assert schema == {"type": "json_schema", "json_schema": {"name": "Thing", "strict": True, "schema": SCHEMA}}
    tool = json.loads(made(model_of(), "tool").body(asked()))
    function = {"name": "Thing", "strict": True, "parameters": SCHEMA}
    assert tool["tools"] == [{"type": "function", "function": function}]
    assert tool["tool_choice"] == {"type": "function", "function": {"name": "Thing"}}
    words = json.loads(made(model_of(), "json_object").body(asked()))
    assert words["response_format"] == {"type": "json_object"}
    assert json.dumps(SCHEMA, separators=(",", ":")) in words["messages"][0]["content"]


@pytest.mark.parametrize("mode", MODES)
def test_free_text_asks_for_no_shape(mode):
    """A first reading has no schema, no tool, and the system prompt as it is."""
    body = json.loads(made(model_of(), mode).body(asked(free_text=True)))
    assert set(body) == {"model", "messages", "max_completion_tokens"}
    assert body["messages"][0] == {"role": "system", "content": "Read."}


def test_a_repair_tells_the_answer_and_what_was_wrong():
    """The turns of a repair are plain messages, in tool mode too; no system prompt, no message for it."""
    body = json.loads(made(model_of(), "tool").body(asked("doc", "{", "no JSON", system="")))
    assert body["messages"] == [
        {"role": "user", "content": "doc"},
        {"role": "assistant", "content": "{"},
        {"role": "user", "content": "no JSON"},
    ]


def test_only_what_is_set_is_sent():
    """No temperature that the job does not name; usage is asked for in a stream."""
    assert "temperature" not in json.loads(WIRE.body(asked()))
    body = json.loads(STREAMING.body(asked()))
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@each_case(
    ("name", "cap"),
    [
        ("gpt-4o-mini", "max_completion_tokens"),
        ("gpt-5.6-sol", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("chatgpt-4o-latest", "max_completion_tokens"),
        ("ft:gpt-4o-mini:me::x", "max_completion_tokens"),
        ("openai/gpt-5-mini", "max_completion_tokens"),
        ("gpt-oss:20b", "max_tokens"),
        ("openai/gpt-oss-120b", "max_tokens"),
        ("llama3.2", "max_tokens"),
        ("mistral-large-latest", "max_tokens"),
        ("opt-125m", "max_tokens"),
    ],
)
def test_the_cap_has_the_name_that_the_model_knows(name, cap):
    """A server that ignores the newer name would answer without bound; OpenAI's reasoning models refuse the older."""
    body = json.loads(made(model_of(name=name)).body(asked()))
    assert {key for key in body if key.startswith("max_")} == {cap}


def test_text_that_is_no_unicode_is_sent_all_the_same():
    """Lone surrogates become U+FFFD, pairs become what they stand for."""
    body = json.loads(WIRE.body(asked("a\ud800b \ud83d\ude00", system="\udfff")))
    assert [message["content"] for message in body["messages"]] == ["�", "a�b 😀"]


def test_names_are_what_the_provider_takes():
    """At most 64 letters, digits, dashes and underscores, whatever a class may be called."""
    for name, sent in (("Fäktura", "F_ktura"), ("X" * 80, "X" * 64), ("", "record")):
        body = json.loads(OpenAIWire(model_of(), shape_of("tool", name=name)).body(asked()))
        assert body["tools"][0]["function"]["name"] == body["tool_choice"]["function"]["name"] == sent


# ── recorded answers ────────────────────────────────────────────────────────────────────────────────────────────────

FOLDER = RECORDINGS / "openai"
recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of this repository")

O4_MINI, O4, NANO = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gpt-5-nano-2025-08-07"
REPLIES = {  # file → (stop, finish reason, usage, model version, how the text starts)
    "azure-content_filter-no-message": (Stop.BLOCKED, "content_filter", (15, 0, 0, 19, 0), "gpt-35-turbo", ""),
    "azure-structured": (Stop.DONE, "stop", (29, 157, 0, 6, 0), "grok-4-1-fast-non-reasoning", '{"result": 8}'),
    "chat-cache_write-gpt56": (Stop.DONE, "stop", (4020, 0, 4012, 4, 0), "gpt-5.6-sol", "OK"),
    "chat-cached_tokens-4o-mini": (Stop.DONE, "stop", (1149, 1024, 0, 353, 0), O4_MINI, "1. **Open-Source"),
    "chat-cached_tokens-read": (Stop.TRUNCATED, "length", (1220, 1152, 0, 100, 0), O4, "Structuring a database"),
    "chat-custom_tool_call-gpt5": (Stop.DONE, "tool_calls", (241, 0, 0, 214, 192), "gpt-5-2025-08-07", "4 + 4"),
    "chat-function_call-legacy": (Stop.DONE, "function_call", (82, 0, 0, 16, 0), "gpt-4-0613", '{\n  "location"'),
    "chat-length-empty-content-all-reasoning": (Stop.TRUNCATED, "length", (1220, 0, 1217, 100, 100), "gpt-5.6-sol", ""),
    "chat-n2-choices": (Stop.DONE, "stop", (12, 0, 0, 24, 0), O4_MINI, "This is a test. How"),
    "chat-reasoning_tokens-gpt5-nano": (Stop.DONE, "stop", (11, 0, 0, 228, 192), NANO, "3\n\nThere are three"),
    "chat-reasoning_tokens-o3-mini": (Stop.DONE, "stop", (13, 0, 0, 238, 192), "o3-mini-2025-01-31", "The capital of"),
    "chat-refusal-structured-1": (Stop.REFUSED, "stop", (65, 0, 0, 13, 0), O4, "I'm very sorry, but"),
    "chat-service_tier-priority": (Stop.DONE, "stop", (8, 0, 0, 82, 64), "gpt-5-2025-08-07", "Hello! How can I"),
    "chat-stream-n2-usage": (Stop.DONE, "stop", (26, 0, 0, 104, 0), O4_MINI, "I'm unable to provide"),
    "chat-stream-no-usage": (Stop.DONE, "stop", (0, 0, 0, 0, 0), "gpt-4-0613", "This is a test."),
    "chat-stream-tool_calls-parallel": (
        *(Stop.DONE, "tool_calls", (0, 0, 0, 0, 0), "gpt-3.5-turbo-0125", '{"location": "San Francisco"}'),
    ),
    "chat-stream-tool_calls-usage": (Stop.DONE, "tool_calls", (53, 0, 0, 15, 0), O4_MINI, '{"country":"UK"}'),
    "chat-structured-json_schema-2-parse": (Stop.DONE, "stop", (68, 0, 0, 41, 0), O4, '{"rating":5,'),
    "chat-structured-json_schema-3-dd-parse": (Stop.DONE, "stop", (127, 0, 0, 93, 0), O4, '{"steps":['),
    "chat-structured-langchain": (Stop.DONE, "stop", (129, 0, 0, 33, 0), O4_MINI, '{"name":"Avocado"'),
    "chat-tool_call-extraction": (Stop.DONE, "tool_calls", (71, 0, 0, 12, 0), O4, "{}"),
    "chat-tool_call-output-tool": (Stop.DONE, "tool_calls", (68, 0, 0, 12, 0), O4, "{}"),
    "responses-incomplete": (Stop.TRUNCATED, "max_output_tokens", (1220, 0, 1217, 100, 54), "gpt-5.6-sol", "Good API"),
    "responses-stream-incomplete-max_output_tokens": (
        *(Stop.TRUNCATED, "max_output_tokens", (0, 0, 0, 0, 0), O4, "In the bustling city"),
    ),
    "responses-structured": (Stop.DONE, "completed", (45, 0, 0, 752, 704), NANO, '{"name":"John","age":30}'),
}
FAILURES = {  # file → (kind, seconds to wait, usage)
    "azure-err-401": (Kind.AUTH, None, None),
    "azure-err-404-DeploymentNotFound": (Kind.MODEL_UNAVAILABLE, None, None),
    "azure-err-429-retry-after": (Kind.THROTTLED, 1.0, None),
    "chat-audio-tokens": (Kind.NO_ANSWER, None, (9, 0, 0, 12, 0)),  # spoken only: no text that could be a record
    "err-400-context_length-responses": (Kind.CONTEXT_EXCEEDED, None, None),
    "err-400-decimal_below_min": (Kind.INVALID_REQUEST, None, None),
    "err-400-unsupported_value-role": (Kind.INVALID_REQUEST, None, None),
    "err-400-web_search-unsupported": (Kind.INVALID_REQUEST, None, None),
    "err-404-model-deprecated": (Kind.MODEL_UNAVAILABLE, None, None),
    "log-400-invalid-schema-additionalProperties": (Kind.INVALID_REQUEST, None, None),
    "log-400-invalid-schema-nested": (Kind.INVALID_REQUEST, None, None),
    "log-400-invalid_function_parameters": (Kind.INVALID_REQUEST, None, None),
    "log-429-credit_balance_exhausted": (Kind.QUOTA, None, None),
    "log-429-headers-without-ratelimit": (Kind.THROTTLED, None, None),
    "log-429-insufficient_quota": (Kind.QUOTA, None, None),
    "log-429-insufficient_quota-code-null": (Kind.QUOTA, None, None),
    "log-429-rate_limit-tpm-114h": (Kind.THROTTLED, 411480.0, None),  # as the code says; never shortened
    "log-429-request-too-large": (Kind.CONTEXT_EXCEEDED, None, None),
    "log-429-responses-stream-failed-event": (Kind.THROTTLED, 11.054, None),
    "log-500-server_error": (Kind.OVERLOADED, None, None),
    "log-502-cloudflare-html": (Kind.OVERLOADED, None, None),
    "log-azure-400-content_filter-jailbreak": (Kind.BLOCKED, None, None),
    "log-azure-400-content_filter-violence": (Kind.BLOCKED, None, None),
}
ELSEWHERE = {"batch-1-file-upload", "batch-8-status-before-last"}  # answers to other questions than ours


def recording(name):
    """(wire, status, headers, body) as the transport would hand them over."""
    found = json.loads((FOLDER / f"{name}.json").read_text())
    body = found.get("body_raw") or found["body"]
    if body is None:
        body = ""
    data = body if isinstance(body, str) else json.dumps(body)
    wire = made(model_of("azure" if "azure" in name else "openai"))
    return wire, found["status"], {key.lower(): value for key, value in found["headers"].items()}, data.encode()


def judged(wire, status, headers, body, pieces=None):
    """What becomes of a recording; a stream is fed in pieces."""
    if "event-stream" in headers.get("content-type", ""):
        events = wire.stream()
        for piece in [body] if pieces is None else pieces:
            events.feed(piece)
        body = events.finish(status, headers)
    return outcome(lambda: replied(wire, body, status, headers))


@recorded
def test_every_recording_is_expected():
    """No file of the folder is left out, and none twice."""
    files = {path.stem for path in FOLDER.glob("*.json")}
    assert files == {*REPLIES, *FAILURES, *ELSEWHERE}
    assert len(files) == len(REPLIES) + len(FAILURES) + len(ELSEWHERE)


@recorded
@pytest.mark.parametrize("name", REPLIES)
def test_recorded_answers(name):
    """How it ended, in the provider's word too, what it used, who answered, and with what."""
    stop, finish, usage, version, start = REPLIES[name]
    wire, status, headers, body = recording(name)
    reply = judged(wire, status, headers, body)
    assert (reply.stop, reply.finish_reason, as_told(reply.usage)) == (stop, finish, Usage(*usage))
    assert isinstance(reply.usage, PartialUsage) == (not any(usage))
    assert (reply.model_version, reply.retry_after_s) == (version, None)
    assert reply.text.startswith(start)
    assert bool(reply.text) == bool(start)
    assert reply.provider_request_id
    assert bool(reply.limits) == any(key.startswith("x-ratelimit") for key in headers)


@recorded
@pytest.mark.parametrize("name", FAILURES)
def test_recorded_failures(name):
    """Why there is no answer, how long to wait, and what it is billed for."""
    kind, wait_s, usage = FAILURES[name]
    wire, status, headers, body = recording(name)
    failure = judged(wire, status, headers, body)
    assert (failure.kind, failure.retry_after_s, failure.status) == (kind, wait_s, status)
    assert failure.usage == (None if usage is None else Usage(*usage))
    assert failure.message


@recorded
@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_answers_to_other_questions_are_none(name):
    """A batch's answer is no chat completion."""
    assert judged(*recording(name)).kind is Kind.NO_ANSWER


@recorded
@pytest.mark.parametrize("name", [name for name in (*REPLIES, *FAILURES) if "stream" in name])
def test_recorded_streams_cut_anywhere(name):
    """Byte by byte, with other line ends, or at random places: the same as in one piece."""
    wire, status, headers, body = recording(name)
    whole = judged(wire, status, headers, body)
    chance = random.Random(name)
    cuts = sorted(chance.sample(range(len(body)), 20))
    at_random = [body[start:end] for start, end in itertools.pairwise([0, *cuts, len(body)])]
    crlf = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    for pieces in (
        [bytes([byte]) for byte in body],
        at_random,
        [crlf[i : i + 1000] for i in range(0, len(crlf), 1000)],
    ):
        assert told(judged(wire, status, headers, body, pieces)) == told(whole)


def told(found):
    return found if isinstance(found, Answer) else (found.kind, found.message, found.retry_after_s, found.usage)


# ── rounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case("free_text", [False, True])
@each_case("stream", [False, True])
@each_case("mode", MODES)
def test_in_memory(mode, stream, free_text):
    """Every mode, at once and streamed: the sandbox takes what the wire sends, and the wire what it answers."""
    wire = made(model_of(stream=stream), mode)
    question, reply = round_in_memory(wire, OpenAI(), asked(free_text=free_text), stream=stream)
    assert (question.schema is None) == free_text
    assert (reply.text if free_text else json.loads(reply.text)) == (DOCUMENT if free_text else RECORD)
    assert (reply.stop, reply.model_version) == (Stop.DONE, "sandbox-rules-1")
    assert reply.usage.input_tokens == question.prompt_tokens
    assert reply.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_over_http(mode, stream):
    """The same over a socket; a stream has its time to first token."""
    answered, reply = over_http(model_of(stream=stream), mode)
    assert json.loads(reply.text) == RECORD
    assert (answered.ttft_ms is not None) == stream
    assert reply.provider_request_id.startswith("req_")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (Fault.THROTTLED, Kind.THROTTLED),
        (Fault.SERVER_ERROR, Kind.OVERLOADED),
        (Fault.TIMEOUT, Kind.TIMEOUT),
        (Fault.DISCONNECT, Kind.CONNECTION),
        (Fault.TRUNCATED, Stop.TRUNCATED),
        (Fault.REFUSED, Stop.REFUSED),
    ],
)
def test_faults_over_http(fault, ends, stream):
    """Every fault of the sandbox is what it claims to be."""
    found = outcome(lambda: over_http(model_of(stream=stream), **always(fault))[1])
    assert (found.kind if isinstance(found, CallFailed) else found.stop) is ends
    if fault is Fault.THROTTLED:
        assert 0 < found.retry_after_s <= 1


def test_a_bad_key_and_a_missing_model_over_http():
    """Both park the run."""
    assert outcome(lambda: over_http(model_of(), secret=Secret("invalid"))).kind is Kind.AUTH
    assert outcome(lambda: over_http(model_of(name="missing-model"))).kind is Kind.MODEL_UNAVAILABLE
