"""What more processes bring: documents a second with `limits.workers` of 1, 2, …, as many as there are cores.

The schema has a validator that takes some milliseconds, as a user's own checks may, so that the work is ours and not
the server's, which runs on the same machine.

    python benchmarks/workers.py [--rows 3000] [--rounds 3] [--work-ms 2.0]
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured, replay_server
from scale import write_short_invoices

SCHEMA = """
import sys
import time

sys.path.insert(0, {schemas!r})
from invoice import Invoice as Plain
from pydantic import model_validator


class Invoice(Plain):
    @model_validator(mode="after")
    def worked_on(self):
        until_s = time.thread_time() + {seconds}
        while time.thread_time() < until_s:
            pass
        return self
"""


def main(rows, rounds, work_ms):
    counts = range(1, (os.cpu_count() or 1) + 1)
    rates = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as scratch, replay_server() as url:
        data, schema = Path(scratch) / "rows.jsonl", Path(scratch) / "busy.py"
        write_short_invoices(data, rows)
        schema.write_text(SCHEMA.format(schemas=str(REPO / "schemas"), seconds=work_ms / 1000))
        for number in range(rounds):
            for count in counts:
                folder = Path(scratch) / f"{number}-{count}"
                folder.mkdir()
                job = job_file(folder, url, data, workers=str(count))
                job.write_text(job.read_text().replace(f"{REPO}/schemas/invoice.py:Invoice", f"{schema}:Invoice"))
                found = measured([sys.executable, "-m", "pipeline", "run", str(job)], REPO)
                if found["code"]:
                    sys.exit(found["err"])
                rates[count].append(rows / found["wall_s"])
                print(f"round {number}: {count} workers, {rates[count][-1]:.0f} documents/s")
    for count in counts:
        print(f"{count} workers: {median(rates[count]) / median(rates[1]):.2f} times the documents/s of one process")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work-ms", type=float, default=2.0)
    main(**vars(parser.parse_args()))
