"""Vertex AI's batch prediction jobs: what is asked, what its answers mean, and every line that may come back."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from batch_lines import SCHEMA, asked, failed, http, lines_with, made, whole
from each_case import each_case
from hypothesis import given

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Batch, Model
from pipeline.providers.batches import Fate, RemoteBatch, RemoteState, batch_wire_for
from pipeline.providers.credentials.secret import Secret
from pipeline.types import Answer, tenant_hash

HOST = "https://us-central1-aiplatform.googleapis.com"
PARENT = "projects/acme/locations/us-central1"
JOBS, JOB = f"{HOST}/v1/{PARENT}/batchPredictionJobs", f"{PARENT}/batchPredictionJobs/1"
OBJECTS = "https://storage.googleapis.com/storage/v1/b/mine/o"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
HERE = Batch(gcs_url="gs://mine/a night/")
FOLDER = "gs://mine/a night/n0nce/prediction-model-1"
IN_FOLDER = "a%20night%2Fn0nce%2Fprediction-model-1%2F"
LABEL = "pipeline-line"
GOOD = {
    "candidates": [{"content": {"parts": [{"text": '{"name":"x"}'}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 4, "totalTokenCount": 17},
}


def model(**changes):
    values = {"provider": "vertex", "name": "gemini-2.5-flash", "project": "acme", "region": "us-central1"}
    return Model(**{**values, "max_output_tokens": 50, **changes})


LIVE, WIRE = made(model(), batch=HERE)

RAN = {"startTime": "2026-11-30T00:01:00Z"}
COUNTED = {"completionStats": {"successfulCount": "3", "incompleteCount": "6"}}
WRITTEN = {"outputInfo": {"gcsOutputDirectory": FOLDER}}


def line(status="", label="n-1", **told):
    request = {"contents": [], "labels": {LABEL: label}}
    return json.dumps({"status": status, "processed_time": "", "request": request, **told}).encode()


def job(state="RUNNING", **changes):
    told = {
        "name": JOB,
        "displayName": "n0nce",
        "state": f"JOB_STATE_{state}",
        "createTime": "2026-11-30T00:00:00.123456Z",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://mine/a night/n0nce.jsonl"]}},
        "labels": {"pipeline-batch": "n0nce"},
    }
    return {**told, **changes}


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_has_our_name_among_its_labels_and_the_older_form_of_the_schema():
    body = json.loads(LIVE.body(asked()))
    told = json.loads(WIRE.line("n-1", LIVE.body(asked())))["request"]
    assert told.pop("labels") == {LABEL: "n-1"}
    assert body.pop("generationConfig")["responseJsonSchema"] == SCHEMA
    assert told.pop("generationConfig")["responseSchema"]["type"] == "OBJECT"
    assert told == body


def test_labels_that_are_there_stay():
    live, wire = made(model(send_tenant=True), batch=HERE)
    told = json.loads(wire.line("n-1", live.body(asked(tenant="acme"))))["request"]
    assert told["labels"] == {"tenant": tenant_hash("acme"), LABEL: "n-1"}
    live, wire = made(model(extra={"labels": {"team": "a"}}), batch=HERE)
    assert json.loads(wire.line("n-1", live.body(asked())))["request"]["labels"] == {"team": "a", LABEL: "n-1"}


def test_a_document_that_speaks_of_labels_stays_as_it_is():
    text = '{"labels":{"a":1}}'
    told = json.loads(WIRE.line("n-1", LIVE.body(asked(text))))["request"]
    assert told["contents"][0]["parts"] == [{"text": text}]
    assert told["labels"] == {LABEL: "n-1"}


def test_no_line_has_an_empty_object():
    """One breaks the import of all. A field without a schema is still a field."""
    schema = {"type": "object", "properties": {"a": {}, "b": {"type": "array", "items": {}}, "c": {"properties": {}}}}
    live, wire = made(model(), "tool", HERE, schema)
    line = wire.line("n-1", live.body(asked()))
    assert b"{}" in live.body(asked())
    assert b"{}" not in line
    function = json.loads(line)["request"]["tools"][0]["functionDeclarations"][0]
    assert function["parametersJsonSchema"]["properties"].keys() == {"a", "b", "c"}


def test_a_file_goes_to_the_bucket_under_our_name():
    ask = WIRE.upload("n0nce")
    at = OBJECTS.replace("/storage/v1", "/upload/storage/v1", 1)
    assert (ask.method, ask.url) == ("POST", f"{at}?uploadType=media&name=a%20night%2Fn0nce.jsonl")
    assert whole(ask, [b'{"a":1}', b'{"b":2}']) == b'{"a":1}\n{"b":2}\n'
    told = {"bucket": "mine", "name": "a night/n0nce.jsonl"}
    assert WIRE.uploaded(http(told)) == "gs://mine/a night/n0nce.jsonl"
    assert failed(WIRE.uploaded, http({})).kind is Kind.NO_ANSWER


def test_a_job_carries_our_name():
    ask = WIRE.create("n0nce", "")
    assert (ask.method, ask.url) == ("POST", JOBS)
    assert json.loads(ask.head) == {
        "displayName": "n0nce",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://mine/a night/n0nce.jsonl"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://mine/a night/n0nce"},
        },
        "labels": {"pipeline-batch": "n0nce"},
    }


def test_the_other_questions():
    told = RemoteBatch(JOB, RemoteState.ENDED, "", results=("gs://mine/o/p 1.jsonl",), file_ref="gs://mine/n.jsonl")
    asks = [
        WIRE.look(JOB),
        WIRE.cancel(JOB),
        WIRE.listing(),
        WIRE.listing("p&1"),
        WIRE.inside(WIRE.looked(http(job("SUCCEEDED", **WRITTEN)))),
    ]
    assert [(ask.method, ask.url) for ask in (*asks, *WIRE.results(told), *WIRE.removal(told))] == [
        ("GET", f"{HOST}/v1/{JOB}"),
        ("POST", f"{HOST}/v1/{JOB}:cancel"),
        ("GET", f"{JOBS}?pageSize=100"),
        ("GET", f"{JOBS}?pageSize=100&pageToken=p%261"),
        (
            "GET",
            f"{OBJECTS}?prefix={IN_FOLDER}&maxResults=1000&fields=nextPageToken,items(name,bucket)",
        ),
        ("GET", f"{OBJECTS}/o%2Fp%201.jsonl?alt=media"),
        ("DELETE", f"{OBJECTS}/n.jsonl"),
        ("DELETE", f"{OBJECTS}/o%2Fp%201.jsonl"),
    ]


def test_a_token_goes_to_google_and_to_no_emulator():
    token = Secret("t", bearer=True)
    assert WIRE.headers(WIRE.upload("n"), token, NOW) == {"Authorization": "Bearer t"}
    there = batch_wire_for(model(), LIVE, HERE, {"STORAGE_EMULATOR_HOST": "127.0.0.1:9"})
    assert there.upload("n").url.startswith("http://127.0.0.1:9/upload/")
    assert there.headers(there.upload("n"), token, NOW) == {}
    assert there.headers(there.look(JOB), token, NOW) == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": "publishers/google/models/gemini-x"}, "publishers/google/models/gemini-x"),
        ({"name": f"{PARENT}/models/7"}, f"{PARENT}/models/7"),
        ({"region": "global"}, "publishers/google/models/gemini-2.5-flash"),
    ],
)
def test_which_models_a_job_takes(changes, name):
    assert json.loads(made(model(**changes), batch=HERE)[1].create("n", "").head)["model"] == name


@pytest.mark.parametrize(
    "changes",
    [{"name": "endpoints/1"}, {"name": "publishers/meta/models/llama"}, {"api_key_env": "KEY"}],
)
def test_which_it_does_not(changes):
    with pytest.raises(JobError, match="needs a project, and a model of Google's"):
        made(model(**changes), batch=HERE)


def test_without_a_bucket_there_is_no_job():
    with pytest.raises(JobError, match=r"batch\.gcs_url"):
        made(model(), batch=Batch())


# ── what it answers ─────────────────────────────────────────────────────────────────────────────────────────────────


@each_case(
    ("state", "more", "found", "rest", "folder"),
    [
        ("QUEUED", {}, RemoteState.RUNNING, None, ""),
        ("PENDING", {}, RemoteState.RUNNING, None, ""),
        ("PAUSED", {}, RemoteState.RUNNING, None, ""),
        ("OF_TOMORROW", {}, RemoteState.RUNNING, None, ""),
        ("CANCELLING", RAN, RemoteState.CANCELLING, None, ""),
        ("SUCCEEDED", {**RAN, **WRITTEN}, RemoteState.ENDED, None, FOLDER),
        ("PARTIALLY_SUCCEEDED", {**RAN, **WRITTEN}, RemoteState.ENDED, Fate.EXPIRED, FOLDER),
        ("CANCELLED", {**RAN, **WRITTEN, **COUNTED}, RemoteState.ENDED, Fate.CANCELLED, FOLDER),
        ("CANCELLED", RAN, RemoteState.ENDED, Fate.CANCELLED, ""),
        ("CANCELLED", {}, RemoteState.FAILED, Fate.CANCELLED, ""),
        ("EXPIRED", {}, RemoteState.FAILED, Fate.EXPIRED, ""),
        ("EXPIRED", {**RAN, **WRITTEN}, RemoteState.ENDED, Fate.EXPIRED, FOLDER),
        ("FAILED", RAN, RemoteState.FAILED, Fate.EXPIRED, ""),
        ("FAILED", {**RAN, **WRITTEN}, RemoteState.ENDED, Fate.EXPIRED, FOLDER),
        ("FAILED", {**RAN, **WRITTEN, **COUNTED}, RemoteState.ENDED, Fate.EXPIRED, FOLDER),
    ],
)
def test_where_a_job_stands(state, more, found, rest, folder):
    """One that has begun may have billed something."""
    told = WIRE.looked(http(job(state, **more)))
    assert (told.state, told.rest, told.inside, told.nonce) == (found, rest, folder, "n0nce")
    assert (told.rows, told.done) == ((9, 3) if "completionStats" in more else (None, None))


def test_why_a_job_failed():
    told = WIRE.looked(http(job("FAILED", error={"code": 8, "message": "Quota exceeded"})))
    assert (told.state, told.full, told.error, told.kind) == (
        RemoteState.FAILED,
        True,
        "Quota exceeded",
        Kind.THROTTLED,
    )


def test_a_list_of_jobs_is_in_no_order():
    """So that no time in it can end a search."""
    page, more = WIRE.listed(http({"batchPredictionJobs": [job("SUCCEEDED", **WRITTEN)], "nextPageToken": "p"}))
    assert ([(one.nonce, one.created_s, one.inside) for one in page], more) == ([("n0nce", None, "")], "p")
    assert WIRE.listed(http({})) == ((), "")
    assert failed(WIRE.listed, http({"odd": 1})).kind is Kind.NO_ANSWER


def test_what_lies_in_a_folder():
    seen = RemoteBatch(JOB, RemoteState.ENDED, "", inside=FOLDER)
    told = {"items": [{"bucket": "mine", "name": "a/1.jsonl"}, {"name": "a/2.jsonl"}, {}], "nextPageToken": "p"}
    found, more = WIRE.filled(seen, http(told))
    assert (found.results, more) == (("gs://mine/a/1.jsonl", "gs://mine/a/2.jsonl"), "p")
    assert WIRE.filled(found, http({})) == (found, "")


@pytest.mark.parametrize(
    ("status", "kind", "mend"),
    [
        (404, Kind.INVALID_REQUEST, "Make the bucket"),
        (403, Kind.AUTH, "Allow storage.objects.create"),
        (503, Kind.OVERLOADED, ""),
    ],
)
@pytest.mark.parametrize("question", [WIRE.uploaded, WIRE.access()[1].read])
def test_what_a_bucket_refuses_and_what_to_mend(status, kind, mend, question):
    told = failed(question, http({"error": {"code": status, "message": "No."}}, status))
    assert told.kind is kind
    assert mend in told.message
    assert "batch.gcs_url = 'gs://mine/a night'" in told.message


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read_as_one_of_a_live_call():
    told = WIRE.read(line(response=GOOD))
    assert (told.name, told.fate) == ("n-1", Fate.ANSWERED)
    reply = LIVE.reply(told.answer)
    assert (reply.text, reply.usage.input_tokens, reply.usage.output_tokens) == ('{"name":"x"}', 13, 4)


@pytest.mark.parametrize(
    ("status", "fate", "kind"),
    [
        (
            'Bad Request: {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}',
            Fate.REFUSED,
            Kind.INVALID_REQUEST,
        ),
        ('Too Many Requests: {"error": {"code": 429, "message": "slow"}}', Fate.REFUSED, Kind.THROTTLED),
        ("INTERNAL: {half of", Fate.REFUSED, Kind.OVERLOADED),
        ("Job was cancelled", Fate.CANCELLED, None),
    ],
)
@pytest.mark.parametrize("response", [{}, None])
def test_a_line_that_was_refused_is_not_billed(status, fate, kind, response):
    told = WIRE.read(line(status, response=response))
    assert (told.name, told.fate) == ("n-1", fate)
    if kind is not None:
        assert failed(LIVE.reply, told.answer).kind is kind


def test_a_line_of_nothing_may_have_been_billed():
    assert WIRE.read(line(response={})).fate is Fate.ANSWERED


@given(lines_with("request", "response", "status"))
def test_whatever_stands_in_a_file_is_a_line_or_none(data):
    told = WIRE.read(data)
    if told is not None and told.answer is not None:
        with suppress(CallFailed):
            assert isinstance(LIVE.reply(told.answer), Answer)
