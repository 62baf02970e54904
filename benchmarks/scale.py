"""What each command costs as rows grow: wall, CPU and peak memory of its own process, at two sizes or more.

The sandbox answers at zero latency on the same machine, so that "run" takes as long as both of them need.

python benchmarks/scale.py [--rows 10000 100000] [--keep DIR]
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from common import REPO, job_file, measured, sandbox

FAILS = 0.002  # of rows, for something to retry
WORDS = ("steel bolts", "copper wire", "office chairs", "printer paper", "hydraulic oil", "safety gloves", "valves")


def write_short_invoices(path, count, seed=1):
    """Distinct short documents, a row each."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            amount = f"{chance.randint(1000, 999_999) / 100:.2f}"
            text = (
                f"INVOICE R-{number:08d}\nNordlicht Handel GmbH\nDate: 2026-{chance.randint(1, 12):02d}-"
                f"{chance.randint(1, 28):02d}\n{chance.randint(1, 90)} x {chance.choice(WORDS)}\nTotal: EUR {amount}"
            )
            file.write(json.dumps({"id": f"row-{number:08d}", "text": text, "customer": f"c{number % 50}"}) + "\n")


def steps(job, out):
    """Command lines by what they show, in the order of a user's week."""
    pipeline = [sys.executable, "-m", "pipeline"]
    return {
        "estimate": [*pipeline, "estimate", str(job), "--json"],
        "run": [*pipeline, "run", str(job)],
        "run again": [*pipeline, "run", str(job)],
        "resume, input touched": [*pipeline, "run", str(job)],
        "retry": [*pipeline, "retry", str(job)],
        "status": [*pipeline, "status", str(job)],
        "costs by tenant": [*pipeline, "costs", str(out), "--by", "tenant"],
        "verify": [*pipeline, "verify", str(out)],
        "export to CSV": [*pipeline, "export", str(out), "--format", "csv", "--to", str(out.parent / "all.csv")],
        "report": [*pipeline, "report", str(out)],
    }


def size(folder, rows, url):
    """Every step's figures over `rows` rows."""
    data = folder / "rows.jsonl"
    write_short_invoices(data, rows)
    job = job_file(folder, url, data)
    found = {}
    for name, command in steps(job, folder / "out").items():
        if name == "resume, input touched":  # a new modification time: looked at again, row by row
            data.touch()
        found[name] = measured(command, REPO)
        figures = found[name]
        print(
            f"{rows:>9,} {name:<22} exit {figures['code']}  {figures['wall_s']:8.1f} s  {figures['cpu_s']:8.1f} CPU s  "
            f"{1e6 * figures['cpu_s'] / rows:8.0f} us/row  {figures['peak_mb']:6.0f} MB",
            flush=True,
        )
        if figures["code"] not in (0, 1):
            print(figures["err"][-2000:])
    return found


def main(sizes, keep):
    table = {}
    with tempfile.TemporaryDirectory() as scratch, sandbox("--invalid-output", str(FAILS)) as url:
        for rows in sizes:
            folder = Path(keep or scratch) / str(rows)
            folder.mkdir(parents=True)
            table[rows] = size(folder, rows, url)
    first, *others = sizes
    for rows in others:
        for name, figures in table[rows].items():
            before = table[first][name]
            times = figures["cpu_s"] / before["cpu_s"]
            memory = figures["peak_mb"] / before["peak_mb"]
            print(f"{rows / first:g} x the rows, {name}: {times:.1f} x the CPU, {memory:.2f} x the memory")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--keep", help="leave the folders here")
    arguments = parser.parse_args()
    main(arguments.rows, arguments.keep)
