"""Bedrock's model invocation jobs, from S3 to S3. Facts: the vendor's reference and botocore 1.44.8, 2026-11.

A create with a token that was used before is the job of then. A record that was not run has no line.
"""

import re
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import web
from msgspec.structs import replace

from pipeline.catalog.names import bare_model
from pipeline.sandbox.batches.anthropic import instant
from pipeline.sandbox.batches.dialect import NO_LINE, Asked, Ran
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.http import Ask, Handle, told
from pipeline.sandbox.batches.objects import results
from pipeline.sandbox.batches.store import ENDS, Batch, Fate, Phase
from pipeline.sandbox.batches.work import Task
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.bedrock.errors import broken, refusal, throttled
from pipeline.sandbox.wires.bedrock.invoke import Invoke

JOB = "/model-invocation-job"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"
LEAST_ROWS = 100
HOUR_S = 3600.0
NAME = re.compile(r"[a-zA-Z0-9]{1,63}(?:-*[a-zA-Z0-9+.-]){0,63}")
NO_ROLE = "forbidden"  # in the name of a role that nobody may pass
CODES = {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException"}
STATES = {
    Phase.VALIDATING: "Validating",
    Phase.RUNNING: "InProgress",
    Phase.FINALIZING: "InProgress",
    Phase.CANCELLING: "Stopping",
    Phase.COMPLETED: "Completed",
    Phase.EXPIRED: "PartiallyCompleted",
    Phase.CANCELLED: "Stopped",
    Phase.FAILED: "Failed",
}
NEEDED = ("jobName", "roleArn", "modelId", "inputDataConfig", "outputDataConfig")
KNOWN = {*NEEDED, "clientRequestToken", "timeoutDurationInHours", "modelInvocationType", "tags", "vpcConfig"}


class BedrockBatches:
    name = "bedrock"
    wire = Invoke()

    def authorise(self, received: Received) -> None:
        """That of a create needs its body: see there."""
        if received.path != JOB:
            self.wire.authorise(received)

    def refusal(self, status: int, message: str) -> Refused:
        if status >= 500:
            return broken(status)
        return throttled(None) if status == 429 else refusal(status, CODES.get(status, "ValidationException"), message)

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        """With the request, which is told again."""
        found = orjson.loads(line)
        return {name: found[name] for name in ("recordId", "modelInput")}

    def asked(self, batch: Batch, line: bytes) -> Asked:
        path = f"/model/{quote(batch.told['modelId'], safe=':')}/invoke"
        return Asked(self.wire, Received("POST", path, "", {}, orjson.dumps(orjson.loads(line)["modelInput"])))

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        named = {"recordId": name} if isinstance(name, str) else name
        if ran.null:
            return False, {**named, "modelOutput": None}
        if not ran.status and isinstance(name, dict):
            return False, NO_LINE
        if ran.status >= 400 or not ran.status:
            words = ran.body["message"] if ran.body else "The record was not run."
            return False, {**named, "error": {"errorCode": ran.status or 400, "errorMessage": words}}
        return False, {**named, "modelOutput": ran.body}

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        """Of (method, path, operation, handler)."""
        return [
            ("POST", JOB, "create", self.create),
            ("GET", JOB + "s", "list", self.list_batches),
            ("GET", JOB + "/{arn:[^/]+}", "look", self.look),
            ("POST", JOB + "/{arn:[^/]+}/stop", "cancel", self.cancel),
        ]

    async def create(self, ask: Ask) -> web.Response:
        body = await ask.request.read()
        self.wire.authorise(replace(ask.received, body=body))
        wanted = self._wanted(body)
        if (before := self._before(ask, wanted)) is not None:
            return told({"jobArn": before.id})
        if ask.word == "full":
            raise refusal(400, "ServiceQuotaExceededException", "Too many jobs of this model are under way.")
        source = ask.desk.store.files.get(wanted["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        if source is None:
            raise self.refusal(400, "Could not find the input: check the S3 location and the role's permissions.")
        life_s = wanted.get("timeoutDurationInHours", 24) * HOUR_S
        few = len(source.lines) < LEAST_ROWS
        batch = ask.desk.opened(ask.account, len(source.lines), life_s=life_s, failed=few)
        batch.id = f"{ARN}{batch.id[:12]}"
        words = f"Batch job contains less records ({len(source.lines)}) than the required minimum of: {LEAST_ROWS}"
        batch.told = {**wanted, "words": words if few else "The input could not be read." if batch.plan.failed else ""}
        folder = wanted["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].rstrip("/")
        uri = f"{folder}/{batch.id.rpartition('/')[2]}/{source.id.rpartition('/')[2]}.out"
        answers = results(ask, batch.id, uri)
        batch.told["manifest"] = results(ask, batch.id, f"{uri.rpartition('/')[0]}/manifest.json.out")
        ask.desk.keep(Task(batch, self, source.lines, answers, answers))
        return told({"jobArn": batch.id})

    def _wanted(self, body: bytes) -> dict[str, Any]:
        found = orjson.loads(body)
        for name in NEEDED:
            if name not in found:
                raise self.refusal(400, f"{name} is required.")
        if unknown := found.keys() - KNOWN:
            raise self.refusal(400, f"Unknown parameter: {min(unknown)}")
        if not NAME.fullmatch(found["jobName"]):
            raise self.refusal(400, "jobName does not have the form that is required.")
        if NO_ROLE in found["roleArn"]:
            text = f"User is not authorized to perform: iam:PassRole on resource: {found['roleArn']}"
            raise self.refusal(403, text)
        if not bare_model(found["modelId"]).startswith(("claude", "nova")):
            raise self.refusal(400, f"The model {found['modelId']} is not supported for batch inference.")
        return dict(found)

    def _before(self, ask: Ask, wanted: dict[str, Any]) -> Batch | None:
        """The job of an earlier create with the same token."""
        for batch in ask.desk.store.batches.values():
            if batch.account == ask.account and batch.told.get("clientRequestToken") == wanted["clientRequestToken"]:
                return batch
        return None

    def _found(self, ask: Ask) -> Batch:
        batch = ask.desk.store.batches.get(ask.match("arn"))
        if batch is None or batch.account != ask.account:
            raise self.refusal(404, f"The job {ask.match('arn')} does not exist.")
        return batch

    async def look(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        batch.looks += 1
        if batch.looks <= batch.course.unseen_looks:
            raise self.refusal(404, f"The job {batch.id} does not exist.")
        await ask.desk.settle(batch)
        if batch.phase(ask.now_s) in ENDS and not len(batch.told["manifest"]):
            batch.told["manifest"].append([orjson.dumps(_counts(batch))])
        return told(_job(batch, ask.now_s))

    async def cancel(self, ask: Ask) -> web.Response:
        batch = self._found(ask)
        if not batch.cancel(ask.now_s):
            raise refusal(409, "ConflictException", f"The job {batch.id} cannot be stopped: it has ended.")
        await ask.desk.settle(batch)
        return told({})

    async def list_batches(self, ask: Ask) -> web.Response:
        found = [_job(batch, ask.now_s) for batch in ask.desk.store.latest(ask.account, ask.now_s)]
        start = int(ask.query.get("nextToken", "0"))
        most = min(ask.number("maxResults", 10, 1000), ask.desk.faults.set.list_page or 1000)
        rest = {"nextToken": str(start + most)} if start + most < len(found) else {}
        return told({"invocationJobSummaries": found[start : start + most], **rest})


def _job(batch: Batch, now_s: float) -> dict[str, Any]:
    phase = batch.phase(now_s)
    run = batch.fates[Fate.ANSWERED] + batch.fates[Fate.REFUSED]
    state = "Expired" if phase is Phase.EXPIRED and not run else STATES[phase]
    kept = {name: batch.told[name] for name in (*NEEDED, "clientRequestToken") if name in batch.told}
    return {
        "jobArn": batch.id,
        **kept,
        "status": state,
        "submitTime": instant(batch.plan.created_s),
        "lastModifiedTime": instant(min(now_s, batch.plan.end()[1])),
        **({"message": batch.told["words"]} if phase is Phase.FAILED else {}),
        **({"endTime": instant(batch.plan.end()[1])} if phase in ENDS else {}),
        **({} if batch.course.hide else _counts(batch)),
    }


def _counts(batch: Batch) -> dict[str, int]:
    """Of a job's manifest, and of the job itself; with the fault `hide` it has none, as in older regions."""
    run = batch.fates[Fate.ANSWERED] + batch.fates[Fate.REFUSED]
    good = run - batch.errors
    counts = {"total": batch.plan.count, "processed": run, "success": good, "error": batch.errors}
    return {f"{name}RecordCount": count for name, count in counts.items()}
