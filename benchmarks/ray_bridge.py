"""What a row costs through the bridge to a Ray cluster, against `limits.workers = 2`; and what more workers bring.

    python benchmarks/ray_bridge.py [--rows 8000] [--rounds 2]        CPU a row and documents a second, two workers each
    python benchmarks/ray_bridge.py --sleep-ms 40 [--rows 400]         a validator that sleeps: 1, 2 and 4 workers
    python benchmarks/ray_bridge.py --start                            from the command to its first request

The cluster is two nodes on this machine; CPU is that of the run's processes and, on Ray, of the cluster's as well.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from common import REPO, job_file, measured, replay_server
from scale import write_short_invoices

sys.path.insert(0, str(REPO / "tests" / "kit"))
from ray_cluster import ray_cluster, ray_environ

SCHEMA = """
import sys
import time

sys.path.insert(0, {schemas!r})
from invoice import Invoice as Plain
from pydantic import model_validator


class Invoice(Plain):
    @model_validator(mode="after")
    def waited_for(self):
        time.sleep({seconds})
        return self
"""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cluster_cpu_s(process: int) -> float:
    """Of a process and all that came of it and lives: a cluster's daemons, once its workers are gone."""
    spent, todo = 0.0, [process]
    while todo:
        pid = todo.pop()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
        spent += sum(map(int, fields[11:15])) * TICK_S
    return spent


class Runs:
    """One after the other, each in a folder of its own."""

    def __init__(self, scratch: Path, url: str, cluster) -> None:
        self.scratch, self.url, self.cluster = scratch, url, cluster
        self.number = 0

    def run(self, rows: int, *, ray: int = 0, workers: int = 1, sleep_ms: float = 0.0, calls: int = 200) -> dict:
        self.number += 1
        folder = self.scratch / f"run-{self.number}"
        folder.mkdir()
        data = self.scratch / f"{rows}.jsonl"
        if not data.exists():
            write_short_invoices(data, rows)
        job = job_file(folder, self.url, data, workers=str(workers), concurrency=str(calls))
        text = job.read_text()
        if sleep_ms:
            schema = folder / "slow.py"
            schema.write_text(SCHEMA.format(schemas=str(REPO / "schemas"), seconds=sleep_ms / 1000))
            text = text.replace(f"{REPO}/schemas/invoice.py:Invoice", f"{schema}:Invoice")
        if ray:
            engine = {"on": '"ray"', "address": f'"{self.cluster.address}"', "workers": ray, "cpus_per_worker": 0.5}
            text += "[engine]\n" + "".join(f"{key} = {value}\n" for key, value in engine.items())
        job.write_text(text)
        before = cluster_cpu_s(self.cluster.pid)
        found = measured([sys.executable, "-m", "pipeline", "run", str(job)], REPO)
        if found["code"]:
            sys.exit(found["err"])
        told = json.loads((folder / "out/run.json").read_text()).get("workers", ()) if ray else ()
        found["workers_s"] = sum(one["cpu_s"] for one in told)  # others are children of the command, and in its CPU
        found["daemons_s"] = cluster_cpu_s(self.cluster.pid) - before if ray else 0.0
        return found


def costs(runs: Runs, rows: int, rounds: int) -> None:
    """Marginal: what `rows` more rows take, so that no start counts."""
    ways = {"workers = 2": {"workers": 2}, "ray, 2 workers": {"ray": 2}}
    for number in range(rounds):
        for name, way in ways.items():
            few, many = runs.run(400, **way), runs.run(400 + rows, **way)
            each = [(many[one] - few[one]) / rows * 1e6 for one in ("cpu_s", "workers_s", "daemons_s")]
            rate = rows / (many["wall_s"] - few["wall_s"])
            told = f"{sum(each):.0f} us CPU a row (command {each[0]:.0f}, workers {each[1]:.0f}, daemons {each[2]:.0f})"
            print(f"round {number}, {name}: {told}, {rate:.0f} documents/s", flush=True)


def scaling(runs: Runs, rows: int, sleep_ms: float) -> None:
    for workers in (1, 2, 4):
        few = runs.run(20 * workers, ray=workers, sleep_ms=sleep_ms)
        many = runs.run(20 * workers + rows * workers, ray=workers, sleep_ms=sleep_ms)
        rate = rows * workers / (many["wall_s"] - few["wall_s"])
        print(f"{workers} workers, a validator of {sleep_ms:g} ms: {rate:.0f} documents/s", flush=True)


def started(runs: Runs) -> None:
    for _ in range(3):
        began = time.time()
        found = runs.run(1, ray=1)
        print(f"one row on a running cluster: {found['wall_s']:.1f} s in all, since {began:.0f}", flush=True)


def main(rows: int, rounds: int, sleep_ms: float, *, start: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch, replay_server() as url, ray_cluster(scratch) as cluster:
        os.environ.update(ray_environ(scratch))
        runs = Runs(Path(scratch), url, cluster)
        if start:
            started(runs)
        elif sleep_ms:
            scaling(runs, rows, sleep_ms)
        else:
            costs(runs, rows, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sleep-ms", type=float, default=0.0)
    parser.add_argument("--start", action="store_true")
    main(**vars(parser.parse_args()))
