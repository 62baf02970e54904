"""OpenAI's Batch API: what is asked, recorded answers, and every line that may come back."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from batch_lines import JSON, answered, asked, failed, http, lines_with, made, recording, whole
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from openai_family import GOOD, error, model_of

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Batch
from pipeline.providers.batches import Fate, RemoteBatch, RemoteState, batch_wire_for
from pipeline.providers.credentials.secret import Secret
from pipeline.types import Answer

LIVE, WIRE = made(model_of())
NOW = datetime(2026, 11, 30, tzinfo=UTC)
HERE = "https://api.test/v1"
LIMIT = "Enqueued token limit reached for gpt-4o-mini in organization org-x. Limit: 90,000 enqueued tokens."


def batch(**changes):
    return http({"id": "batch_1", "object": "batch", "status": "in_progress", **changes})


def body_line(name="n-1", status=200, body=GOOD, **changes):
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return json.dumps({"id": "batch_req_1", "custom_id": name, "response": response, "error": None, **changes}).encode()


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_are_the_bodies_of_live_calls():
    body = LIVE.body(asked("ünïcödé"))
    line = WIRE.line("n-1", body)
    told = json.loads(line)
    assert list(told) == ["custom_id", "method", "url", "body"]
    assert (told["custom_id"], told["method"], told["url"]) == ("n-1", "POST", "/v1/chat/completions")
    assert body in line
    assert b"\n" not in line


def test_responses_have_an_endpoint_of_their_own():
    live, wire = made(model_of(api="responses"))
    told = json.loads(wire.line("n-1", live.body(asked())))
    assert told["url"] == "/v1/responses" == json.loads(wire.create("n", "file-1").head)["endpoint"]
    assert wire.look("b").url == f"{HERE}/batches/b"


@given(st.text(min_size=1, max_size=20), st.dictionaries(st.text(), JSON))
def test_any_body_is_found_again_in_its_line(name, body):
    told = json.loads(WIRE.line(name, json.dumps(body).encode()))
    assert (told["custom_id"], told["body"]) == (name, body)


def test_lines_are_never_streamed():
    """Nor of a service tier: a batch has its own price."""
    model = model_of(stream=True, service_tier="flex")
    live, _ = made(model)
    assert {"stream", "stream_options", "service_tier"}.isdisjoint(json.loads(live.body(asked())))
    with pytest.raises(ValueError, match="line_model"):
        batch_wire_for(model, live, Batch(), {})


def test_a_file_goes_up_under_our_name():
    ask = WIRE.upload("n0nce-1")
    sent = whole(ask, [b'{"a":1}', b'{"b":2}']).decode()
    assert (ask.method, ask.url) == ("POST", f"{HERE}/files")
    assert ask.content_type == "multipart/form-data; boundary=n0nce-1"
    parts = sent.split("--n0nce-1")
    assert [parts[0], parts[-1]] == ["", "--\r\n"]
    values = {
        head.split('name="')[1].split('"')[0]: value for head, value in (p.split("\r\n\r\n") for p in parts[1:-1])
    }
    assert values == {
        "purpose": "batch\r\n",
        "expires_after[anchor]": "created_at\r\n",
        "expires_after[seconds]": "1209600\r\n",
        "file": '{"a":1}\n{"b":2}\n\r\n',
    }
    assert 'filename="n0nce-1.jsonl"' in sent


def test_a_batch_carries_our_name():
    ask = WIRE.create("n0nce", "file-1")
    assert (ask.method, ask.url, ask.content_type) == ("POST", f"{HERE}/batches", "application/json")
    assert json.loads(ask.head) == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"nonce": "n0nce"},
    }
    assert not ask.lines


def test_the_other_questions():
    told = RemoteBatch("b/1", RemoteState.ENDED, "completed", results=("out", "err"), file_ref="in")
    asks = [WIRE.look("b/1"), WIRE.cancel("b/1"), WIRE.listing(), WIRE.listing("b&1"), *WIRE.results(told)]
    assert [(ask.method, ask.url.removeprefix(HERE)) for ask in (*asks, *WIRE.removal(told))] == [
        ("GET", "/batches/b%2F1"),
        ("POST", "/batches/b%2F1/cancel"),
        ("GET", "/batches?limit=100"),
        ("GET", "/batches?limit=100&after=b%261"),
        ("GET", "/files/out/content"),
        ("GET", "/files/err/content"),
        ("DELETE", "/files/in"),
        ("DELETE", "/files/out"),
        ("DELETE", "/files/err"),
    ]
    assert WIRE.file_look("in") is None
    assert WIRE.headers(WIRE.listing(), Secret("k"), NOW) == {"Authorization": "Bearer k"}


# ── recorded ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_recorded_upload():
    assert WIRE.uploaded(answered(recording("openai", "batch-1-file-upload"))) == "file-5dskxx7B6SVyAyRgAHzTJ2"


def test_the_recorded_end():
    assert WIRE.looked(answered(recording("openai", "batch-8-status-before-last"))) == RemoteBatch(
        "batch_6a85c08a63188190982c56b42faa4ff5",
        RemoteState.ENDED,
        "completed",
        rows=2,
        done=2,
        results=("file-4SnbT9qu8ShH2A1wCvTHNp",),
        file_ref="file-5dskxx7B6SVyAyRgAHzTJ2",
        created_s=1787150474,
    )


# ── how a batch stands ──────────────────────────────────────────────────────────────────────────────────────────────

WORDS = {
    RemoteState.RUNNING: ("validating", "Validating", "in_progress", "InProgress", "finalizing", "", "a new word"),
    RemoteState.CANCELLING: ("cancelling", "Cancelling", "canceling"),
    RemoteState.ENDED: ("completed", "Completed", "expired", "EXPIRED", "cancelled", "canceled"),
    RemoteState.FAILED: ("failed", "Failed"),
}


@each_case(("word", "state"), [(word, state) for state, words in WORDS.items() for word in words])
def test_states_in_any_case(word, state):
    found = WIRE.looked(batch(status=word))
    assert (found.state, found.status) == (state, word)


@pytest.mark.parametrize(
    ("files", "results"),
    [
        ({}, ()),
        ({"output_file_id": None, "error_file_id": "e"}, ("e",)),
        ({"output_file_id": "o", "error_file_id": None}, ("o",)),
        ({"output_file_id": "o", "error_file_id": ""}, ("o",)),
        ({"output_file_id": "o", "error_file_id": "e"}, ("o", "e")),
    ],
)
def test_either_file_may_be_missing(files, results):
    assert WIRE.looked(batch(status="completed", **files)).results == results


@pytest.mark.parametrize("told", [{"output_file_id": "o"}, {"request_counts": {"completed": 1, "total": 2}}])
def test_what_failed_on_its_way_may_have_been_billed(told):
    assert WIRE.looked(batch(status="failed", **told)).state is RemoteState.ENDED


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (None, (None, None)),
        ({"total": 0, "completed": 0, "failed": 0}, (None, 0)),
        ({"total": 9, "completed": 3, "failed": 1}, (9, 4)),
        ({"total": 9}, (9, None)),
    ],
)
def test_progress(counts, expected):
    found = WIRE.looked(batch(request_counts=counts))
    assert (found.rows, found.done) == expected


def test_a_batch_that_its_lines_failed():
    errors = [
        {"code": "duplicate_custom_id", "message": "n-1 twice", "line": 3, "param": "custom_id"},
        {"code": "invalid_json_line", "message": "no JSON", "line": 2, "param": None},
        {"code": "invalid_json_line", "message": "no JSON", "line": 3, "param": None},
    ]
    found = WIRE.looked(batch(status="failed", errors={"object": "list", "data": errors}))
    assert (found.state, found.error_code, found.wrong_lines) == (RemoteState.FAILED, "duplicate_custom_id", (2, 3))
    assert found.error == "line 3: n-1 twice; line 2: no JSON; line 3: no JSON"
    assert not found.full


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("billing_hard_limit_reached", Kind.QUOTA),
        ("model_not_found", Kind.MODEL_UNAVAILABLE),
        ("invalid_json_line", Kind.INVALID_REQUEST),
        ("server_error", Kind.INVALID_REQUEST),
    ],
)
def test_a_failed_batch_has_the_kind_of_a_live_failure(code, kind):
    errors = {"data": [{"code": code, "message": "no"}]}
    assert WIRE.looked(batch(status="failed", errors=errors)).kind is kind
    assert WIRE.looked(batch(status="expired", errors=errors)).kind is None
    assert WIRE.looked(batch(status="failed")).kind is None


def test_a_full_queue_told_when_looked_at():
    errors = {"data": [{"code": "token_limit_exceeded", "message": LIMIT, "line": None, "param": None}]}
    found = WIRE.looked(batch(status="failed", errors=errors))
    assert (found.full, found.waiting_tokens_most, found.wrong_lines) == (True, 90_000, ())
    errors = {"data": [{"code": "TokenLimitExceeded", "message": "no"}]}
    assert WIRE.looked(batch(status="Failed", errors=errors)).full


@pytest.mark.parametrize("status", [400, 403, 429])
@pytest.mark.parametrize(
    ("told", "most"),
    [
        (error(LIMIT, "token_limit_exceeded"), 90_000),
        (error(LIMIT), 90_000),
        (error("The queue is full.", "token_limit_exceeded"), None),
    ],
)
def test_a_full_queue_told_at_once(status, told, most):
    found = WIRE.created(http(told, status, {"retry-after": "7"}))
    assert (found.id, found.state, found.full) == ("", RemoteState.FAILED, True)
    assert (found.waiting_tokens_most, found.retry_after_s) == (most, 7.0)


FAILURES = {
    Kind.AUTH: (401, error("Incorrect API key provided", "invalid_api_key")),
    Kind.QUOTA: (429, error("You exceeded your current quota", "insufficient_quota")),
    Kind.THROTTLED: (429, error("slow down", "rate_limit_exceeded")),
    Kind.MODEL_UNAVAILABLE: (404, error("The model `x` does not exist", "model_not_found")),
    Kind.INVALID_REQUEST: (400, error("no such window", "invalid_value")),
    Kind.OVERLOADED: (500, error("The server had an error", "server_error")),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_have_the_kinds_of_live_calls(kind):
    status, told = FAILURES[kind]
    got = http(told, status, {"retry-after": "3"})
    failure = failed(WIRE.created, got)
    assert (failure.kind, failure.status, failure.retry_after_s) == (kind, status, 3.0)
    for read in (WIRE.uploaded, WIRE.looked, WIRE.listed):
        assert failed(read, got).status == status


def test_a_batch_that_is_not_there():
    """It says nothing of the model."""
    failure = failed(WIRE.looked, http(error("model batch_1 does not exist"), 404))
    assert (failure.kind, failure.status) == (Kind.INVALID_REQUEST, 404)


@pytest.mark.parametrize("told", [b"<html>", b"", b"{}", b"[]", b"null", b'{"id":7}'])
def test_a_success_that_cannot_be_read_may_have_made_a_batch(told):
    assert failed(WIRE.created, http(told)).fate_unknown


def test_a_batch_that_turned_into_an_error():
    assert failed(WIRE.looked, http(error("The server had an error"))).kind is Kind.NO_ANSWER


def test_the_list():
    told = {"data": [{"id": "b2", "metadata": {"nonce": "n"}}, {"id": ""}, None, {"id": "b1"}], "has_more": True}
    found, page = WIRE.listed(http(told))
    assert [(one.id, one.nonce) for one in found] == [("b2", "n"), ("b1", "")]
    assert page == "b1"
    assert WIRE.listed(http({**told, "last_id": "b0"}))[1] == "b0"
    assert WIRE.listed(http({**told, "has_more": False, "last_id": "b0"}))[1] == ""
    assert WIRE.listed(http({"data": []})) == ((), "")


@pytest.mark.parametrize("told", [b"{}", b'{"data":null}', b"<html>"])
def test_a_list_that_cannot_be_read_is_no_empty_one(told):
    assert failed(WIRE.listed, http(told)).kind is Kind.NO_ANSWER


# ── what came back for a line ───────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read_by_the_live_wire():
    found = WIRE.read(body_line())
    assert (found.name, found.fate) == ("n-1", Fate.ANSWERED)
    reply = LIVE.reply(found.answer)
    assert (reply.text, reply.usage.input_tokens, reply.provider_request_id) == ('{"a":1}', 10, "req_1")


@pytest.mark.parametrize("kind", [kind for kind in FAILURES if kind is not Kind.QUOTA])
def test_a_refused_line_is_typed_by_the_live_wire(kind):
    status, told = FAILURES[kind]
    found = WIRE.read(body_line(status=status, body=told))
    assert (found.fate, found.error_code) == (Fate.REFUSED, told["error"]["code"])
    assert told["error"]["message"] in found.error
    assert failed(LIVE.reply, found.answer).kind is kind


@pytest.mark.parametrize(
    ("told", "fate", "kind"),
    [
        ({"error": {"code": "batch_expired", "message": "too late"}}, Fate.EXPIRED, None),
        ({"error": {"code": "batch_cancelled", "message": "cancelled"}}, Fate.CANCELLED, None),
        ({"error": {"code": "BATCH_EXPIRED"}}, Fate.EXPIRED, None),
        ({"error": {"code": "server_error", "message": "oh"}}, Fate.REFUSED, Kind.OVERLOADED),
        ({"error": {"code": "never seen", "message": "oh"}}, Fate.REFUSED, Kind.OVERLOADED),
        ({"error": None}, Fate.ANSWERED, Kind.NO_ANSWER),
    ],
)
def test_a_line_without_a_response(told, fate, kind):
    found = WIRE.read(json.dumps({"id": "x", "custom_id": "n-1", "response": None, **told}).encode())
    assert (found.name, found.fate) == ("n-1", fate)
    assert kind is None if found.answer is None else failed(LIVE.reply, found.answer).kind is kind


@pytest.mark.parametrize(
    ("response", "fate"),
    [
        ({"status_code": 200, "body": error("oh", "server_error")}, Fate.REFUSED),
        ({"status_code": "400", "body": error("bad")}, Fate.REFUSED),
        ({"body": GOOD}, Fate.ANSWERED),
        ({"status_code": 200, "body": None}, Fate.ANSWERED),
        ({"status_code": 200}, Fate.ANSWERED),
        ({"status_code": 503, "body": None}, Fate.REFUSED),
        ({"status_code": 400, "body": "bad"}, Fate.REFUSED),
    ],
)
def test_odd_responses(response, fate):
    found = WIRE.read(json.dumps({"custom_id": "n-1", "response": response}).encode())
    assert found.fate is fate
    assert isinstance(found.answer.body, bytes)


def test_long_numbers_keep_their_digits():
    content = '{"a":12345678901234567890.123}'
    message = {"role": "assistant", "content": content}
    line = body_line(body={**GOOD, "choices": [{"message": message, "finish_reason": "stop"}]})
    assert LIVE.reply(WIRE.read(line).answer).text == content


@each_case(
    "line",
    [b"", b"  ", b"\n", body_line()[:-9], b"\xff\xfe", b"null", b"[]", b"7", b'{"id":"x"}', b'{"custom_id":"n-1"}',
     b'{"custom_id":7,"response":null}', b'{"custom_id":"","response":null,"error":null}'],
)  # fmt: skip
def test_what_is_no_line_of_ours(line):
    assert WIRE.read(line) is None


@given(lines_with("custom_id", "response", "error"))
def test_nothing_in_a_file_raises(line):
    found = WIRE.read(line)
    if found is not None and found.answer is not None:
        with suppress(CallFailed):
            assert isinstance(LIVE.reply(found.answer), Answer)


@given(
    st.fixed_dictionaries(
        {},
        optional={"status_code": st.integers(0, 999) | JSON, "request_id": JSON, "body": JSON | st.just(GOOD)},
    )
)
def test_nor_does_any_response(response):
    found = WIRE.read(json.dumps({"custom_id": "n", "response": response}).encode())
    assert found.answer is not None
