"""Anthropic's Message Batches. Facts: recorded exchanges of 2026-08, the vendor's reference as of 2026-11.

A batch keeps no name of ours and shows no progress. What is wrong with a line's params is an error of that line; what
is wrong with its name refuses the whole batch when it is created.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from mmap import mmap
from typing import Any

import msgspec
import orjson
from aiohttp import web
from msgspec import Raw, Struct

from pipeline.sandbox.batches.dialect import Asked, Ran
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.http import Ask, Handle, body_of, streamed, told
from pipeline.sandbox.batches.lines import LineFile
from pipeline.sandbox.batches.store import DAY_S, ENDS, Batch, Fate
from pipeline.sandbox.batches.work import Task
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.anthropic.errors import broken, refusal, throttled
from pipeline.sandbox.wires.anthropic.wire import VERSIONS, Anthropic

ROOT = "/v1/messages/batches"
KEPT_S = 29 * DAY_S  # of results, from the creation
MOST_BYTES = 256 * 1000 * 1000
MOST_LINES = 100_000
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
UNRUN = {Fate.EXPIRED: "expired", Fate.CANCELLED: "canceled"}


class Wanted(Struct, forbid_unknown_fields=True):
    requests: list[Raw]


class AnthropicBatches:
    name = "anthropic"
    wire = Anthropic()

    def authorise(self, received: Received) -> None:
        self.wire.authorise(received)
        if received.headers.get("anthropic-version") not in VERSIONS:
            raise refusal(400, "anthropic-version: header is required, with a version that there is")

    def refusal(self, status: int, message: str) -> Refused:
        if status >= 500:
            return broken(status)
        if status == 429:
            return throttled("message batches", None)
        return refusal(status, message, KINDS.get(status, "invalid_request_error"))

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        return orjson.loads(line)["custom_id"]

    def asked(self, batch: Batch, line: bytes) -> Asked:
        params = orjson.loads(line)["params"]
        if isinstance(params, dict) and params.get("stream"):
            raise refusal(400, "stream: a request in a batch cannot be streamed")
        return Asked(self.wire, Received("POST", "/v1/messages", "", batch.told["headers"], orjson.dumps(params)))

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        return False, {"custom_id": name, "result": None if ran.null else _result(ran)}

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        """Of (method, path, operation, handler)."""
        return [
            ("POST", ROOT, "create", self.create),
            ("GET", ROOT, "list", self.list_batches),
            ("GET", ROOT + "/{id}", "look", self.look),
            ("DELETE", ROOT + "/{id}", "delete", self.delete),
            ("GET", ROOT + "/{id}/results", "content", self.results),
            ("POST", ROOT + "/{id}/cancel", "cancel", self.cancel),
        ]

    async def create(self, ask: Ask) -> web.Response:
        desk = ask.desk
        too_large = refusal(413, "Request exceeds the maximum size", "request_too_large")
        body = await body_of(ask, desk.faults.set.most_bytes or MOST_BYTES, too_large)
        if ask.word == "full":
            raise refusal(429, "Too many requests are waiting in batches of this workspace.", "rate_limit_error")
        source = LineFile(desk.path())
        await desk.in_thread(source.append, _lines(body))
        batch = desk.opened(ask.account, len(source), life_s=DAY_S, failed=None)
        batch.id = f"msgbatch_{batch.id[:24]}"
        batch.told = {"headers": ask.received.headers, "host": ask.request.host}
        answers = LineFile(desk.path())
        desk.keep(Task(batch, self, source, answers, answers))
        return told(self._batch(batch, ask.now_s))

    def _found(self, ask: Ask) -> Batch:
        batch = ask.desk.store.batches.get(ask.match("id"))
        if batch is None or batch.account != ask.account:
            raise refusal(404, f"Message batch {ask.match('id')} not found.", "not_found_error")
        return batch

    async def look(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        batch.looks += 1
        if batch.looks <= batch.course.unseen_looks:
            raise refusal(404, f"Message batch {batch.id} not found.", "not_found_error")
        await ask.desk.settle(batch)
        return told(self._batch(batch, ask.now_s))

    async def cancel(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        if not batch.cancel(ask.now_s):
            raise refusal(400, f"Message batch {batch.id} cannot be canceled: it has ended.")
        await ask.desk.settle(batch)
        return told(self._batch(batch, ask.now_s))

    async def delete(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        await ask.desk.settle(batch)
        if batch.phase(ask.now_s) not in ENDS:
            raise refusal(400, f"Message batch {batch.id} cannot be deleted while it is processed: cancel it first.")
        ask.desk.forget(batch)
        return told({"id": batch.id, "type": "message_batch_deleted"})

    async def results(self, ask: Ask) -> web.StreamResponse:
        batch = self._found(ask)
        await ask.desk.settle(batch)
        if batch.course.gone:
            raise self.refusal(batch.course.gone, f"Results of message batch {batch.id} are not available.")
        if batch.phase(ask.now_s) not in ENDS or ask.now_s >= batch.plan.created_s + KEPT_S:
            raise refusal(404, f"Message batch {batch.id} has no results.", "not_found_error")
        answers = ask.desk.task(batch).answers
        return await streamed(ask, batch.delivered(answers), len(answers), "application/x-jsonl")

    async def list_batches(self, ask: Ask) -> web.Response:
        found = list(ask.desk.store.latest(ask.account, ask.now_s))
        names = [batch.id for batch in found]
        most = min(ask.number("limit", 20, 1000), ask.desk.faults.set.list_page or 1000)
        start, end = 0, len(found)
        if "after_id" in ask.query:
            start = _place(names, ask.query["after_id"]) + 1
        elif "before_id" in ask.query:
            end = _place(names, ask.query["before_id"])
            start = max(0, end - most)
        shown = found[start : min(end, start + most)]
        more = start > 0 if "before_id" in ask.query else start + most < end
        ends = {"first_id": shown[0].id if shown else None, "last_id": shown[-1].id if shown else None}
        return told({"data": [self._batch(batch, ask.now_s) for batch in shown], "has_more": more, **ends})

    def _batch(self, batch: Batch, now_s: float) -> dict[str, Any]:
        phase, plan = batch.phase(now_s), batch.plan
        ended = phase in ENDS
        asked = now_s >= plan.cancelled_s
        kept = now_s < plan.created_s + KEPT_S
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if asked else "in_progress",
            "request_counts": _counts(batch, ended=ended),
            "ended_at": instant(plan.end()[1]) if ended else None,
            "created_at": instant(plan.created_s),
            "expires_at": instant(plan.expires_s),
            "archived_at": None if kept else instant(plan.created_s + KEPT_S),
            "cancel_initiated_at": instant(plan.cancelled_s) if asked else None,
            "results_url": f"http://{batch.told['host']}{ROOT}/{batch.id}/results" if ended and kept else None,
        }


def _lines(body: mmap | bytes) -> list[Raw]:
    """Of a batch to be created."""
    try:
        found = msgspec.json.decode(body, type=Wanted).requests
    except msgspec.MsgspecError as error:
        raise refusal(400, f"requests: {error}") from None
    if not 1 <= len(found) <= MOST_LINES:
        raise refusal(400, f"requests: there should be 1 to {MOST_LINES}")
    for number, name in _names(found):
        if not isinstance(name, str) or not NAME.match(name):
            raise refusal(400, f"requests.{number}.custom_id: String should match pattern '{NAME.pattern}'")
    if len({name for _, name in _names(found)}) < len(found):
        raise refusal(400, "requests: custom_id should be unique in the batch")
    return found


def _names(lines: list[Raw]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines):
        request = orjson.loads(memoryview(line))
        if not isinstance(request, dict) or not isinstance(request.get("params"), dict):
            raise refusal(400, f"requests.{number}.params: Field required")
        yield number, request.get("custom_id")


def _place(names: list[str], name: str) -> int:
    if name not in names:
        raise refusal(400, f"{name} is not a batch of this workspace")
    return names.index(name)


def _result(ran: Ran) -> dict[str, Any]:
    if not ran.status:
        return {"type": UNRUN[ran.fate]}
    if ran.status >= 400:
        return {"type": "errored", "error": ran.body}
    usage = {"usage": {**ran.body["usage"], "service_tier": "batch"}} if "usage" in ran.body else {}
    return {"type": "succeeded", "message": {**ran.body, **usage}}


def _counts(batch: Batch, *, ended: bool) -> dict[str, int]:
    """Until the end all are processing."""
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    run = batch.fates[Fate.ANSWERED] + batch.fates[Fate.REFUSED]
    fates = (0, run - batch.errors, batch.errors, batch.fates[Fate.CANCELLED], batch.fates[Fate.EXPIRED])
    return dict(zip(names, fates if ended else (batch.plan.count, 0, 0, 0, 0), strict=True))


def instant(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()
