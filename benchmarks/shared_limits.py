"""Two runs of one account on one machine against one that does the work of both: with shared limits, and without.

1,000 rows each at 3,000 requests a minute, which neither job knows: told by headers, or by nobody (the Bedrock wire has
none). The bucket holds `--burst-s` seconds' worth. Wall: from the start of the first process to the end of the last.
Without a limit: what a run is slowed by, if another of its account is there.

python benchmarks/shared_limits.py [--rows 1000] [--rounds 3] [--burst-s 10]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from admission_http import job
from common import REPO, counters, sandbox
from scale import write_short_invoices

LIMIT, LATENCY_MS = 3000, 200
WAYS = {"one": (1, True), "two, shared": (2, True), "two, not shared": (2, False)}


def started(scratch, number, url, rows, *, silent, shared):
    folder = scratch / f"job{number}"
    folder.mkdir()
    data = folder / "rows.jsonl"
    write_short_invoices(data, rows, seed=number)
    path = job(folder, url, data, silent=silent, limits={"shared": str(shared).lower()})
    command = [sys.executable, "-m", "pipeline", "run", str(path)]
    return folder, subprocess.Popen(command, cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def calls_of(folder):
    """When its first call was sent, and its last answered."""
    calls = pq.read_table(folder / "out" / "calls.parquet", columns=["sent_at", "latency_ms"])
    sent = [moment.timestamp() for moment in calls["sent_at"].to_pylist()]
    return min(sent), max(at + (ms or 0) / 1000 for at, ms in zip(sent, calls["latency_ms"].to_pylist(), strict=True))


def once(rows, limit, burst_s, way, *, silent):
    """Seconds of the processes, and of the calls; calls, 429s, and how long one was through before the other."""
    runs, shared = WAYS[way]
    flags = ("--requests-per-minute", str(limit), "--burst-s", str(burst_s)) if limit else ()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(sandbox(*flags, "--latency-ms", str(LATENCY_MS if limit else 50)))
        os.environ |= {"XDG_RUNTIME_DIR": str(scratch), "OPENAI_API_KEY": "sk-none", "AWS_BEARER_TOKEN_BEDROCK": "none"}
        began_s = time.perf_counter()
        made = [started(scratch, n, url, 2 * rows // runs, silent=silent, shared=shared) for n in range(runs)]
        for _, process in made:
            if process.wait():
                sys.exit(process.stderr.read())
            process.stderr.close()
        wall_s = time.perf_counter() - began_s
        told = [json.loads((folder / "out" / "run.json").read_text()) for folder, _ in made]
        assert sum(one["rows"]["ok"] for one in told) == 2 * rows
        calls, limited = sum(one["calls"] for one in told), sum(one["rate_limited"] for one in told)
        assert limited == counters(url)["rate_limited"], "a 429 that one side did not count"
        first_s, last_s = zip(*(calls_of(folder) for folder, _ in made), strict=True)
    return wall_s, max(last_s) - min(first_s), calls, limited, max(last_s) - min(last_s)


def table(rows, rounds, burst_s):
    print(f"{2 * rows:,} rows in all, {LIMIT:,} requests a minute, {burst_s:g} s of them at once, {LATENCY_MS} ms")
    print("| the limit | runs | wall, s | of one run | calls, s | of one run | 429s | share | ends apart, s |")
    print("|---|---|---|---|---|---|---|---|---|")
    cases = {"told by headers": (LIMIT, False), "told by nobody": (LIMIT, True), "there is none": (0, False)}
    for name, (limit, silent) in cases.items():
        found = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(once(rows, limit, burst_s, way, silent=silent))
        middle = {way: [statistics.median(figures) for figures in zip(*found[way], strict=True)] for way in WAYS}
        for way, (wall_s, calls_s, _, _, apart_s) in middle.items():
            limited, calls = sum(one[3] for one in found[way]), sum(one[2] for one in found[way])
            of_one = [wall_s / middle["one"][0], calls_s / middle["one"][1]]
            figures = f"{wall_s:.2f} | {of_one[0]:.3f} | {calls_s:.2f} | {of_one[1]:.3f} | {limited / rounds:.1f}"
            print(f"| {name} | {way} | {figures} | {limited / calls:.2%} | {apart_s:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--burst-s", type=float, default=10.0)
    arguments = parser.parse_args()
    table(arguments.rows, arguments.rounds, arguments.burst_s)
