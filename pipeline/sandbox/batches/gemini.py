"""AI Studio's batches: inline or from a file. Facts: recorded exchanges of 2026-08, reference and SDK as of 2026-11.

One that does not complete gives nothing, and the sandbox bills nothing for it. Progress is told as text.
"""

from mmap import mmap
from typing import Any

import msgspec
import orjson
from aiohttp import web
from msgspec import Raw, Struct
from msgspec.structs import replace

from pipeline.sandbox.batches import gemini_files as files
from pipeline.sandbox.batches.dialect import Asked, Ran
from pipeline.sandbox.batches.faults import Operation, falls
from pipeline.sandbox.batches.gemini_shapes import json_schema, operation, page
from pipeline.sandbox.batches.http import Ask, Handle, body_of, told
from pipeline.sandbox.batches.lines import LineFile
from pipeline.sandbox.batches.store import DAY_S, ENDS, Batch, StoredFile
from pipeline.sandbox.batches.work import Task
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.gemini.errors import broken, refusal, throttled
from pipeline.sandbox.wires.gemini.wire import MISSING_MODEL, Gemini

ROOT = "/v1beta"
LIFE_S = 2 * DAY_S
MOST_BYTES = 20 * 1000 * 1000  # of requests inline
DONE = {"code": 400, "message": "The batch is done: it cannot be cancelled."}
UNRUN = {"code": 1, "message": "The request was not run."}


class Requests(Struct, forbid_unknown_fields=True):
    requests: list[Raw] = []


class Source(Struct, rename="camel", forbid_unknown_fields=True):
    requests: Requests | None = None
    file_name: str = ""


class Wanted(Struct, rename="camel", forbid_unknown_fields=True):
    input_config: Source
    display_name: str = ""
    model: str = ""
    priority: int | str = 0


class Body(Struct, forbid_unknown_fields=True):
    batch: Wanted


class GeminiBatches:
    name = "gemini"
    wire = Gemini()

    def authorise(self, received: Received) -> None:
        if "upload_id=" not in received.query:  # an upload's own address is its key
            self.wire.authorise(received)

    def refusal(self, status: int, message: str) -> Refused:
        if status >= 500:
            return broken(status)
        return throttled("batches", None, None) if status == 429 else refusal(status, message)

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            return {}
        return {name: found[name] for name in ("key", "metadata") if name in found}

    def asked(self, batch: Batch, line: bytes) -> Asked:
        try:
            request = orjson.loads(line)["request"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise refusal(400, "The line is not an object with a request.") from None
        if not isinstance(request, dict):
            raise refusal(400, "The request is not an object.")
        request.pop("model", None)
        config = request.get("generationConfig")
        if isinstance(config, dict) and "responseSchema" in config:
            config["responseJsonSchema"] = json_schema(config.pop("responseSchema"))
        path = f"{ROOT}/{batch.told['model']}:generateContent"
        return Asked(self.wire, Received("POST", path, "", batch.told["headers"], orjson.dumps(request)))

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        if ran.null:
            return False, None
        named = {"key": name} if isinstance(name, str) else name
        if not ran.status:
            return False, {**named, "error": UNRUN}
        if ran.status >= 400:
            error = ran.body["error"]
            return False, {**named, "error": {"code": 13 if ran.status >= 500 else 3, "message": error["message"]}}
        return False, {**named, "response": ran.body}

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        """Of (method, path, operation, handler)."""
        batch = ROOT + "/batches/{id:[^/:]+}"
        file = ROOT + "/files/{id:[^/:]+}"
        downloads = [(f"{start}{file}:download") for start in ("", "/download")]
        return [
            ("POST", files.UPLOADS, "upload", files.upload),
            ("GET", ROOT + "/files", "list", files.listed),
            ("GET", file, "look", files.look),
            ("DELETE", file, "delete", files.delete),
            *(("GET", path, "content", files.content) for path in downloads),
            ("POST", ROOT + "/models/{model:[^/:]+}:batchGenerateContent", "create", self.create),
            ("GET", ROOT + "/batches", "list", self.list_batches),
            ("GET", batch, "look", self.look),
            ("POST", batch + ":cancel", "cancel", self.cancel),
            ("DELETE", batch, "delete", self.delete),
        ]

    async def create(self, ask: Ask) -> web.Response:
        desk, model = ask.desk, ask.match("model")
        most = desk.faults.set.most_bytes or MOST_BYTES
        too_large = refusal(413, f"Request payload size exceeds the limit: {most} bytes.")
        body = await body_of(ask, most, too_large)
        wanted = await desk.in_thread(_wanted, body)
        if model == MISSING_MODEL:
            raise refusal(404, f"models/{model} is not found for API version v1beta.")
        if ask.word == "full":
            raise throttled(model, None, None)
        source = await self._source(ask, wanted)
        batch = self._opened(ask, source)
        batch.told |= {"model": f"models/{model}", "displayName": wanted.display_name}
        answers = LineFile(desk.path())
        if wanted.input_config.file_name:
            batch.told["file"] = f"{files.RESULT}{batch.id.removeprefix('batches/')}"
            ends_s = ask.now_s + files.RESULTS_KEPT_S
            file = StoredFile(batch.told["file"], ask.account, batch.id, "", ask.now_s, ends_s, 0, answers)
            desk.store.files[file.id] = file
        desk.keep(Task(batch, self, source, answers, answers))
        return told(operation(batch, answers, ask.now_s))

    async def _source(self, ask: Ask, wanted: Wanted) -> LineFile:
        name, inline = wanted.input_config.file_name, wanted.input_config.requests
        if bool(name) == (inline is not None):
            raise refusal(400, "* CreateBatchRequest.batch.input_config: one of requests and file_name is required.\n")
        if inline is None:
            return files.found(ask, name).lines
        if not inline.requests:
            raise refusal(400, "* CreateBatchRequest.batch.input_config.requests: there are none.\n")
        source = LineFile(ask.desk.path())
        await ask.desk.in_thread(source.append, inline.requests)
        return source

    def _opened(self, ask: Ask, source: LineFile) -> Batch:
        batch = ask.desk.opened(ask.account, len(source), life_s=LIFE_S, forfeits=True, failed=not len(source))
        batch.id = f"batches/{batch.id}"
        batch.told = {"headers": ask.received.headers, "file": ""}
        if falls(batch.seed, "expired", 0, batch.lines.expired):  # here nothing expires but the whole
            batch.plan = replace(batch.plan, stuck=True, life_s=batch.plan.length_s)
        batch.lines = replace(batch.lines, expired=0.0)
        return batch

    def _found(self, ask: Ask) -> Batch:
        batch = ask.desk.store.batches.get(f"batches/{ask.match('id')}")
        if batch is None or batch.account != ask.account:
            raise refusal(404, "Requested entity was not found.")
        return batch

    async def look(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        batch.looks += 1
        if batch.looks <= batch.course.unseen_looks:
            raise refusal(404, "Requested entity was not found.")
        await ask.desk.settle(batch)
        batch.looks_after_end += batch.phase(ask.now_s) in ENDS
        return told(operation(batch, ask.desk.task(batch).answers, ask.now_s))

    async def cancel(self, ask: Ask) -> web.Response:
        if not self._found(ask).cancel(ask.now_s):
            raise Refused(400, orjson.dumps({"error": {**DONE, "status": "FAILED_PRECONDITION"}}))
        return told({})

    async def delete(self, ask: Ask) -> web.Response:
        ask.desk.forget(self._found(ask))
        return told({})

    async def list_batches(self, ask: Ask) -> web.Response:
        found = list(ask.desk.store.latest(ask.account, ask.now_s))
        tasks = ask.desk.task
        return told(page(ask, "operations", found, lambda one: operation(one, tasks(one).answers, ask.now_s)))


def _wanted(body: mmap | bytes) -> Wanted:
    try:
        return msgspec.json.decode(body, type=Body).batch
    except msgspec.MsgspecError as error:
        raise refusal(400, f"Invalid JSON payload received. {error}") from None
