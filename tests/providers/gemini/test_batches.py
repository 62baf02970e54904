"""Gemini's batches: what is asked, recorded answers, and every line that may come back."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from batch_lines import JSON, SCHEMA, answered, asked, failed, http, lines_with, made, recording, whole
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers.batches import Fate, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.types import Answer

HOST = "https://api.test"
HERE = f"{HOST}/v1beta"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
GOOD = {
    "candidates": [{"content": {"parts": [{"text": '{"name":"x"}'}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 4, "totalTokenCount": 17},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r-1",
}
QUOTA_TEXT = "You exceeded your current quota, please check your plan and billing details."


def model(**changes):
    values = {"provider": "gemini", "name": "gemini-2.5-flash", "max_output_tokens": 50, "base_url": HOST}
    return Model(**{**values, **changes})


LIVE, WIRE = made(model())


def operation(state="BATCH_STATE_RUNNING", **changes):
    about = {"state": state, "displayName": "n0nce", "inputConfig": {"fileName": "files/n0nce"}}
    about |= changes.pop("about", {})
    return http({"name": "batches/b1", "metadata": about, **changes})


def line(**told):
    return json.dumps({"key": "n-1", **told}).encode()


def status(code, name, message="", **more):
    return {"error": {"code": code, "message": message, "status": name, **more}}


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_asks_in_the_older_form_of_the_schema():
    """Once, in its place: a document that looks like it stays as it is."""
    words = '"responseJsonSchema":' + json.dumps(SCHEMA, separators=(",", ":"))
    body = json.loads(LIVE.body(asked(words, system=words)))
    told = json.loads(WIRE.line("n-1", LIVE.body(asked(words, system=words))))
    config = told["request"].pop("generationConfig")
    live = body.pop("generationConfig")
    assert live.pop("responseJsonSchema") == SCHEMA
    assert config.pop("responseSchema") == {
        "type": "OBJECT",
        "properties": {"name": {"type": "STRING"}},
        "propertyOrdering": ["name"],
        "required": ["name"],
    }
    assert (told, config) == ({"key": "n-1", "request": body}, live)


@pytest.mark.parametrize("mode", ["tool", "json_object"])
def test_other_modes_are_asked_as_live(mode):
    live, wire = made(model(), mode)
    body = live.body(asked())
    assert body in wire.line("n-1", body)


def test_free_text_is_asked_as_live():
    body = LIVE.body(asked(free_text=True))
    assert body in WIRE.line("n-1", body)


@given(st.text(min_size=1, max_size=40), st.dictionaries(st.text(), JSON))
def test_any_body_is_found_again_in_its_line(name, body):
    assert json.loads(WIRE.line(name, json.dumps(body).encode())) == {"key": name, "request": body}


def test_lines_are_never_streamed():
    live, wire = made(model(stream=True, service_tier="flex"))
    assert "serviceTier" not in json.loads(live.body(asked()))
    assert wire.create("n", "").url == f"{HERE}/models/gemini-2.5-flash:batchGenerateContent"


def test_a_file_goes_up_in_one_request_under_our_name():
    ask = WIRE.upload("n0nce")
    assert (ask.method, ask.url) == ("POST", f"{HOST}/upload/v1beta/files")
    assert (ask.content_type, ask.headers) == (
        "multipart/related; boundary=n0nce",
        {"X-Goog-Upload-Protocol": "multipart"},
    )
    start, about, lines, end = whole(ask, [b'{"a":1}', b'{"b":2}']).decode().split("--n0nce")
    assert (start, end) == ("", "--\r\n")
    head, body = about.strip().split("\r\n\r\n")
    assert head == "Content-Type: application/json; charset=UTF-8"
    assert json.loads(body)["file"]["name"] == "files/n0nce"
    assert lines == '\r\nContent-Type: application/jsonl\r\n\r\n{"a":1}\n{"b":2}\n\r\n'


def test_an_upload_can_be_repeated():
    assert WIRE.uploaded(http({"file": {"name": "files/n0nce", "state": "ACTIVE"}})) == "files/n0nce"
    taken = status(409, "ALREADY_EXISTS", "Resource files/n0nce already exists.")
    assert WIRE.uploaded(http(taken, 409)) == "files/n0nce"
    assert WIRE.uploaded(http(status(409, "ALREADY_EXISTS", "It exists."), 409)) == ""
    assert WIRE.file_look("") is None
    assert json.loads(WIRE.create("n0nce", "").head)["batch"]["inputConfig"] == {"fileName": "files/n0nce"}


def test_a_file_takes_a_while():
    assert WIRE.file_look("files/n0nce").url == f"{HERE}/files/n0nce"
    assert WIRE.file_ready(http({"name": "files/n0nce", "state": "ACTIVE"}))
    assert not WIRE.file_ready(http({"name": "files/n0nce", "state": "PROCESSING"}))
    assert not WIRE.file_ready(http(status(404, "NOT_FOUND"), 404))
    broken = {"name": "files/n0nce", "state": "FAILED", "error": {"code": 3, "message": "no JSONL"}}
    assert "no JSONL" in failed(WIRE.file_ready, http(broken)).message


def test_a_batch_carries_our_name():
    ask = WIRE.create("n0nce", "files/other")
    assert (ask.method, ask.content_type, ask.lines) == ("POST", "application/json", False)
    assert json.loads(ask.head) == {"batch": {"displayName": "n0nce", "inputConfig": {"fileName": "files/other"}}}


def test_the_other_questions():
    told = RemoteBatch("batches/b", RemoteState.ENDED, "", results=("files/batch-b",), file_ref="files/n")
    asks = [WIRE.look("batches/b"), WIRE.cancel("batches/b"), WIRE.listing(), WIRE.listing("p&1"), *WIRE.results(told)]
    assert [(ask.method, ask.url.removeprefix(HOST)) for ask in (*asks, *WIRE.removal(told))] == [
        ("GET", "/v1beta/batches/b"),
        ("POST", "/v1beta/batches/b:cancel"),
        ("GET", "/v1beta/batches?pageSize=100"),
        ("GET", "/v1beta/batches?pageSize=100&pageToken=p%261"),
        ("GET", "/download/v1beta/files/batch-b:download?alt=media"),
        ("DELETE", "/v1beta/files/n"),
        ("DELETE", "/v1beta/files/batch-b"),
        ("DELETE", "/v1beta/batches/b"),
    ]
    assert WIRE.headers(WIRE.listing(), Secret("k"), NOW) == {"x-goog-api-key": "k"}


def test_a_base_url_may_say_its_version():
    _, wire = made(model(base_url=f"{HOST}/v1beta/"))
    assert wire.look("batches/b").url == f"{HERE}/batches/b"


# ── recorded ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_recorded_create():
    assert WIRE.created(answered(recording("gemini", "batch-create"))) == RemoteBatch(
        "batches/31u18uq6dr4ods3957z38i1mbfa581k01xcq",
        RemoteState.RUNNING,
        "BATCH_STATE_PENDING",
        rows=2,
        done=0,
        nonce="ruby_llm_bf7406835d85c375",
        created_s=1787150052.26787,
    )


def test_the_recorded_end_with_its_answers():
    found = WIRE.looked(answered(recording("gemini", "batch-9-last")))
    assert (found.state, found.status, found.rows, found.done) == (RemoteState.ENDED, "BATCH_STATE_SUCCEEDED", 2, 2)
    assert found.results == ()
    lines = [WIRE.read(one) for one in found.inlined]
    assert [(one.name, one.fate) for one in lines] == [("0", Fate.ANSWERED), ("1", Fate.ANSWERED)]
    replies = [LIVE.reply(one.answer) for one in lines]
    assert [(one.text, one.usage.input_tokens, one.usage.output_tokens) for one in replies] == [
        ("4", 13, 44),
        ("Jupiter", 13, 54),
    ]


# ── how a batch stands ──────────────────────────────────────────────────────────────────────────────────────────────

WORDS = {
    RemoteState.RUNNING: ("PENDING", "RUNNING", "UNSPECIFIED", "QUEUED", "PAUSED", "UPDATING", "A_NEW_WORD"),
    RemoteState.CANCELLING: ("CANCELLING",),
    RemoteState.ENDED: ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "CANCELLED"),
    RemoteState.FAILED: ("FAILED", "EXPIRED"),
}


@each_case("prefix", ["BATCH_STATE_", "JOB_STATE_", ""])
@each_case("change", [str.upper, str.lower])
@each_case(("word", "state"), [(word, state) for state, words in WORDS.items() for word in words])
def test_states_in_any_case_and_of_either_kind(prefix, change, word, state):
    found = WIRE.looked(operation(change(prefix + word)))
    assert (found.state, found.status) == (state, change(prefix + word))
    assert (found.nonce, found.file_ref) == ("n0nce", "files/n0nce")


@pytest.mark.parametrize(
    "told",
    [
        {"response": {"responsesFile": "files/batch-b1"}},
        {"about": {"output": {"responsesFile": "files/batch-b1"}}},
    ],
)
@pytest.mark.parametrize("state", ["BATCH_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED", "BATCH_STATE_CANCELLED"])
def test_a_result_file(told, state):
    found = WIRE.looked(operation(state, **told))
    assert (found.state, found.results) == (RemoteState.ENDED, ("files/batch-b1",))


@pytest.mark.parametrize(
    ("word", "stats", "state", "code"),
    [
        ("EXPIRED", {}, RemoteState.FAILED, "batch_expired"),
        ("EXPIRED", {"requestCount": "9", "pendingRequestCount": "4"}, RemoteState.FAILED, "batch_expired"),
        ("EXPIRED", {"requestCount": "9", "successfulRequestCount": "5"}, RemoteState.ENDED, ""),
        ("CANCELLED", {"requestCount": "9", "pendingRequestCount": "9"}, RemoteState.FAILED, "batch_cancelled"),
        ("CANCELLED", {"requestCount": "9", "pendingRequestCount": "8"}, RemoteState.ENDED, ""),
        ("CANCELLED", {}, RemoteState.ENDED, ""),
        ("FAILED", {"requestCount": "9"}, RemoteState.FAILED, ""),
        ("FAILED", {"requestCount": "9", "successfulRequestCount": "1"}, RemoteState.ENDED, ""),
    ],
)
def test_what_gave_nothing(word, stats, state, code):
    """Not billed where nothing was done, and only then."""
    found = WIRE.looked(operation(f"BATCH_STATE_{word}", about={"batchStats": stats}))
    assert (found.state, found.error_code, found.results) == (state, code, ())


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"done": True, "error": {"code": 3, "message": "bad"}}, RemoteState.FAILED),
        ({"done": True, "response": {"responsesFile": "files/x"}}, RemoteState.ENDED),
        ({"done": False}, RemoteState.RUNNING),
        ({}, RemoteState.RUNNING),
    ],
)
def test_an_operation_without_a_state(told, state):
    found = WIRE.looked(operation(None, **told))
    assert found.state is state
    assert found.error == ("bad" if "error" in told else "")


def test_counts_are_strings_and_those_of_nothing_are_left_out():
    stats = {"requestCount": "9", "successfulRequestCount": "4", "failedRequestCount": "1", "pendingRequestCount": "4"}
    found = WIRE.looked(operation(about={"batchStats": stats}))
    assert (found.rows, found.done) == (9, 5)
    assert WIRE.looked(operation(about={"batchStats": {"requestCount": 9}})).done == 0
    assert WIRE.looked(operation(about={"batchStats": None})).done is None


def violation(quota):
    return [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}]


@pytest.mark.parametrize(
    ("told", "full"),
    [
        (status(429, "RESOURCE_EXHAUSTED", QUOTA_TEXT), True),
        (status(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), True),
        (status(429, "RESOURCE_EXHAUSTED", QUOTA_TEXT, details=violation("BatchEnqueuedTokens")), True),
        (status(429, "RESOURCE_EXHAUSTED", QUOTA_TEXT + " Quota: limit: 0"), False),
        (status(429, "RESOURCE_EXHAUSTED", QUOTA_TEXT, details=violation("RequestsPerDay")), False),
        (status(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), False),
    ],
)
def test_a_full_queue_and_an_empty_account(told, full):
    got = http(told, 429, {"retry-after": "30"})
    if not full:
        assert failed(WIRE.created, got).kind is Kind.QUOTA
        return
    found = WIRE.created(got)
    assert (found.id, found.state, found.full, found.retry_after_s) == ("", RemoteState.FAILED, True, 30.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 3, "message": "bad"}, Kind.INVALID_REQUEST),
        ({"code": 5, "message": "models/x is not found"}, Kind.MODEL_UNAVAILABLE),
        ({"code": 13, "message": "oh"}, Kind.OVERLOADED),
    ],
)
def test_a_failed_batch_has_the_kind_of_a_live_failure(error, kind):
    assert WIRE.looked(operation("BATCH_STATE_FAILED", error=error)).kind is kind
    assert WIRE.looked(operation("BATCH_STATE_FAILED")).kind is None


def test_a_full_queue_told_when_looked_at():
    assert WIRE.looked(operation("BATCH_STATE_FAILED", error={"code": 8, "message": "exhausted"})).full


FAILURES = {
    Kind.AUTH: (400, status(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")),
    Kind.MODEL_UNAVAILABLE: (404, status(404, "NOT_FOUND", "models/x is not found")),
    Kind.INVALID_REQUEST: (400, status(400, "INVALID_ARGUMENT", "displayName is required")),
    Kind.OVERLOADED: (503, status(503, "UNAVAILABLE", "The model is overloaded")),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_have_the_kinds_of_live_calls(kind):
    code, told = FAILURES[kind]
    got = http(told, code, {"retry-after": "3"})
    failure = failed(WIRE.created, got)
    assert (failure.kind, failure.status, failure.retry_after_s) == (kind, code, 3.0)
    for read in (WIRE.uploaded, WIRE.looked, WIRE.listed):
        assert failed(read, got).status == code


def test_a_batch_that_is_not_there():
    failure = failed(WIRE.looked, http(status(404, "NOT_FOUND", "Requested entity was not found."), 404))
    assert (failure.kind, failure.status) == (Kind.INVALID_REQUEST, 404)


def test_a_limit_of_requests_when_looked_at():
    assert failed(WIRE.listed, http(status(429, "RESOURCE_EXHAUSTED", "slow down"), 429)).kind is Kind.THROTTLED


@pytest.mark.parametrize("told", [b"<html>", b"", b"{}", b"[]", b"null", b'{"name":7}'])
def test_a_success_that_cannot_be_read_may_have_made_a_batch(told):
    assert failed(WIRE.created, http(told)).fate_unknown


def test_the_list():
    one = {"name": "batches/b2", "metadata": {"displayName": "n2", "state": "BATCH_STATE_RUNNING"}}
    told = {"operations": [one, None, {}, {"name": "batches/b1"}], "nextPageToken": "p"}
    found, page = WIRE.listed(http(told))
    assert [(batch.id, batch.nonce) for batch in found] == [("batches/b2", "n2"), ("batches/b1", "")]
    assert page == "p"
    assert WIRE.listed(http({})) == ((), "")
    assert failed(WIRE.listed, http({"files": []})).kind is Kind.NO_ANSWER


# ── what came back for a line ───────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read_by_the_live_wire():
    found = WIRE.read(line(response=GOOD))
    assert (found.name, found.fate) == ("n-1", Fate.ANSWERED)
    assert LIVE.reply(found.answer).text == '{"name":"x"}'


@pytest.mark.parametrize("metadata", [{"key": "n-1"}, {"custom_id": "n-1"}])
def test_the_name_of_an_inline_answer(metadata):
    assert WIRE.read(json.dumps({"metadata": metadata, "response": GOOD}).encode()).name == "n-1"


@each_case(
    ("error", "kind", "code"),
    [
        ({"code": 3, "message": "bad field"}, Kind.INVALID_REQUEST, "INVALID_ARGUMENT"),
        ({"code": 400, "message": "bad field", "status": "INVALID_ARGUMENT"}, Kind.INVALID_REQUEST, "INVALID_ARGUMENT"),
        (
            {"code": 3, "message": "The input token count exceeds the maximum"},
            Kind.CONTEXT_EXCEEDED,
            "INVALID_ARGUMENT",
        ),
        ({"code": 5, "message": "models/x is not found"}, Kind.MODEL_UNAVAILABLE, "NOT_FOUND"),
        ({"code": 7, "message": "no"}, Kind.AUTH, "PERMISSION_DENIED"),
        ({"code": 8, "message": "no"}, Kind.THROTTLED, "RESOURCE_EXHAUSTED"),
        ({"code": 4, "message": "no"}, Kind.OVERLOADED, "DEADLINE_EXCEEDED"),
        ({"code": 13, "message": "no"}, Kind.OVERLOADED, "INTERNAL"),
        ({"code": 503, "message": "no"}, Kind.OVERLOADED, "503"),
        ({"message": "no"}, Kind.OVERLOADED, "500"),
        ("no", Kind.OVERLOADED, "500"),
    ],
)
def test_a_refused_line_is_typed_by_the_live_wire(error, kind, code):
    found = WIRE.read(line(error=error))
    assert (found.fate, found.error_code) == (Fate.REFUSED, code)
    failure = failed(LIVE.reply, found.answer)
    assert (failure.kind, failure.message) == (kind, found.error)


def test_an_error_stands_as_in_a_live_answer():
    found = WIRE.read(line(error={"code": 3, "message": "bad"}))
    told = {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}
    assert (found.answer.status, json.loads(found.answer.body)) == (400, told)


def test_a_cancelled_line():
    assert WIRE.read(line(error={"code": 1, "message": "cancelled"})).fate is Fate.CANCELLED


def test_an_error_within_an_answer():
    assert WIRE.read(line(response=status(503, "UNAVAILABLE", "no"))).fate is Fate.REFUSED
    billed = {**status(503, "UNAVAILABLE", "no"), "usageMetadata": GOOD["usageMetadata"]}
    assert WIRE.read(line(response=billed)).fate is Fate.ANSWERED


@pytest.mark.parametrize(
    "told", [{"response": None}, {"response": {}}, {"error": None}, {"response": None, "error": {}}]
)
def test_an_item_without_an_answer_may_have_been_billed(told):
    found = WIRE.read(line(**told))
    assert found.fate is Fate.ANSWERED
    assert failed(LIVE.reply, found.answer).kind is Kind.NO_ANSWER


@each_case(
    "told",
    [b"", b" ", line(response=GOOD)[:-2], b"\xff", b"null", b"[]", b'{"key":"n-1"}', b'{"key":1,"response":{}}',
     b'{"response":{}}', b'{"key":"","error":{}}', b'{"metadata":{"key":3},"response":{}}'],
)  # fmt: skip
def test_what_is_no_line_of_ours(told):
    assert WIRE.read(told) is None


@given(
    lines_with("key", "response", "error", "metadata")
    | st.fixed_dictionaries(
        {"error": st.fixed_dictionaries({"code": JSON | st.integers(-1, 600)}, optional={"status": JSON})}
    ).map(lambda told: line(**told))
)
def test_nothing_in_a_file_raises(told):
    found = WIRE.read(told)
    if found is not None and found.answer is not None:
        with suppress(CallFailed):
            assert isinstance(LIVE.reply(found.answer), Answer)


def test_a_schema_that_cannot_be_asked_says_so():
    schema = {"type": "object", "properties": {"by_name": {"type": "object", "additionalProperties": {}}}}
    with pytest.raises(JobError, match=r"the record\.by_name.*extract\.mode"):
        made(model(), schema=schema)
    assert made(model(), "tool", schema=schema)
