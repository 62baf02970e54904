"""All comparisons, one after the other: what `make bench` runs, and where the figures in docs/benchmarks.md come from.

Each prints ratios taken in one alternating run; the machine may be busy, so only these mean something.

    python benchmarks/bench.py [--only overhead,slots]
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PARTS = {  # name: what it shows, and its command
    "overhead": ("a run against a bare loop, no latency", ["overhead.py"]),
    "phases": ("where a row's CPU goes", ["phases.py"]),
    "peers": ("what people use now, each in an environment of its own", ["peers/compare.py"]),
    "slots": ("a second of latency, 500 calls at once", ["slots.py"]),
    "estimate": ("estimate against a bare tokenizer", ["estimate_speed.py"]),
    "startup": ("help, and the first request", ["startup.py"]),
    "workers": ("more processes for one job", ["workers.py"]),
    "growth": ("as work grows", ["growth.py"]),
    "batches": ("the batch lane as rows grow", ["batches.py"]),
}


def main(names):
    failed = []
    for name in names:
        told, command = PARTS[name]
        print(f"\n## {name}: {told}\n", flush=True)
        began_s = time.perf_counter()
        if subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=False).returncode:
            failed.append(name)
        print(f"\n({time.perf_counter() - began_s:.0f} s)", flush=True)
    if failed:
        sys.exit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    chosen = parser.parse_args().only.split(",")
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}")
    main(chosen)
