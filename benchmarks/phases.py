"""Where a row's CPU goes: a run in this process, with a clock around every phase.

The clock is the thread's own CPU time, so that waiting counts for nothing; what a phase calls of another phase counts
for that one. The rest is the event loop, tasks, and the kernel's work on sockets. Clocks cost some microseconds a row
themselves, and are in no phase.

    python benchmarks/phases.py [--rows 20000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from common import job_file, replay_server
from scale import write_short_invoices

SPENT_NS = defaultdict(int)
STACKS = threading.local()
PHASES = {  # phase: what is clocked, as module:name
    "chunk, count": ("pipeline.engine.feed:chunk",),
    "find what is done": ("pipeline.engine.feed:_batch", "pipeline.ledger.ledger:Ledger.answer"),
    "build request": ("pipeline.extraction.requests:extract_request", "pipeline.providers.openai.wire:OpenAIWire.body"),
    "admit, settle": (*("pipeline.admission.queue:Admission._pump", "pipeline.admission.queue:Admission.finish"),),
    "send": ("pipeline.providers.transport.connection:Connection.ask", "pipeline.providers.transport.pool:head_of"),
    "receive": ("pipeline.providers.transport.connection:Connection.data_received",),
    "parse": ("pipeline.providers.openai.wire:OpenAIWire.reply",),
    "validate": ("pipeline.engine.row:check", "pipeline.schema.arrow:RecordColumn.problem_of"),
    "record, on the loop": (
        *(
            "pipeline.ledger.ledger:Ledger.intend",
            "pipeline.ledger.ledger:Ledger.record",
            "pipeline.ledger.ledger:Ledger.conclude",
        ),
        *("pipeline.ledger.ledger:Ledger.enter_rows", "pipeline.ledger.writer:_resolve"),
    ),
    "record, in the writer": ("pipeline.ledger.writer:Writer._commit_or_fail",),
    "publish": ("pipeline.output.publish:Publisher.publish",),
}


def clocked(phase, function):
    """`function`, its CPU time booked on `phase` less what phases inside of it book."""

    def wrapper(*arguments, **named):
        stack = STACKS.__dict__.setdefault("inner_ns", [])
        stack.append(0)
        began_ns = time.thread_time_ns()
        try:
            return function(*arguments, **named)
        finally:
            took_ns = time.thread_time_ns() - began_ns
            SPENT_NS[phase] += took_ns - stack.pop()
            if stack:
                stack[-1] += took_ns

    return wrapper


def clock_all():
    for phase, places in PHASES.items():
        for place in places:
            module, _, path = place.partition(":")
            __import__(module)
            owner = sys.modules[module]
            *outer, name = path.split(".")
            for part in outer:
                owner = getattr(owner, part)
            setattr(owner, name, clocked(phase, getattr(owner, name)))


def reading(source):
    """Batches of the input, on the clock."""
    real = source.batches

    def batches(self, size):
        rows = real(self, size)
        step = clocked("read", lambda: next(rows, None))
        while (batch := step()) is not None:
            yield batch

    source.batches = batches


def child(job, rows):
    """The run itself; prints the table."""
    from pipeline.cli import main
    from pipeline.documents.sources.source import Source

    clock_all()
    reading(Source)
    before_s = time.process_time()
    with Path(os.devnull).open("w") as sys.stderr:
        try:
            main(["run", job])
        except SystemExit as ended:
            if ended.code:
                raise
    whole_us = 1e6 * (time.process_time() - before_s) / rows
    print(f"\n| phase | CPU µs per row, of {rows:,} rows | share |\n|---|---|---|")
    found = {phase: SPENT_NS[phase] / 1000 / rows for phase in ("read", *PHASES)}
    found["event loop, tasks, kernel, start"] = whole_us - sum(found.values())
    for phase, cpu_us in found.items():
        print(f"| {phase} | {cpu_us:.1f} | {cpu_us / whole_us:.0%} |")
    print(f"| all | {whole_us:.1f} | |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rows)
    else:
        with tempfile.TemporaryDirectory() as scratch, replay_server() as url:
            data = Path(scratch) / "rows.jsonl"
            write_short_invoices(data, options.rows)
            job = job_file(Path(scratch), url, data)
            command = [sys.executable, __file__, "--rows", str(options.rows), "--child", str(job)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(told[told.index("\n| phase") :].strip())
