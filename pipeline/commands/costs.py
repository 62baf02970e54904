"""`pipeline costs`: what was spent, by tenant, model, day or cause. Reads calls.parquet only."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.commands.tenants import names_of_tenants
from pipeline.errors import JobError
from pipeline.job.folder import CALLS
from pipeline.types import TOKENS

KEYS = {"tenant": "tenant_hash", "model": "model", "day": "day", "error_code": "error_code"}


def costs(folder: Path, by: str, *, hash_tenants: bool = False) -> list[dict[str, Any]]:
    """One entry per group, the dearest first: key, calls, cost_usd (string), the five token sums.

    Tenants by the names that the ledger has for their hashes, with the hash beside it, unless `hash_tenants`.

    Raises:
        JobError: the folder has no calls.parquet.
    """
    path = folder / CALLS
    if not path.is_file():
        raise JobError(f"{folder}: no {CALLS} here. Run a job with this output first")
    table = pq.read_table(path, columns=["tenant_hash", "model", "sent_at", "error_code", *TOKENS, "cost_usd"])
    table = table.append_column("day", pc.strftime(table["sent_at"], format="%Y-%m-%d"))
    column = KEYS[by]
    names = names_of_tenants(folder) if by == "tenant" and not hash_tenants else {}
    sums = [(name, "sum") for name in (*TOKENS, "cost_usd")]
    grouped: pa.Table = table.group_by(column).aggregate([*sums, ([], "count_all")])
    entries = [
        {
            by: names.get(line[column], line[column]),
            **({column: line[column]} if by == "tenant" else {}),
            "calls": line["count_all"],
            "cost_usd": str(line["cost_usd_sum"] or Decimal(0)),
            **{name: line[f"{name}_sum"] for name in TOKENS},
        }
        for line in grouped.to_pylist()
    ]
    return sorted(entries, key=lambda entry: Decimal(entry["cost_usd"]), reverse=True)
