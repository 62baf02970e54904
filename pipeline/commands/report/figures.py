"""What the report counts: sums, shares, percentiles and times, by Arrow over the published files."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from pipeline.commands.report.grounded import Grounded, grounded_of
from pipeline.job.folder import CALLS, RESULTS
from pipeline.output.manifest import Manifest

SLICES = 60  # of the time that calls were sent in
QUANTILES = (0.5, 0.9, 0.99, 1.0)
MOST_GROUPS = 12
MOST_CONFLICTS = 12
NO_NAMES: Mapping[str | None, str] = {}


class Spread(Struct, frozen=True):
    """Milliseconds: p50, p90, p99, most; and how many fell into each of `bins` equal parts up to p99."""

    quantiles: tuple[float, ...]
    bins: tuple[int, ...]


class Slice(Struct, frozen=True):
    """Calls sent in one part of the time."""

    start_s: float  # since the first call
    answered: int
    limited: int  # 429s
    failed: int
    usd: Decimal


class Group(Struct, frozen=True):
    """Calls of one tenant or model version."""

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    usd: Decimal


class Figures(Struct, frozen=True):
    calls: int
    slice_s: float
    slices: tuple[Slice, ...]
    latency_ms: Spread | None
    wait_ms: Spread | None
    by_tenant: tuple[Group, ...]
    by_model: tuple[Group, ...]
    groups_left_out: Mapping[str, int]
    wasted_usd: Decimal  # on rows that failed
    failed_calls: Mapping[str, int]  # by error_code
    usd_by_batch: Mapping[str, Decimal]
    grounded: Grounded | None  # where values were looked for
    conflicts: Sequence[tuple[str, int]]  # fields on which chunks disagreed, with the number of rows


def figures_of(folder: Path, names: Mapping[str | None, str] = NO_NAMES) -> Figures:
    """`names` of tenants by their hashes. Only numbers and codes are held in memory, a few dozen bytes a call."""
    columns = [
        "sent_at", "error_code", "http_status", "model", "model_version", "tenant_hash", "input_tokens",
        "output_tokens", "cost_usd", "latency_ms", "wait_ms",
    ]  # fmt: skip
    known = set(pq.read_schema(folder / CALLS).names)  # `batch_id` is of late
    calls = pq.read_table(folder / CALLS, columns=[*columns, *({"batch_id"} & known)])
    slice_s, slices = _slices(calls)
    by_tenant, tenants_left = _groups(calls, "tenant_hash", names)
    by_model, models_left = _groups(calls, "model_version")
    codes = pc.value_counts(calls["error_code"].drop_null()).to_pylist()
    return Figures(
        calls=calls.num_rows,
        slice_s=slice_s,
        slices=slices,
        latency_ms=_spread(calls["latency_ms"]),
        wait_ms=_spread(calls["wait_ms"]),
        by_tenant=by_tenant,
        by_model=by_model,
        groups_left_out={"tenant": tenants_left, "model": models_left},
        wasted_usd=_wasted(folder),
        failed_calls={one["values"]: one["counts"] for one in sorted(codes, key=lambda one: -one["counts"])},
        usd_by_batch=_by_batch(calls),
        grounded=grounded_of(folder),
        conflicts=_conflicts(folder),
    )


def _slices(calls: pa.Table) -> tuple[float, tuple[Slice, ...]]:
    if not calls.num_rows:
        return 0.0, ()
    sent_us = calls["sent_at"].cast(pa.int64())
    first_us = pc.min(sent_us).as_py()
    slice_us = max(1_000_000, -(-(pc.max(sent_us).as_py() - first_us + 1) // SLICES))
    limited = pc.or_(
        pc.equal(pc.fill_null(calls["error_code"], ""), "rate_limited"),
        pc.equal(pc.fill_null(calls["http_status"], 0), HTTPStatus.TOO_MANY_REQUESTS),
    )
    answered = pc.and_(pc.is_valid(calls["http_status"]), pc.equal(pc.fill_null(calls["http_status"], 0), 200))
    table = pa.table(
        {
            "slice": pc.divide(pc.subtract(sent_us, first_us), slice_us),
            "limited": limited.cast(pa.int64()),
            "answered": answered.cast(pa.int64()),
            "usd": pc.fill_null(calls["cost_usd"], Decimal(0)),
        }
    )
    sums = [("limited", "sum"), ("answered", "sum"), ("usd", "sum"), ([], "count_all")]
    found = {line["slice"]: line for line in table.group_by("slice").aggregate(sums).to_pylist()}
    slices = []
    for number in range(max(found) + 1):
        line = found.get(number)
        answers, refused = (line["answered_sum"], line["limited_sum"]) if line else (0, 0)
        others = line["count_all"] - answers - refused if line else 0
        usd = line["usd_sum"] if line else Decimal(0)
        slices.append(Slice(number * slice_us / 1e6, answers, refused, others, usd))
    return slice_us / 1e6, tuple(slices)


def _spread(column: pa.ChunkedArray, bins: int = 40) -> Spread | None:
    values = column.drop_null()
    if not len(values):
        return None
    quantiles = tuple(float(one) for one in pc.quantile(values, q=list(QUANTILES)).to_pylist())
    width = max(1.0, quantiles[2] / bins)
    places = pc.min_element_wise(pc.floor(pc.divide(values.cast(pa.float64()), width)), float(bins - 1))
    counted = {int(one["values"]): one["counts"] for one in pc.value_counts(places).to_pylist()}
    return Spread(quantiles, tuple(counted.get(number, 0) for number in range(bins)))


def _groups(calls: pa.Table, column: str, names: Mapping[str | None, str] = NO_NAMES) -> tuple[tuple[Group, ...], int]:
    """The dearest groups, and how many more there are."""
    sums = [("input_tokens", "sum"), ("output_tokens", "sum"), ("cost_usd", "sum"), ([], "count_all")]
    lines = calls.group_by(column).aggregate(sums).to_pylist()
    groups = [
        Group(
            names.get(line[column], line[column] or "–"),
            line["count_all"],
            line["input_tokens_sum"] or 0,
            line["output_tokens_sum"] or 0,
            line["cost_usd_sum"] or Decimal(0),
        )
        for line in lines
    ]
    groups.sort(key=lambda group: (-group.usd, -group.calls, group.name))
    return tuple(groups[:MOST_GROUPS]), max(0, len(groups) - MOST_GROUPS)


def _by_batch(calls: pa.Table) -> Mapping[str, Decimal]:
    """What the lines of each batch have cost so far."""
    if "batch_id" not in calls.column_names:
        return {}
    lines = calls.group_by("batch_id").aggregate([("cost_usd", "sum")]).to_pylist()
    return {line["batch_id"]: line["cost_usd_sum"] or Decimal(0) for line in lines if line["batch_id"] is not None}


def _wasted(folder: Path) -> Decimal:
    table = pq.read_table(folder / RESULTS, columns=["status", "cost_usd"])
    lost = table.filter(pc.equal(table["status"], "failed"))["cost_usd"]
    found: Decimal | None = pc.sum(lost).as_py()
    return found or Decimal(0)


def _conflicts(folder: Path) -> Sequence[tuple[str, int]]:
    counts: dict[str, int] = {}
    with pq.ParquetFile(folder / RESULTS) as file:
        for batch in file.iter_batches(8192, columns=["conflicts"]):
            for one in pc.value_counts(pc.list_flatten(batch["conflicts"])).to_pylist():
                counts[one["values"]] = counts.get(one["values"], 0) + one["counts"]
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFLICTS]


def rows_by_status(manifest: Manifest) -> list[tuple[str, int]]:
    return [(name, getattr(manifest.rows, name)) for name in ("ok", "failed", "pending")]
