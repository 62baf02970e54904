"""CPU, time and peak memory of `pipeline diff` and `pipeline eval` over made-up outputs of a million rows.

    python benchmarks/compare_outputs.py [ROWS]

Outputs are diffed as they come out of two runs of one job (the same order, a share of rows changed), with rows that
only one side has, and in another order altogether; then one is held against as many known answers. Each is a process of
its own, so that its peak is its own.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LINE = pa.struct([("description", pa.string()), ("quantity", pa.int32()), ("amount", pa.decimal128(14, 2))])
RECORD = pa.struct(
    [
        ("supplier", pa.string()), ("number", pa.string()), ("issued_on", pa.string()), ("currency", pa.string()),
        ("lines", pa.list_(LINE)), ("net_total", pa.decimal128(14, 2)), ("gross_total", pa.decimal128(14, 2)),
    ]
)  # fmt: skip
SCHEMA = pa.schema(
    [
        ("row", pa.int64()), ("id", pa.string()), ("status", pa.string()), ("record", RECORD),
        ("error_code", pa.string()), ("cost_usd", pa.decimal128(20, 10)), ("answer_from", pa.string()),
        ("cost_total_usd", pa.decimal128(20, 10)),
    ]
)  # fmt: skip
CENT = Decimal("0.0100000000")
GROUP_ROWS = 4096


def line(number, *, changed):
    net = Decimal(number % 100_000)
    lines = [{"description": f"part {number + at}", "quantity": at, "amount": net} for at in range(3)]
    record = {
        "supplier": f"Supplier {number % 500}", "number": f"RE-{number}", "issued_on": "2026-05-14", "currency": "EUR",
        "lines": lines, "net_total": net, "gross_total": net + changed,
    }  # fmt: skip
    costs = {"cost_usd": CENT, "answer_from": "call", "cost_total_usd": CENT}
    return {"row": number, "id": f"inv-{number:07}", "status": "ok", "record": record, **costs}


def write(folder, order, *, changed=0):
    """One of `changed` rows differs."""
    folder.mkdir()
    with pq.ParquetWriter(folder / "results.parquet", SCHEMA, compression="zstd") as writer:
        for start in range(0, len(order), GROUP_ROWS):
            rows = [line(n, changed=int(changed and n % changed == 0)) for n in order[start : start + GROUP_ROWS]]
            writer.write_batch(pa.RecordBatch.from_pylist(rows, SCHEMA))
    return folder


def answers(path, rows):
    with path.open("w") as out:
        for number in range(rows):
            known = line(number, changed=int(number % 20 == 0))
            out.write(json.dumps({"id": known["id"], "record": known["record"]}, default=str) + "\n")
    return path


def measure(name, *words):
    """A process of its own: its CPU, its time, its peak, and what it counted."""
    begun = time.perf_counter()
    code = (
        "import resource, sys; from pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, words), "--json"], capture_output=True, text=True, check=False
    )
    seconds, found = time.perf_counter() - begun, json.loads(ended.stdout)
    counts = {
        key: found[key] for key in ("rows", "same", "changed", "only_left", "only_right", "compared") if key in found
    }
    cpu_s, peak_kib = map(float, ended.stderr.split()[-2:])
    print(f"{name:<32} {cpu_s:>7.1f} s of CPU {seconds:>7.1f} s {peak_kib / 1024:>5.0f} MB   {counts}", flush=True)


def main(rows):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        order = list(range(rows))
        left = write(folder / "left", order)
        measure("the same", "diff", left, left)
        measure("1 row of 20 changed", "diff", left, write(folder / "changed", order, changed=20))
        measure("every row changed", "diff", left, write(folder / "all", order, changed=1))
        measure("1 row of 10 is not there", "diff", left, write(folder / "fewer", [n for n in order if n % 10]))
        random.Random(7).shuffle(order)
        measure("another order", "diff", left, write(folder / "shuffled", order))
        measure("eval, as many known answers", "eval", left, "--golden", answers(folder / "golden.jsonl", rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
