"""What a unit of work costs as there is more of it: rows, length of documents, width of the schema, calls at once.

CPU, wall and peak memory of our process alone; what a run of one row costs is taken off the first two. The replay
server answers, except for schemas of several widths, which the sandbox fills by their rules.

    python benchmarks/growth.py [--quick]
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured, replay_server, sandbox
from scale import WORDS, write_short_invoices

SHORT_S, SHORT_RUNS = 2.0, 5
MOST = 1.25  # times the cost of a unit at the smallest size: more is worse than linear


@dataclass
class Size:
    told: str
    units: int
    job: Path


def prose(path, rows, characters):
    """Documents of about this length, no two alike, with their number in every part."""
    chance = random.Random(characters)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            lines, length = [], 0
            while length < characters:
                amount = f"{chance.randint(1000, 999_999) / 100:.2f}"
                line = f"R-{number:08d}: {chance.randint(1, 90)} {chance.choice(WORDS)} at EUR {amount} were delivered."
                lines.append(line)
                length += len(line) + 1
            file.write(json.dumps({"id": f"row-{number}", "text": "\n".join(lines), "customer": "c"}) + "\n")


def schema(path, fields):
    lines = ["from pydantic import BaseModel, Field", "", "", "class Wide(BaseModel):"]
    kinds = ("str", "int", "float", "bool")
    lines += [f'    field_{n}: {kinds[n % 4]} | None = Field(description="Figure {n}")' for n in range(fields)]
    path.write_text("\n".join(lines) + "\n")


def rows_axis(scratch, url, quick):
    for rows in (200, 2000) if quick else (1000, 10_000, 100_000):
        folder = scratch / f"rows-{rows}"
        folder.mkdir()
        write_short_invoices(folder / "rows.jsonl", rows)
        yield Size(f"{rows:,} rows", rows, job_file(folder, url, folder / "rows.jsonl"))


def length_axis(scratch, url, quick):
    for kilobytes in (1, 10) if quick else (1, 10, 100):
        folder = scratch / f"length-{kilobytes}"
        folder.mkdir()
        rows = 100 if quick else 300
        prose(folder / "rows.jsonl", rows, 1000 * kilobytes)
        yield Size(f"{kilobytes} KB a document", rows * kilobytes, job_file(folder, url, folder / "rows.jsonl"))


def width_axis(scratch, url, quick):
    for fields in (10, 100):
        folder = scratch / f"width-{fields}"
        folder.mkdir()
        rows = 200 if quick else 1000
        write_short_invoices(folder / "rows.jsonl", rows)
        schema(folder / "wide.py", fields)
        job = job_file(folder, url, folder / "rows.jsonl")
        job.write_text(job.read_text().replace(f"{REPO}/schemas/invoice.py:Invoice", f"{folder}/wide.py:Wide"))
        yield Size(f"{fields} fields", rows * fields, job)


def window_axis(scratch, url, quick):
    for calls in (10, 100) if quick else (10, 100, 1000):
        folder = scratch / f"window-{calls}"
        folder.mkdir()
        rows = 1000 if quick else 10_000
        write_short_invoices(folder / "rows.jsonl", rows)
        yield Size(f"{calls} calls at once", rows, job_file(folder, url, folder / "rows.jsonl", concurrency=str(calls)))


AXES = (("row", rows_axis), ("KB", length_axis), ("field and row", width_axis), ("row", window_axis))


def run(job):
    """The figures of a run; of a short one the medians of five: what start-up takes varies as much as its rows do."""
    found = []
    while len(found) < SHORT_RUNS:
        shutil.rmtree(job.parent / "out", ignore_errors=True)
        figures = measured([sys.executable, "-m", "pipeline", "run", str(job)], REPO)
        if figures["code"]:
            sys.exit(figures["err"])
        found.append(figures)
        if figures["wall_s"] > SHORT_S:
            break
    return {name: median(figures[name] for figures in found) for name in ("cpu_s", "wall_s", "peak_mb")}


def table(unit, sizes, start):
    """Print an axis; returns what is worse than linear."""
    print(f"\n| | CPU ms per {unit} | wall ms per {unit} | peak MB | CPU, times the first | wall, times the first |")
    print("|---|---|---|---|---|---|")
    first, worse = None, []
    for size in sizes:
        figures = run(size.job)
        cost = [1000 * max(0.0, figures[name] - start[name]) / size.units for name in ("cpu_s", "wall_s")]
        first = first or cost
        times = [now / then for now, then in zip(cost, first, strict=True)]
        cells = [f"{cost[0]:.3f}", f"{cost[1]:.3f}", f"{figures['peak_mb']:.0f}", *(f"{one:.2f}" for one in times)]
        print(f"| {size.told} | {' | '.join(cells)} |", flush=True)
        worse += [size.told] if max(times) > MOST else []
    return worse


def main(*, quick):
    worse = []
    with tempfile.TemporaryDirectory() as folder, replay_server() as url, sandbox() as rules:
        scratch = Path(folder)
        one = scratch / "one"
        one.mkdir()
        write_short_invoices(one / "rows.jsonl", 1)
        start = run(job_file(one, url, one / "rows.jsonl"))
        print(f"a run of one row: CPU {start['cpu_s']:.2f} s, wall {start['wall_s']:.2f} s, {start['peak_mb']:.0f} MB")
        for unit, axis in AXES:
            server = rules if axis is width_axis else url
            worse += table(unit, axis(scratch, server, quick), start)
    print("\nworse than linear: " + (", ".join(worse) or "nothing"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    main(**vars(parser.parse_args()))
