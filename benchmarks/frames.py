"""polars against pyarrow behind `costs --run last` and `export`: wall, CPU and peak memory, each in its own process.

The answers of both are compared first; what is faster and says something else is no candidate. The figures are in
docs/dependencies.md.

python benchmarks/frames.py [--calls 1000000] [--rows 500000]
"""

import argparse
import datetime as dt
import json
import random
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from common import REPO, measured, peak_mb

from pipeline.columns import TOKENS
from pipeline.output.calls import CALL_SCHEMA
from pipeline.output.layout import COST, ROW_GROUP_ROWS

LINE = pa.struct([("description", pa.string()), ("quantity", pa.decimal128(14, 4)), ("amount", pa.decimal128(14, 2))])
RECORD = pa.struct(
    [
        ("supplier", pa.string()),
        ("issued_on", pa.date32()),
        ("paid", pa.bool_()),
        ("lines", pa.list_(LINE)),
        ("gross_total", pa.decimal128(14, 2)),
    ]
)
RESULT_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("status", pa.string()),
        ("record", RECORD),
        ("error", pa.string()),
        ("conflicts", pa.list_(pa.string())),
        *((name, pa.int64()) for name in TOKENS),
        ("cost_usd", COST),
        ("model", pa.string()),
    ]
)


def call(number, chance):
    return {
        "request_id": f"{number:032x}",
        "row": number,
        "id": f"row-{number:08d}",
        "purpose": "extract",
        "attempt": 1,
        "sent_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
        "model": "gpt-4o-mini",
        "error_code": "rate_limited" if chance.random() < 0.02 else None,
        **{name: chance.randint(0, 4000) for name in TOKENS},
        "cost_usd": Decimal(chance.randint(0, 10**8)).scaleb(-10),
        "tenant_hash": f"{chance.randint(0, 49):016x}",
    }


def result(number, chance):
    amount = Decimal(chance.randint(100, 10**6)).scaleb(-2)
    lines = [{"description": f"=item {n}, steel", "quantity": Decimal(n), "amount": amount} for n in (1, 2, 3)]
    record = {
        "supplier": f"Müller {number} GmbH",
        "issued_on": dt.date(2026, 11, 1 + number % 28),
        "paid": number % 2 == 0,
        "lines": lines,
        "gross_total": amount,
    }
    return {
        "row": number,
        "id": f"row-{number:08d}",
        "status": "ok",
        "record": record,
        "conflicts": [],
        **{name: chance.randint(0, 4000) for name in TOKENS},
        "cost_usd": Decimal(chance.randint(0, 10**8)).scaleb(-10),
        "model": "gpt-4o-mini",
    }


def write(path, schema, line, count):
    chance = random.Random(1)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, count, ROW_GROUP_ROWS):
            lines = [line(number, chance) for number in range(start, min(start + ROW_GROUP_ROWS, count))]
            writer.write_batch(pa.RecordBatch.from_pylist(lines, schema), row_group_size=ROW_GROUP_ROWS)


def costs_by(library):
    def told(folder, key):
        from pipeline.commands import costs

        costs.find_spec = lambda _: library
        return costs.costs(folder, key, "last", hash_tenants=True)

    return told


def export_by_pyarrow(folder, form):
    from pipeline.commands.export import export

    with (folder / f"arrow.{form}").open("w", encoding="utf-8", newline="") as out:
        return export(folder, form, out, raw=False)


def export_by_polars(folder, form):
    """The same with polars turning columns into Python's values."""
    import polars as pl

    from pipeline.commands import export as ours

    vars(ours)["_values"] = lambda column: pl.Series(pl.from_arrow(column)).to_list()
    with (folder / f"polars.{form}").open("w", encoding="utf-8", newline="") as out:
        return ours.export(folder, form, out, raw=False)


WAYS = {
    "costs": {"pyarrow": costs_by(None), "polars": costs_by("polars")},
    "export": {"pyarrow": export_by_pyarrow, "polars": export_by_polars},
}


def compared(folder, what, how):
    """Both ways in processes of their own: (way, figures)."""
    told = {}
    for way in WAYS[what]:
        figures = measured([sys.executable, __file__, "--one", what, way, how, str(folder)], REPO)
        assert figures["code"] == 0, figures["err"]
        told[way], peak_mb = json.loads(figures["out"])
        print(
            f"{what} {how:<10} {way:<8} {figures['wall_s']:6.2f} s  {figures['cpu_s']:6.2f} CPU s  {peak_mb:6.0f} MB",
            flush=True,
        )
    if what == "export":
        same = (folder / f"arrow.{how}").read_bytes() == (folder / f"polars.{how}").read_bytes()
    else:
        same = sorted(told["pyarrow"], key=str) == sorted(told["polars"], key=str)
    print(f"{what} {how}: {'the same' if same else 'THEY DIFFER'}", flush=True)


def main(calls, rows):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder / "calls.parquet", CALL_SCHEMA, call, calls)
        write(folder / "results.parquet", RESULT_SCHEMA, result, rows)
        for key in ("tenant", "day", "error_code"):
            compared(folder, "costs", key)
        for form in ("csv", "jsonl"):
            compared(folder, "export", form)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, way, how, folder = arguments.one
        found = WAYS[what][way](Path(folder), how)
        print(json.dumps((found, peak_mb()), default=str))
    else:
        main(arguments.calls, arguments.rows)
