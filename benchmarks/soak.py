"""A bad night, proved: faults and kill -9 over many rows, then run.json, both files and the server's counters compared.

python benchmarks/soak.py [--rows 2000] [--kills 5] [--seed 1]          half a minute
python benchmarks/soak.py --rows 60000 --kills 200 --between 0.9 1.6     six minutes: what `make soak` runs
python benchmarks/soak.py --on ray --rows 40000 --kills 100              workers, nodes, bridges and runs are killed
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
from common import REPO, counters, job_file, measured, sandbox, write_invoices

FAULTS = (
    "--throttled",
    "0.05",
    "--server-error",
    "0.05",
    "--invalid-output",
    "0.05",
    "--truncated",
    "0.02",
    "--disconnect",
    "0.01",
)


def reconciled(out: Path) -> dict:
    manifest = json.loads((out / "run.json").read_text())
    results, calls = pq.read_table(out / "results.parquet"), pq.read_table(out / "calls.parquet")
    rows = manifest["rows"]
    status = results["status"].to_pylist()
    assert rows["total"] == rows["ok"] + rows["failed"] + rows["pending"] == len(status)
    assert [status.count(name) for name in ("ok", "failed", "pending")] == [rows["ok"], rows["failed"], rows["pending"]]
    for name, total in manifest["tokens"].items():
        assert total == sum(results[name].to_pylist()) == sum(calls[name].to_pylist()), name
    for table in (results, calls):
        assert Decimal(manifest["cost_usd"]) == sum(
            (cost or Decimal(0) for cost in table["cost_usd"].to_pylist()), Decimal(0)
        )
    assert manifest["calls"] == calls.num_rows == sum(results["calls"].to_pylist())
    assert results["row"].to_pylist() == list(range(len(status)))
    return {"manifest": manifest, "calls": calls}


def main(rows: int, kills: int, seed: int, between_s: list[float], workers: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch, sandbox("--latency-ms", "50", "--seed", str(seed), *FAULTS) as url:
        folder = Path(scratch)
        write_invoices(folder / "rows.jsonl", rows, seed)
        job = job_file(folder, url, folder / "rows.jsonl", workers=str(workers))
        command = [sys.executable, "-m", "pipeline", "run", str(job)]
        died = 0
        for _ in range(kills):
            killed = measured(command, REPO, kill_after_s=chance.uniform(*between_s))
            died += killed["code"] == -9
            if killed["code"] == 0:
                break
        print(f"killed {died} times")
        last = measured(command, REPO)
        print(last["err"])
        if last["code"]:
            sys.exit(f"exit {last['code']}")
        compare_books(folder, url)


def compare_books(folder: Path, url: str) -> None:
    """Of a run that has ended: its files with each other, and with what the server has counted."""
    found, served = reconciled(folder / "out"), counters(url)
    verified = measured([sys.executable, "-m", "pipeline", "verify", str(folder / "out")], REPO)
    print(verified["out"])
    assert verified["code"] == 0
    manifest, calls = found["manifest"], found["calls"]
    lost = sum(code == "lost" for code in calls["error_code"].to_pylist())
    answered = sum(status == 200 for status in calls["http_status"].to_pylist())
    print(f"sandbox: {json.dumps(served)}")
    print(f"ours: {manifest['calls']} calls, {answered} answered, {lost} lost in crashes, {manifest['rows']}")
    print(
        f"answers the sandbox billed and we don't have: {served['answered'] - answered} "
        f"(at most the {lost} lost and those cut off)"
    )
    seen = sum(count for count in (served["requests"], -manifest["calls"]))
    print(f"requests the sandbox saw beyond our call log: {seen}")
    assert seen <= 0, "a request that is not on our books"
    cut = sum(code == "timeout" for code in calls["error_code"].to_pylist())
    assert served["answered"] - answered <= lost + cut, "an answer was billed that we cannot name"


def on_ray(rows: int, kills: int, seed: int, between_s: list[float]) -> None:
    """Something of a run on a cluster is killed every now and then, until it has been so many times; then it ends."""
    sys.path.append(str(REPO / "tests" / "kit"))
    from ray_cluster import ray_cluster, ray_environ

    chance, killed = random.Random(seed), Counter()
    with (
        tempfile.TemporaryDirectory() as scratch,
        sandbox("--latency-ms", "50", "--seed", str(seed), *FAULTS) as url,
        ray_cluster(scratch) as cluster,
    ):
        folder = Path(scratch)
        write_invoices(folder / "rows.jsonl", rows, seed)
        job = job_file(folder, url, folder / "rows.jsonl", concurrency="60", timeout_s="5")
        engine = f'[engine]\non = "ray"\naddress = "{cluster.address}"\nworkers = 3\n'
        job.write_text(job.read_text() + engine)
        env = {**os.environ, **ray_environ(scratch)}
        code = None
        while code != 0:
            command = [sys.executable, "-m", "pipeline", "run", str(job)]
            with (folder / "told.log").open("w") as log:
                process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            while killed.total() < kills and process.poll() is None:
                time.sleep(chance.uniform(*between_s))
                killed.update(_kill_something(chance, cluster, process))
            code = process.wait()
            print(f"exit {code}, killed so far: {dict(killed)}", flush=True)
            told = (folder / "told.log").read_text()
            if code not in {0, 4, -9, 130} and "the process that was to reach it has ended" not in told:
                sys.exit(told[-3000:])
        compare_books(folder, url)


def _kill_something(chance: random.Random, cluster, process) -> list[str]:
    """What it was, if it was there."""
    what = chance.choices(["worker", "node", "bridge", "run"], [6, 1, 1, 1])[0]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    if what == "worker" and (workers := cluster.ask("actors")):
        os.kill(chance.choice(workers), signal.SIGKILL)
    elif what == "node":
        cluster.ask("kill", cluster.nodes.pop(chance.randrange(len(cluster.nodes))))
        cluster.nodes.append(cluster.ask("add"))
    elif what == "bridge" and children:
        os.kill(int(children[0]), signal.SIGKILL)
    elif what == "run" and process.poll() is None:
        process.kill()
    else:
        return []
    return [what]


def nights_of_batches(count: int, seed: int) -> None:
    """Runs by batch, each killed once at a place of its own under a fault; both books are compared after each."""
    sys.path += [str(REPO / "tests" / folder) for folder in ("kit", "runs")]
    from job_folder import JobFolder
    from test_batch_crashes import night

    from pipeline.engine.batches import submission

    submission.ABSENT_GAP_S = 0.3
    for number in range(seed, seed + count):
        with tempfile.TemporaryDirectory() as scratch:
            night(JobFolder(Path(scratch)), number)
        print(f"night {number}: killed, resumed, billed once", flush=True)


def nights_with_deadlines(count: int) -> None:
    """Quick, slow, stuck and half expired batches, in virtual time: who was late, and what went at half price."""
    sys.path.append(str(REPO / "tests" / "kit"))
    from batch_nights import kept_promises

    told = kept_promises(range(count))
    share = told.batched / told.possible
    print(f"{told.nights} nights with a deadline: {len(told.late)} late; {share:.1%} of what could be by batch was")
    assert not told.late
    assert share >= 0.9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--between", type=float, nargs=2, default=[1.0, 4.0], help="seconds until a kill")
    parser.add_argument("--workers", type=int, default=1, help="limits.workers; the run's own process is killed")
    parser.add_argument("--on", choices=["local", "ray"], default="local", help="ray: anything of it is killed")
    parser.add_argument("--batches", type=int, default=0, help="instead: so many runs by batch, each killed once")
    parser.add_argument("--deadlines", type=int, default=0, help="instead: so many nights by batch in virtual time")
    arguments = parser.parse_args()
    if arguments.deadlines:
        nights_with_deadlines(arguments.deadlines)
    elif arguments.batches:
        nights_of_batches(arguments.batches, arguments.seed)
    elif arguments.on == "ray":
        on_ray(arguments.rows, arguments.kills, arguments.seed, arguments.between)
    else:
        main(arguments.rows, arguments.kills, arguments.seed, arguments.between, arguments.workers)
