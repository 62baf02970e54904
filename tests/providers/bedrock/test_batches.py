"""Bedrock's model invocation jobs: what is asked, what its answers mean, and every line that may come back."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from batch_lines import asked, failed, http, lines_with, made, whole
from clouds import HAIKU, ROLE
from each_case import each_case
from hypothesis import given

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Batch, Model
from pipeline.providers.batches import Fate, RemoteBatch, RemoteState, batch_wire_for
from pipeline.providers.credentials.secret import Secret
from pipeline.sandbox.exchange import Received
from pipeline.sandbox.wires.bedrock import sigv4
from pipeline.types import Answer

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEY = Secret(sigv4.SECRET, "AKIASANDBOX1")
PLANE, BUCKET = "https://bedrock.us-east-1.amazonaws.com", "https://mine.s3.us-east-1.amazonaws.com"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/j0b"
HERE = Batch(role_arn=ROLE, s3_url="s3://mine/night/")
ANSWER = {
    "content": [{"type": "text", "text": '{"name":"x"}'}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 13, "output_tokens": 4},
}


def model(**changes):
    values = {"provider": "bedrock", "name": HAIKU, "max_output_tokens": 50, "region": "us-east-1"}
    return Model(**{**values, **changes})


LIVE, WIRE = made(model(), batch=HERE)


def job(status="InProgress", counts=None, **changes):
    told = {
        "jobArn": ARN,
        "jobName": "n0nce",
        "status": status,
        "submitTime": "2026-11-30T00:00:00Z",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://mine/night/n0nce.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://mine/night/n0nce/"}},
    }
    return {**told, **{f"{name}RecordCount": count for name, count in (counts or {}).items()}, **changes}


def seen(*arguments, **changes):
    return WIRE.looked(http(job(*arguments, **changes)))


def line(**told):
    return json.dumps({"recordId": "n-1", "modelInput": {}, **told}).encode()


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("api", ["auto", "converse", "invoke"])
def test_a_line_has_the_body_of_invoke_model_whatever_is_asked_live(api):
    live, wire = made(model(api=api, stream=True, caching="on"), batch=HERE)
    body = json.loads(live.body(asked()))
    assert b"cache_control" not in live.body(asked())
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert json.loads(wire.line("n-1", live.body(asked()))) == {"recordId": "n-1", "modelInput": body}


def test_a_file_goes_to_the_bucket_under_our_name():
    ask = WIRE.upload("n0nce")
    assert (ask.method, ask.url) == ("PUT", f"{BUCKET}/night/n0nce.jsonl")
    assert whole(ask, [b'{"a":1}', b'{"b":2}']) == b'{"a":1}\n{"b":2}\n'
    assert WIRE.uploaded(http(b"")) == ""
    assert WIRE.file_look("") is None


@pytest.mark.parametrize(
    ("url", "environ", "at"),
    [
        ("s3://mine", {}, f"{BUCKET}/n.jsonl"),
        ("s3://my.own/a b", {}, "https://s3.us-east-1.amazonaws.com/my.own/a%20b/n.jsonl"),
        ("s3://mine/in", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"}, "http://127.0.0.1:9000/mine/in/n.jsonl"),
        (
            "s3://mine/in",
            {"AWS_ENDPOINT_URL": "http://h", "AWS_ENDPOINT_URL_S3": "http://s"},
            "http://s/mine/in/n.jsonl",
        ),
    ],
)
def test_where_a_bucket_is(url, environ, at):
    assert batch_wire_for(model(), LIVE, Batch(role_arn=ROLE, s3_url=url), environ).upload("n").url == at


def test_a_job_carries_our_name_a_token_and_the_role():
    ask = WIRE.create("n0nce", "")
    assert (ask.method, ask.url) == ("POST", f"{PLANE}/model-invocation-job")
    assert json.loads(ask.head) == {
        "jobName": "n0nce",
        "clientRequestToken": "n0nce",
        "roleArn": ROLE,
        "modelId": HAIKU,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://mine/night/n0nce.jsonl", "s3InputFormat": "JSONL"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://mine/night/n0nce/"}},
        "timeoutDurationInHours": 24,
    }


@pytest.mark.parametrize(("deadline_h", "timeout_h"), [(0.5, 24), (24.0, 24), (24.1, 25), (500.0, 168)])
def test_a_job_lasts_as_long_as_its_deadline(deadline_h, timeout_h):
    batch = Batch(role_arn=ROLE, s3_url="s3://mine", deadline_h=deadline_h)
    assert json.loads(made(model(), batch=batch)[1].create("n", "").head)["timeoutDurationInHours"] == timeout_h


def test_the_other_questions():
    told = seen("Completed", {"total": 2, "processed": 2})
    quoted = ARN.replace("/", "%2F")
    asks = [WIRE.look(ARN), WIRE.cancel(ARN), *WIRE.results(told), *WIRE.removal(told)]
    assert [(ask.method, ask.url) for ask in asks] == [
        ("GET", f"{PLANE}/model-invocation-job/{quoted}"),
        ("POST", f"{PLANE}/model-invocation-job/{quoted}/stop"),
        ("GET", f"{BUCKET}/night/n0nce/j0b/n0nce.jsonl.out"),
        ("DELETE", f"{BUCKET}/night/n0nce.jsonl"),
        ("DELETE", f"{BUCKET}/night/n0nce/j0b/n0nce.jsonl.out"),
        ("DELETE", f"{BUCKET}/night/n0nce/j0b/manifest.json.out"),
    ]
    assert WIRE.listing("p/1").url.endswith("sortBy=CreationTime&sortOrder=Descending&nextToken=p%2F1")


@each_case("secret", [KEY, Secret(sigv4.SECRET, "ASIASANDBOX1", "a token")])
@each_case(
    ("ask", "service"),
    [
        (WIRE.upload("n"), "s3"),
        (WIRE.results(RemoteBatch("b", RemoteState.ENDED, "", results=("s3://mine/a b/c.out",)))[0], "s3"),
        (WIRE.create("n", ""), "bedrock"),
        (WIRE.look(ARN), "bedrock"),
        (WIRE.cancel(ARN), "bedrock"),
        (WIRE.listing("12"), "bedrock"),
    ],
)
def test_each_request_is_signed_for_its_service(ask, service, secret):
    parts = urlsplit(ask.url)
    headers = {name.lower(): value for name, value in WIRE.headers(ask, secret, NOW).items()} | {"host": parts.netloc}
    sent = Received(ask.method, parts.path, parts.query, headers, ask.head)
    assert sigv4.problem(sent, NOW, service) is None
    assert sigv4.problem(Received("PATCH", parts.path, parts.query, headers, ask.head), NOW, service) is not None


def test_an_api_key_of_bedrock_opens_no_bucket():
    told = failed(WIRE.headers, WIRE.upload("n"), Secret("k", bearer=True), NOW)
    assert (told.kind, told.sent) == (Kind.AUTH, False)


@pytest.mark.parametrize("lacking", ["role_arn", "s3_url"])
def test_what_the_job_does_not_say(lacking):
    with pytest.raises(JobError, match=rf"batch\.{lacking}"):
        made(model(), batch=Batch(**{"role_arn": ROLE, "s3_url": "s3://mine", lacking: ""}))


def test_what_is_asked_is_what_awss_own_model_of_the_service_knows():
    botocore = pytest.importorskip("botocore.session", reason="AWS's SDK is an extra")
    validate = pytest.importorskip("botocore.validate", reason="AWS's SDK is an extra")
    service = botocore.get_session().get_service_model("bedrock")
    asks = {"Create": WIRE.create("n0nce", ""), "Get": WIRE.look("A"), "Stop": WIRE.cancel("A")}
    for name, ask in asks.items():
        operation = service.operation_model(f"{name}ModelInvocationJob")
        path = operation.http["requestUri"].replace("{jobIdentifier}", "A")
        assert (ask.method, ask.url) == (operation.http["method"], PLANE + path)
        asked_for = json.loads(ask.head) if ask.head else {"jobIdentifier": "A"}
        assert not validate.ParamValidator().validate(asked_for, operation.input_shape).has_errors()
    states = service.shape_for("ModelInvocationJobStatus").enum
    running = {state for state in states if seen(state, {"processed": 1}).state is RemoteState.RUNNING}
    assert running == {"Submitted", "Validating", "Scheduled", "InProgress"}


# ── what it answers ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_create_is_answered_with_a_name_alone():
    assert WIRE.created(http({"jobArn": ARN})) == RemoteBatch(ARN, RemoteState.RUNNING, "Submitted")
    assert failed(WIRE.created, http({})).fate_unknown


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "ServiceQuotaExceededException", "Too many jobs", Kind.THROTTLED),
        (429, "ThrottlingException", "Rate exceeded", Kind.THROTTLED),
        (403, "AccessDeniedException", "User is not authorized to perform: iam:PassRole on resource", Kind.AUTH),
        (400, "ValidationException", "The model is not supported for batch inference.", Kind.INVALID_REQUEST),
        (500, "InternalServerException", "It failed", Kind.OVERLOADED),
    ],
)
def test_why_there_is_no_job(status, code, message, kind):
    told = failed(WIRE.created, http({"message": message}, status, {"x-amzn-errortype": code}))
    assert told.kind is kind
    assert ("Allow iam:PassRole on batch.role_arn" in told.message) == ("PassRole" in message)


@pytest.mark.parametrize(
    ("status", "code", "headers", "kind", "mend"),
    [
        (404, "NoSuchBucket", {}, Kind.INVALID_REQUEST, "Make the bucket"),
        (403, "AccessDenied", {}, Kind.AUTH, "Allow s3:PutObject"),
        (403, "", {}, Kind.AUTH, "Allow s3:PutObject"),
        (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-1"}, Kind.INVALID_REQUEST, "is in eu-west-1"),
        (503, "SlowDown", {}, Kind.OVERLOADED, ""),
        (400, "RequestTimeout", {}, Kind.OVERLOADED, ""),
        (400, "ExpiredToken", {}, Kind.AUTH, ""),
    ],
)
def test_what_a_bucket_refuses_and_what_to_mend(status, code, headers, kind, mend):
    body = f"<?xml?><Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    told = failed(WIRE.uploaded, http(body, status, headers))
    assert told.kind is kind
    assert mend in told.message
    assert "batch.s3_url = 's3://mine/night'" in told.message


OUT = ("s3://mine/night/n0nce/j0b/n0nce.jsonl.out",)


@each_case(
    ("status", "done", "state", "rest", "results"),
    [
        ("Submitted", 0, RemoteState.RUNNING, None, ()),
        ("Validating", None, RemoteState.RUNNING, None, ()),
        ("Scheduled", 0, RemoteState.RUNNING, None, ()),
        ("SomethingNew", 3, RemoteState.RUNNING, None, ()),
        ("Stopping", 3, RemoteState.CANCELLING, Fate.CANCELLED, ()),
        ("Completed", 9, RemoteState.ENDED, None, OUT),
        ("PartiallyCompleted", 3, RemoteState.ENDED, Fate.EXPIRED, OUT),
        ("Stopped", 3, RemoteState.ENDED, Fate.CANCELLED, OUT),
        ("Stopped", None, RemoteState.ENDED, Fate.CANCELLED, OUT),
        ("Stopped", 0, RemoteState.FAILED, Fate.CANCELLED, ()),
        ("Expired", 0, RemoteState.FAILED, Fate.EXPIRED, ()),
        ("Expired", None, RemoteState.FAILED, Fate.EXPIRED, ()),
        ("Expired", 3, RemoteState.ENDED, Fate.EXPIRED, OUT),
        ("Failed", 0, RemoteState.FAILED, Fate.EXPIRED, ()),
        ("Failed", 3, RemoteState.ENDED, Fate.EXPIRED, OUT),
    ],
)
def test_where_a_job_stands(status, done, state, rest, results):
    """What may have been billed is never a failure of the whole."""
    told = seen(status, {"total": 9, "processed": done} if done is not None else {})
    rest = rest if status != "Stopping" else told.rest
    assert bool(told.inside) == (done is None and bool(results))
    assert (told.state, told.rest, told.results, told.done) == (state, rest, results, done)
    assert (told.nonce, told.file_ref, told.created_s) == ("n0nce", "s3://mine/night/n0nce.jsonl", 1795996800.0)


def test_where_a_job_has_no_counts_its_manifest_has():
    told = seen("Stopped")
    assert WIRE.inside(told).url == f"{BUCKET}/night/n0nce/j0b/manifest.json.out"
    found, page = WIRE.filled(told, http({"totalRecordCount": 9, "processedRecordCount": 3, "successRecordCount": 3}))
    assert (found.rows, found.done, found.results, page) == (9, 3, OUT, "")
    nothing, _ = WIRE.filled(told, http({"totalRecordCount": 9, "processedRecordCount": 0}))
    assert (nothing.done, nothing.results) == (0, ())
    assert WIRE.filled(told, http(b"", 404)) == (told, "")
    assert failed(WIRE.filled, told, http(b"", 403)).kind is Kind.AUTH


def test_a_list_of_jobs():
    page, more = WIRE.listed(http({"invocationJobSummaries": [job(), {"jobArn": ""}], "nextToken": "p"}))
    assert ([one.nonce for one in page], more) == (["n0nce"], "p")
    assert WIRE.listed(http({"invocationJobSummaries": []})) == ((), "")
    assert failed(WIRE.listed, http({})).kind is Kind.NO_ANSWER


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_read_as_one_of_invoke_model():
    told = WIRE.read(line(modelOutput=ANSWER))
    assert (told.name, told.fate) == ("n-1", Fate.ANSWERED)
    reply = LIVE.reply(told.answer)
    assert (reply.text, reply.usage.input_tokens, reply.usage.output_tokens) == ('{"name":"x"}', 13, 4)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ({"errorCode": 400, "errorMessage": "bad"}, 400, Kind.INVALID_REQUEST),
        ({"errorCode": "429", "errorMessage": "slow"}, 429, Kind.THROTTLED),
        ({"errorCode": "Odd", "errorMessage": "odd"}, 500, Kind.OVERLOADED),
    ],
)
def test_a_line_that_was_refused_is_not_billed(error, status, kind):
    told = WIRE.read(line(error=error))
    assert (told.fate, told.answer.status) == (Fate.REFUSED, status)
    assert failed(LIVE.reply, told.answer).kind is kind


@pytest.mark.parametrize("told", [{"modelOutput": None}, {"modelOutput": {}}, {"error": None}, {"error": {}}])
def test_a_line_of_nothing_may_have_been_billed(told):
    found = WIRE.read(line(**told))
    assert found.fate is Fate.ANSWERED
    assert failed(LIVE.reply, found.answer).usage is None


@given(lines_with("recordId", "modelOutput", "error", "modelInput"))
def test_whatever_stands_in_a_file_is_a_line_or_none(data):
    told = WIRE.read(data)
    if told is not None and told.answer is not None:
        with suppress(CallFailed):
            assert isinstance(LIVE.reply(told.answer), Answer)
