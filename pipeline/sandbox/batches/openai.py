"""OpenAI's Files and Batches. Facts: recorded exchanges of 2026-08, the vendor's reference as of 2026-11.

What is wrong with a line as such fails the whole batch when it is validated; what is wrong with its body is an error of
that line.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from pipeline.sandbox.batches.desk import Desk
from pipeline.sandbox.batches.dialect import Asked, Ran
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.http import Ask, Handle, spooled, streamed, told
from pipeline.sandbox.batches.lines import PIECE_BYTES, LineFile
from pipeline.sandbox.batches.openai_lines import KEPT_S, MOST_LINES, Problem, check_wanted, kept_s, problems_of
from pipeline.sandbox.batches.openai_shapes import batch_object, status_of
from pipeline.sandbox.batches.store import DAY_S, ENDS, Batch, Fate, StoredFile
from pipeline.sandbox.batches.work import Task
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.openai.errors import broken, refusal, throttled
from pipeline.sandbox.wires.openai.responses import Responses
from pipeline.sandbox.wires.openai.wire import OpenAI

MOST_BYTES = 200 * 1000 * 1000
ENDPOINTS = ("/v1/chat/completions", "/v1/responses")
UNRUN = {
    Fate.EXPIRED: ("batch_expired", "This request could not be executed before the completion window expired."),
    Fate.CANCELLED: ("batch_cancelled", "This request was not executed: the batch was cancelled."),
}
FULL = "Enqueued token limit reached for {model} in this organization. Limit: {limit} enqueued tokens."


class OpenAIBatches:
    name = "openai"
    root = "/v1"
    endpoints: Sequence[str] = ENDPOINTS
    life_s = DAY_S
    most_lines = MOST_LINES
    wire = OpenAI()
    responses = Responses()

    def authorise(self, received: Received) -> None:
        self.wire.authorise(received)

    def refusal(self, status: int, message: str) -> Refused:
        if status >= 500:
            return broken(status)
        return throttled("batches", None, 1.0) if status == 429 else refusal(status, message)

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        return orjson.loads(line)["custom_id"]

    def asked(self, batch: Batch, line: bytes) -> Asked:
        found = orjson.loads(line)
        if found["body"].get("stream"):
            raise refusal(400, "The parameter 'stream' is not supported in a batch.", "stream")
        wire = self.responses if found["url"].endswith("/responses") else self.wire
        return Asked(wire, Received("POST", wire.paths[-1], "", batch.told["headers"], orjson.dumps(found["body"])))

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        head = {"id": f"batch_req_{ran.tag}", "custom_id": name}
        if ran.null:
            return False, {**head, "response": None, "error": None}
        if ran.status:
            response = {"status_code": ran.status, "request_id": ran.tag, "body": ran.body}
            return ran.status >= 400, {**head, "response": response, "error": None}
        code, message = UNRUN[ran.fate]
        return True, {**head, "response": None, "error": {"code": code, "message": message}}

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        """Of (method, path, operation, handler)."""
        files, batches = f"{self.root}/files", f"{self.root}/batches"
        return [
            ("POST", files, "upload", self.upload),
            ("GET", files, "list", self.list_files),
            ("GET", files + "/{id}", "look", self.look_file),
            ("DELETE", files + "/{id}", "delete", self.delete_file),
            ("GET", files + "/{id}/content", "content", self.content),
            ("POST", batches, "create", self.create),
            ("GET", batches, "list", self.list_batches),
            ("GET", batches + "/{id}", "look", self.look),
            ("POST", batches + "/{id}/cancel", "cancel", self.cancel),
        ]

    async def upload(self, ask: Ask) -> web.Response:
        fields: dict[str, str] = {}
        lines, name, size = LineFile(ask.desk.path()), "", 0
        most = ask.desk.faults.set.most_bytes or MOST_BYTES
        if not ask.request.content_type.startswith("multipart/"):
            raise refusal(400, "The request should be multipart/form-data, with file and purpose.")
        parts: Any = await ask.request.multipart()
        async for part in parts:
            if part.name == "file":
                name = part.filename or ""
                too_large = refusal(413, f"File is larger than {most} bytes.", "file")
                size = await spooled(_chunks(part), lines.path, most, too_large)
            else:
                fields[part.name or ""] = await part.text()
        if not name or fields.get("purpose") != "batch":
            raise refusal(400, "A file and the purpose 'batch' are required.", "purpose" if name else "file")
        await ask.desk.in_thread(lines.index)
        ends_s = ask.now_s + kept_s(fields)
        file_id = f"file-{ask.desk.store.new_id(ask.now_s)[:22]}"
        file = StoredFile(file_id, ask.account, name, "batch", ask.now_s, ends_s, size, lines)
        ask.desk.store.files[file_id] = file
        return told(self._file(file, ask.now_s))

    def _file(self, file: StoredFile, now_s: float) -> dict[str, Any]:
        return {
            "object": "file",
            "id": file.id,
            "purpose": file.purpose,
            "filename": file.name,
            "bytes": file.size_bytes,
            "created_at": int(file.created_s),
            "expires_at": int(file.expires_s),
            "status": self._file_status(file, now_s),
            "status_details": None,
        }

    def _file_status(self, file: StoredFile, now_s: float) -> str:  # noqa: ARG002 (Azure's takes a while)
        return "processed"

    def _found_file(self, ask: Ask, file_id: str) -> StoredFile:
        file = ask.desk.store.files.get(file_id)
        if file is None or file.account != ask.account or ask.now_s >= file.expires_s:
            raise refusal(404, f"No such File object: {file_id}", "id")
        return file

    async def look_file(self, ask: Ask) -> web.Response:
        return told(self._file(self._found_file(ask, ask.match("id")), ask.now_s))

    async def delete_file(self, ask: Ask) -> web.Response:
        file = self._found_file(ask, ask.match("id"))
        del ask.desk.store.files[file.id]
        return told({"id": file.id, "object": "file", "deleted": True})

    async def list_files(self, ask: Ask) -> web.Response:
        purpose = ask.query.get("purpose")
        files = [
            self._file(file, ask.now_s)
            for file in reversed(ask.desk.store.files.values())
            if file.account == ask.account and ask.now_s < file.expires_s and purpose in {None, file.purpose}
        ]
        return told(_page(ask, files, 10_000))

    async def content(self, ask: Ask) -> web.StreamResponse:
        file = self._found_file(ask, ask.match("id"))
        batch = ask.desk.store.batches.get(file.name.removesuffix("_output.jsonl").removesuffix("_error.jsonl"))
        if batch is None:
            return await streamed(ask, file.lines.read(), len(file.lines), "application/octet-stream")
        if batch.course.gone:
            raise refusal(batch.course.gone, f"No such File object: {file.id}", "id")
        return await streamed(ask, batch.delivered(file.lines), len(file.lines), "application/octet-stream")

    async def create(self, ask: Ask) -> web.Response:
        wanted = _object(await ask.request.read())
        source = self._checked(ask, wanted)
        problems = await ask.desk.in_thread(problems_of, source.lines, wanted["endpoint"], self.most_lines)
        batch = ask.desk.opened(ask.account, len(source.lines), life_s=self.life_s, failed=bool(problems))
        batch.id = f"batch_{batch.id[:32]}"
        batch.problems = [self._problem(one) for one in problems or self._set_problems(batch)]
        kept = {name: wanted.get(name) for name in ("endpoint", "input_file_id", "completion_window", "metadata")}
        batch.told = {**kept, "headers": ask.received.headers, "model": _model(source.lines)}
        self._with_files(ask.desk, batch, source.lines)
        return told(self._batch(ask, batch))

    def _checked(self, ask: Ask, wanted: Mapping[str, Any]) -> StoredFile:
        if wanted.get("endpoint") not in self.endpoints:
            raise refusal(400, f"Invalid value: {wanted.get('endpoint')!r} for endpoint.", "endpoint", "invalid_value")
        check_wanted(wanted)
        file = ask.desk.store.files.get(str(wanted.get("input_file_id")))
        if file is None or file.account != ask.account or file.purpose != "batch":
            raise refusal(400, "The input file does not exist.", "input_file_id", "invalid_request")
        if self._file_status(file, ask.now_s) != "processed":
            raise refusal(400, "The input file is not processed yet.", "input_file_id", "invalid_request")
        if ask.word == "full":
            limit = ask.desk.faults.set.batches.waiting_tokens
            raise refusal(400, FULL.format(model=_model(file.lines), limit=f"{limit:,}"), code="token_limit_exceeded")
        return file

    def _set_problems(self, batch: Batch) -> list[Problem]:
        """Those of a fault that was set."""
        if batch.course.fails == "token_limit":
            words = FULL.format(model="the model", limit=f"{batch.course.waiting_tokens:,}")
            return [Problem("token_limit_exceeded", words)]
        if batch.course.fails == "validation":
            return [Problem("invalid_json_line", "This line is not parseable as valid JSON.", batch.course.fail_line)]
        return []

    def _problem(self, problem: Problem) -> dict[str, Any]:
        return {"code": problem.code, "message": problem.message, "param": problem.param, "line": problem.line}

    def _with_files(self, desk: Desk, batch: Batch, source: LineFile) -> None:
        files = [LineFile(desk.path()), LineFile(desk.path())]
        for word, lines in zip(("output", "error"), files, strict=True):
            file_id = f"file-{desk.store.new_id(batch.plan.created_s)[:22]}"
            batch.told[word] = file_id
            name, ends_s = f"{batch.id}_{word}.jsonl", batch.plan.expires_s + KEPT_S
            file = StoredFile(file_id, batch.account, name, "batch_output", batch.plan.created_s, ends_s, 0, lines)
            desk.store.files[file_id] = file
        desk.keep(Task(batch, self, source, *files))

    def _found(self, ask: Ask) -> Batch:
        batch = ask.desk.store.batches.get(ask.match("id"))
        if batch is None or batch.account != ask.account:
            raise refusal(404, f"No batch found with id '{ask.match('id')}'.")
        return batch

    async def look(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        batch.looks += 1
        if batch.looks <= batch.course.unseen_looks:
            raise refusal(404, f"No batch found with id '{batch.id}'.")
        await ask.desk.settle(batch)
        batch.looks_after_end += batch.phase(ask.now_s) in ENDS
        return told(self._batch(ask, batch))

    async def cancel(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        if not batch.cancel(ask.now_s):
            status = status_of(batch.plan.phase(ask.now_s))
            raise refusal(409, f"Cannot cancel a batch with status '{status}'.")
        await ask.desk.settle(batch)
        return told(self._batch(ask, batch))

    async def list_batches(self, ask: Ask) -> web.Response:
        found = [self._batch(ask, batch) for batch in ask.desk.store.latest(ask.account, ask.now_s)]
        return told(_page(ask, found, 100))

    def _batch(self, ask: Ask, batch: Batch) -> dict[str, Any]:
        task = ask.desk.task(batch)
        batch.told.update(output_lines=len(task.answers), error_lines=len(task.errors))
        return batch_object(batch, ask.now_s)


def _chunks(part: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 (aiohttp's)
    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await part.read_chunk(PIECE_BYTES):
            yield chunk

    return chunks()


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise refusal(400, "We could not parse the JSON body of your request.")
    return found


def _model(lines: LineFile) -> str | None:
    """Of the first line."""
    try:
        return str(orjson.loads(next(lines.read([0])))["body"]["model"]) if len(lines) else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _page(ask: Ask, found: Sequence[Mapping[str, Any]], most: int) -> dict[str, Any]:
    """The part behind `after`, of at most `limit`."""
    after = ask.query.get("after")
    names = [one["id"] for one in found]
    if after is not None and after not in names:
        raise refusal(400, f"Invalid value: '{after}' for after.", "after")
    start = 0 if after is None else names.index(after) + 1
    size = min(ask.number("limit", 20 if most == 100 else most, most), ask.desk.faults.set.list_page or most)
    shown = found[start : start + size]
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": start + size < len(found)}
