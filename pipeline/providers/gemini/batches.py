"""Gemini's batches: a file of requests goes up, a long-running Operation tells of it, a file comes down. Pure.

ai.google.dev, Batch API and Files API; the Operation and lines that it really answers with; and reports, as of 2026-11.
A create that is repeated makes a second batch; a file's name is ours, so that an upload can be repeated.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from msgspec.structs import replace

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.providers import batch_words
from pipeline.providers.batch_words import moment_s, state_of, unread
from pipeline.providers.batches import BatchAsk, BatchLimits, BatchLine, Given, Probe, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.gemini.batch_lines import as_live, line_in
from pipeline.providers.gemini.errors import CURRENT_QUOTA, kind_of, status_in
from pipeline.providers.gemini.listing import failure
from pipeline.providers.gemini.response_schema import response_schema
from pipeline.providers.gemini.wire import BASE_URL, VERSION, GeminiWire, quoted
from pipeline.providers.hints import shortened
from pipeline.providers.json import count, encoded, items, mapping, parsed, string
from pipeline.types import HttpAnswer

PREFIX = re.compile(r"^(?:BATCH|JOB)_STATE_", re.IGNORECASE)  # the API says the one, its documents and SDK the other
STATES = {
    **dict.fromkeys(("succeeded", "partiallysucceeded", "cancelled", "canceled", "expired"), RemoteState.ENDED),
    **dict.fromkeys(("cancelling", "canceling"), RemoteState.CANCELLING),
    "failed": RemoteState.FAILED,
}
NOTHING_DONE = {"expired": "batch_expired", "cancelled": "batch_cancelled", "canceled": "batch_cancelled"}
FULL = 8  # google.rpc.Code: RESOURCE_EXHAUSTED
OUR_FILE = re.compile(r"files/[a-z0-9][a-z0-9-]{0,39}")
LINES = "application/jsonl"
JSON = "application/json"
PAGE = 100
MEMBER = b'"responseJsonSchema":'


class GeminiBatches:
    """At the host of the live wire. Requests always go as a file, for inline ones lose their names now and then."""

    # No number of rows is told, and none that is larger has been tried.
    limits = BatchLimits(rows=100_000, size_bytes=2_000_000_000, life_s=172_800.0)

    def __init__(self, model: Model, wire: GeminiWire, given: Given) -> None:  # noqa: ARG002 (others need all)
        self._wire = wire
        self._host = (model.base_url or BASE_URL).rstrip("/").removesuffix(f"/{VERSION}")
        self._live = self._batched = b""
        if wire.shape.mode == "json_schema":
            # Under `responseJsonSchema` answers degenerate in a batch: crmne/ruby_llm#894, 0 of 502 right.
            self._live = MEMBER + orjson.dumps(wire.shape.schema)
            self._batched = b'"responseSchema":' + orjson.dumps(response_schema(wire.shape.schema))

    def __repr__(self) -> str:
        return f"GeminiBatches({self._host})"

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return batch_words.bare(self._wire.headers(b"", secret, now))

    def line(self, name: str, body: Body) -> bytes:
        """The schema in its other form; it stands before all that a document says."""
        asked = bytes(body).replace(self._live, self._batched, 1) if self._live else bytes(body)
        return b'{"key":' + orjson.dumps(name) + b',"request":' + asked + b"}"

    def upload(self, nonce: str) -> BatchAsk:
        """Lines are JSON, and each begins with a brace: none can look like a boundary."""
        about = {"file": {"name": f"files/{nonce}", "displayName": nonce, "mimeType": LINES}}
        start = f"--{nonce}\r\nContent-Type: {JSON}; charset=UTF-8\r\n\r\n".encode()
        return BatchAsk(
            "POST",
            f"{self._host}/upload/{VERSION}/files",
            f"multipart/related; boundary={nonce}",
            start + orjson.dumps(about) + f"\r\n--{nonce}\r\nContent-Type: {LINES}\r\n\r\n".encode(),
            lines=True,
            tail=f"\n\r\n--{nonce}--\r\n".encode(),
            headers={"X-Goog-Upload-Protocol": "multipart"},
        )

    def uploaded(self, answer: HttpAnswer) -> str:
        """A name that is taken is ours: the file went up before, whole, for it is one request."""
        if answer.status == 409:
            found = OUR_FILE.search(answer.body.decode("utf-8", "replace"))
            return found.group() if found else ""
        told = _told(answer)
        if not (name := string(mapping(told.get("file")).get("name")) or string(told.get("name"))):
            raise unread(answer, "no file in the answer")
        return name

    def file_look(self, file_ref: str) -> BatchAsk | None:
        return BatchAsk("GET", self._of(file_ref)) if file_ref else None

    def file_ready(self, answer: HttpAnswer) -> bool:
        if answer.status == 404:
            return False
        told = _told(answer)
        status = string(told.get("state")).upper()
        if status == "FAILED":
            words = shortened(string(mapping(told.get("error")).get("message")))
            raise CallFailed(Kind.INVALID_REQUEST, f"the uploaded file is not taken: {words}", answer.status)
        return status != "PROCESSING"

    def create(self, nonce: str, file_ref: str) -> BatchAsk:
        batch = {"displayName": nonce, "inputConfig": {"fileName": file_ref or f"files/{nonce}"}}
        url = self._wire.url.removesuffix(":generateContent") + ":batchGenerateContent"
        return BatchAsk("POST", url, JSON, orjson.dumps({"batch": batch}))

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        if answer.status < 300:
            return self.looked(answer)
        failed = failure(answer)
        if not _full(answer):
            raise failed
        wait_s = failed.retry_after_s
        return RemoteBatch("", RemoteState.FAILED, "", error=failed.message, full=True, retry_after_s=wait_s)

    def look(self, batch_id: str) -> BatchAsk:
        return BatchAsk("GET", self._of(batch_id))

    def looked(self, answer: HttpAnswer) -> RemoteBatch:
        return batch_words.batch_in(answer, _batch(_told(answer)))

    def cancel(self, batch_id: str) -> BatchAsk:
        return BatchAsk("POST", f"{self._of(batch_id)}:cancel", JSON, b"{}")

    def listing(self, page: str = "") -> BatchAsk:
        after = f"&pageToken={quote(page, safe='')}" if page else ""
        return BatchAsk("GET", f"{self._of('batches')}?pageSize={PAGE}{after}")

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        """A list that is empty is left out of the answer."""
        told = _told(answer)
        if told and not {"operations", "nextPageToken"} & told.keys():
            raise unread(answer, "no list of batches in the answer")
        found = (_batch(one) for one in items(told.get("operations")))
        return tuple(one for one in found if one.id), string(told.get("nextPageToken"))

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        place = f"{self._host}/download/{VERSION}"
        return tuple(BatchAsk("GET", f"{place}/{quoted(name)}:download?alt=media") for name in batch.results)

    def read(self, line: bytes) -> BatchLine | None:
        return line_in(line)

    def access(self) -> tuple[Probe, ...]:
        return (Probe("batches", self.listing(), self.listed),)

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """The batch too. A result file may refuse it: its name is longer than a file's may be."""
        names = (batch.file_ref, *batch.results, batch.id)
        return tuple(BatchAsk("DELETE", self._of(name)) for name in names if name)

    def _of(self, name: str) -> str:
        return f"{self._host}/{VERSION}/{quoted(name)}"


def _told(answer: HttpAnswer) -> Mapping[str, Any]:
    return batch_words.told_in(answer, lambda told, _: failure(told), _is_error)


def _is_error(body: object) -> bool:
    """An Operation that failed has an error too: it is one that can be told of."""
    told = mapping(body)
    return bool(told.get("error")) and not told.get("name")


def _full(answer: HttpAnswer) -> bool:
    """Whether too much waits in batches: told in the words of any quota, which name no quota of a day or a payment."""
    if answer.status != 429:
        return False
    status = status_in(answer.status, mapping(parsed(answer.body)), answer.body)
    return kind_of(replace(status, message=CURRENT_QUOTA.sub("", status.message))) is Kind.THROTTLED


def _batch(told: Mapping[str, Any]) -> RemoteBatch:
    """An Operation, whose metadata is the batch, or the batch itself. Counts are strings, and those of 0 left out."""
    about = mapping(told.get("metadata")) or told
    word, stats = string(about.get("state")), mapping(about.get("batchStats"))
    output = mapping(told.get("response")) or mapping(about.get("output"))
    results = tuple(filter(None, (string(output.get("responsesFile")),)))
    inlined = tuple(_inlined(output))
    rows, good = count(stats.get("requestCount")), count(stats.get("successfulRequestCount"))
    state, code = _state(told, word, none_done=not (results or inlined or good), begun=_begun(stats))
    error = mapping(told.get("error"))
    return RemoteBatch(
        string(told.get("name")),
        state,
        word,
        rows=rows or None,
        done=good + count(stats.get("failedRequestCount")) if rows else None,
        results=results,
        inlined=inlined,
        nonce=string(about.get("displayName")),
        file_ref=string(mapping(about.get("inputConfig")).get("fileName")),
        created_s=moment_s(about.get("createTime")),
        error_code=code or (str(error["code"])[:40] if error.get("code") else ""),
        error=shortened(string(error.get("message"))),
        kind=failure(as_live(error)[1]).kind if error and state is RemoteState.FAILED else None,
        full=state is RemoteState.FAILED and error.get("code") == FULL,
    )


def _state(told: Mapping[str, Any], word: str, *, none_done: bool, begun: bool) -> tuple[RemoteState, str]:
    """And a code. One that expired gives nothing, and has done nothing unless its counts say so."""
    bare = PREFIX.sub("", word)
    state = state_of(bare, STATES)
    if state is RemoteState.RUNNING and told.get("done") is True:
        state = RemoteState.FAILED if told.get("error") else RemoteState.ENDED
    if state is RemoteState.FAILED and not none_done:
        return RemoteState.ENDED, ""  # what was answered before may have been billed
    code = NOTHING_DONE.get(bare.lower(), "")
    if code and none_done and (code == "batch_expired" or not begun):
        return RemoteState.FAILED, code
    return state, ""


def _begun(stats: Mapping[str, Any]) -> bool:
    """Whether any request may have been looked at."""
    rows = count(stats.get("requestCount"))
    return not rows or count(stats.get("pendingRequestCount")) < rows


def _inlined(output: Mapping[str, Any]) -> Iterator[bytes]:
    """Answers to requests that went inline, in the form of a file's lines. One that is null has no name."""
    found = output.get("inlinedResponses")
    for one in items(found if isinstance(found, list) else mapping(found).get("inlinedResponses")):
        yield encoded(one)
