"""Bedrock's model invocation jobs: a file of requests in S3, a job over it, a file of answers beside it. Pure.

Amazon Bedrock's API reference and user guide ("Process multiple prompts with batch inference"), botocore's model of the
service, and reports, as of 2026-11. A job takes the bodies of InvokeModel. It carries our name and a token: a create
that is repeated with both is the same job. Roles, buckets and permissions are the user's own.
"""

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any
from urllib.parse import quote

import orjson
from msgspec.structs import replace

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers import batch_words
from pipeline.providers.batch_words import moment_s, state_of
from pipeline.providers.batches import BatchAsk, BatchLimits, BatchLine, Fate, Given, Probe, RemoteBatch, RemoteState
from pipeline.providers.bedrock.bucket import UNHASHED, Bucket
from pipeline.providers.bedrock.endpoint import Endpoint
from pipeline.providers.bedrock.errors import failure, is_error
from pipeline.providers.bedrock.invoke import InvokeWire
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.hints import shortened
from pipeline.providers.json import encoded, items, mapping, parsed, string, told_count
from pipeline.types import HttpAnswer

JOBS, JOB = "model-invocation-jobs", "model-invocation-job"
STATES = {
    **dict.fromkeys(("completed", "partiallycompleted", "stopped", "expired"), RemoteState.ENDED),
    "stopping": RemoteState.CANCELLING,
    "failed": RemoteState.FAILED,
}
REST = {  # status → what became of records that have no result, where its counts account for the others
    "PartiallyCompleted": Fate.EXPIRED,
    "Expired": Fate.EXPIRED,
    "Failed": Fate.EXPIRED,
    "Stopped": Fate.CANCELLED,
}
CODES = {Fate.EXPIRED: "batch_expired", Fate.CANCELLED: "batch_cancelled"}
LEAST_H, MOST_H = 24, 168  # of a job's own timeout
PAGE = 100
PASS_ROLE = "iam:PassRole"  # noqa: S105 (a permission)


class BedrockBatches:
    """At the control plane of the live wire's region; `batch` names role and bucket."""

    # A file holds 1 GB; how many records a job may hold differs by model, and 50,000 is the usual quota.
    limits = BatchLimits(rows=50_000, size_bytes=1_000_000_000, least_rows=100)

    def __init__(self, model: Model, wire: InvokeWire, given: Given) -> None:  # noqa: ARG002 (others need it)
        batch = given.batch
        for key, what in (("role_arn", "a role that Bedrock takes on"), ("s3_url", "s3://BUCKET/PREFIX")):
            if not getattr(batch, key):
                raise JobError(f"model.lane = 'batch' with bedrock needs batch.{key}: {what}")
        self._endpoint = Endpoint(model)
        self._bucket = Bucket(batch.s3_url, self._endpoint.region, given.environ)
        self._model, self._role = model.name.strip(), batch.role_arn
        self._timeout_h = min(max(ceil(batch.deadline_h), LEAST_H), MOST_H)

    def __repr__(self) -> str:
        return f"BedrockBatches({self._endpoint.control_url(JOBS)}, {self._bucket.uri('')})"

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:
        if secret.bearer:
            raise CallFailed(
                Kind.AUTH, "an API key of Bedrock opens no bucket: batches need AWS's own keys", sent=False
            )
        if ask.headers == UNHASHED:
            return self._bucket.headers(ask, secret, now)
        return self._endpoint.headers(ask.url, ask.head, secret, now, method=ask.method)

    def line(self, name: str, body: Body) -> bytes:
        return b'{"recordId":' + orjson.dumps(name) + b',"modelInput":' + bytes(body) + b"}"

    def upload(self, nonce: str) -> BatchAsk:
        """Under a name of ours: repeated, it is the same object."""
        return self._bucket.put(self._input(nonce))

    def uploaded(self, answer: HttpAnswer) -> str:
        self._bucket.check(answer)
        return ""

    def file_look(self, file_ref: str) -> BatchAsk | None:  # noqa: ARG002 (it can be used at once)
        return None

    def file_ready(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 (as above)
        return True

    def create(self, nonce: str, file_ref: str) -> BatchAsk:
        asked = {
            "jobName": nonce,
            "clientRequestToken": nonce,
            "roleArn": self._role,
            "modelId": self._model,
            "inputDataConfig": {
                "s3InputDataConfig": {"s3Uri": file_ref or self._input(nonce), "s3InputFormat": "JSONL"}
            },
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": self._bucket.uri(f"{nonce}/")}},
            "timeoutDurationInHours": self._timeout_h,
        }
        return BatchAsk("POST", self._endpoint.control_url(JOB), head=orjson.dumps(asked))

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        try:
            told = told_in(answer)
        except CallFailed as failed:
            if PASS_ROLE.lower() in failed.message.lower():
                failed.message = f"{failed.message}. Allow {PASS_ROLE} on batch.role_arn to whom the keys are of"
            raise
        return batch_words.batch_in(answer, RemoteBatch(string(told.get("jobArn")), RemoteState.RUNNING, "Submitted"))

    def look(self, batch_id: str) -> BatchAsk:
        return BatchAsk("GET", self._of(batch_id))

    def looked(self, answer: HttpAnswer) -> RemoteBatch:
        return batch_words.batch_in(answer, _batch(told_in(answer)))

    def cancel(self, batch_id: str) -> BatchAsk:
        return BatchAsk("POST", f"{self._of(batch_id)}/stop")

    def listing(self, page: str = "") -> BatchAsk:
        after = f"&nextToken={quote(page, safe='')}" if page else ""
        query = f"maxResults={PAGE}&sortBy=CreationTime&sortOrder=Descending{after}"
        return BatchAsk("GET", self._endpoint.control_url(f"{JOBS}?{query}"))

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        told = told_in(answer)
        if not isinstance(told.get("invocationJobSummaries"), list):
            raise batch_words.unread(answer, "no list of jobs in the answer")
        found = map(_batch, items(told["invocationJobSummaries"]))
        return tuple(one for one in found if one.id), string(told.get("nextToken"))

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        return tuple(self._bucket.fetch(uri) for uri in batch.results)

    def inside(self, batch: RemoteBatch, page: str = "") -> BatchAsk:  # noqa: ARG002 (it is one)
        return self._bucket.fetch(batch.inside)

    def filled(self, batch: RemoteBatch, answer: HttpAnswer) -> tuple[RemoteBatch, str]:
        """With the counts of its manifest, where the job told none; one that has run nothing has no results."""
        if answer.status == 404:
            return batch, ""
        self._bucket.check(answer)
        rows, done = _counts(mapping(parsed(answer.body)))
        return replace(batch, rows=rows, done=done, results=batch.results if done != 0 else ()), ""

    def read(self, line: bytes) -> BatchLine | None:
        told = batch_words.line_of(line)
        name = string(told.get("recordId"))
        return _line(name, told) if name and ("modelOutput" in told or "error" in told) else None

    def access(self) -> tuple[Probe, ...]:
        """Whether the role may be passed is told by a create alone."""
        return (
            Probe("batches", self.listing(), self.listed),
            Probe("bucket", self._bucket.contents(), self._bucket.check),
        )

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        return tuple(
            self._bucket.delete(uri) for uri in (batch.file_ref, *batch.results, *map(_manifest, batch.results)) if uri
        )

    def _input(self, nonce: str) -> str:
        return self._bucket.uri(f"{nonce}.jsonl")

    def _of(self, batch_id: str) -> str:
        return self._endpoint.control_url(f"{JOB}/{quote(batch_id, safe=':')}")


def told_in(answer: HttpAnswer) -> Mapping[str, Any]:
    return batch_words.told_in(answer, failure, lambda body: is_error(answer, body))


def _batch(told: Mapping[str, Any]) -> RemoteBatch:
    """A job, or its summary in a list. Older answers have no counts."""
    arn, status = string(told.get("jobArn")), string(told.get("status"))
    rows, done = _counts(told)
    state, rest = _state(status, done)
    source = string(mapping(mapping(told.get("inputDataConfig")).get("s3InputDataConfig")).get("s3Uri"))
    words = shortened(string(told.get("message")))
    results = _results(told, arn, source) if state is RemoteState.ENDED else ()
    return RemoteBatch(
        arn,
        state,
        status,
        rows=rows,
        done=done,
        results=results,
        inside=_manifest(results[0]) if results and done is None else "",
        nonce=string(told.get("jobName")) or string(told.get("clientRequestToken")),
        file_ref=source,
        created_s=moment_s(told.get("submitTime")),
        error_code=CODES.get(rest, "") if rest and status != "Failed" else "",
        error=words,
        kind=failure(HttpAnswer(400, {}, b""), {"message": words}).kind if state is RemoteState.FAILED else None,
        rest=rest,
    )


def _counts(told: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """All records, and those that were run, in the words of a job and of its manifest."""
    rows, done = (told_count(told.get(f"{what}RecordCount")) for what in ("total", "processed"))
    return rows or None, done


def _manifest(results: str) -> str:
    return f"{results.rpartition('/')[0]}/manifest.json.out"


def _state(status: str, done: int | None) -> tuple[RemoteState, Fate | None]:
    """And the fate of records without a result. A job that expired never began, unless its counts say so."""
    state, rest = state_of(status, STATES), REST.get(status)
    if state is RemoteState.FAILED and done:
        return RemoteState.ENDED, rest
    if state is RemoteState.ENDED and rest and (done == 0 or (status == "Expired" and not done)):
        return RemoteState.FAILED, rest
    return state, rest


def _results(told: Mapping[str, Any], arn: str, source: str) -> tuple[str, ...]:
    """OUTPUT/ID OF THE JOB/NAME OF THE INPUT.out, by the job's own words: batch.s3_url may be another by now."""
    folder = string(mapping(mapping(told.get("outputDataConfig")).get("s3OutputDataConfig")).get("s3Uri"))
    if not folder or not source:
        return ()
    return (f"{folder.rstrip('/')}/{arn.rpartition('/')[2]}/{source.rpartition('/')[2]}.out",)


def _line(name: str, told: Mapping[str, Any]) -> BatchLine:
    output, error = told.get("modelOutput"), mapping(told.get("error"))
    if isinstance(output, dict) and output:
        return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, encoded(output)))
    if not error:  # nobody says that it was not billed
        return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, b"null"))
    code, words = error.get("errorCode"), shortened(string(error.get("errorMessage")))
    status = told_count(code) or 0
    answer = HttpAnswer(status if 400 <= status < 600 else 500, {}, encoded({"message": words}))
    return BatchLine(name, Fate.REFUSED, answer, string(code) or str(code or ""), words)
