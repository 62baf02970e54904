"""What the benchmarks share: invoices by the thousand, a sandbox of its own, processes measured from outside."""

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPO = Path(__file__).parent.parent


def write_invoices(path: Path, count: int, seed: int = 1) -> None:
    """The sample invoices over and over, each made different by its number, so that none is a duplicate."""
    chance = random.Random(seed)
    samples = []
    for line in (REPO / "sample_data" / "invoices.jsonl").read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row.get("text"), str) and row["text"].strip() and len(row["text"]) < 3000:
            samples.append(row["text"])
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = f"{chance.choice(samples)}\nOur file {number:08d}"
            file.write(json.dumps({"id": f"row-{number:08d}", "text": text, "customer": f"c{number % 5}"}) + "\n")


@contextmanager
def sandbox(*flags: str) -> Iterator[str]:
    """`pipeline sandbox` on a free port; yields its base URL without /v1."""
    command = [sys.executable, "-m", "pipeline", "sandbox", "--port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def replay_server(latency_s: float = 0.0) -> Iterator[str]:
    """`replay_server.py` on a free port; yields its base URL without /v1."""
    command = [sys.executable, str(REPO / "benchmarks/replay_server.py"), "--latency-s", str(latency_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def peak_mb(process: int | str = "self") -> float:
    """Of this process alone: ru_maxrss would begin with that of the process which started it."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def counters(url: str) -> dict:
    with urllib.request.urlopen(url + "/_sandbox/counters") as answer:
        return json.load(answer)


def measured(command: list[str], cwd: Path, kill_after_s: float | None = None) -> dict:
    """Run to the end (or kill -9 after a while): exit code, wall, CPU and peak memory of that process alone."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if kill_after_s is not None:
        try:
            process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
    with process.stdout, process.stderr:
        out, err = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0) if process.returncode is None else (0, 0, None)
    process.returncode = os.waitstatus_to_exitcode(status) if process.returncode is None else process.returncode
    figures = {"code": process.returncode, "wall_s": time.perf_counter() - began, "out": out, "err": err}
    if used is not None:
        figures |= {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}
    return figures


def job_file(folder: Path, url: str, rows: Path, **changes: str) -> Path:
    settings = {"concurrency": "100", "max_usd": "", "max_attempts": "6", "timeout_s": "30", "workers": "1", **changes}
    text = f"""
[input]
path = "{rows}"
id = "id"
tenant = "customer"
[extract]
schema = "{REPO}/schemas/invoice.py:Invoice"
prompt = "Extract the invoice.\\n\\n{{text}}"
[model]
provider = "sandbox"
name = "gpt-4o-mini"
max_output_tokens = 1024
base_url = "{url}/v1"
[limits]
concurrency = {settings["concurrency"]}
workers = {settings["workers"]}
max_attempts = {settings["max_attempts"]}
timeout_s = {settings["timeout_s"]}
max_failed_share = 1.0
[output]
path = "{folder}/out"
"""
    path = folder / "job.toml"
    path.write_text(text)
    return path
