"""Vertex AI's batch prediction jobs, from Cloud Storage to Cloud Storage. Facts: the vendor's reference, 2026-11.

An answer's line has the request as it was sent, and nothing else that names it. They lie in two files.
"""

from typing import Any

import msgspec
import orjson
from aiohttp import web
from msgspec import Struct

from pipeline.sandbox.batches.dialect import Asked, Ran
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.gemini_shapes import instant, json_schema, page
from pipeline.sandbox.batches.http import Ask, Handle, told
from pipeline.sandbox.batches.objects import results
from pipeline.sandbox.batches.store import DAY_S, ENDS, Batch, Fate, Phase, StoredFile
from pipeline.sandbox.batches.work import Task
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.gemini.errors import NAMES, broken, refusal
from pipeline.sandbox.wires.gemini.wire import MISSING_MODEL, Vertex

JOBS = "/v1/projects/{project}/locations/{region}/batchPredictionJobs"
LIFE_S = 4 * DAY_S  # three of them in the queue
STATES = {
    Phase.VALIDATING: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.FINALIZING: "RUNNING",
    Phase.CANCELLING: "CANCELLING",
    Phase.COMPLETED: "SUCCEEDED",
    Phase.EXPIRED: "EXPIRED",
    Phase.CANCELLED: "CANCELLED",
    Phase.FAILED: "FAILED",
}
UNRUN = {
    Fate.EXPIRED: "DEADLINE_EXCEEDED: the job ended before it.",
    Fate.CANCELLED: "CANCELLED: the job ended before it.",
}
MANY = "Quota exceeded: too many concurrent batch prediction requests."
UNREADABLE = {"code": 13, "message": "INTERNAL: Failed to import data."}


class GcsSource(Struct, forbid_unknown_fields=True):
    uris: list[str]


class Input(Struct, rename="camel", forbid_unknown_fields=True):
    instances_format: str
    gcs_source: GcsSource


class GcsDestination(Struct, rename="camel", forbid_unknown_fields=True):
    output_uri_prefix: str


class Output(Struct, rename="camel", forbid_unknown_fields=True):
    predictions_format: str
    gcs_destination: GcsDestination


class Wanted(Struct, rename="camel", forbid_unknown_fields=True):
    display_name: str
    model: str
    input_config: Input
    output_config: Output
    labels: dict[str, str] = {}


class VertexBatches:
    name = "vertex"
    wire = Vertex()

    def authorise(self, received: Received) -> None:
        self.wire.authorise(received)

    def refusal(self, status: int, message: str) -> Refused:
        return broken(status) if status >= 500 else refusal(status, message)

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        return {"request": orjson.loads(line)["request"]}

    def asked(self, batch: Batch, line: bytes) -> Asked:
        request = orjson.loads(line)["request"]
        config = request.get("generationConfig")
        if isinstance(config, dict) and "responseSchema" in config:
            config["responseJsonSchema"] = json_schema(config.pop("responseSchema"))
        path = f"/v1/{batch.told['parent']}/{batch.told['model']}:generateContent"
        return Asked(self.wire, Received("POST", path, "", {}, orjson.dumps(request)))

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        named = {"request": {"labels": {"pipeline-line": name}}} if isinstance(name, str) else name
        line = {"status": "", "processed_time": "2026-11-30T00:00:00.000+00:00", **named}
        if ran.null:
            return False, {**line, "response": {}}
        if not ran.status:
            return True, {**line, "status": UNRUN[ran.fate], "response": {}}
        if ran.status >= 400:
            words = f"{NAMES.get(ran.status, 'INTERNAL')}: {orjson.dumps(ran.body).decode()}"
            return True, {**line, "status": words, "response": {}}
        return False, {**line, "response": ran.body}

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        """Of (method, path, operation, handler)."""
        job = JOBS + "/{id:[^/:]+}"
        return [
            ("POST", JOBS, "create", self.create),
            ("GET", JOBS, "list", self.list_batches),
            ("GET", job, "look", self.look),
            ("POST", job + ":cancel", "cancel", self.cancel),
        ]

    async def create(self, ask: Ask) -> web.Response:
        try:
            wanted = msgspec.json.decode(await ask.request.read(), type=Wanted)
        except msgspec.MsgspecError as error:
            raise self.refusal(400, f"Invalid JSON payload received. {error}") from None
        if not wanted.model.startswith("publishers/google/models/gemini") or MISSING_MODEL in wanted.model:
            raise self.refusal(400, f"The model {wanted.model} does not support batch prediction.")
        if ask.word == "full":
            raise self.refusal(429, MANY)
        uri = wanted.input_config.gcs_source.uris[0]
        source = ask.desk.store.files.get(uri)
        if source is None:
            raise self.refusal(400, f"The Cloud Storage file {uri} does not exist.")
        batch = self._opened(ask, wanted, source)
        return told(_job(batch, ask.now_s))

    def _opened(self, ask: Ask, wanted: Wanted, source: StoredFile) -> Batch:
        unreadable = not all(map(_readable, source.lines.read()))
        batch = ask.desk.opened(ask.account, len(source.lines), life_s=LIFE_S, failed=unreadable)
        parent = f"projects/{ask.match('project')}/locations/{ask.match('region')}"
        batch.id = f"{parent}/batchPredictionJobs/{int(batch.id[:14], 16)}"
        prefix = wanted.output_config.gcs_destination.output_uri_prefix
        folder = f"{prefix}/prediction-model-{instant(ask.now_s)}"
        batch.told = {"parent": parent, "model": wanted.model, "wanted": wanted, "folder": folder}
        files = [results(ask, batch.id, f"{folder}/predictions_0000{number}.jsonl") for number in (1, 2)]
        ask.desk.keep(Task(batch, self, source.lines, *files))
        return batch

    def _found(self, ask: Ask) -> Batch:
        batch = ask.desk.store.batches.get(ask.received.path.removeprefix("/v1/").partition(":")[0])
        if batch is None or batch.account != ask.account:
            raise self.refusal(404, "The BatchPredictionJob does not exist.")
        return batch

    async def look(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        batch.looks += 1
        if batch.looks <= batch.course.unseen_looks:
            raise self.refusal(404, "The BatchPredictionJob does not exist.")
        await ask.desk.settle(batch)
        return told(_job(batch, ask.now_s))

    async def cancel(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        if not batch.cancel(ask.now_s):
            raise self.refusal(400, "The job has ended: it cannot be cancelled.")
        await ask.desk.settle(batch)
        return told({})

    async def list_batches(self, ask: Ask) -> web.Response:
        found = list(ask.desk.store.latest(ask.account, ask.now_s))
        return told(page(ask, "batchPredictionJobs", found, lambda one: _job(one, ask.now_s)))


def _readable(line: bytes) -> bool:
    """An empty object anywhere in a line breaks the import of all."""
    try:
        return not _has_empty(orjson.loads(line)["request"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def _has_empty(value: object) -> bool:
    if isinstance(value, dict):
        return not value or any(map(_has_empty, value.values()))
    return isinstance(value, list) and any(map(_has_empty, value))


def _job(batch: Batch, now_s: float) -> dict[str, Any]:
    phase, wanted = batch.phase(now_s), batch.told["wanted"]
    job = {
        **msgspec.to_builtins(wanted),
        "name": batch.id,
        "createTime": instant(batch.plan.created_s),
        "state": f"JOB_STATE_{STATES[phase]}",
        **({"startTime": instant(batch.plan.validated_s)} if now_s >= batch.plan.validated_s else {}),
    }
    if phase is Phase.FAILED:
        return {**job, "error": {"code": 8, "message": MANY} if batch.course.fails == "token_limit" else UNREADABLE}
    run = batch.fates[Fate.ANSWERED] + batch.fates[Fate.REFUSED]
    counts = {
        "successfulCount": run - batch.errors,
        "failedCount": batch.errors,
        "incompleteCount": batch.plan.count - run,
    }
    if phase in ENDS:
        job["completionStats"] = {name: str(count) for name, count in counts.items() if count}
        job["outputInfo"] = {"gcsOutputDirectory": batch.told["folder"]}
    return job
