"""The batch lane as rows grow: rows a second, peak memory of the run's process, the longest that its loop stood still.

The sandbox answers, in a process of its own, and takes most of the time; its batches end as soon as their lines
are run. A stall is told in wall time, and in CPU time of the loop's thread: on a busy machine only the second is ours.

    python benchmarks/batches.py [--rows 10000 100000] [--trace]
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from common import REPO, job_file, measured, peak_mb
from scale import write_short_invoices

BEAT_S = 0.002
MOST_STALL_S, MOST_MEMORY = 0.05, 1.25  # of the loop's own CPU time; times that of the smallest size
LANE = """
lane = "batch"
[batch]
poll_s = 0.1
[sandbox]
batch_s = 0.0
latency_ms = 0
[limits]
"""


class Beat:
    """A task that wakes every two milliseconds, and knows how late it was."""

    def __init__(self, *, trace):
        self.wall_s = self.cpu_s = self.peak_mb = 0.0
        self.over = 0  # stalls beyond the bound
        self._at_s, self._thread, self._trace = time.perf_counter(), threading.get_ident(), trace

    async def beating(self):
        if self._trace:
            threading.Thread(target=self._watch, daemon=True).start()
        while True:
            self._at_s, cpu_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT_S)
            cpu_s = time.thread_time() - cpu_s
            self.wall_s = max(self.wall_s, time.perf_counter() - self._at_s - BEAT_S)
            self.cpu_s = max(self.cpu_s, cpu_s)
            self.over += cpu_s > MOST_STALL_S

    def _watch(self):
        """Where the loop's thread is while it stands still."""
        told_s = 0.0
        while True:
            time.sleep(MOST_STALL_S / 5)
            if time.perf_counter() - self._at_s > MOST_STALL_S * 0.8 and told_s != self._at_s:
                told_s = self._at_s
                frame = sys._current_frames()[self._thread]  # noqa: SLF001 (that is its name)
                print("".join(traceback.format_stack(frame)[-6:]), file=sys.stderr)


def child(job, *, trace):
    """One run in this process; its figures as JSON."""
    from pipeline.engine.feed import Selection
    from pipeline.engine.run import run_job
    from pipeline.engine.session import Host, RunCommand, Session
    from pipeline.extraction.prepare import prepare
    from pipeline.job.settings import Job
    from pipeline.runtime import spare_pandas

    work, beats = Session._work, []  # noqa: SLF001 (where its loop runs)

    async def beaten(*arguments):
        beats.append(Beat(trace=trace))
        beating = asyncio.create_task(beats[0].beating())
        try:
            await work(*arguments)
        finally:
            beating.cancel()
            beats[0].peak_mb = peak_mb()

    Session._work = beaten  # noqa: SLF001 (as above)
    spare_pandas()
    began_s = time.perf_counter()
    ended = run_job(RunCommand(prepare(Job.load(job)), "run", Selection(), os.environ, host=Host(own=True)))
    figures = {"wall_s": time.perf_counter() - began_s, "published_mb": peak_mb(), "park": ended.park}
    stalls = {"stall_s": beats[0].wall_s, "stall_cpu_s": beats[0].cpu_s, "over": beats[0].over}
    print(json.dumps({**figures, **stalls, "peak_mb": beats[0].peak_mb}))


def job_of(folder, rows):
    write_short_invoices(folder / "rows.jsonl", rows)
    job = job_file(folder, "", folder / "rows.jsonl")
    text = job.read_text().replace('base_url = "/v1"\n', "").replace("[limits]\n", LANE.lstrip())
    job.write_text(text)
    return job


def main(sizes, *, trace):
    found = {}
    print("| rows | rows/s | peak MB | once published | longest stall, CPU ms | wall ms | stalls over 50 ms |")
    print("|---|---|---|---|---|---|---|")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            words = [sys.executable, __file__, "--child", str(job_of(Path(scratch), rows)), *["--trace"] * trace]
            ran = measured(words, REPO)
            if ran["code"]:
                sys.exit(ran["err"])
            if trace:
                print(ran["err"], file=sys.stderr)
            found[rows] = figures = json.loads(ran["out"].splitlines()[-1])
            manifest = json.loads((Path(scratch) / "out" / "run.json").read_text())
        assert manifest["rows"]["ok"] == rows, manifest["rows"]
        cells = [f"{rows / figures['wall_s']:,.0f}", f"{figures['peak_mb']:.0f}", f"{figures['published_mb']:.0f}"]
        cells += [f"{1000 * figures['stall_cpu_s']:.0f}", f"{1000 * figures['stall_s']:.0f}", str(figures["over"])]
        print(f"| {rows:,} | {' | '.join(cells)} |", flush=True)
    first, *others = sizes
    for rows in others:
        times = found[rows]["peak_mb"] / found[first]["peak_mb"]
        print(f"\n{rows / first:g} x the rows: {times:.2f} x the memory (at most {MOST_MEMORY})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--trace", action="store_true", help="where the loop stands still, on standard error")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, trace=arguments.trace)
    else:
        main(arguments.rows, trace=arguments.trace)
