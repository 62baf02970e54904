"""What it costs to ship the ledger's log to a bucket, and to keep the watermark: CPU and documents a second.

First by its parts, on the log of one run. Then whole runs in turn: into a folder, into a bucket, and into one under a
cap, at zero latency, with no snapshots between, so that what differs is the log. The bucket is a server in a process of
its own; on a machine that others use as well, only the parts say anything.

python benchmarks/shipping.py [--rows 20000] [--rounds 3] [--before PATH/TO/AN/EARLIER/TREE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured, replay_server
from scale import write_short_invoices

from pipeline.job.folder import COMMITS
from pipeline.ledger.commit_log import CommitLog, LogReader, begin_log, frames_in
from pipeline.output.remote.segments import packed
from pipeline.output.remote.shipper import SEGMENT_BYTES

SERVER = f"""
import sys
sys.path.append({str(REPO / "tests/kit")!r})
import logging
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from s3_server import emptied, serving
server = serving()
url = next(server)
emptied(url, "out")
print(url, flush=True)
sys.stdin.read()
"""
AWS = {
    "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": "us-east-1",
    "no_proxy": "127.0.0.1",
}  # fmt: skip


def parts(rows, url, data, scratch):
    """The log of one run: its size, and what each step costs beside the run's own CPU."""
    out = scratch / "parts" / "out"
    out.mkdir(parents=True)
    begin_log(out, 1)
    ran = measured(
        [sys.executable, "-m", "pipeline", "run", str(job_file(scratch / "parts", url, data)), "--yes"], REPO
    )
    reader = LogReader(out / COMMITS, 1)
    segments = list(iter(lambda: reader.read(SEGMENT_BYTES), []))
    frames = [frame for segment in segments for frame in segment]
    made = [(frame.after, frame.upto, frame.statements) for frame in frames]
    whole = [b"".join(frame.whole for frame in segment) for segment in segments]

    def written():
        log = CommitLog(begin_log(scratch, 1), 1)
        for commit in made:
            log.add(*commit)
        log.close()

    shipped = sum(len(packed(segment)) for segment in segments)
    logged, commits = sum(map(len, whole)), len(frames)
    print(f"{rows / commits:.0f} rows a commit, {logged / rows:.0f} bytes of log a row, {shipped / rows:.0f} shipped")
    print(
        f"us of CPU a row: the run {1e6 * ran['cpu_s'] / rows:.0f}; of these written down {least_us(written, rows):.1f}"
    )
    print(f"  read {least_us(lambda: [frames_in(one) for one in whole], rows):.1f}")
    print(f"  packed {least_us(lambda: [packed(one) for one in segments], rows):.1f}, without the GIL")


def least_us(work, rows):
    """Microseconds of CPU a row, the least of several times."""
    times = []
    for _ in range(5):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return 1e6 * min(times) / rows


def main(rows, rounds, before):
    trees = {"folder": REPO, "bucket": REPO, "bucket, capped": REPO}
    if before:
        trees["bucket, before"] = Path(before)
    found = {name: [] for name in trees}
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    s3 = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as scratch, replay_server() as url:
        data = Path(scratch) / "rows.jsonl"
        write_short_invoices(data, rows)
        os.environ.update({**AWS, "AWS_ENDPOINT_URL": s3, "PIPELINE_SNAPSHOT_S": "3600"})
        parts(rows, url, data, Path(scratch))
        for number in range(rounds):
            for name, tree in trees.items():
                folder = Path(scratch) / f"{number}-{name.replace(', ', '-')}"
                folder.mkdir()
                figures = one(folder, url, data, name, tree, number)
                found[name].append(figures)
                print(f"round {number} {name:<15} {figures[0]:6.1f} us CPU a row  {figures[1]:7.0f} docs/s", flush=True)
    server.stdin.close()
    server.wait()
    if not rounds:
        return
    base = found["bucket, before" if before else "folder"]
    for name, all_figures in found.items():
        cpu = median(ours[0] / theirs[0] for ours, theirs in zip(all_figures, base, strict=True))
        rate = median(ours[1] / theirs[1] for ours, theirs in zip(all_figures, base, strict=True))
        print(f"{name:<15} CPU {cpu:.3f}, docs/s {rate:.3f} of {'before' if before else 'a folder'}")


def one(folder, url, data, name, tree, number):
    """(microseconds of CPU a row, documents a second), of the run alone."""
    os.environ["PIPELINE_WORKDIR"] = str(folder / "mirror")
    os.environ["PYTHONPATH"] = str(tree)
    job = job_file(folder, url, data)
    text = job.read_text()
    if "capped" in name:
        text += "\n[budget]\nmax_usd = 1000.0\n"
    job.write_text(text)
    words = [sys.executable, "-m", "pipeline", "run", str(job), "--yes"]
    if name != "folder":
        words += ["--output", f"s3://out/{number}-{name.replace(', ', '-')}"]
    ran = measured(words, tree)
    if ran["code"]:
        sys.exit(ran["err"])
    out = folder / "out" if name == "folder" else next((folder / "mirror").glob("*/out"))
    manifest = json.loads((out / "run.json").read_text())
    rows = manifest["rows"]["total"]
    return 1e6 * ran["cpu_s"] / rows, rows / manifest["session"]["seconds"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before")
    asked = parser.parse_args()
    main(asked.rows, asked.rounds, asked.before)
