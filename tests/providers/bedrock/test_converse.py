"""Bedrock's Converse: recorded answers, the whole vocabulary of endings and exceptions, streams, bodies, counting."""

import base64
import json
import random
import struct
from binascii import crc32
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

import orjson
import pytest
from bedrock_wires import (
    HAIKU,
    MODES,
    NOVA,
    REPAIR,
    SCHEMA,
    answered,
    body_of,
    converse,
    invoke,
    judged,
    made,
    mutated,
    outcome,
    refused,
    request,
    spoiled_events,
    streamed,
)
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from places import RECORDINGS

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers.bedrock.converse import STOPS, ConverseWire
from pipeline.providers.bedrock.errors import CODES
from pipeline.providers.bedrock.eventstream import Corrupt, Decoder, Frame
from pipeline.providers.bedrock.models import forced_choice
from pipeline.providers.credentials.secret import Secret
from pipeline.sandbox.wires.bedrock.frames import event, exception, frame
from pipeline.types import AnswerShape, HttpAnswer, PartialUsage, Stop, Turn, Usage

FOLDER = RECORDINGS / "bedrock"
recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of the repository")


@dataclass
class Good:
    stop: Stop
    finish: str
    usage: tuple
    text: str  # how it starts
    version: str | None = None


@dataclass
class Bad:
    kind: Kind
    message: str  # a part of it


CASES = {
    "converse-max_tokens": Good(Stop.TRUNCATED, "max_tokens", (13, 0, 0, 5, 0), "The capital of France is"),
    "converse-reasoning-redacted": Good(Stop.DONE, "end_turn", (92, 0, 0, 176, 0), "I notice you've sent"),
    "converse-stream-nova2": Good(
        Stop.DONE, "end_turn", (53, 0, 0, 21, 0), "Sure! Here is the count from 1 to 3:\n\n1"
    ),
    "converse-stream-thinking": Good(Stop.DONE, "end_turn", (80, 0, 0, 1113, 0), "# The Paradox Question"),
    "converse-stream-tool_use": Good(Stop.DONE, "tool_use", (932, 0, 0, 18, 0), "{}"),
    "converse-structured-claude": Good(Stop.DONE, "end_turn", (181, 0, 0, 12, 0), '{"name":"John","age":30}'),
    "converse-structured-default-profile": Good(Stop.DONE, "end_turn", (215, 0, 0, 22, 0), '{"confidence": 0.5'),
    "converse-structured-mistral": Good(Stop.DONE, "end_turn", (21, 0, 0, 26, 0), '{ "city": "Paris"'),
    "converse-tool_use": Good(Stop.DONE, "tool_use", (747, 0, 0, 53, 0), '{"city":"Paris"}'),
    "converse-tool_use-nova-array": Good(Stop.DONE, "tool_use", (944, 0, 0, 30, 0), '{"tags":["red","blue"]}'),
    "err-400-field-required": Bad(Kind.INVALID_REQUEST, "Field required"),
    "err-400-malformed-input": Bad(Kind.INVALID_REQUEST, "extraneous key [toolResult]"),
    "err-400-model-identifier-invalid": Bad(Kind.MODEL_UNAVAILABLE, "model identifier is invalid"),
    "err-400-model-identifier-invalid-headers": Bad(Kind.MODEL_UNAVAILABLE, "ValidationException: The provided"),
    "err-400-video-unsupported": Bad(Kind.INVALID_REQUEST, "video content block"),
    "invoke-claude-max_tokens-cache-read": Good(
        Stop.TRUNCATED, "max_tokens", (18135, 18131, 0, 50, 0), "I'll provide", "claude-3-5-haiku-20241022"
    ),
    "invoke-llama-length": Good(Stop.TRUNCATED, "length", (5, 0, 0, 10, 0), " post. This is a test"),
    "invoke-mistral": Good(Stop.TRUNCATED, "length", (6, 0, 0, 10, 0), "\n\nA man stands"),  # tokens in headers only
    "invoke-titan": Good(Stop.TRUNCATED, "LENGTH", (5, 0, 0, 10, 0), " comment\nHello!"),
    "log-400-body-over-25MB": Bad(Kind.CONTEXT_EXCEEDED, "less than or equal to 25000000"),
    "log-400-input-too-long-converse": Bad(Kind.CONTEXT_EXCEEDED, "Input is too long"),
    "log-400-input-too-long-invoke": Bad(Kind.CONTEXT_EXCEEDED, "Input is too long"),
    "log-400-max_tokens-over-limit": Bad(Kind.INVALID_REQUEST, "exceeds the model limit of 32768"),
    "log-400-prompt-too-long-claude": Bad(Kind.CONTEXT_EXCEEDED, "227255 tokens > 200000 maximum"),
    "log-403-model-access": Bad(Kind.MODEL_UNAVAILABLE, "access to the model"),
    "log-404-legacy-model": Bad(Kind.MODEL_UNAVAILABLE, "marked by provider as Legacy"),
    "log-429-throttling-tokens-per-day": Bad(Kind.QUOTA, "Too many tokens per day"),
    "log-429-throttling-too-many-requests": Bad(Kind.THROTTLED, "Too many requests"),
    "log-429-throttling-too-many-tokens": Bad(Kind.THROTTLED, "Too many tokens, please"),
    "log-503-too-many-connections-metadata": Bad(Kind.OVERLOADED, "Too many connections"),
    "log-503-unable-to-process": Bad(Kind.OVERLOADED, "unable to process"),
}
STREAMS = [name for name in CASES if "-stream-" in name]


@dataclass
class Recorded:
    wire: object
    status: int
    headers: dict
    body: bytes  # the answer's, or the events of a stream

    def answered(self, pieces=None):
        if "eventstream" not in self.headers.get("content-type", ""):
            return HttpAnswer(self.status, self.headers, self.body)
        assembler = self.wire.stream()
        for piece in pieces or [self.body]:
            assembler.feed(piece)
        return HttpAnswer(self.status, self.headers, assembler.finish(self.status, self.headers))


def load(name):
    """A recording, and the wire that would have asked for it; where no request is known, Converse would."""
    told = json.loads((FOLDER / f"{name}.json").read_text())
    url = (told.get("request") or {}).get("url") or f"https://x/model/{HAIKU}/converse"
    model, _, operation = url.partition("/model/")[2].partition("/")
    settings = {"name": unquote(model), "stream": "stream" in operation}
    wire = invoke(**settings) if operation.startswith("invoke") else converse("tool", **settings)
    body = told.get("body_raw") or told["body"]
    if told["body_kind"] == "base64":
        data = base64.b64decode(body)
    else:
        data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Recorded(wire, told["status"], {key.lower(): value for key, value in told["headers"].items()}, data)


@recorded
def test_every_recording_is_in_the_table():
    """None is left out, none is made up."""
    assert {file.stem for file in FOLDER.glob("*.json")} == set(CASES)


@recorded
@pytest.mark.parametrize("name", CASES)
def test_a_recorded_answer_is_read_right(name):
    """Stop or kind, finish word, all five token counts, model and request id, and no hint: Bedrock gives none."""
    found = load(name)
    expected, got = CASES[name], outcome(found.wire, found.answered())
    assert got.provider_request_id == found.headers.get("x-amzn-requestid")
    assert (got.retry_after_s, got.limits) == (None, ())
    if isinstance(expected, Bad):
        assert (got.kind, got.status, got.usage) == (expected.kind, found.status, None)
        assert expected.message in got.message
        return
    assert (got.stop, got.finish_reason, got.usage) == (expected.stop, expected.finish, Usage(*expected.usage))
    assert got.text.startswith(expected.text)
    assert got.model_version == expected.version


@recorded
@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_may_be_cut_anywhere(name):
    """In one piece, byte by byte and at random places, the reply is the same; cut short, it is a broken connection."""
    found = load(name)
    whole = found.wire.reply(found.answered())
    bytewise = [found.body[at : at + 1] for at in range(len(found.body))]
    assert found.wire.reply(found.answered(bytewise)) == whole
    chance = random.Random(7)
    for _ in range(20):
        cuts = sorted(chance.sample(range(len(found.body)), 10))
        pieces = [found.body[start:end] for start, end in zip([0, *cuts], [*cuts, len(found.body)], strict=True)]
        assert found.wire.reply(found.answered(pieces)) == whole
        assert outcome(found.wire, found.answered([found.body[: cuts[-1]]])).kind is Kind.CONNECTION


@recorded
@pytest.mark.parametrize("name", STREAMS)
def test_a_damaged_stream_is_told_as_damaged(name):
    """One bit is enough, wherever it is; what it cost is not known then."""
    found = load(name)
    chance = random.Random(11)
    for _ in range(30):
        at = chance.randrange(len(found.body))
        damaged = found.body[:at] + bytes([found.body[at] ^ 1 << chance.randrange(8)]) + found.body[at + 1 :]
        got = outcome(found.wire, found.answered([damaged]))
        assert (got.kind, got.fate_unknown) == (Kind.DAMAGED, True)


def answer(stop="end_turn", *content, **more):
    blocks = list(content) or [{"text": "{}"}]
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    return {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": stop, "usage": usage, **more}


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("end_turn", Stop.DONE),
        ("stop_sequence", Stop.DONE),
        ("tool_use", Stop.DONE),
        ("max_tokens", Stop.TRUNCATED),
        ("model_context_window_exceeded", Stop.TRUNCATED),
        ("refusal", Stop.REFUSED),
        ("guardrail_intervened", Stop.BLOCKED),
        ("content_filtered", Stop.BLOCKED),
    ],
)
def test_every_stop_reason_has_its_meaning(finish, stop):
    """All that the service documents, with text and without; only an answer that is done needs some."""
    assert set(STOPS) >= {finish}
    assert outcome(converse(), answered(answer(finish))).stop is stop
    empty = outcome(converse(), answered(answer(finish, {"text": " "})))
    if stop is Stop.DONE:
        assert (empty.kind, empty.usage, empty.finish_reason) == (Kind.NO_ANSWER, Usage(10, 0, 0, 5, 0), finish)
    else:
        assert (empty.stop, empty.text) == (stop, " ")


@pytest.mark.parametrize("finish", ["malformed_model_output", "malformed_tool_use", "pause_turn"])
def test_an_ending_that_says_nothing_is_no_answer(finish):
    """There is nothing in it to repair, so it is asked again; what it is billed for is kept."""
    failed = outcome(converse(), answered(answer(finish)))
    assert (failed.kind, failed.usage) == (Kind.NO_ANSWER, Usage(10, 0, 0, 5, 0))
    assert failed.finish_reason == finish


@pytest.mark.parametrize("finish", ["a_word_of_tomorrow", "", None, 7])
def test_where_no_known_word_tells_its_end_the_content_does(finish):
    reply = outcome(converse(), answered(answer(finish, {"text": "{}"})))
    assert (reply.stop, reply.text, reply.finish_reason) == (Stop.DONE, "{}", finish if isinstance(finish, str) else "")


BLOCKS = {
    "reasoning is no answer": (
        [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "a"}, {"text": "b"}],
        "ab",
    ),
    "a call goes before words": ([{"text": "I call"}, {"toolUse": {"name": "x", "input": {"a": 1}}}], '{"a":1}'),
    "the same call twice": ([{"toolUse": {"input": {"a": 1}}}, {"toolUse": {"input": '{"a": 1}'}}], '{"a":1}'),
    "both of two that differ": ([{"toolUse": {"input": {"a": 1}}}, {"toolUse": {"input": {}}}], '{"a":1}\n{}'),
    "a list as input": ([{"toolUse": {"input": [1, 2]}}], "[1,2]"),
    "a string as input": ([{"toolUse": {"input": '{"a": 1}'}}], '{"a": 1}'),
    "a call without input": ([{"toolUse": {"name": "x"}}, {"text": "words"}], "words"),
    "cited text": ([{"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}], "ab"),
    "numbers beyond 64 bits": ([{"toolUse": {"input": {"a": 123456789012345678901234567890}}}],
                               '{"a":123456789012345678901234567890}'),
    "numbers to the last digit": ([{"toolUse": {"input": {"a": 1234567890.12, "b": 9007199254740993}}}],
                                  '{"a":1234567890.12,"b":9007199254740993}'),
    "blocks that are none": ([None, 7, "x", {}, {"text": 7}, {"text": "a"}], "a"),
}  # fmt: skip


@each_case("case", BLOCKS)
def test_the_blocks_of_an_answer_are_read_for_what_they_are(case):
    """Whatever kinds of blocks there are, and in whatever order; odd ones are left for validation to judge."""
    blocks, text = BLOCKS[case]
    assert outcome(converse("tool"), answered(json.dumps(answer("tool_use", *blocks)).encode())).text == text


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"inputTokens": 10, "outputTokens": 5}, (10, 0, 0, 5, 0)),
        ({"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheReadInputTokenCount": 100,
          "cacheWriteInputTokens": 20, "cacheWriteInputTokenCount": 20}, (130, 100, 20, 5, 0)),
        ({"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokenCount": 7}, (17, 7, 0, 5, 0)),
        ({"inputTokens": 10, "outputTokens": 5, "cacheWriteInputTokens": 7,
          "cacheDetails": [{"ttl": "5m", "inputTokens": 7}]}, (17, 0, 7, 5, 0)),
        ({"inputTokens": "10", "outputTokens": 5.0, "cacheReadInputTokens": -5}, (10, 0, 0, 5, 0)),
    ],
)  # fmt: skip
def test_cached_tokens_are_counted_once(told, usage):
    """Under whichever of their two names; the input includes them. Nonsense counts as nothing."""
    assert outcome(converse(), answered(answer(usage=told))).usage == Usage(*usage)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, PartialUsage()),
        ([], PartialUsage()),
        ({"totalTokens": 15}, PartialUsage()),
        ({"inputTokens": None, "outputTokens": None}, PartialUsage()),
        ({"inputTokens": 0, "outputTokens": 5}, PartialUsage(0, 0, 0, 5, 0, output_told=True)),
        ({"inputTokens": "ten", "outputTokens": 5}, PartialUsage(0, 0, 0, 5, 0, output_told=True)),
        ({"inputTokens": 10, "outputTokens": True}, PartialUsage(10, 0, 0, 0, 0, input_told=True)),
    ],
)
def test_usage_that_is_missing_is_said_to_be(told, usage):
    """A count that is absent, null or nonsense is not told, and is no 0."""
    assert outcome(converse(), answered(answer(usage=told))).usage == usage


def test_a_prompt_router_says_which_model_it_was():
    """The only place where Converse names a model; a hint on a good answer is kept."""
    arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet"
    found = answer(trace={"promptRouter": {"invokedModelId": arn}})
    got = outcome(converse(), answered(found, retry_after="3", x_amzn_requestid="id"))
    assert (got.model_version, got.retry_after_s, got.provider_request_id) == (arn, 3.0, "id")


EXCEPTIONS = {  # of the service's model, of its page on errors, and of AWS's front door
    Kind.THROTTLED: "ThrottlingException Throttling ThrottledException TooManyRequestsException RequestLimitExceeded "
    "ServiceQuotaExceededException",
    Kind.OVERLOADED: "ModelNotReadyException ModelTimeoutException ModelErrorException ModelStreamErrorException "
    "InternalServerException InternalFailure InternalServerError ServiceUnavailableException ServiceUnavailable "
    "ConflictException",
    Kind.MODEL_UNAVAILABLE: "ResourceNotFoundException ResourceNotFound FTUFormNotFilled BadCScoreException "
    "MPAgreementBeingCreated",
    Kind.AUTH: "AccessDeniedException AccessDenied NotAuthorized OptInRequired UnrecognizedClientException "
    "InvalidClientTokenId ExpiredTokenException ExpiredToken RequestExpired InvalidSignatureException "
    "SignatureDoesNotMatch IncompleteSignature IncompleteSignatureException MissingAuthenticationToken "
    "MissingAuthenticationTokenException",
    Kind.INVALID_REQUEST: "ValidationException ValidationError",
}
NAMED = [(code, kind) for kind, codes in EXCEPTIONS.items() for code in codes.split()]


@each_case("where", ["header", "body", "coral"])
@each_case(("code", "kind"), NAMED)
def test_an_exception_is_known_by_its_name(code, kind, where):
    """In the header or in the body; its status does not matter, not even 200."""
    for status in (400, 429, 503, 200):
        failed = outcome(converse(), refused(status, code, "words", where))
        assert (failed.kind, failed.status) == (kind, status)
        assert failed.message == f"{code}: words"
    assert CODES.keys() <= {name for name, _ in NAMED}


TOO_LONG_A_NAME = (
    "Value at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint: "
    "Member must have length less than or equal to 64"
)
TOLD = "The model returned the following errors: "
MEANINGS = [
    (Kind.CONTEXT_EXCEEDED, TOLD + "input length and `max_tokens` exceed context limit: 198000 + 8000 > 200000"),
    (Kind.CONTEXT_EXCEEDED, "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token"),
    (Kind.CONTEXT_EXCEEDED, "Malformed input request: expected maxLength: 50000, actual: 52611, please reformat"),
    (Kind.CONTEXT_EXCEEDED, "Input Tokens Exceeded: Number of input tokens exceeds maximum length."),
    (Kind.CONTEXT_EXCEEDED, "This model's maximum context length is 8192 tokens. Please reduce the length of it"),
    (Kind.CONTEXT_EXCEEDED, "too many total text bytes: 26000000 > 25000000"),
    (Kind.CONTEXT_EXCEEDED, "Prompt contains 33000 tokens, too large for model with 32768 maximum context length"),
    (Kind.INVALID_REQUEST, "The maximum tokens you requested exceeds the model limit of 4096. Try again"),
    (Kind.INVALID_REQUEST, TOO_LONG_A_NAME),
    (Kind.INVALID_REQUEST, "This model doesn't support the toolConfig.toolChoice.any field. Remove it, try again."),
    (Kind.INVALID_REQUEST, TOLD + "output_config.format: Extra inputs are not permitted"),
    (Kind.INVALID_REQUEST, TOLD + "`temperature` is deprecated for this model."),
    (Kind.INVALID_REQUEST, TOLD + 'tool_choice: type "tool" and "any" are not supported for this model.'),
    (Kind.MODEL_UNAVAILABLE, "Invocation of model ID anthropic.x with on-demand throughput isn’t supported. Retry"),
    (Kind.MODEL_UNAVAILABLE, "Value 'x y' at 'modelId' failed to satisfy constraint: Member must satisfy regular"),
    (Kind.MODEL_UNAVAILABLE, "This model version has reached the end of its life."),
    (Kind.MODEL_UNAVAILABLE, "The requested model is not supported in this region."),
    (Kind.BLOCKED, TOLD + "Output blocked by content filtering policy"),
    (Kind.AUTH, "Operation not allowed"),
]  # fmt: skip


@each_case(("kind", "message"), MEANINGS)
def test_a_validation_exception_means_what_its_words_say(kind, message):
    """With the exception's name, and where a recording has lost it, by the status 400."""
    assert outcome(converse(), refused(400, "ValidationException", message)).kind is kind
    assert outcome(converse(), answered({"message": message}, 400)).kind is kind


MARKETPLACE = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace "
    "actions (aws-marketplace:Subscribe)"
)
TWO_MEANINGS = [
    ("AccessDeniedException", "You don't have access to the model with the specified ID.", Kind.MODEL_UNAVAILABLE),
    ("AccessDeniedException", MARKETPLACE, Kind.MODEL_UNAVAILABLE),
    ("AccessDeniedException", "User: x is not authorized to perform: bedrock:InvokeModel on resource: y", Kind.AUTH),
    ("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", Kind.AUTH),
    ("ThrottlingException", "Too many tokens per day, please wait before trying again.", Kind.QUOTA),
    ("ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", Kind.THROTTLED),
    ("ServiceQuotaExceededException", "You have reached your daily quota", Kind.QUOTA),
    ("ModelErrorException", "Input is too long for requested model.", Kind.CONTEXT_EXCEEDED),
    ("ModelErrorException", "The system encountered an unexpected error", Kind.OVERLOADED),
    ("ResourceNotFoundException", "Model use case details have not been submitted", Kind.MODEL_UNAVAILABLE),
    ("SerializationException", "", Kind.INVALID_REQUEST),
]


@each_case(("code", "message", "kind"), TWO_MEANINGS)
def test_where_a_name_has_two_meanings_the_words_decide(code, message, kind):
    """Access to a model or to the account; a minute's quota or a day's; a model's own refusal as its failure."""
    assert outcome(converse(), refused(400, code, message)).kind is kind


@each_case(
    ("status", "kind"),
    [(401, Kind.AUTH), (402, Kind.QUOTA), (403, Kind.AUTH), (404, Kind.INVALID_REQUEST), (408, Kind.OVERLOADED),
     (409, Kind.OVERLOADED), (413, Kind.CONTEXT_EXCEEDED), (422, Kind.INVALID_REQUEST), (424, Kind.OVERLOADED),
     (425, Kind.OVERLOADED), (429, Kind.THROTTLED), (500, Kind.OVERLOADED), (502, Kind.OVERLOADED),
     (529, Kind.OVERLOADED), (301, Kind.NO_ANSWER)],
)  # fmt: skip
@each_case("body", [b"", b"<html>proxy</html>", b"{}", b"[]", b'{"message":"odd"}'])
def test_without_a_name_the_status_decides(status, kind, body):
    """Also where a proxy answered; a hint in a header is kept whole."""
    failed = outcome(converse(), answered(body, status, retry_after="120"))
    assert (failed.kind, failed.retry_after_s, failed.status) == (kind, 120.0, status)
    assert failed.message


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"7", b"null", b"{}", b'{"output":{}}', b'"x"'])
def test_a_200_that_is_none_is_no_answer(body):
    """A proxy's page, or JSON that answers nothing, from either operation."""
    assert outcome(converse(), answered(body)).kind is Kind.NO_ANSWER
    assert outcome(invoke(), answered(body)).kind is Kind.NO_ANSWER


def events(*pairs):
    return [event(kind, orjson.dumps(data)) for kind, data in pairs]


def delta(index, **inner):
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": inner}


START = ("messageStart", {"role": "assistant"})
STOP = ("messageStop", {"stopReason": "end_turn"})
METADATA = ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}, "metrics": {"latencyMs": 1}})


def test_the_first_token_is_the_first_thing_said():
    """Nothing that only announces one counts; words, thoughts and a tool's input do."""
    for said in (delta(0, text="a"), delta(0, reasoningContent={"text": "hm"}), delta(0, toolUse={"input": "{"}),
                 delta(0, reasoningContent={"redactedContent": "aaaa"})):  # fmt: skip
        assembler = converse(stream=True).stream()
        quiet = events(START, ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"name": "x"}}}),
                       delta(0, text=""), delta(0, reasoningContent={"signature": "s"}))  # fmt: skip
        assert [assembler.feed(piece) for piece in [*quiet, *events(said, STOP)]] == [False] * 4 + [True] * 2


def test_a_stream_is_put_together_to_the_body_of_the_same_answer():
    """Blocks in the order of their numbers, a tool's input as JSON, and everything told at its end."""
    pieces = events(
        START,
        delta(1, text="a"),
        delta(0, reasoningContent={"text": "h"}),
        delta(0, reasoningContent={"text": "m"}),
        ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"name": "x", "toolUseId": "y"}}}),
        delta(2, toolUse={"input": '{"a":'}),
        delta(1, text="b"),
        delta(2, toolUse={"input": "1}"}),
        ("contentBlockStart", {"contentBlockIndex": 3, "start": {"toolUse": {"name": "empty", "toolUseId": "z"}}}),
        ("messageStop", {"stopReason": "tool_use", "p": "abc"}),
        (METADATA[0], {**METADATA[1], "p": "abc"}),
    )
    assembler = converse(stream=True).stream()
    assembler.feed(b"".join(pieces))
    content = [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
        {"text": "ab"},
        {"toolUse": {"name": "x", "toolUseId": "y", "input": {"a": 1}}},
        {"toolUse": {"name": "empty", "toolUseId": "z", "input": {}}},
    ]
    assert json.loads(assembler.finish(200, {})) == {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        **METADATA[1],
    }


def test_a_tools_input_that_was_cut_off_stays_text():
    """It is no JSON, and the answer says that it was truncated."""
    pieces = events(
        START, delta(0, toolUse={"input": '{"a": [1,'}), ("messageStop", {"stopReason": "max_tokens"}), METADATA
    )
    got = outcome(converse("tool", stream=True), streamed(converse("tool", stream=True), pieces))
    assert (got.stop, got.text) == (Stop.TRUNCATED, '{"a": [1,')


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("throttlingException", "Too many requests", Kind.THROTTLED),
        ("throttlingException", "Too many tokens per day", Kind.QUOTA),
        ("modelStreamErrorException", "broke", Kind.OVERLOADED),
        ("internalServerException", "broke", Kind.OVERLOADED),
        ("serviceUnavailableException", "full", Kind.OVERLOADED),
        ("modelTimeoutException", "slow", Kind.OVERLOADED),
        ("validationException", "Input is too long for requested model.", Kind.CONTEXT_EXCEEDED),
        ("validationException", "odd", Kind.INVALID_REQUEST),
        ("someException", "of tomorrow", Kind.NO_ANSWER),
    ],
)
def test_an_exception_in_the_middle_of_a_stream_is_that_exception(kind, message, expected):
    """Whatever was said before it, and whatever comes after, in Converse and in InvokeModel alike."""
    for wire in (converse(stream=True), invoke(stream=True)):
        broken = exception(kind, orjson.dumps({"message": message}))
        got = outcome(wire, streamed(wire, [*events(START, delta(0, text="a")), broken, *events(STOP, METADATA)]
                                     if isinstance(wire, ConverseWire) else [broken]))  # fmt: skip
        assert (got.kind, got.status) == (expected, 200)
        assert message in got.message


def test_an_error_frame_without_a_payload_has_its_words_in_headers():
    """As unmodelled errors come."""
    error = frame({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "broke"}, b"")
    got = outcome(converse(stream=True), streamed(converse(stream=True), [error]))
    assert (got.kind, got.message) == (Kind.OVERLOADED, "InternalFailure: broke")


@pytest.mark.parametrize("pairs", [[], [START], [START, delta(0, text="a")], [START, delta(0, text="a"), STOP],
                                   [delta(0, text="a"), METADATA]])  # fmt: skip
def test_a_stream_without_its_end_is_a_broken_connection(pairs):
    """The usage comes last; an answer without it was cut off."""
    got = outcome(converse(stream=True), streamed(converse(stream=True), events(*pairs)))
    assert got.kind is Kind.CONNECTION


# Frames


headers_of = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5).filter(
    lambda found: all(len(name.encode()) < 256 for name in found)
)
frames = st.lists(st.tuples(headers_of, st.binary(max_size=60)), max_size=6)


@given(frames, st.data())
def test_frames_come_out_as_they_went_in(sent, data):
    """However the bytes are cut."""
    stream = b"".join(frame(headers, payload) for headers, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder, found = Decoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert [(one.headers, one.payload) for one in found] == sent


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_frames_or_corrupt(pieces):
    """Nothing else is raised, and an assembler raises nothing at all."""
    decoder, expected = Decoder(), Kind.CONNECTION
    try:
        for piece in pieces:
            decoder.feed(piece)
    except Corrupt:
        expected = Kind.DAMAGED
    assert outcome(converse(stream=True), streamed(converse(stream=True), pieces)).kind is expected


@given(st.binary(min_size=1, max_size=80))
def test_any_headers_are_read_or_corrupt(headers):
    """Also in a frame whose checksums are right."""
    lengths = struct.pack(">II", 16 + len(headers), len(headers))
    data = lengths + struct.pack(">I", crc32(lengths)) + headers
    try:
        (found,) = Decoder().feed(data + struct.pack(">I", crc32(data)))
    except Corrupt:
        return
    assert isinstance(found, Frame)
    assert found.header(":no-such-header") == ""


def test_all_types_of_headers_are_read():
    """Those that Bedrock does not use, too."""
    small = [b"\x00", b"\x01", b"\x02\xff", b"\x03\x00\x07", b"\x04\x00\x00\x00\x07", b"\x05" + b"\x00" * 7 + b"\x07"]
    texts = [b"\x06\x00\x01x", b"\x07\x00\x01x"]
    values = [*small, *texts, b"\x08" + b"\x00" * 6 + b"\x03\xe8", b"\x09" + b"\x00" * 15 + b"\x01"]
    headers = b"".join(b"\x01" + bytes([97 + number]) + value for number, value in enumerate(values))
    lengths = struct.pack(">II", 16 + len(headers), len(headers))
    data = lengths + struct.pack(">I", crc32(lengths)) + headers
    (found,) = Decoder().feed(data + struct.pack(">I", crc32(data)))
    assert list(found.headers.values())[:8] == [True, False, -1, 7, 7, 7, b"x", "x"]
    assert found.headers["i"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found.headers["j"].int == 1
    with pytest.raises(Corrupt):
        Decoder().feed(struct.pack(">III", 2**31, 0, crc32(struct.pack(">II", 2**31, 0))))


# Bodies


def test_the_body_of_a_document():
    """What the job fixes comes first, then the turns, the cap last; no model, for it is in the URL."""
    body = converse(temperature=0.0).body(request("Lies.", [Turn("user", text_parts("x\ud800y"))]))
    schema = json.dumps(SCHEMA, separators=(",", ":"))
    assert list(json.loads(body)) == ["outputConfig", "system", "messages", "inferenceConfig"]
    assert json.loads(body) == {
        "outputConfig": {
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "Thing", "schema": schema}}}
        },
        "system": [{"text": "Lies."}],
        "messages": [{"role": "user", "content": [{"text": "x�y"}]}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.0},
    }
    assert converse().url == f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{HAIKU}/converse"
    assert converse(stream=True).url.endswith("/converse-stream")
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert (
        "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc/" in converse(name=arn).url
    )


def test_a_tool_is_forced_and_strict_where_bedrock_enforces_it():
    """Claude 4.5 by name and strictly; Nova by name; Mistral by `any`; the newest Claude is told to."""
    assert body_of(converse("tool"))["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "Thing", "inputSchema": {"json": SCHEMA}, "strict": True}}],
        "toolChoice": {"tool": {"name": "Thing"}},
    }
    assert "strict" not in body_of(converse("tool", strict=False))["toolConfig"]["tools"][0]["toolSpec"]
    nova = body_of(converse("tool", name=NOVA))["toolConfig"]
    assert nova["toolChoice"] == {"tool": {"name": "Thing"}}
    assert "strict" not in nova["tools"][0]["toolSpec"]
    assert body_of(converse("tool", name="mistral.mistral-large-2407-v1:0"))["toolConfig"]["toolChoice"] == {"any": {}}
    opus = body_of(converse("tool", name="us.anthropic.claude-opus-5-5"))
    assert (opus["toolConfig"]["toolChoice"], "strict" in opus["toolConfig"]["tools"][0]["toolSpec"]) == (
        {"auto": {}},
        False,
    )
    assert opus["system"] == [{"text": "Read.\n\nAnswer with one call of the tool Thing, and nothing else."}]


@pytest.mark.parametrize("make", [converse, invoke])
def test_words_tell_a_schema_and_free_text_asks_for_none(make):
    """json_object has no schema but in the system prompt; free text has none at all, in any mode."""
    body = body_of(make(mode="json_object"))
    assert not {"outputConfig", "toolConfig", "tools", "output_config"} & set(body)
    assert json.dumps(SCHEMA, separators=(",", ":")) in (
        body["system"] if make is invoke else body["system"][0]["text"]
    )
    for mode in MODES:
        free = body_of(make(mode=mode), free_text=True)
        assert not {"outputConfig", "toolConfig", "tools", "output_config"} & set(free)
        assert free["system"] == ("Read." if make is invoke else [{"text": "Read."}])
    assert "system" not in body_of(make(), "")


def test_a_repair_shows_the_answer_as_plain_text():
    """Three turns, none of them a call of a tool."""
    assert body_of(converse("tool"), "Read.", REPAIR)["messages"] == [
        {"role": "user", "content": [{"text": "a document"}]},
        {"role": "assistant", "content": [{"text": "{"}]},
        {"role": "user", "content": [{"text": "no JSON"}]},
    ]


@pytest.mark.parametrize(
    "wire",
    [converse(), converse("tool"), converse("json_object"), invoke(), invoke(mode="tool"), invoke(NOVA, "tool"),
     invoke("openai.gpt-oss-120b-1:0"), invoke("openai.gpt-oss-120b-1:0", "tool")],
    ids=lambda wire: wire.url.rpartition("/model/")[2],
)  # fmt: skip
def test_what_the_job_fixes_is_the_same_over_rows(wire):
    """Byte by byte up to the first document."""
    bodies = [wire.body(request(turns=[Turn("user", text_parts(text))])) for text in ("first", "another")]
    start = bodies[0].index(b"first")
    assert bodies[0][:start] == bodies[1][:start]
    assert b"additionalProperties" in bodies[0][:start]


def test_betas_go_where_each_operation_takes_them():
    """Claude only."""
    assert body_of(converse(betas=("a-1",)))["additionalModelRequestFields"] == {"anthropic_beta": ["a-1"]}
    assert body_of(invoke(betas=("a-1",)))["anthropic_beta"] == ["a-1"]
    assert "additionalModelRequestFields" not in body_of(converse(name=NOVA, betas=("a-1",)))


def test_the_name_of_a_class_becomes_one_that_a_tool_can_have():
    """Letters that are not allowed, and too many of them, are changed."""
    model = Model(provider="bedrock", name=HAIKU, max_output_tokens=9, region="us-east-1")
    named = ConverseWire(model, AnswerShape("Größe" + "x" * 80, "tool", SCHEMA, strict=True))
    name = json.loads(named.body(request()))["toolConfig"]["toolChoice"]["tool"]["name"]
    assert name == "Gr__e" + "x" * 59


@pytest.mark.parametrize("name", [HAIKU, NOVA, "us.meta.llama3-3-70b-instruct-v1:0", "luma.tomorrow-v1:0"])
def test_a_mode_is_sent_as_it_was_asked_for(name):
    """What a model takes is decided elsewhere; the wire changes nothing about it."""
    fields = {"json_schema": "outputConfig", "tool": "toolConfig", "json_object": None}
    for mode, field in fields.items():
        assert {"outputConfig", "toolConfig"} & set(body_of(converse(mode, name=name))) == ({field} if field else set())


@each_case(
    ("name", "strict"),
    [
        (HAIKU, True),
        (f"arn:aws:bedrock:us-east-1:1:inference-profile/{HAIKU}", True),
        ("anthropic.claude-opus-4-6-v1", True),
        ("openai.gpt-oss-120b-1:0", True),
        ("mistral.mistral-large-3-675b-instruct", True),
        ("anthropic.claude-opus-4-1-20250805-v1:0", False),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", False),
        ("us.anthropic.claude-opus-4-7", False),
        ("us.anthropic.claude-opus-5", False),
        ("us.amazon.nova-2-lite-v1:0", False),
        ("mistral.mistral-large-2407-v1:0", False),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", False),
    ],
)
def test_a_tool_is_strict_only_where_that_is_taken(name, strict):
    """Claude 4.5 and 4.6 and open models; a profile of one's own may hide any model."""
    assert ("strict" in body_of(converse("tool", name=name))["toolConfig"]["tools"][0]["toolSpec"]) is strict


def test_claude_can_be_forced_up_to_version_5():
    """Later ones refuse it, and so do names that nobody knows yet."""
    for name in ("claude-v2:1", "claude-3-haiku-20240307-v1:0", "claude-sonnet-4-20250514-v1:0", "claude-opus-4-8",
                 "claude-opus-5", "claude-sonnet-5-20260630-v1:0", "claude-fable-5"):  # fmt: skip
        assert forced_choice(f"us.anthropic.{name}") == "tool"
    for name in ("claude-opus-5-5", "claude-sonnet-5-5-v1:0", "claude-fable-5-1", "claude-opus-6", "claude-saga-1"):
        assert forced_choice(f"anthropic.{name}") == "auto"


# Counting


def test_a_request_is_counted_as_it_is_sent():
    """Claude by its own name, without profile; Converse's parts that counting takes, an enforced schema in words."""
    wire = converse("tool")
    body = json.loads(wire.count_body(request()))
    sent = body_of(wire)
    assert body == {"input": {"converse": {name: sent[name] for name in ("toolConfig", "system", "messages")}}}
    assert wire.count_url.endswith("/model/anthropic.claude-haiku-4-5-20251001-v1:0/count-tokens")
    told = json.loads(converse().count_body(request()))["input"]["converse"]
    assert set(told) == {"system", "messages"}
    assert '"required":["name"]' in told["system"][0]["text"]
    own = json.loads(invoke().count_body(request()))["input"]["invokeModel"]["body"]
    assert base64.b64decode(own) == invoke().body(request())
    assert converse(name=NOVA).count_url == invoke(NOVA).count_url == ""


def test_counting_is_signed_for_its_own_path():
    """The path is part of what is signed, so the two calls of one request have two signatures."""
    for wire in (converse(), invoke()):
        now, secret = datetime(2026, 1, 1, tzinfo=UTC), Secret("secret", "AKIA")
        body = wire.count_body(request())
        counting = wire.headers(body, secret, now)["Authorization"]
        other = made(type(wire), name="anthropic.claude-haiku-4-5-20251001-v1:0")
        moved = other._endpoint.headers(wire.count_url, body, secret, now)["Authorization"]
        assert counting == moved
        assert counting != wire._endpoint.headers(wire.url, body, secret, now)["Authorization"]


@pytest.mark.parametrize("tokens", [None, "7", True, -1, 1.5])
def test_a_count_that_is_none_is_a_failure(tokens):
    """And so is an error; a good one is a number."""
    assert converse().counted(answered({"inputTokens": 7})) == 7
    with pytest.raises(CallFailed) as failed:
        converse().counted(answered({"inputTokens": tokens}))
    assert failed.value.kind is Kind.NO_ANSWER
    with pytest.raises(CallFailed) as failed:
        invoke().counted(refused(400, "ValidationException", "The provided model doesn't support counting tokens."))
    assert failed.value.kind is Kind.INVALID_REQUEST


# Anything at all


GOOD = (
    answer("tool_use", {"text": "a"}, {"toolUse": {"name": "x", "input": {"a": 1}}}),
    answer("end_turn", {"citationsContent": {"content": [{"text": "a"}]}}, trace={"promptRouter": {}}),
)


@given(st.sampled_from(GOOD), st.sampled_from([200, 200, 200, 400, 429, 500]), st.data())
def test_any_answer_is_a_reply_or_a_failed_call(good, status, data):
    """Nothing else comes out, whatever comes in."""
    body = json.dumps(mutated(data.draw, good)).encode()
    judged(outcome(converse("tool"), HttpAnswer(status, {}, body)), status)


@given(st.binary(max_size=300), st.integers(200, 599))
def test_any_bytes_are_a_reply_or_a_failed_call(data, status):
    """JSON or not."""
    for wire in (converse(), invoke()):
        judged(outcome(wire, HttpAnswer(status, {}, data)), status)


@given(st.data())
def test_any_events_are_a_reply_or_a_failed_call(data):
    """Frames that are right, with anything in them."""
    pairs = [START, delta(0, text="a"), delta(1, toolUse={"input": "{}"}), STOP, METADATA]
    wire = converse("tool", stream=True)
    judged(outcome(wire, streamed(wire, spoiled_events(data.draw, pairs))), 200)


def test_a_cache_point_stands_after_the_system_prompt_when_asked_for():
    """And in no body that only counts."""
    made = converse(mode="tool", caching="on")
    assert body_of(made)["system"][-1] == {"cachePoint": {"type": "default"}}
    assert b"cachePoint" not in made.count_body(request())
    assert b"cachePoint" not in converse(mode="tool").body(request())


def test_a_cache_point_stands_after_the_examples():
    """Behind the last of their turns, in Converse alone; in Claude's own body it is a mark on that turn."""
    asked = {"turns": (*REPAIR[:2], *REPAIR[:2], REPAIR[0]), "shared_turns": 4}
    for name in (HAIKU, NOVA):
        marked = body_of(converse(mode="tool", caching="on", name=name), **asked)["messages"]
        assert [len(turn["content"]) for turn in marked] == [1, 1, 1, 2, 1]
        assert marked[3]["content"] == [{"text": "{"}, {"cachePoint": {"type": "default"}}]
    assert "cachePoint" not in json.dumps(body_of(converse(mode="tool"), **asked))
    assert b"cachePoint" not in converse(mode="tool", caching="on").count_body(request(**asked))
    assert "cachePoint" not in json.dumps(body_of(invoke(NOVA, "tool", caching="on"), **asked))
    claude = body_of(invoke(caching="on"), **asked)["messages"]
    assert claude[3]["content"] == [{"type": "text", "text": "{", "cache_control": {"type": "ephemeral"}}]
    assert [turn["content"] for turn in claude[:3]] == ["a document", "{", "a document"]
