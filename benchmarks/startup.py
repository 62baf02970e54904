"""How long a user waits: for help, against importing click; and from a run's start to its first request.

python benchmarks/startup.py [--rounds 7]
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured
from scale import write_short_invoices

ROWS = 100


def first_request_s(scratch):
    """From the start of the process to the first byte of its first request; the run is ended then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(tempfile.mkdtemp(dir=scratch))
        data = folder / "rows.jsonl"
        write_short_invoices(data, ROWS)
        job = job_file(folder, f"http://127.0.0.1:{listener.getsockname()[1]}", data)
        began_s = time.perf_counter()
        command = [sys.executable, "-m", "pipeline", "run", str(job)]
        run = subprocess.Popen(command, cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listener.settimeout(30)
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)
            took_s = time.perf_counter() - began_s
        run.kill()
        run.wait()
    return took_s


def main(rounds):
    walls, cpus, firsts = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(rounds):
            floor = measured([sys.executable, "-c", "import click"], REPO)
            ours = measured([sys.executable, "-m", "pipeline", "--help"], REPO)
            walls.append(ours["wall_s"] / floor["wall_s"])
            cpus.append(ours["cpu_s"] / floor["cpu_s"])
            firsts.append(first_request_s(scratch))
    print(f"pipeline --help / import click: wall {median(walls):.2f}, CPU {median(cpus):.2f}")
    print(f"start to first request: {median(firsts):.2f} s (slowest of {rounds}: {max(firsts):.2f} s)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    main(**vars(parser.parse_args()))
