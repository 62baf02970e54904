"""Vertex AI's batch prediction jobs: requests in a bucket, a job over them, answers in a folder of that bucket. Pure.

docs.cloud.google.com, "Batch inference from Cloud Storage" and the reference of batchPredictionJobs, and reports
(googleapis/python-aiplatform#1166, #2621, #4110), as of 2026-11. Answers come in any order, and nothing of a line comes
back for sure but its request: our name for it stands among the labels there. A create that is repeated is a second job.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

import orjson
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers import batch_words
from pipeline.providers.batch_words import moment_s, state_of, unread
from pipeline.providers.batches import BatchAsk, BatchLimits, BatchLine, Fate, Given, Probe, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.gemini.batch_lines import as_live, vertex_line_in
from pipeline.providers.gemini.bucket import Bucket
from pipeline.providers.gemini.listing import failure
from pipeline.providers.gemini.response_schema import response_schema
from pipeline.providers.gemini.wire import VertexWire, quoted
from pipeline.providers.hints import shortened
from pipeline.providers.json import count, items, mapping, string, told_count
from pipeline.types import HttpAnswer

LABEL = "pipeline-line"  # among a request's labels: our name of the line
NONCE = "pipeline-batch"  # among a job's
MODEL_URL = re.compile(r"^(.+?/v1)/(projects/[^/]+/locations/[^/]+)/(publishers/google/models/.+|models/.+):[a-zA-Z]+$")
PREFIX = re.compile(r"^JOB_STATE_", re.IGNORECASE)
STATES = {
    **dict.fromkeys(("succeeded", "partiallysucceeded", "cancelled", "expired"), RemoteState.ENDED),
    "cancelling": RemoteState.CANCELLING,
    "failed": RemoteState.FAILED,
}
REST = {
    "cancelled": Fate.CANCELLED,
    "expired": Fate.EXPIRED,
    "partiallysucceeded": Fate.EXPIRED,
    "failed": Fate.EXPIRED,
}
CODES = {"cancelled": "batch_cancelled", "expired": "batch_expired"}
FIELDS = {"properties", "$defs"}  # keys of a schema whose members are schemas by their names
FULL = 8  # google.rpc.Code: RESOURCE_EXHAUSTED
JSON = "application/json"
PAGE = 100


class VertexBatches:
    """In the live wire's project and region; `batch.gcs_url` names the bucket."""

    limits = BatchLimits(rows=200_000, size_bytes=1_000_000_000, life_s=0.0)  # it ends 24 h after its queue does

    def __init__(self, model: Model, wire: VertexWire, given: Given) -> None:
        if not given.batch.gcs_url:
            raise JobError("model.lane = 'batch' with vertex needs batch.gcs_url: gs://BUCKET/PREFIX")
        found = MODEL_URL.match(wire.url)
        if found is None:
            why = "a batch of Vertex AI needs a project, and a model of Google's or a tuned one by its name"
            raise JobError(f"model.name = {model.name!r}: {why}. An API key or an endpoint takes live calls only")
        base, parent, name = found.groups()
        self._wire, self._bucket = wire, Bucket(given.batch.gcs_url, given.environ)
        self._base, self._url = base, f"{base}/{parent}/batchPredictionJobs"
        self._model = unquote(name if name.startswith("publishers/") else f"{parent}/{name}")
        self._live, self._batched = _schemas(wire)

    def __repr__(self) -> str:
        return f"VertexBatches({self._url})"

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:
        if self._bucket.emulated and self._bucket.owns(ask):
            return {}
        return batch_words.bare(self._wire.headers(b"", secret, now))

    def line(self, name: str, body: Body) -> bytes:
        """The schema in its other form, once; it stands before all that a document says."""
        asked = bytes(body).replace(self._live, self._batched, 1) if self._live else bytes(body)
        return b'{"request":' + _labelled(asked, name) + b"}"

    def upload(self, nonce: str) -> BatchAsk:
        return self._bucket.put(self._bucket.uri(f"{nonce}.jsonl"))

    def uploaded(self, answer: HttpAnswer) -> str:
        return self._bucket.put_as(answer)

    def file_look(self, file_ref: str) -> BatchAsk | None:  # noqa: ARG002 (it can be used at once)
        return None

    def file_ready(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 (as above)
        return True

    def create(self, nonce: str, file_ref: str) -> BatchAsk:
        job = {
            "displayName": nonce,
            "model": self._model,
            "inputConfig": {
                "instancesFormat": "jsonl",
                "gcsSource": {"uris": [file_ref or self._bucket.uri(f"{nonce}.jsonl")]},
            },
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": self._bucket.uri(nonce)},
            },
            "labels": {NONCE: nonce},
        }
        return BatchAsk("POST", self._url, JSON, orjson.dumps(job))

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        return self.looked(answer)

    def look(self, batch_id: str) -> BatchAsk:
        return BatchAsk("GET", self._of(batch_id))

    def looked(self, answer: HttpAnswer) -> RemoteBatch:
        return batch_words.batch_in(answer, _batch(_told(answer)))

    def cancel(self, batch_id: str) -> BatchAsk:
        return BatchAsk("POST", f"{self._of(batch_id)}:cancel", JSON, b"{}")

    def listing(self, page: str = "") -> BatchAsk:
        after = f"&pageToken={quote(page, safe='')}" if page else ""
        return BatchAsk("GET", f"{self._url}?pageSize={PAGE}{after}")

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        """In what order is told nowhere. A list that is empty is left out of the answer."""
        told = _told(answer)
        if told and not {"batchPredictionJobs", "nextPageToken"} & told.keys():
            raise unread(answer, "no list of jobs in the answer")
        found = (_batch(one, listed=True) for one in items(told.get("batchPredictionJobs")))
        return tuple(one for one in found if one.id), string(told.get("nextPageToken"))

    def inside(self, batch: RemoteBatch, page: str = "") -> BatchAsk:
        return self._bucket.contents(batch.inside, page)

    def filled(self, batch: RemoteBatch, answer: HttpAnswer) -> tuple[RemoteBatch, str]:
        """With the names of its results, which it chooses itself."""
        names, page = self._bucket.names(answer)
        return replace(batch, results=(*batch.results, *names)), page

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        return tuple(self._bucket.fetch(uri) for uri in batch.results)

    def read(self, line: bytes) -> BatchLine | None:
        return vertex_line_in(line, LABEL)

    def access(self) -> tuple[Probe, ...]:
        return (
            Probe("batches", self.listing(), self.listed),
            Probe("bucket", self._bucket.contents(self._bucket.uri("")), self._bucket.names),
        )

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """Our files; the job stays in the project's list."""
        return tuple(self._bucket.delete(uri) for uri in (batch.file_ref, *batch.results) if uri)

    def _of(self, name: str) -> str:
        return f"{self._base}/{quoted(name)}"


def _schemas(wire: VertexWire) -> tuple[bytes, bytes]:
    """How the body has the schema live, and in a batch, where an empty object breaks the import of all lines."""
    schema = wire.shape.schema
    if wire.shape.mode == "json_schema":  # as of AI Studio: see `batches`
        return b'"responseJsonSchema":' + orjson.dumps(schema), b'"responseSchema":' + orjson.dumps(
            response_schema(schema)
        )
    if wire.shape.mode == "tool":
        member = b'"parametersJsonSchema":'
        return member + orjson.dumps(schema), member + orjson.dumps(_filled(schema))
    return b"", b""


def _filled(value: Any, key: str = "") -> Any:  # noqa: ANN401 (any JSON value)
    """A schema without empty objects, which say nothing in it but that there is a field."""
    if isinstance(value, list):
        return [_filled(one) for one in value]
    if not isinstance(value, dict):
        return value
    if key in FIELDS:
        return {name: _filled(one) or {"title": name} for name, one in value.items()}
    return {name: _filled(one, name) for name, one in value.items() if one != {}}


def _labelled(body: bytes, name: str) -> bytes:
    """With our name among the request's labels, which stand last where the wire has some, or where `extra` has them."""
    label = orjson.dumps({LABEL: name})[1:-1]
    if body.endswith(b"]}") and b'"labels":' not in body:
        return body[:-1] + b',"labels":{' + label + b"}}"
    request = orjson.loads(body)
    return orjson.dumps({**request, "labels": {**mapping(request.get("labels")), LABEL: name}})


def _told(answer: HttpAnswer) -> Mapping[str, Any]:
    return batch_words.told_in(answer, lambda told, _: failure(told), _is_error)


def _is_error(body: object) -> bool:
    """A job that failed has an error too: it is one that can be told of."""
    told = mapping(body)
    return "error" in told and "name" not in told


def _batch(told: Mapping[str, Any], *, listed: bool = False) -> RemoteBatch:
    """Counts are strings, those of 0 left out. `listed`: without its time, by which a list in no order would be cut."""
    word, stats = string(told.get("state")), mapping(told.get("completionStats"))
    good, bad = count(stats.get("successfulCount")), count(stats.get("failedCount"))
    left = told_count(stats.get("incompleteCount"))
    folder = string(mapping(told.get("outputInfo")).get("gcsOutputDirectory"))
    state, bare = _state(word, wrote=bool(good + bad or folder), begun=bool(folder or told.get("startTime")))
    error = mapping(told.get("error"))
    sources = mapping(mapping(told.get("inputConfig")).get("gcsSource")).get("uris")
    return RemoteBatch(
        string(told.get("name")),
        state,
        word,
        rows=good + bad + max(left or 0, 0) if stats else None,
        done=good + bad if stats else None,
        inside=folder if state is RemoteState.ENDED and not listed else "",
        nonce=string(mapping(told.get("labels")).get(NONCE)) or string(told.get("displayName")),
        file_ref=string(next(iter(sources), "")) if isinstance(sources, list) else "",
        created_s=None if listed else moment_s(told.get("createTime")),
        error_code=CODES.get(bare, "") or (str(error["code"])[:40] if error.get("code") else ""),
        error=shortened(string(error.get("message"))),
        kind=failure(as_live(error)[1]).kind if error and state is RemoteState.FAILED else None,
        full=state is RemoteState.FAILED and error.get("code") == FULL,
        rest=REST.get(bare),
    )


def _state(word: str, *, wrote: bool, begun: bool) -> tuple[RemoteState, str]:
    """One that never began, or failed and has written nothing, has billed nothing."""
    bare = re.sub(r"[^a-z]", "", PREFIX.sub("", word).lower())
    state = state_of(bare, STATES)
    if state is RemoteState.FAILED and wrote:
        return RemoteState.ENDED, bare
    if state is RemoteState.ENDED and bare in CODES and not begun:
        return RemoteState.FAILED, bare
    return state, bare
