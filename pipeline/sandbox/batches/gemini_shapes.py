"""What AI Studio says of a batch: a long-running operation, with counts as text. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from pipeline.sandbox.batches.http import Ask
from pipeline.sandbox.batches.lines import LineFile
from pipeline.sandbox.batches.store import ENDS, Batch, Phase, StoredFile
from pipeline.sandbox.wires.gemini.errors import refusal

T = TypeVar("T", Batch, StoredFile)
TYPES = "type.googleapis.com/google.ai.generativelanguage.v1main."
STATES = {
    Phase.VALIDATING: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.FINALIZING: "RUNNING",
    Phase.CANCELLING: "RUNNING",
    Phase.COMPLETED: "SUCCEEDED",
    Phase.EXPIRED: "EXPIRED",
    Phase.CANCELLED: "CANCELLED",
    Phase.FAILED: "FAILED",
}
ERRORS = {
    Phase.FAILED: (3, "The batch could not be read."),
    Phase.CANCELLED: (1, "The batch was cancelled."),
    Phase.EXPIRED: (4, "The batch was not done in time."),
}
DROPPED = {"nullable", "default", "example", "minLength", "maxLength", "pattern", "minProperties", "maxProperties"}


def instant(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def operation(batch: Batch, answers: LineFile, now_s: float) -> dict[str, Any]:
    phase = batch.phase(now_s)
    ended = phase in ENDS
    end_s = batch.plan.end()[1]
    named: dict[str, Any] = {"name": batch.id, "metadata": _metadata(batch, phase, now_s)}
    if not ended:
        return named
    named["metadata"] |= {"endTime": instant(end_s), "updateTime": instant(end_s)}
    if phase is not Phase.COMPLETED:
        code, message = ERRORS[phase]
        return {**named, "done": True, "error": {"code": code, "message": message}}
    output = _output(batch, answers)
    named["metadata"]["output"] = output
    return {**named, "done": True, "response": {"@type": f"{TYPES}GenerateContentBatchOutput", **output}}


def _metadata(batch: Batch, phase: Phase, now_s: float) -> dict[str, Any]:
    return {
        "@type": f"{TYPES}GenerateContentBatch",
        "model": batch.told["model"],
        "displayName": batch.told["displayName"],
        "createTime": instant(batch.plan.created_s),
        "updateTime": instant(min(now_s, batch.plan.end()[1])),
        "batchStats": _stats(batch, phase, now_s),
        "state": f"BATCH_STATE_{STATES[phase]}",
        "name": batch.id,
    }


def _stats(batch: Batch, phase: Phase, now_s: float) -> dict[str, str]:
    """Counts of 0 are left out. Before the end, lines that it has come to count as successful."""
    count = batch.plan.count
    done = count if phase is Phase.COMPLETED else batch.plan.reached(now_s) if phase not in ENDS else 0
    failed = batch.errors if phase is Phase.COMPLETED else count if phase in ENDS else 0
    counts = {
        "requestCount": count,
        "successfulRequestCount": done - failed if phase is Phase.COMPLETED else done,
        "failedRequestCount": failed,
        "pendingRequestCount": count - done if phase not in ENDS else 0,
    }
    return {name: str(number) for name, number in counts.items() if number}


def _output(batch: Batch, answers: LineFile) -> dict[str, Any]:
    """Where the answers are; those of a batch whose requests came inline stand there themselves."""
    course, file = batch.course, batch.told["file"]
    if "output" in course.hide and (not course.hide_looks or batch.looks_after_end <= course.hide_looks):
        return {}
    if file:
        return {"responsesFile": file}
    inlined = [_parsed(line) for line in batch.delivered(answers)]
    return {"inlinedResponses": {"inlinedResponses": inlined}}


def _parsed(line: bytes) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # what is garbled in a file is nothing inline


def page(ask: Ask, what: str, items: Sequence[T], tell: Callable[[T], Any]) -> dict[str, Any]:
    """Of `pageSize` items from `pageToken` on."""
    token = ask.query.get("pageToken", "")
    names = [item.id for item in items]
    if token and token not in names:
        raise refusal(400, "The page token is not valid.")
    start = names.index(token) if token else 0
    size = min(ask.number("pageSize", 10, 100), ask.desk.faults.set.list_page or 100)
    rest = {"nextPageToken": names[start + size]} if start + size < len(items) else {}
    return {what: [tell(item) for item in items[start : start + size]], **rest} if items else {}


def json_schema(node: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """A `responseSchema` (OpenAPI's words) as a `responseJsonSchema`."""
    if isinstance(node, list):
        return [json_schema(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    found = {name: json_schema(one) for name, one in node.items() if name not in DROPPED or isinstance(one, Mapping)}
    if isinstance(kind := node.get("type"), str):
        found["type"] = [kind.lower(), "null"] if node.get("nullable") is True else kind.lower()
    return found
