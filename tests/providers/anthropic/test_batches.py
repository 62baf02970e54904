"""Anthropic's Message Batches: what is asked, recorded answers, and every line that may come back."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from batch_lines import JSON, answered, asked, failed, http, lines_with, made, recording, whole
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.providers.batches import Fate, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.types import Answer

HERE = "https://api.test/v1/messages/batches"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": '{"name":"x"}'}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 20, "output_tokens": 5, "service_tier": "batch"},
}


def model(**changes):
    values = {"provider": "anthropic", "name": "claude-haiku-4-5", "max_output_tokens": 50}
    return Model(**{**values, "base_url": "https://api.test/v1", **changes})


LIVE, WIRE = made(model())


def batch(**changes):
    return http({"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", **changes})


def line(result, name="n-1"):
    return json.dumps({"custom_id": name, "result": result}).encode()


def error(kind, message="", **more):
    return {"type": "error", "error": {"type": kind, "message": message}, **more}


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_is_one_body_of_the_bodies_of_live_calls():
    bodies = [LIVE.body(asked(text)) for text in ("one", "zwei ü")]
    lines = [WIRE.line(f"n-{number}", body) for number, body in enumerate(bodies)]
    ask = WIRE.create("nonce", "")
    assert (ask.method, ask.url, ask.content_type, ask.lines) == ("POST", HERE, "application/json", True)
    sent = json.loads(whole(ask, lines))
    assert sent == {
        "requests": [{"custom_id": f"n-{number}", "params": json.loads(body)} for number, body in enumerate(bodies)]
    }
    assert all(body in one for body, one in zip(bodies, lines, strict=True))
    assert WIRE.upload("nonce") is None is WIRE.file_look("")


@given(st.text(min_size=1, max_size=64), st.dictionaries(st.text(), JSON))
def test_any_body_is_found_again_in_its_line(name, body):
    assert json.loads(WIRE.line(name, json.dumps(body).encode())) == {"custom_id": name, "params": body}


def test_lines_are_never_streamed():
    live, _ = made(model(stream=True, service_tier="priority"))
    assert {"stream", "service_tier"}.isdisjoint(json.loads(live.body(asked())))


def test_betas_are_asked_of_the_whole_batch():
    _, wire = made(model(betas=("one", "two")))
    told = wire.headers(wire.listing(), Secret("k"), NOW)
    assert told == {"x-api-key": "k", "anthropic-version": "2023-06-01", "anthropic-beta": "one,two"}


def test_the_other_questions():
    told = RemoteBatch("b/1", RemoteState.ENDED, "ended", results=("b/1",))
    asks = [WIRE.look("b/1"), WIRE.cancel("b/1"), WIRE.listing(), WIRE.listing("b&1"), *WIRE.results(told)]
    assert [(ask.method, ask.url.removeprefix(HERE)) for ask in (*asks, *WIRE.removal(told))] == [
        ("GET", "/b%2F1"),
        ("POST", "/b%2F1/cancel"),
        ("GET", "?limit=100"),
        ("GET", "?limit=100&after_id=b%261"),
        ("GET", "/b%2F1/results"),
        ("DELETE", "/b%2F1"),
    ]


def test_what_it_does_not_do():
    assert not WIRE.limits.keeps_nonce
    assert not WIRE.limits.tells_progress
    assert (WIRE.limits.rows, WIRE.limits.size_bytes) == (100_000, 256_000_000)


# ── recorded ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_recorded_create():
    told = recording("anthropic", "batch-1-create")
    assert WIRE.created(answered(told)) == RemoteBatch(
        "msgbatch_01GUqGVJfUzZfBnjRymfPdV3", RemoteState.RUNNING, "in_progress", rows=2, created_s=1787150691.493319
    )
    lines = [
        WIRE.line(one["custom_id"], json.dumps(one["params"]).encode()) for one in told["request"]["body"]["requests"]
    ]
    assert json.loads(whole(WIRE.create("n", ""), lines)) == told["request"]["body"]


def test_the_recorded_results():
    lines = [WIRE.read(one) for one in answered(recording("anthropic", "batch-9-last")).body.split(b"\n")]
    assert lines.pop() is None
    assert [(one.name, one.fate) for one in lines] == [("0", Fate.ANSWERED), ("1", Fate.ANSWERED)]
    replies = [LIVE.reply(one.answer) for one in lines]
    assert [(one.text, one.usage.input_tokens, one.usage.output_tokens) for one in replies] == [
        ("4", 20, 5),
        ("Jupiter", 19, 4),
    ]
    assert {one.tier for one in replies} == {"batch"}


# ── how a batch stands ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("in_progress", RemoteState.RUNNING),
        ("In_Progress", RemoteState.RUNNING),
        ("", RemoteState.RUNNING),
        ("a new word", RemoteState.RUNNING),
        ("canceling", RemoteState.CANCELLING),
        ("Cancelling", RemoteState.CANCELLING),
        ("ended", RemoteState.ENDED),
        ("ENDED", RemoteState.ENDED),
    ],
)
def test_states_in_any_case(word, state):
    found = WIRE.looked(batch(processing_status=word, results_url="https://elsewhere.test/results"))
    assert (found.state, found.status) == (state, word)
    urls = [ask.url for ask in WIRE.results(found)]
    assert urls == ([f"{HERE}/msgbatch_1/results"] if state is RemoteState.ENDED else [])


def test_nothing_is_told_before_the_end():
    counts = {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    found = WIRE.looked(batch(request_counts=counts))
    assert (found.rows, found.done) == (3, None)
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 1}
    found = WIRE.looked(batch(request_counts=counts, processing_status="ended"))
    assert (found.rows, found.done) == (3, 3)
    assert WIRE.looked(batch(request_counts=None)).rows is None


@pytest.mark.parametrize(
    "words",
    [
        "Your batch would exceed the limit of 100,000 requests in the processing queue.",
        "There are too many requests in processing.",
        "Too many batch requests are enqueued for this workspace.",
    ],
)
def test_a_full_queue(words):
    found = WIRE.created(http(error("rate_limit_error", words), 429, {"retry-after": "60"}))
    assert (found.id, found.state, found.full, found.retry_after_s) == ("", RemoteState.FAILED, True, 60.0)
    assert found.waiting_tokens_most is None  # it counts requests


FAILURES = {
    Kind.AUTH: (401, error("authentication_error", "invalid x-api-key")),
    Kind.QUOTA: (400, error("invalid_request_error", "Your credit balance is too low")),
    Kind.THROTTLED: (429, error("rate_limit_error", "This would exceed your limit of 50 requests per minute")),
    Kind.INVALID_REQUEST: (400, error("invalid_request_error", "requests.0.custom_id: too long")),
    Kind.CONTEXT_EXCEEDED: (413, error("request_too_large", "Request exceeds the maximum size")),
    Kind.OVERLOADED: (529, error("overloaded_error", "Overloaded")),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_have_the_kinds_of_live_calls(kind):
    status, told = FAILURES[kind]
    got = http(told, status, {"retry-after": "3"})
    failure = failed(WIRE.created, got)
    assert (failure.kind, failure.status, failure.retry_after_s) == (kind, status, 3.0)
    for read in (WIRE.looked, WIRE.listed):
        assert failed(read, got).status == status


def test_a_batch_that_is_not_there():
    """It says nothing of the model."""
    failure = failed(WIRE.looked, http(error("not_found_error", "msgbatch_1"), 404))
    assert (failure.kind, failure.status) == (Kind.INVALID_REQUEST, 404)
    assert failed(WIRE.created, http(error("not_found_error", "model: x"), 404)).kind is Kind.MODEL_UNAVAILABLE


@pytest.mark.parametrize("told", [b"<html>", b"", b"{}", b"[]", b"null", b'{"id":7}'])
def test_a_success_that_cannot_be_read_may_have_made_a_batch(told):
    assert failed(WIRE.created, http(told)).fate_unknown


def test_the_list():
    told = {"data": [{"id": "b2"}, {"id": ""}, None, {"id": "b1"}], "has_more": True, "first_id": "b2", "last_id": "b1"}
    found, page = WIRE.listed(http(told))
    assert ([one.id for one in found], page) == (["b2", "b1"], "b1")
    assert WIRE.listed(http({**told, "last_id": None}))[1] == "b1"
    assert WIRE.listed(http({**told, "has_more": False}))[1] == ""
    assert failed(WIRE.listed, http({})).kind is Kind.NO_ANSWER


# ── what came back for a line ───────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read_by_the_live_wire():
    found = WIRE.read(line({"type": "succeeded", "message": MESSAGE}))
    assert (found.name, found.fate) == ("n-1", Fate.ANSWERED)
    assert LIVE.reply(found.answer).text == '{"name":"x"}'


@pytest.mark.parametrize(
    ("result", "fate"),
    [
        ({"type": "canceled"}, Fate.CANCELLED),
        ({"type": "expired"}, Fate.EXPIRED),
        ({"type": "Expired"}, Fate.EXPIRED),
    ],
)
def test_a_line_that_was_never_asked(result, fate):
    found = WIRE.read(line(result))
    assert (found.fate, found.answer) == (fate, None)


OF_LINES = [
    ("invalid_request_error", "max_tokens: too many", Kind.INVALID_REQUEST),
    ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", Kind.CONTEXT_EXCEEDED),
    ("invalid_request_error", "Output blocked by content filtering policy", Kind.BLOCKED),
    ("not_found_error", "model: x", Kind.MODEL_UNAVAILABLE),
    ("permission_error", "no", Kind.AUTH),
    ("billing_error", "no", Kind.QUOTA),
    ("rate_limit_error", "no", Kind.THROTTLED),
    ("request_too_large", "no", Kind.CONTEXT_EXCEEDED),
    ("timeout_error", "no", Kind.OVERLOADED),
    ("api_error", "Internal server error", Kind.OVERLOADED),
    ("overloaded_error", "Overloaded", Kind.OVERLOADED),
    ("a new one", "oh", Kind.OVERLOADED),
]


@each_case(("word", "message", "kind"), OF_LINES)
@each_case("bare", [False, True])
def test_a_refused_line_is_typed_by_the_live_wire(word, message, kind, bare):
    told = error(word, message, request_id="req_1")
    found = WIRE.read(line({"type": "errored", "error": told["error"] if bare else told}))
    assert (found.name, found.fate, found.error_code, found.error) == ("n-1", Fate.REFUSED, word, message)
    failure = failed(LIVE.reply, found.answer)
    assert (failure.kind, failure.provider_request_id) == (kind, None if bare else "req_1")


def test_an_error_is_one_whatever_it_is_called():
    assert WIRE.read(line({"type": "a new one", "error": error("api_error")})).fate is Fate.REFUSED


@pytest.mark.parametrize(
    "result", [None, {}, {"type": "succeeded"}, {"type": "succeeded", "message": None}, {"type": "a new one"}, "x"]
)
def test_an_item_without_an_answer_may_have_been_billed(result):
    found = WIRE.read(line(result))
    assert found.fate is Fate.ANSWERED
    assert failed(LIVE.reply, found.answer).kind is Kind.NO_ANSWER


@each_case(
    "told",
    [b"", b" ", line({"type": "expired"})[:-2], b"\xff", b"null", b"[]", b'{"custom_id":"n-1"}',
     b'{"custom_id":1,"result":{"type":"expired"}}', b'{"custom_id":"","result":{}}', b'{"result":{"type":"expired"}}'],
)  # fmt: skip
def test_what_is_no_line_of_ours(told):
    assert WIRE.read(told) is None


@given(
    lines_with("custom_id", "result")
    | st.fixed_dictionaries(
        {},
        optional={
            "type": JSON | st.sampled_from(("succeeded", "errored", "expired")),
            "message": JSON | st.just(MESSAGE),
            "error": JSON | st.fixed_dictionaries({"error": JSON}),
        },
    ).map(line)
)
def test_nothing_in_a_file_raises(told):
    found = WIRE.read(told)
    if found is not None and found.answer is not None:
        with suppress(CallFailed):
            assert isinstance(LIVE.reply(found.answer), Answer)
