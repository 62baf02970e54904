"""Anthropic's Message Batches: all requests in one body, all answers in one stream of lines. Pure.

platform.claude.com, batch processing and its API reference, and recorded exchanges, as of 2026-11. A batch keeps no
name of ours and shows no progress: its counts say "processing" of all until it has ended. A cancelled one just ends.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from pipeline.errors import Kind
from pipeline.job.settings import Model
from pipeline.providers import batch_words
from pipeline.providers.anthropic.errors import failure_of, is_error
from pipeline.providers.anthropic.wire import AnthropicWire
from pipeline.providers.batch_words import moment_s, state_of
from pipeline.providers.batches import BatchAsk, BatchLimits, BatchLine, Fate, Given, Probe, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.providers.hints import shortened
from pipeline.providers.json import encoded, mapping, parsed, string, told_count
from pipeline.types import HttpAnswer

STATES = {  # by their letters alone
    **dict.fromkeys(("canceling", "cancelling"), RemoteState.CANCELLING),
    "ended": RemoteState.ENDED,
}
FATES = {"canceled": Fate.CANCELLED, "cancelled": Fate.CANCELLED, "expired": Fate.EXPIRED}
STATUSES = {  # platform.claude.com, errors: what a live call is answered with
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# How it says that too many requests wait in batches is written nowhere; its other 429s speak of requests per minute.
FULL_WORDS = re.compile(r"\bqueue|\benqueued|in processing|being processed", re.IGNORECASE)
PAGE = 100


class AnthropicBatches:
    """At the endpoint of the live wire."""

    limits = BatchLimits(rows=100_000, size_bytes=256_000_000, keeps_nonce=False, tells_progress=False)

    def __init__(self, model: Model, wire: AnthropicWire, given: Given) -> None:  # noqa: ARG002 (others need all)
        self._wire = wire
        self._url = wire.url + "/batches"

    def __repr__(self) -> str:
        return f"AnthropicBatches({self._url})"

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        """With the job's betas, which are asked of a batch as a whole."""
        return batch_words.bare(self._wire.headers(b"", secret, now))

    def line(self, name: str, body: Body) -> bytes:
        return b'{"custom_id":' + orjson.dumps(name) + b',"params":' + bytes(body) + b"}"

    def upload(self, nonce: str) -> None:  # noqa: ARG002 (there is no file)
        return None

    def uploaded(self, answer: HttpAnswer) -> str:  # noqa: ARG002 (as above)
        return ""

    def file_look(self, file_ref: str) -> None:  # noqa: ARG002 (as above)
        return None

    def file_ready(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 (as above)
        return True

    def create(self, nonce: str, file_ref: str) -> BatchAsk:  # noqa: ARG002 (it has a place for neither)
        return BatchAsk(
            "POST", self._url, "application/json", b'{"requests":[', lines=True, between=b",", tail=b"]}"
        )  # fmt: skip

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        if answer.status < 300:
            return self.looked(answer)
        failed = failure_of(answer, parsed(answer.body))
        if failed.kind is not Kind.THROTTLED or not FULL_WORDS.search(failed.message):
            raise failed
        wait_s = failed.retry_after_s
        return RemoteBatch("", RemoteState.FAILED, "", error=failed.message, full=True, retry_after_s=wait_s)

    def look(self, batch_id: str) -> BatchAsk:
        return BatchAsk("GET", self._of(batch_id))

    def looked(self, answer: HttpAnswer) -> RemoteBatch:
        return batch_words.batch_in(answer, _batch(_told(answer)))

    def cancel(self, batch_id: str) -> BatchAsk:
        return BatchAsk("POST", self._of(batch_id) + "/cancel")

    def listing(self, page: str = "") -> BatchAsk:
        after = f"&after_id={quote(page, safe='')}" if page else ""
        return BatchAsk("GET", f"{self._url}?limit={PAGE}{after}")

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        return batch_words.page_in(answer, _told(answer), _batch)

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """Never at the host that `results_url` names: it would be sent the key."""
        return tuple(BatchAsk("GET", self._of(name) + "/results") for name in batch.results)

    def read(self, line: bytes) -> BatchLine | None:
        told = batch_words.line_of(line)
        name = string(told.get("custom_id"))
        return _line(name, mapping(told["result"])) if name and "result" in told else None

    def access(self) -> tuple[Probe, ...]:
        return (Probe("batches", self.listing(), self.listed),)

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """The batch itself, with its results: there are no files."""
        return (BatchAsk("DELETE", self._of(batch.id)),) if batch.id else ()

    def _of(self, batch_id: str) -> str:
        return f"{self._url}/{quote(batch_id, safe='')}"


def _told(answer: HttpAnswer) -> Mapping[str, Any]:
    return batch_words.told_in(answer, failure_of, is_error)


def _batch(told: Mapping[str, Any]) -> RemoteBatch:
    """A batch that has ended has results, whether or not they are still kept there."""
    name, status = string(told.get("id")), string(told.get("processing_status"))
    state = state_of(status, STATES)
    counts = mapping(told.get("request_counts"))
    numbers = {word: number for word in counts if (number := told_count(counts[word])) is not None}
    rows = sum(numbers.values()) or None
    ended = state is RemoteState.ENDED
    return RemoteBatch(
        name,
        state,
        status,
        rows=rows,
        done=rows - numbers.get("processing", 0) if ended and rows else None,
        results=(name,) if ended and name else (),
        created_s=moment_s(told.get("created_at")),
    )


def _line(name: str, result: Mapping[str, Any]) -> BatchLine:
    word = string(result.get("type")).lower()
    if word in FATES:
        return BatchLine(name, FATES[word], error_code=word)
    if word == "errored" or (word != "succeeded" and "error" in result):
        return _refused(name, result.get("error"))
    # A message, or something that nobody knows, and nobody says that it was not billed.
    return BatchLine(name, Fate.ANSWERED, HttpAnswer(200, {}, encoded(result.get("message"))))


def _refused(name: str, told: object) -> BatchLine:
    """The error stands in an envelope, as that of a live call does, or bare."""
    error = mapping(told)
    inner = error["error"] if isinstance(error.get("error"), dict) else error
    code, number = string(inner.get("type")), string(error.get("request_id"))
    answer = HttpAnswer(STATUSES.get(code, 500), {"request-id": number} if number else {}, encoded(told))
    return BatchLine(name, Fate.REFUSED, answer, code, shortened(string(inner.get("message"))))
