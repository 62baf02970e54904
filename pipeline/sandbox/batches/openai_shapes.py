"""A batch as OpenAI tells of it, and as Azure does where it is loose. Pure."""

import math
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.batches.store import ENDS, RUNNING_UNTIL, Batch, Fate, Phase

STATUS = {Phase.RUNNING: "in_progress"}
ENDED_AT = {
    Phase.COMPLETED: "completed_at",
    Phase.EXPIRED: "expired_at",
    Phase.CANCELLED: "cancelled_at",
    Phase.FAILED: "failed_at",
}


def status_of(phase: Phase) -> str:
    return STATUS.get(phase, phase.value)


def batch_object(batch: Batch, now_s: float) -> dict[str, Any]:
    phase, plan, told = batch.phase(now_s), batch.plan, batch.told
    failed = phase is Phase.FAILED
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": told["endpoint"],
        "model": told["model"],
        "errors": {"object": "list", "data": batch.problems} if failed else None,
        "input_file_id": told["input_file_id"],
        "completion_window": told["completion_window"],
        "status": status_of(phase),
        "output_file_id": _file(batch, phase, "output"),
        "error_file_id": _file(batch, phase, "error"),
        "created_at": int(plan.created_s),
        "expires_at": None if math.isinf(plan.expires_s) else int(plan.expires_s),
        **_times(batch, phase, now_s),
        "request_counts": _counts(batch, phase),
        "usage": _usage(batch) if phase in ENDS and not failed else None,
        "metadata": told["metadata"],
    }


def loose(shape: dict[str, Any]) -> dict[str, Any]:
    """As Azure has been seen to say the same."""
    created = datetime.fromtimestamp(shape["created_at"], UTC).isoformat()
    ended = shape["status"] in {"completed", "expired", "cancelled"}
    return {
        **shape,
        "status": shape["status"].capitalize(),
        "created_at": created,
        "endpoint": None,
        "output_file_id": shape["output_file_id"] or "",
        "error_file_id": shape["error_file_id"] or "",
        "request_counts": shape["request_counts"] if ended else None,
    }


def _file(batch: Batch, phase: Phase, word: str) -> str | None:
    """Its name, where it has lines and is not hidden by a fault."""
    if phase not in ENDS or phase is Phase.FAILED or not batch.told[f"{word}_lines"]:
        return None
    course = batch.course
    hidden = word in course.hide and (not course.hide_looks or batch.looks_after_end <= course.hide_looks)
    return None if hidden else str(batch.told[word])


def _counts(batch: Batch, phase: Phase) -> dict[str, int]:
    failed = batch.errors if phase not in ENDS else batch.plan.count - _completed(batch)
    total = 0 if phase in {Phase.VALIDATING, Phase.FAILED} else batch.plan.count
    return {"total": total, "completed": _completed(batch), "failed": failed if total else 0}


def _completed(batch: Batch) -> int:
    return batch.fates[Fate.ANSWERED] + batch.fates[Fate.REFUSED] - batch.errors


def _times(batch: Batch, phase: Phase, now_s: float) -> dict[str, int | None]:
    plan, (_, end_s) = batch.plan, batch.plan.end()
    begun = phase is not Phase.FAILED and now_s >= plan.validated_s
    finalizing_s = min(plan.created_s + RUNNING_UNTIL * plan.length_s, end_s)
    finalizing = begun and now_s >= finalizing_s and not plan.stuck and math.isinf(plan.cancelled_s)
    times = {
        "in_progress_at": int(plan.validated_s) if begun else None,
        "finalizing_at": int(finalizing_s) if finalizing else None,
        "cancelling_at": None if math.isinf(plan.cancelled_s) else int(plan.cancelled_s),
    }
    return {**times, **{name: int(end_s) if phase is end else None for end, name in ENDED_AT.items()}}


def _usage(batch: Batch) -> dict[str, Any]:
    prompt, answers = batch.tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answers,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + answers,
    }
