"""The Batch API of an Azure resource: where it is asked, with which deployment, and how loosely it answers."""

import json

import pytest
from batch_lines import JSON, asked, failed, http, made
from hypothesis import given
from hypothesis import strategies as st
from openai_family import error, model_of

from pipeline.errors import JobError, Kind
from pipeline.job.settings import Batch
from pipeline.providers.batches import Fate, RemoteState
from pipeline.providers.credentials.secret import Secret

HOST = "https://me.openai.azure.com"
BATCH = Batch(deployment='my "batch"')


def azure(batch=BATCH, **changes):
    return made(model_of("azure", **{"base_url": HOST, **changes}), batch=batch)


LIVE, WIRE = azure()


@pytest.mark.parametrize(
    ("changes", "files", "batches"),
    [
        ({}, f"{HOST}/openai/v1/files", f"{HOST}/openai/v1/batches?limit=100"),
        ({"api_version": "v1"}, f"{HOST}/openai/v1/files", f"{HOST}/openai/v1/batches?limit=100"),
        ({"base_url": f"{HOST}/openai/v1/"}, f"{HOST}/openai/v1/files", f"{HOST}/openai/v1/batches?limit=100"),
        (
            {"api_version": "preview"},
            f"{HOST}/openai/v1/files?api-version=preview",
            f"{HOST}/openai/v1/batches?api-version=preview&limit=100",
        ),
        (
            {"api_version": "2024-10-21"},
            f"{HOST}/openai/files?api-version=2024-10-21",
            f"{HOST}/openai/batches?api-version=2024-10-21&limit=100",
        ),
    ],
)
def test_it_is_asked_at_the_resource_and_never_at_a_deployment(changes, files, batches):
    _, wire = azure(**changes)
    assert (wire.upload("n").url, wire.listing().url) == (files, batches)


def test_a_key_of_the_resource_or_a_token():
    assert WIRE.headers(WIRE.listing(), Secret("k"), None) == {"api-key": "k"}
    assert WIRE.headers(WIRE.listing(), Secret("t", bearer=True), None) == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(("api", "url"), [("chat", "/chat/completions"), ("responses", "/v1/responses")])
def test_a_line_names_the_batch_deployment(api, url):
    """Once, in its place: a document that looks like it stays as it is."""
    live, wire = azure(api=api)
    body = live.body(asked('"model":"gpt-4o-mini"', system='{"model":"gpt-4o-mini"}'))
    told = json.loads(wire.line("n-1", body))
    assert told["url"] == url == json.loads(wire.create("n", "f").head)["endpoint"]
    assert told["body"] == {**json.loads(body), "model": 'my "batch"'}


def test_no_other_member_is_touched():
    told = json.loads(WIRE.line("n-1", b'{"model":"gpt-4o-mini","tools":[{"model":"gpt-4o-mini"}]}'))
    assert told["body"] == {"model": 'my "batch"', "tools": [{"model": "gpt-4o-mini"}]}


@given(st.text(min_size=1), st.text(), st.dictionaries(st.text().filter(lambda key: key != "model"), JSON))
def test_any_body_is_found_again_in_its_line(name, text, rest):
    body = {"model": "gpt-4o-mini", "text": text, **rest}
    told = json.loads(WIRE.line(name, json.dumps(body, separators=(",", ":")).encode()))
    assert told["body"] == {**body, "model": 'my "batch"'}


def test_a_batch_needs_a_deployment_of_its_own():
    with pytest.raises(JobError, match=r"batch\.deployment.*Global-Batch"):
        azure(batch=Batch())


def test_it_does_not_end_by_itself():
    assert WIRE.limits.life_s == 0
    assert WIRE.limits.rows == 100_000


@pytest.mark.parametrize(
    ("status", "ready"),
    [("pending", False), ("Pending", False), ("running", False), ("notRunning", False), ("processed", True)],
)
def test_a_file_takes_a_while(status, ready):
    assert WIRE.file_look("file-1").url == f"{HOST}/openai/v1/files/file-1"
    assert WIRE.file_ready(http({"id": "file-1", "status": status})) is ready


def test_a_file_that_is_not_seen_yet_or_never_will_be_good():
    assert WIRE.file_ready(http(error("not found"), 404)) is False
    failure = failed(WIRE.file_ready, http({"id": "f", "status": "error", "status_details": "a BOM"}))
    assert (failure.kind, "a BOM" in failure.message) == (Kind.INVALID_REQUEST, True)
    assert failed(WIRE.file_ready, http(error("no"), 401)).kind is Kind.AUTH


def test_loose_answers():
    told = {
        "id": "batch_1", "object": "batch", "status": "Validating", "created_at": "2026-11-30T01:02:03Z",
        "input_file_id": "file-1", "output_file_id": "", "error_file_id": "", "endpoint": None, "metadata": None,
        "request_counts": None, "errors": None, "error_blob": "",
    }  # fmt: skip
    found = WIRE.created(http(told))
    assert (found.state, found.results, found.rows, found.done) == (RemoteState.RUNNING, (), None, None)
    assert (found.created_s, found.nonce, found.file_ref) == (1_796_000_523, "", "file-1")
    counts = {"total": None, "completed": None, "failed": None}
    assert WIRE.looked(http({**told, "request_counts": counts, "created_at": 1_796_000_523})).created_s == 1_796_000_523
    done = {**told, "status": "Completed", "output_file_id": "out", "request_counts": {"total": 2, "completed": 2}}
    assert WIRE.looked(http(done)).results == ("out",)


@pytest.mark.parametrize(
    "text", ["2026-11-30 01:02:03", "2026-11-30T01:02:03.123456789+00:00", "later", "", None, True]
)
def test_no_time_raises(text):
    assert WIRE.looked(http({"id": "b", "created_at": text})).created_s in {None, 1_796_000_523, 1_796_000_523.123456}


def test_a_full_queue_of_a_deployment():
    told = error("The enqueued token limit is reached. Limit: 200,000,000 enqueued tokens.", "token_limit_exceeded")
    found = WIRE.created(http(told, 400))
    assert (found.full, found.waiting_tokens_most) == (True, 200_000_000)


def test_a_deployment_for_live_calls():
    told = {"data": [{"code": "invalid_request", "message": "The model `x` is not a batch deployment.", "line": 1}]}
    found = WIRE.looked(http({"id": "b", "status": "Failed", "errors": told}))
    assert (found.state, found.error_code, found.wrong_lines) == (RemoteState.FAILED, "invalid_request", (1,))


def test_a_filtered_line_is_refused_as_a_live_call_is():
    body = error("The response was filtered by the content management policy", "content_filter")
    line = {"custom_id": "n-1", "response": {"status_code": 400, "request_id": "r", "body": body}, "error": None}
    found = WIRE.read(json.dumps(line).encode())
    assert found.fate is Fate.REFUSED
    assert failed(LIVE.reply, found.answer).kind is Kind.BLOCKED
