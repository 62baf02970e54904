"""Anthropic's wire: recorded answers, its whole vocabulary of endings and errors, its streams, its bodies."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import pytest
from each_case import each_case
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from places import RECORDINGS

from pipeline.catalog.sampling import refuses_temperature
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.prompt_cache import minimum_tokens
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers.anthropic.models import refuses_forcing
from pipeline.providers.anthropic.wire import AnthropicWire, tool_name
from pipeline.providers.credentials.secret import Secret
from pipeline.types import Answer, AnswerShape, Dimension, HttpAnswer, PartialUsage, Purpose, Request, Stop, Turn, Usage

FOLDER = RECORDINGS / "anthropic"
recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of the repository")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
MODES = ("json_schema", "tool", "json_object")
HAIKU, OPUS, SONNET_37 = "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929", "claude-3-7-sonnet-20250219"


def wire(mode="json_schema", *, strict=True, **model):
    settings = {"provider": "anthropic", "name": "claude-haiku-4-5", "max_output_tokens": 100, **model}
    return AnthropicWire(Model(**settings), AnswerShape("Thing", mode, SCHEMA, strict=strict))


ASKED = (Turn("user", text_parts("a document")),)


def request(system="Read.", turns=ASKED, **changes):
    made = Request(b"k" * 16, 0, "r", 0, Purpose.EXTRACT, system, tuple(turns), 100, 10, 20)
    return replace(made, **changes)


def outcome(answer, mode="json_schema"):
    """A Reply, or the CallFailed that came instead."""
    try:
        return wire(mode).reply(answer)
    except CallFailed as failure:
        return failure


@dataclass
class Recorded:
    """A recorded answer as the transport hands it over; a stream is put together from `events`."""

    status: int
    headers: dict
    body: bytes
    events: bytes | None = None

    @property
    def request_id(self):
        """In the header, else in the body."""
        found = self.body.decode().partition('"request_id":"')[2].partition('"')[0] or None
        return self.headers.get("request-id", found)

    def answered(self, pieces=None):
        if self.events is None:
            return HttpAnswer(self.status, self.headers, self.body)
        assembler = wire().stream()
        for piece in pieces or [self.events]:
            assembler.feed(piece)
        return HttpAnswer(self.status, self.headers, assembler.finish(self.status, self.headers))


def load(name):
    told = json.loads((FOLDER / f"{name}.json").read_text())
    headers = {key.lower(): value for key, value in (told.get("headers") or {}).items()}
    body = told.get("body_raw") or told.get("body") or b""
    data = orjson.dumps(body) if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    if told["body_kind"].startswith("json lines"):
        data = b"".join(b"data: " + line + b"\n\n" for line in data.splitlines())
    streamed = "event-stream" in headers.get("content-type", "")
    return Recorded(told["status"], headers, data, data if streamed else None)


@dataclass
class Good:
    stop: Stop
    finish: str
    usage: tuple
    version: str
    text: str = ""  # how it starts
    retry_s: float | None = None


@dataclass
class Bad:
    kind: Kind
    message: str  # a part of it
    retry_s: float | None = None
    usage: tuple | None = None
    finish: str | None = None
    version: str | None = None


CASES = {
    # a batch and its results are no answer to one call: a call that got them got no answer
    "batch-1-create": Bad(Kind.NO_ANSWER, "no answer in the message", usage=(0, 0, 0, 0, 0)),
    "batch-9-last": Bad(Kind.NO_ANSWER, "not JSON", usage=(0, 0, 0, 0, 0)),
    "cache-read": Good(Stop.DONE, "end_turn", (7361, 7351, 0, 4, 0), HAIKU, "OK"),
    "count_tokens": Bad(Kind.NO_ANSWER, "no answer in the message", usage=(0, 0, 0, 0, 0)),  # see below for `counted`
    "err-400-effort-unsupported": Bad(Kind.INVALID_REQUEST, "does not support effort level"),
    "err-400-prompt-too-long": Bad(Kind.CONTEXT_EXCEEDED, "3333404 tokens > 200000 maximum"),
    "err-401-invalid-x-api-key": Bad(Kind.AUTH, "invalid x-api-key"),
    "err-404-model": Bad(Kind.MODEL_UNAVAILABLE, "claude-sonet-4-5"),
    "hand-refusal-no-details": Good(Stop.REFUSED, "refusal", (18, 0, 0, 5, 0), "claude-fable-5"),
    "hand-refusal-stop_details": Good(Stop.REFUSED, "refusal", (18, 0, 0, 5, 0), "claude-fable-5", "This request"),
    "hand-refusal-stream": Good(Stop.REFUSED, "refusal", (18, 0, 0, 5, 0), "claude-fable-5", "This request"),
    "log-400-credit-balance": Bad(Kind.QUOTA, "credit balance is too low"),
    "log-400-output_config-additionalProperties": Bad(Kind.INVALID_REQUEST, "additionalProperties"),
    "log-400-output_format-additionalProperties": Bad(Kind.INVALID_REQUEST, "additionalProperties"),
    "log-413-request_too_large": Bad(Kind.CONTEXT_EXCEEDED, "maximum size"),
    "log-429-acceleration-limit": Bad(Kind.THROTTLED, "acceleration limit"),
    "log-429-headers-2024-no-retry-after": Bad(Kind.THROTTLED, "status 429"),
    "log-429-input-tokens-per-minute": Bad(Kind.THROTTLED, "input tokens per minute", retry_s=16.0),
    "log-429-output-tokens-per-minute": Bad(Kind.THROTTLED, "output tokens per minute"),
    "log-500-api_error-overloaded": Bad(Kind.OVERLOADED, "Overloaded"),
    "log-520-cloudflare-html": Bad(Kind.OVERLOADED, "DOCTYPE"),
    "log-529-overloaded-details-null": Bad(Kind.OVERLOADED, "Overloaded"),
    "log-529-overloaded-full-headers": Bad(Kind.OVERLOADED, "Overloaded"),
    "log-529-overloaded-request_id": Bad(Kind.OVERLOADED, "Overloaded"),
    "max_tokens": Good(Stop.TRUNCATED, "max_tokens", (22, 0, 0, 15, 0), "claude-3-opus-20240229", "When Nietzsche"),
    "pause_turn": Bad(
        Kind.NO_ANSWER, "pause_turn", usage=(401468, 0, 0, 792, 0), finish="pause_turn", version=OPUS
    ),  # the provider's own searches were interrupted: paid for, and not to be gone on with
    "stop_sequence": Good(Stop.DONE, "stop_sequence", (32, 0, 0, 5, 0), OPUS, "The beautiful"),
    "stream-text-usage": Good(Stop.DONE, "end_turn", (52, 0, 0, 216, 0), SONNET_37, "The letter 'r' appears 3 times"),
    "stream-thinking": Good(Stop.DONE, "end_turn", (80, 0, 0, 638, 353), HAIKU, ""),
    "stream-tool_use": Good(Stop.DONE, "tool_use", (815, 0, 0, 41, 0), HAIKU, "{}"),
    "structured-native-decimal-strict": Good(Stop.DONE, "end_turn", (222, 0, 0, 10, 0), OPUS, '{"amount":12.34}'),
    "thinking": Good(Stop.DONE, "end_turn", (80, 0, 0, 755, 456), HAIKU, ""),
    "thinking-redacted": Good(Stop.DONE, "end_turn", (92, 0, 0, 196, 0), OPUS, "I notice that your message"),
    "tool_use-output-tool": Good(
        Stop.DONE,
        "tool_use",
        (678, 0, 0, 74, 0),
        OPUS,
        '{"city":"Tokyo","country":"Japan","population":14000000}',
        41.0,
    ),
    "tool_use-parallel": Good(Stop.DONE, "tool_use", (423, 0, 0, 202, 0), HAIKU, '{"name":"Alice"}'),
}
STREAMS = [name for name in CASES if "stream" in name]


@recorded
def test_every_recording_is_in_the_table():
    """No recorded answer is left out, and none is made up."""
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CASES)


@recorded
@pytest.mark.parametrize("name", CASES)
def test_a_recorded_answer_is_what_the_table_says(name):
    """Ending or kind, the provider's word for it, usage with cached tokens in, hints, model: as in the recording."""
    answer, expected = load(name), CASES[name]
    got = outcome(answer.answered())
    assert got.provider_request_id == answer.request_id
    assert got.retry_after_s == expected.retry_s
    if isinstance(expected, Bad):
        assert isinstance(got, CallFailed)
        assert (got.kind, got.status) == (expected.kind, answer.status)
        assert expected.message in got.message
        assert got.usage == (None if expected.usage is None else Usage(*expected.usage))
        assert (got.finish_reason, got.model_version) == (expected.finish, expected.version)
        return
    assert isinstance(got, Answer)
    assert (got.stop, got.finish_reason, got.usage) == (expected.stop, expected.finish, Usage(*expected.usage))
    assert got.model_version == expected.version
    assert got.text.startswith(expected.text)
    assert bool(got.text) == (name != "hand-refusal-no-details")


@recorded
def test_limits_come_from_the_headers():
    """Each lane's limit and rest, also of an answer that is none, and its reset seen from the answer's own date."""
    seen = {limit.dimension: limit for limit in outcome(load("log-429-input-tokens-per-minute").answered()).limits}
    assert (seen[Dimension.INPUT_TOKENS].limit, seen[Dimension.INPUT_TOKENS].remaining) == (200_000, 0)
    assert (seen[Dimension.OUTPUT_TOKENS].limit, seen[Dimension.REQUESTS].remaining) == (80_000, 4000)
    old = {limit.dimension: limit for limit in outcome(load("log-429-headers-2024-no-retry-after").answered()).limits}
    assert (old[Dimension.REQUESTS].remaining, old[Dimension.REQUESTS].reset_s) == (0, 1.0)
    assert len(outcome(load("cache-read").answered()).limits) == 4


@recorded
def test_tokens_are_counted():
    """The counting endpoint's answer is one number; what is none is a failure of the same kinds."""
    assert wire().counted(load("count_tokens").answered()) == 43
    for name, kind in (("err-401-invalid-x-api-key", Kind.AUTH), ("batch-1-create", Kind.NO_ANSWER)):
        with pytest.raises(CallFailed) as failed:
            wire().counted(load(name).answered())
        assert failed.value.kind is kind


@recorded
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_the_same_wherever_it_is_cut(name):
    """In one piece, byte by byte, at random places, and with CRLF: the same reply each time."""
    answer = load(name)
    whole = outcome(answer.answered())
    chance = random.Random(name)
    for events in (answer.events, answer.events.replace(b"\n", b"\r\n")):
        assert outcome(answer.answered([events[at : at + 1] for at in range(len(events))])) == whole
        for _ in range(20):
            cuts = sorted(chance.sample(range(len(events)), 7))
            pieces = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
            assert outcome(answer.answered(pieces)) == whole


@recorded
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_its_end_is_a_broken_connection(name):
    """Cut off before it said how it ended, a stream is CONNECTION, of unknown cost; never a shorter answer."""
    answer = load(name)
    whole = outcome(answer.answered())
    for end in range(0, len(answer.events), 11):
        got = outcome(answer.answered([answer.events[:end]]))
        if got != whole:
            assert (got.kind, got.usage) == (Kind.CONNECTION, None)
            assert b"message_delta" not in answer.events[:end].rpartition(b"\n\n")[0]


@recorded
@pytest.mark.parametrize("name", ["stream-text-usage", "stream-thinking", "stream-tool_use"])
def test_the_first_token_is_the_first_content(name):
    """A start, a ping or an empty delta of text is no token; thinking is, and so is a call's input."""
    assembler = wire().stream()
    first = next(event for event in load(name).events.split(b"\n\n") if assembler.feed(event + b"\n\n"))
    assert b"thinking_delta" in first or b"input_json_delta" in first


def sse(*events, newline=b"\n"):
    lines = [b"event: " + event["type"].encode() + newline + b"data: " + orjson.dumps(event) for event in events]
    return (newline * 2).join([b": a comment", *lines, b""])


def streamed(*events, pieces=1):
    data, assembler = sse(*events), wire().stream()
    for start in range(0, len(data), -(-len(data) // pieces)):
        assembler.feed(data[start : start + -(-len(data) // pieces)])
    return HttpAnswer(200, {}, assembler.finish(200, {}))


def start(**usage):
    message = {"id": "msg_1", "type": "message", "model": "m", "content": [], "stop_reason": None, "usage": usage}
    return {"type": "message_start", "message": message}


def block(index, **content):
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index, kind, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(reason, **usage):
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


STOPPED = {"type": "message_stop"}


def test_a_stream_is_put_together_to_the_body_without_streaming():
    """Blocks in order, each with all its deltas; a call's input as JSON; usage of the start, updated by the end."""
    answer = streamed(
        start(input_tokens=10, cache_read_input_tokens=3, cache_creation_input_tokens=2, output_tokens=1),
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="c2ln"),
        block(1, type="text", text="a"),
        delta(1, "text_delta", text="b"),
        block(2, type="tool_use", id="toolu_1", name="Thing", input={}),
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"name": "x", "id": 123456789'),
        delta(2, "input_json_delta", partial_json='01234567890123, "at": 0.10}'),
        end("tool_use", output_tokens=7, cache_read_input_tokens=None),
        STOPPED,
    )
    body = json.loads(answer.body)
    assert body["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "ab"},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "Thing",
            "input": {"name": "x", "id": 12345678901234567890123, "at": 0.1},
        },
    ]
    reply = wire("tool").reply(answer)
    assert reply.text == '{"name":"x","id":12345678901234567890123,"at":0.10}'
    assert (reply.usage, reply.model_version) == (Usage(15, 3, 2, 7, 0), "m")


def test_an_error_in_the_middle_of_a_stream_is_that_error():
    """An error event after half an answer, with status 200, is typed by its own type; nothing of the half is taken."""
    half = (start(input_tokens=1), block(0, type="text", text=""), delta(0, "text_delta", text="{"))
    for kind, expected in {
        "overloaded_error": Kind.OVERLOADED,
        "rate_limit_error": Kind.THROTTLED,
        "api_error": Kind.OVERLOADED,
        "invalid_request_error": Kind.INVALID_REQUEST,
        "new_error": Kind.NO_ANSWER,
    }.items():
        error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_7"}
        got = outcome(streamed(*half, error))
        assert (got.kind, got.status, got.provider_request_id) == (expected, 200, "req_7")


def test_a_call_that_was_cut_off_keeps_what_came():
    """A cap in the middle of a call's input is TRUNCATED with the piece, in a stream, and with nothing otherwise."""
    cut = (block(0, type="tool_use", name="Thing", input={}), delta(0, "input_json_delta", partial_json='{"na'))
    got = outcome(streamed(start(input_tokens=1), *cut, end("max_tokens", output_tokens=9), STOPPED), "tool")
    assert (got.stop, got.text) == (Stop.TRUNCATED, '{"na')
    got = outcome(message([], stop_reason="max_tokens"))
    assert (got.stop, got.text) == (Stop.TRUNCATED, "")


def message(content, stop_reason="end_turn", status=200, headers=None, **more):
    usage = {"input_tokens": 5, "output_tokens": 2}
    body = {"type": "message", "model": "m", "content": content, "stop_reason": stop_reason, "usage": usage, **more}
    return HttpAnswer(status, headers or {}, orjson.dumps(body))


TEXT = {"type": "text", "text": '{"name":"x"}'}
ENDINGS = {
    "end_turn": Stop.DONE, "stop_sequence": Stop.DONE, "tool_use": Stop.DONE, "max_tokens": Stop.TRUNCATED,
    "model_context_window_exceeded": Stop.TRUNCATED, "refusal": Stop.REFUSED,
    "pause_turn": None, "compaction": None, "something_new": Stop.DONE, "": Stop.DONE, None: Stop.DONE,
}  # fmt: skip


@each_case("word", ENDINGS)
def test_every_ending_has_one_meaning(word):
    """The documented endings; one to be gone on with is no answer, one that is not known is judged by its content."""
    got = outcome(message([TEXT], stop_reason=word))
    assert got.usage == Usage(5, 0, 0, 2, 0)
    assert (got.finish_reason or None) == (word or None)
    assert got.stop is ENDINGS[word] if isinstance(got, Answer) else got.kind is Kind.NO_ANSWER
    assert isinstance(got, Answer) == (ENDINGS[word] is not None)


@pytest.mark.parametrize(
    "content", [[], None, [{"type": "text", "text": " \n"}], [{"type": "thinking", "thinking": "hm"}], "x", [7]]
)
def test_an_ending_without_an_answer_is_none(content):
    """Nothing, blanks, or thinking alone is no answer, and is billed."""
    got = outcome(message(content))
    assert (got.kind, got.usage, got.finish_reason) == (Kind.NO_ANSWER, Usage(5, 0, 0, 2, 0), "end_turn")


def test_the_answer_is_found_among_other_blocks():
    """Texts are joined; a call goes before them, and the call of the asked-for tool before others."""
    other = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use"},
    ]
    assert (
        outcome(message([*other, {"type": "text", "text": "a"}, {"type": "new"}, {"type": "text", "text": "b"}])).text
        == "ab"
    )
    calls = [{"type": "tool_use", "name": name, "input": {"name": name}} for name in ("Other", "Thing")]
    assert outcome(message([TEXT, *calls], "tool_use")).text == '{"name":"Thing"}'
    assert outcome(message([TEXT, calls[0]], "tool_use")).text == '{"name":"Other"}'


def test_what_is_nested_too_deeply_is_no_answer():
    """An input that can be read but not be written again is no answer, at once and as a stream."""
    call, deep = {"type": "tool_use", "name": "Thing", "input": 7}, b'"input":' + b"[" * 600 + b"]" * 600
    whole = message([call], "tool_use").body.replace(b'"input":7', deep)
    assert outcome(HttpAnswer(200, {}, whole), "tool").kind is Kind.NO_ANSWER
    assembler = wire().stream()
    events = sse(start(input_tokens=1), block(0, **call), end("tool_use", output_tokens=1))
    assembler.feed(events.replace(b'"input":7', deep))
    assert outcome(HttpAnswer(200, {}, assembler.finish(200, {}))).kind is Kind.NO_ANSWER


def test_a_refusal_has_the_providers_words():
    """The explanation, else what the model said, else nothing."""
    explained = outcome(message([TEXT], "refusal", stop_details={"type": "refusal", "explanation": "Too risky."}))
    assert (explained.stop, explained.text) == (Stop.REFUSED, "Too risky.")
    assert outcome(message([TEXT], "refusal", stop_details=None)).text == TEXT["text"]


def test_usage_adds_up():
    """Cache reads and writes are part of the input, thinking is part of the output; nothing is counted twice."""
    usage = {"input_tokens": 5, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 200, "output_tokens": 9,
             "cache_creation": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
             "output_tokens_details": {"thinking_tokens": 4}}  # fmt: skip
    assert outcome(message([TEXT], usage=usage)).usage == Usage(235, 30, 200, 9, 4)
    del usage["cache_creation_input_tokens"]
    assert outcome(message([TEXT], usage=usage)).usage == Usage(235, 30, 200, 9, 4)


@each_case(
    ("usage", "expected"),
    [
        (None, PartialUsage()),
        ({}, PartialUsage()),
        ({"input_tokens": None, "output_tokens": None}, PartialUsage()),
        ({"total_tokens": 12}, PartialUsage()),
        ({"input_tokens": "8", "output_tokens": 4.0}, Usage(8, 0, 0, 4, 0)),
        ({"input_tokens": 8, "output_tokens": 0}, Usage(8, 0, 0, 0, 0)),
        ({"input_tokens": 0, "cache_read_input_tokens": 8, "output_tokens": 4}, Usage(8, 8, 0, 4, 0)),
        ({"input_tokens": 0, "output_tokens": 4}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
        ({"input_tokens": 8, "output_tokens": "four"}, PartialUsage(8, 0, 0, 0, 0, input_told=True)),
        ({"cache_read_input_tokens": 8, "output_tokens": 4}, PartialUsage(0, 8, 0, 4, 0, output_told=True)),
    ],
)
def test_usage_that_is_missing_is_said_to_be(usage, expected):
    """Whole floats and digits are counts; a count that is absent, null or nonsense is not told, and is no 0."""
    assert outcome(message([TEXT], usage=usage)).usage == expected


@pytest.mark.parametrize(
    ("content", "reason", "usage", "words"),
    [
        ([TEXT], "pause_turn", PartialUsage(), TEXT["text"]),
        ([], "end_turn", PartialUsage(), ""),
        ([], None, Usage(), ""),
    ],
)
def test_no_answer_is_billed_where_the_model_said_something(content, reason, usage, words):
    """What it said is counted where nothing tells; of what may be no model's nothing is."""
    failed = outcome(message(content, reason, usage=None))
    assert (failed.kind, failed.usage, failed.said) == (Kind.NO_ANSWER, usage, words)


@pytest.mark.parametrize(
    ("first", "last", "usage"),
    [
        ({"input_tokens": 8, "output_tokens": 1}, {"output_tokens": 4}, Usage(8, 0, 0, 4, 0)),
        ({"input_tokens": 8, "output_tokens": 1}, {}, PartialUsage(8, 0, 0, 0, 0, input_told=True)),
        ({"input_tokens": 8, "output_tokens": 1}, {"output_tokens": None}, PartialUsage(8, input_told=True)),
        ({}, {"output_tokens": 4}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
        ({}, {}, PartialUsage()),
    ],
)
def test_a_stream_tells_its_output_at_its_end(first, last, usage):
    """What a message begins with is a first guess at its output, and no count of it."""
    said = (block(0, type="text", text=""), delta(0, "text_delta", text="{}"))
    got = outcome(streamed(start(**first), *said, end("end_turn", **last), STOPPED))
    assert (got.text, got.usage) == ("{}", usage)


def error(status, kind="", text="", code=None, headers=None):
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {**details, "type": kind, "message": text}, "request_id": "req_1"}
    return outcome(HttpAnswer(status, headers or {}, orjson.dumps(body)))


ERRORS = {
    "spend cap of the tier": (429, "rate_limit_error", "x", "enforced_spend_limit_reached", Kind.QUOTA),
    "spend cap of the contract": (429, "rate_limit_error", "x", "contract_spend_limit_reached", Kind.QUOTA),
    "payer's spend cap": (402, "billing_error", "x", "linked_organization_spend_limit_reached", Kind.QUOTA),
    "payer cannot be billed": (402, "billing_error", "x", "linked_organization_billing_unavailable", Kind.QUOTA),
    "ramp": (429, "rate_limit_error", "x", "ramp_limit_exceeded", Kind.THROTTLED),
    "on hold": (400, "invalid_request_error", "x", "organization_on_hold", Kind.AUTH),
    "own key off": (400, "invalid_request_error", "x", "cmek_key_disabled", Kind.AUTH),
    "own key away": (503, "api_error", "x", "cmek_key_unreachable", Kind.OVERLOADED),
    "code of tomorrow": (429, "rate_limit_error", "x", "something_new", Kind.THROTTLED),
    "spend limit of one's own": (
        400, "invalid_request_error", "reached the API usage limits that you specified", None, Kind.QUOTA),
    "monthly": (429, "rate_limit_error", "This would exceed your organization's monthly spend limit", None, Kind.QUOTA),
    "daily": (429, "rate_limit_error", "Number of request tokens has exceeded your daily rate limit", None, Kind.QUOTA),
    "per day": (429, "rate_limit_error", "the limit of 1,000,000 tokens per day", None, Kind.QUOTA),
    "long prompts not allowed": (
        429, "rate_limit_error", "not for long context requests", None, Kind.CONTEXT_EXCEEDED),
    "concurrent": (429, "rate_limit_error", "Number of concurrent connections has exceeded", None, Kind.THROTTLED),
    "billing": (402, "billing_error", "x", None, Kind.QUOTA),
    "bare 402": (402, "", "x", None, Kind.QUOTA),
    "with the cap too long": (
        400, "invalid_request_error", "`max_tokens` exceed context limit: 1 + 2 > 2", None, Kind.CONTEXT_EXCEEDED),
    "too large": (400, "invalid_request_error", "the request is too large", None, Kind.CONTEXT_EXCEEDED),
    "cap over the model's": (
        400, "invalid_request_error", "max_tokens: 9 > 8, which is the maximum allowed number of output tokens", None,
        Kind.INVALID_REQUEST),
    "filtered": (400, "invalid_request_error", "blocked by content filtering", None, Kind.BLOCKED),
    "filtered as 500": (500, "api_error", "blocked by content filtering", None, Kind.BLOCKED),
    "disabled": (400, "invalid_request_error", "Your organization has been disabled", None, Kind.AUTH),
    "temperature": (400, "invalid_request_error", "deprecated for this model", None, Kind.INVALID_REQUEST),
    "authentication": (401, "authentication_error", "x", None, Kind.AUTH),
    "permission": (403, "permission_error", "not permitted to use the specified resource", None, Kind.AUTH),
    "permission of the model": (403, "permission_error", "no access to this model", None, Kind.MODEL_UNAVAILABLE),
    "forbidden by the edge": (403, "forbidden", "Request not allowed", None, Kind.AUTH),
    "retired model": (404, "not_found_error", "Claude Fable 5 is not available.", None, Kind.MODEL_UNAVAILABLE),
    "wrong path": (404, "not_found_error", "Not Found", None, Kind.INVALID_REQUEST),
    "a gateway's model": (404, "", "no such model", None, Kind.MODEL_UNAVAILABLE),
    "a gateway's 404": (404, "", "nothing here", None, Kind.INVALID_REQUEST),
    "timeout": (504, "timeout_error", "x", None, Kind.OVERLOADED),
    "conflict": (400, "conflict_error", "x", None, Kind.OVERLOADED),
    "request timeout": (408, "", "x", None, Kind.OVERLOADED),
    "bare 409": (409, "", "x", None, Kind.OVERLOADED),
    "failed dependency": (424, "", "x", None, Kind.OVERLOADED),
    "too early": (425, "", "x", None, Kind.OVERLOADED),
    "client closed": (499, "", "x", None, Kind.OVERLOADED),
    "overloaded as 429": (429, "overloaded_error", "Overloaded", None, Kind.OVERLOADED),
    "api_error that is a 400": (400, "api_error", "x", None, Kind.INVALID_REQUEST),
    "422": (422, "invalid_request_error", "x", None, Kind.INVALID_REQUEST),
    "400 used for a 413": (413, "invalid_request_error", "x", None, Kind.CONTEXT_EXCEEDED),
    "bare 503": (503, "", "x", None, Kind.OVERLOADED),
    "redirect": (302, "", "x", None, Kind.NO_ANSWER),
    "200 that is an error": (200, "overloaded_error", "x", None, Kind.OVERLOADED),
}  # fmt: skip


@each_case("name", ERRORS)
def test_every_error_has_its_kind(name):
    """By the code that names the cause, then the type, then the status; words tell apart only what these do not."""
    status, kind, text, code, expected = ERRORS[name]
    got = error(status, kind, text, code)
    assert (got.kind, got.status, got.provider_request_id, got.usage) == (expected, status, "req_1", None)


@each_case(
    ("status", "body", "kind", "words"),
    [
        (502, b"<html>Bad gateway</html>", Kind.OVERLOADED, "Bad gateway"),
        (200, b"<html>Sign in</html>", Kind.NO_ANSWER, "Sign in"),
        (200, b"[]", Kind.NO_ANSWER, "not JSON"),
        (200, b"", Kind.CONNECTION, ""),
        (500, b"", Kind.OVERLOADED, "status 500"),
        (429, b'{"error":"slow down"}', Kind.THROTTLED, "slow down"),
        (400, b'{"message":"no"}', Kind.INVALID_REQUEST, "no"),
        (401, b'"\xff', Kind.AUTH, ""),
        (200, b"[" * 100_000 + b"123456789012345678901", Kind.NO_ANSWER, "not JSON"),
        (200, b'{"x": 1.23456789012345678901e99999999999999999999}', Kind.NO_ANSWER, "not JSON"),
    ],
)
def test_what_is_not_from_the_provider_is_typed_too(status, body, kind, words):
    """Pages of proxies, gateways' own errors, and nothing at all."""
    got = outcome(HttpAnswer(status, {}, body))
    assert got.kind is kind
    assert words in got.message


def test_hints_are_kept_whole():
    """Retry-After in seconds or as a date; a message is cut to 500 characters, and keys are not in it."""
    assert error(429, "rate_limit_error", headers={"retry-after": "7200"}).retry_after_s == 7200
    dates = {"retry-after": "Wed, 01 Jan 2025 00:01:00 GMT", "date": "Wed, 01 Jan 2025 00:00:00 GMT"}
    assert error(529, "overloaded_error", headers=dates).retry_after_s == 60
    message = error(400, text="the key sk-abcdefghijk " + "x " * 400).message
    assert len(message) == 500
    assert "abcdefghijk" not in message


def sent(asked, **made):
    return json.loads(wire(**made).body(asked))


def test_json_schema_goes_into_output_config():
    """The body in full: the schema as the format, system as blocks, turns as messages, the cap last."""
    assert sent(request()) == {
        "model": "claude-haiku-4-5",
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "system": [{"type": "text", "text": "Read."}],
        "messages": [{"role": "user", "content": "a document"}],
        "max_tokens": 100,
    }


def test_a_tool_is_forced_where_the_model_lets_it():
    """One tool, one call of it; the newest models refuse to be forced, and are told in words."""
    body = sent(request(), mode="tool")
    assert body["tools"] == [{"name": "Thing", "strict": True, "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "tool", "name": "Thing", "disable_parallel_tool_use": True}
    assert "output_config" not in body
    assert "strict" not in sent(request(), mode="tool", strict=False)["tools"][0]
    new = sent(request(), mode="tool", name="claude-opus-5-5")
    assert new["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "Thing" in new["system"][1]["text"]


def test_json_object_is_told_in_words():
    """There is no JSON mode: the schema stands in a block of its own, after the job's."""
    body = sent(request(), mode="json_object")
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["system"][1]["text"]
    assert body["system"][0]["text"] == "Read."
    assert not {"output_config", "tools"} & body.keys()


@pytest.mark.parametrize("mode", MODES)
def test_free_text_asks_for_nothing(mode):
    """No schema, no tool, and no word of either."""
    body = sent(request(free_text=True), mode=mode, name="claude-opus-5-5")
    assert body.keys() == {"model", "system", "messages", "max_tokens"}
    assert body["system"] == [{"type": "text", "text": "Read."}]


def test_only_what_is_set_is_sent():
    """Temperature, streaming and the system prompt are left out unless there is one."""
    body = sent(request(system=" "), temperature=0.0, stream=True)
    assert (body["temperature"], body["stream"]) == (0.0, True)
    assert "system" not in body


def test_a_repair_is_three_turns_and_any_text_can_be_sent():
    """Turns keep their roles; lone surrogates are replaced, braces and quotes are data."""
    turns = [
        Turn("user", text_parts('a "{x}" \ud800')),
        Turn("assistant", text_parts("{")),
        Turn("user", text_parts("no JSON")),
    ]
    body = sent(request(system="\udfff", turns=turns), mode="json_object")
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == 'a "{x}" \ufffd'
    assert body["system"][0]["text"] == "\ufffd"


@given(st.text(min_size=1), st.integers(1, 100_000), st.sampled_from(MODES))
@examples(50)
def test_what_a_job_fixes_stands_first(text, cap, mode):
    """Over rows, a body is the same bytes up to the first message."""
    made = wire(mode)
    bodies = [
        made.body(request(turns=[Turn("user", text_parts(one))], max_output_tokens=cap)) for one in (text, "other")
    ]
    heads = [body.partition(b'"messages"')[0] for body in bodies]
    assert heads[0] == heads[1]
    assert bodies[0].endswith(f'"max_tokens":{cap}}}'.encode())
    assert json.loads(bodies[0])["messages"] == [{"role": "user", "content": text}]


def test_counting_sends_the_same_question():
    """The counted body is the sent one without what counting does not take."""
    made = wire("tool", temperature=0.5, stream=True)
    body = json.loads(made.body(request()))
    assert json.loads(made.count_body(request())) == {
        key: value for key, value in body.items() if key not in {"temperature", "stream", "max_tokens"}
    }
    assert made.count_url == "https://api.anthropic.com/v1/messages/count_tokens"


@pytest.mark.parametrize("base", ["http://gateway:8080", "http://gateway:8080/", "http://gateway:8080/v1"])
def test_the_base_url_is_the_bare_host(base):
    """A slash, or the /v1 that other providers want, does no harm."""
    assert wire(base_url=base).url == "http://gateway:8080/v1/messages"
    assert wire().url == "https://api.anthropic.com/v1/messages"


def test_headers():
    """A key goes as x-api-key, a token as bearer; the version always, betas when there are any."""
    key = wire().headers(b"", Secret("sk-1"), NOW)
    assert key == {"x-api-key": "sk-1", "anthropic-version": "2023-06-01", "Content-Type": "application/json"}
    token = wire(betas=("a-2026-01-01", "b-2026-01-01")).headers(b"", Secret("t", bearer=True), NOW)
    assert token["Authorization"] == "Bearer t"
    assert token["anthropic-beta"] == "a-2026-01-01,b-2026-01-01"
    assert "x-api-key" not in token


def test_a_tools_name_is_what_the_provider_takes():
    """Letters of other alphabets become underscores; at most 64 characters."""
    assert tool_name("Réponse2") == "R_ponse2"
    assert tool_name("x" * 70) == "x" * 64
    assert tool_name("") == "answer"


def test_caching_marks_the_tool_and_the_last_system_block():
    """When the job's fixed part is to be kept, and only then; counting is asked for without marks on the tool."""
    assert "cache_control" not in sent(request())["system"][0]
    blocks = sent(request(), mode="json_object", caching="on")["system"]
    assert ["cache_control" in block for block in blocks] == [False, True]
    body = sent(request(system=""), mode="tool", caching="on")
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert "system" not in body


EXAMPLE = (Turn("user", text_parts("an example")), Turn("assistant", text_parts('{"name":"x"}')))


def test_examples_are_turns_before_the_document_and_the_last_of_them_carries_the_mark():
    """Also before a repair; without examples, or without caching, there is no mark in the messages."""
    asked = request(turns=EXAMPLE * 2 + ASKED, shared_turns=4)
    said = [turn.text for turn in asked.turns]
    assert [turn["content"] for turn in sent(asked)["messages"]] == said
    marked = sent(asked, caching="on")["messages"]
    block = {"type": "text", "text": said[3], "cache_control": {"type": "ephemeral"}}
    assert [turn["content"] for turn in marked] == [*said[:3], [block], said[4]]
    repair = sent(replace(asked, turns=(*asked.turns, *EXAMPLE)), caching="on")["messages"]
    assert repair[:5] == marked
    assert "cache_control" not in json.dumps(sent(request(), caching="on")["messages"])


MODELS = {  # name: (refuses a temperature, refuses to be forced, the shortest prompt that is cached)
    "claude-3-5-haiku-20241022": (False, False, 2048),
    "claude-sonnet-4-20250514": (False, False, 1024),
    "claude-opus-4-1-20250805": (False, False, 1024),
    "claude-haiku-4-5-20251001": (False, False, 4096),
    "claude-sonnet-4-6": (False, False, 2048),
    "claude-opus-4-6": (False, False, 4096),
    "claude-opus-4-7": (True, False, 2048),
    "claude-opus-5": (True, False, 512),
    "claude-sonnet-5-20260630": (True, False, 1024),
    "claude-opus-5-5": (True, True, 512),
    "claude-haiku-5-5": (True, True, 512),
    "claude-fable-5-2": (True, True, 512),
    "claude-opus-6": (True, True, 4096),
    "us.anthropic.claude-sonnet-5-5": (True, True, 512),
    "some-other-model": (False, False, 4096),
}  # fmt: skip


@each_case("name", MODELS)
def test_what_models_differ_in(name):
    """Older models take a temperature and can be forced; each family has its own shortest cached prompt."""
    temperature, forcing, tokens = MODELS[name]
    assert (refuses_temperature(name), refuses_forcing(name)) == (temperature, forcing)
    assert minimum_tokens(name) == tokens


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["text", "tool_use", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["type", "text"]), inner, max_size=3)
    ),
    max_leaves=5,
)
GOODS = [
    orjson.loads(message([{"type": "thinking", "thinking": "x"}, TEXT]).body),
    orjson.loads(message([{"type": "tool_use", "name": "Thing", "input": {"name": ["x", 1.5]}}], "tool_use").body),
    orjson.loads(message([], "refusal", stop_details={"type": "refusal", "explanation": "x"}).body),
    {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "x", "details": {"error_code": "x"}},
        "request_id": "x",
    },
    {"input_tokens": 7},
]
EVENTS = [
    start(input_tokens=1, output_tokens=1), block(0, type="text", text=""), delta(0, "text_delta", text="x"),
    block(1, type="tool_use", name="Thing", input={}), delta(1, "input_json_delta", partial_json="{}"),
    end("tool_use", output_tokens=3), STOPPED, {"type": "error", "error": {"type": "api_error", "message": "x"}},
]  # fmt: skip


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@st.composite
def mutated(draw, goods):
    value = draw(st.sampled_from(goods))
    for _ in range(draw(st.integers(0, 3))):
        value = changed(value, draw(st.sampled_from(list(places(value)))), draw(JSON))
    return json.dumps(value).encode()  # stdlib: also NaN, and integers of any length


BODIES = mutated(GOODS) | st.binary(max_size=30) | st.just(b'{"x":' * 2000)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "request-id", "date", "anthropic-ratelimit-tokens-limit"]), st.text(max_size=9)
)


@given(BODIES, st.sampled_from([200, 200, 200, 204, 302, 400, 403, 404, 429, 500, 529]), HEADERS)
def test_any_answer_is_a_reply_or_a_failure(body, status, headers):
    """Whatever comes back, only Reply or CallFailed comes out, with text that can be stored and counts that add up."""
    made, answer = wire("tool"), HttpAnswer(status, headers, body)
    for read in (made.reply, made.counted):
        try:
            got = read(answer)
        except CallFailed as failure:
            got = failure
        assert isinstance(got, CallFailed) or status == 200
        if isinstance(got, CallFailed):
            assert len(got.message.encode()) <= 1500
        elif isinstance(got, Answer):
            got.text.encode()
            assert got.usage.input_tokens >= got.usage.cached_input_tokens + got.usage.cache_write_tokens >= 0


@given(st.lists(mutated(EVENTS) | st.binary(max_size=20), max_size=8), st.integers(1, 50))
def test_any_stream_is_a_reply_or_a_failure(events, size):
    """Events in any order, broken, or nothing of the kind."""
    data = b"".join(b"data: " + event + b"\n\n" for event in events)
    assembler = wire().stream()
    for at in range(0, len(data), size):
        assert assembler.feed(data[at : at + size]) in {True, False}
    assert isinstance(outcome(HttpAnswer(200, {}, assembler.finish(200, {}))), Answer | CallFailed)
