"""OpenAI's Batch API: a file of requests goes up, files of answers come down. Pure.

developers.openai.com/api/docs/guides/batch, the API's reference, and recorded exchanges, as of 2026-11. There is no
idempotency key: `metadata`, and the file that a batch is of, tell ours from others.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from pipeline.errors import Kind
from pipeline.job.settings import Model
from pipeline.providers import batch_words
from pipeline.providers.batch_words import moment_s, state_of, waiting_most
from pipeline.providers.batches import BatchAsk, BatchLimits, BatchLine, Fate, Given, Probe, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.hints import shortened
from pipeline.providers.json import count, encoded, items, mapping, parsed, string, told_count
from pipeline.providers.openai.errors import failure_of, is_error
from pipeline.providers.openai.wire import OpenAIWire
from pipeline.types import HttpAnswer

STATES = {  # by their letters alone; the others (validating, in_progress, finalizing) are of one that is running
    **dict.fromkeys(("completed", "expired", "cancelled", "canceled"), RemoteState.ENDED),
    **dict.fromkeys(("cancelling", "canceling"), RemoteState.CANCELLING),
    "failed": RemoteState.FAILED,
}
FATES = {
    "batch_expired": Fate.EXPIRED,
    "batch_cancelled": Fate.CANCELLED,
    "batch_canceled": Fate.CANCELLED,
}
FULL = "token_limit_exceeded"  # more prompt tokens would wait than may, over all batches of a model
FULL_WORDS = re.compile(r"token_?limit_?exceeded|enqueued[ _]tokens?", re.IGNORECASE)
KEPT_S = 14 * 86_400  # an hour to 30 days; the least that Azure takes
WINDOW = "24h"  # the only one there is
PAGE = 100
JSON = "application/json"


class OpenAIBatches:
    """At the endpoint of the live wire."""

    limits = BatchLimits(rows=50_000, size_bytes=200_000_000)

    def __init__(self, model: Model, wire: OpenAIWire, given: Given) -> None:  # noqa: ARG002 (others need all)
        self._wire = wire
        self._base, self._query = self._place(model)
        self._endpoint = self._asked_at(wire.path)
        self._middle = b',"method":"POST","url":' + orjson.dumps(self._endpoint) + b',"body":'

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base})"

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return batch_words.bare(self._wire.headers(b"", secret, now))

    def line(self, name: str, body: Body) -> bytes:
        return b'{"custom_id":' + orjson.dumps(name) + self._middle + bytes(body) + b"}"

    def upload(self, nonce: str) -> BatchAsk:
        """Lines are JSON, and each begins with a brace: none can look like a boundary."""
        fields = {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": str(KEPT_S)}
        parts = "".join(f"{_part(nonce, name)}\r\n\r\n{value}\r\n" for name, value in fields.items())
        head = f'{parts}{_part(nonce, "file")}; filename="{nonce}.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'
        return BatchAsk(
            "POST",
            self._at("/files"),
            f"multipart/form-data; boundary={nonce}",
            head.encode(),
            lines=True,
            tail=f"\n\r\n--{nonce}--\r\n".encode(),
        )

    def uploaded(self, answer: HttpAnswer) -> str:
        if not (name := string(told_in(answer).get("id"))):
            raise batch_words.unread(answer, "no file in the answer")
        return name

    def file_look(self, file_ref: str) -> BatchAsk | None:  # noqa: ARG002 (Azure's takes a while)
        return None

    def file_ready(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 (as above)
        return True

    def create(self, nonce: str, file_ref: str) -> BatchAsk:
        asked = {
            "input_file_id": file_ref,
            "endpoint": self._endpoint,
            "completion_window": WINDOW,
            "metadata": {"nonce": nonce},
        }
        return BatchAsk("POST", self._at("/batches"), JSON, orjson.dumps(asked))

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        failed = None if answer.status < 300 else failure_of(answer, parsed(answer.body))
        if (
            failed is not None
            and 400 <= answer.status < 500
            and FULL_WORDS.search(answer.body.decode("utf-8", "replace"))
        ):
            most, wait_s = waiting_most(failed.message), failed.retry_after_s
            return RemoteBatch("", RemoteState.FAILED, "", error_code=FULL, error=failed.message, full=True,
                               waiting_tokens_most=most, retry_after_s=wait_s)  # fmt: skip
        if failed is not None:
            raise failed
        return self.looked(answer)

    def look(self, batch_id: str) -> BatchAsk:
        return BatchAsk("GET", self._at(f"/batches/{quoted(batch_id)}"))

    def looked(self, answer: HttpAnswer) -> RemoteBatch:
        return batch_words.batch_in(answer, _batch(told_in(answer)))

    def cancel(self, batch_id: str) -> BatchAsk:
        return BatchAsk("POST", self._at(f"/batches/{quoted(batch_id)}/cancel"))

    def listing(self, page: str = "") -> BatchAsk:
        return BatchAsk("GET", self._at("/batches", f"limit={PAGE}" + (f"&after={quoted(page)}" if page else "")))

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        return batch_words.page_in(answer, told_in(answer), _batch)

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        return tuple(BatchAsk("GET", self._at(f"/files/{quoted(name)}/content")) for name in batch.results)

    def read(self, line: bytes) -> BatchLine | None:
        told = batch_words.line_of(line)
        name = string(told.get("custom_id"))
        return _line(name, told) if name and ("response" in told or "error" in told) else None

    def access(self) -> tuple[Probe, ...]:
        return (Probe("batches", self.listing(), self.listed),)

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        names = (batch.file_ref, *batch.results)
        return tuple(BatchAsk("DELETE", self._at(f"/files/{quoted(name)}")) for name in names if name)

    def _place(self, model: Model) -> tuple[str, str]:  # noqa: ARG002 (Azure's depends on it)
        """What all paths stand behind, and the query that all have."""
        return self._wire.url.removesuffix(self._wire.path), ""

    def _asked_at(self, path: str) -> str:
        """The endpoint that all lines of a batch go to, in the words of the API."""
        return f"/v1{path}"

    def _at(self, path: str, query: str = "") -> str:
        asked = "&".join(filter(None, (self._query, query)))
        return f"{self._base}{path}" + (f"?{asked}" if asked else "")


def told_in(answer: HttpAnswer) -> Mapping[str, Any]:
    return batch_words.told_in(answer, failure_of, is_error)


def _batch(told: Mapping[str, Any]) -> RemoteBatch:
    """Any id may be null, or "" (Azure's), and so may all counts."""
    counts = mapping(told.get("request_counts"))
    done = [told_count(counts.get(name)) for name in ("completed", "failed")]
    results = tuple(name for key in ("output_file_id", "error_file_id") if (name := string(told.get(key))))
    state = state_of(string(told.get("status")), STATES)
    if state is RemoteState.FAILED and (results or count(counts.get("completed"))):
        state = RemoteState.ENDED  # it failed on its way: what was answered until then can be fetched
    errors = items(mapping(told.get("errors")).get("data"))
    codes = [string(one.get("code")) for one in errors]
    words = shortened("; ".join(_words(errors)))
    full = state is RemoteState.FAILED and FULL_WORDS.search(f"{codes} {words}") is not None
    return RemoteBatch(
        string(told.get("id")),
        state,
        string(told.get("status")),
        rows=count(counts.get("total")) or None,
        done=None if None in done else sum(filter(None, done)),
        results=results,
        nonce=string(mapping(told.get("metadata")).get("nonce")),
        file_ref=string(told.get("input_file_id")),
        created_s=moment_s(told.get("created_at")),
        error_code=next(filter(None, codes), ""),
        error=words,
        kind=_kind(errors) if state is RemoteState.FAILED else None,
        full=full,
        waiting_tokens_most=waiting_most(words) if full else None,
        wrong_lines=tuple(sorted({number for one in errors if (number := count(one.get("line")))})),
    )


def _kind(errors: list[Mapping[str, Any]]) -> Kind | None:
    """By the first: the others are of more lines."""
    return failure_of(HttpAnswer(400, {}, b""), {"error": errors[0]}).kind if errors else None


def _words(errors: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in errors[:5]:
        number, message = told_count(one.get("line")), string(one.get("message"))
        yield message if number is None else f"line {number}: {message}"


def _line(name: str, told: Mapping[str, Any]) -> BatchLine:
    response, error = told.get("response"), mapping(told.get("error"))
    code, words = string(error.get("code")), shortened(string(error.get("message")))
    if isinstance(response, dict):
        return _answered(name, response)
    if code.lower() in FATES:
        return BatchLine(name, FATES[code.lower()], error_code=code, error=words)
    if not error:  # nobody says that it was not billed
        return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, b"null"))
    # What is wrong with a request is told in a response: this is the provider's own trouble.
    return BatchLine(name, Fate.REFUSED, HttpAnswer(500, {}, encoded({"error": error})), code, words)


def _answered(name: str, response: Mapping[str, Any]) -> BatchLine:
    status, body = told_count(response.get("status_code")) or 200, response.get("body")
    number = string(response.get("request_id"))
    answer = HttpAnswer(status, {"x-request-id": number} if number else {}, encoded(body))
    if status < 400 and not (is_error(body) and not mapping(body).get("usage")):
        return BatchLine(name, Fate.ANSWERED, answer)
    failed = failure_of(answer, body)
    error = mapping(mapping(body).get("error"))
    return BatchLine(name, Fate.REFUSED, answer, string(error.get("code")) or string(error.get("type")), failed.message)


def _part(boundary: str, name: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'


def quoted(name: str) -> str:
    return quote(name, safe="")
