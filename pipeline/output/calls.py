"""The ledger's calls as calls.parquet: one row per HTTP attempt, with no prompt, document or key in it."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pyarrow as pa

from pipeline.columns import TOKENS
from pipeline.ledger import records, run_calls
from pipeline.ledger.files import Connection
from pipeline.ledger.shares import shares_of_calls
from pipeline.money import from_units
from pipeline.output.layout import COST, ROW_GROUP_ROWS, OutputTotals, View, batch_of, cost_column
from pipeline.types import tenant_hash

CALL_SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("provider_request_id", pa.string()),
        ("row", pa.int64()),
        ("id", pa.string()),
        ("chunk", pa.int32()),
        ("purpose", pa.string()),
        ("attempt", pa.int32()),
        ("retry_count", pa.int32()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("model_version", pa.string()),
        ("betas", pa.list_(pa.string())),
        ("http_status", pa.int32()),
        ("error_code", pa.string()),
        ("finish_reason", pa.string()),
        *((name, pa.int64()) for name in TOKENS),
        ("cost_usd", COST),
        ("wait_ms", pa.int64()),
        ("ttft_ms", pa.int64()),
        ("latency_ms", pa.int64()),
        ("stream", pa.bool_()),
        ("feature", pa.string()),
        ("tenant_hash", pa.string()),
        ("prompt_version", pa.string()),
        ("lane", pa.string()),  # live or batch
        ("batch_id", pa.string()),
    ]
)


SHARES = "shares"  # in a job that packs
SHARE = pa.struct(
    [("row", pa.int64()), ("id", pa.string()), *((name, pa.int64()) for name in TOKENS), ("cost_usd", COST)]
)


def calls_schema(view: View) -> pa.Schema:
    """The columns of calls.parquet."""
    return CALL_SCHEMA.append(pa.field(SHARES, pa.list_(SHARE))) if view.packs else CALL_SCHEMA


def call_batches(db: Connection, run: int, view: View, totals: OutputTotals) -> Iterator[pa.RecordBatch]:
    constant = {
        "provider": pa.scalar(view.provider),
        "model": pa.scalar(view.model),
        "betas": pa.scalar(view.betas, pa.list_(pa.string())),
        "stream": pa.scalar(view.stream),
        "feature": pa.scalar(view.feature),
        "prompt_version": pa.scalar(view.prompt_version),
    }
    schema = calls_schema(view)
    for fetched in run_calls.calls_of_run(db, run, ROW_GROUP_ROWS):
        columns = dict(zip((*records.CALL_COLUMNS, "asked", "batch_id"), zip(*fetched, strict=True), strict=True))
        batched = [one is not None for one in columns["batch_id"]]
        totals.calls += len(fetched)
        totals.repairs += sum(
            purpose == "repair" and attempt == 1
            for purpose, attempt in zip(columns["purpose"], columns["attempt"], strict=True)
        )
        totals.rate_limited += sum(
            code == "rate_limited" or status == HTTPStatus.TOO_MANY_REQUESTS
            for code, status in zip(columns["error_code"], columns["http_status"], strict=True)
        )
        values = {
            **columns,
            **{name: pa.repeat(value, len(fetched)) for name, value in constant.items()},
            **(_asked(columns, view, totals) if view.models else {}),
            "retry_count": [attempt - 1 for attempt in columns["attempt"]],
            "sent_at": columns["sent_us"],
            "cost_usd": cost_column(columns["cost_units"]),
            "tenant_hash": [tenant_hash(tenant) for tenant in columns["tenant"]],
            "lane": ["batch" if one else "live" for one in batched],
            "wait_ms": [None if one else ms for one, ms in zip(batched, columns["wait_ms"], strict=True)],
        }
        if view.packs:
            values[SHARES] = _shares(db, columns["request_id"])
        yield batch_of(values, schema)


def _shares(db: Connection, request_ids: Sequence[str]) -> list[list[dict[str, Any]] | None]:
    """Of each call what its rows have of it; None of one about a single row."""
    found = shares_of_calls(db, request_ids)
    names = ("row", "id", *TOKENS)
    return [
        [{**dict(zip(names, told, strict=True)), "cost_usd": None if units is None else from_units(units)}
         for *told, units in found[one]] if one in found else None
        for one in request_ids
    ]  # fmt: skip


def _asked(columns: Mapping[str, Sequence[Any]], view: View, totals: OutputTotals) -> dict[str, list[str]]:
    """Provider and model of each call, in a job with several; they are counted by model."""
    names = [name or "" for name in columns["asked"]]
    totals.model_calls.update(names)
    for name, units in zip(names, columns["cost_units"], strict=True):
        totals.model_units[name] += units or 0
    asked = [view.models.get(name, (view.provider, view.model)) for name in names]
    return {"provider": [provider for provider, _ in asked], "model": [model for _, model in asked]}
