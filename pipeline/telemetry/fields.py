"""A call as other programs are told of it: the fields of calls.parquet."""

from typing import Any

from pipeline.columns import TOKENS
from pipeline.job.settings import Job
from pipeline.ledger.records import Call
from pipeline.money import from_units
from pipeline.types import tenant_hash


def call_fields(call: Call, job: Job) -> dict[str, Any]:
    """A call in the fields of calls.parquet."""
    send = call.send
    model = job.models[send.model].model if send.model else job.model
    return {
        "request_id": send.request_id,
        "provider_request_id": call.provider_request_id,
        "row": send.row,
        "id": send.id,
        "chunk": send.chunk,
        "purpose": str(send.purpose),
        "attempt": send.attempt,
        "retry_count": send.attempt - 1,
        "provider": model.provider,
        "model": model.name,
        "model_version": call.model_version,
        "betas": list(model.betas),
        "http_status": call.http_status,
        "error_code": call.error_code,
        "finish_reason": call.finish_reason,
        **{name: getattr(call.usage, name) for name in TOKENS},
        "cost_usd": None if call.cost_units is None else f"{from_units(call.cost_units):.10f}",
        "wait_ms": call.wait_ms,
        "ttft_ms": call.ttft_ms,
        "latency_ms": call.latency_ms,
        "stream": model.stream,
        "feature": job.name,
        "tenant_hash": tenant_hash(send.tenant),
        "prompt_version": job.prompt_version,
        "lane": send.lane,
        "batch_id": send.batch_id,
    }
