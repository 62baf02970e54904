"""CPU, wall and memory of a whole run against the bare loop, alternating in one run, at zero latency.

python benchmarks/overhead.py [--rows 20000] [--rounds 3]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured, replay_server
from scale import write_short_invoices


def main(rows: int, rounds: int) -> None:
    ratios: dict[str, list[float]] = {"cpu_s": [], "wall_s": []}
    with tempfile.TemporaryDirectory() as scratch, replay_server() as url:
        data = Path(scratch) / "rows.jsonl"
        write_short_invoices(data, rows)
        for number in range(rounds):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            bare = measured([sys.executable, str(REPO / "benchmarks/bare_loop.py"), url + "/v1", str(data)], REPO)
            ours = measured([sys.executable, "-m", "pipeline", "run", str(job_file(folder, url, data))], REPO)
            if bare["code"] or ours["code"]:
                sys.exit(bare["err"] + ours["err"])
            for name, values in ratios.items():
                values.append(ours[name] / bare[name])
            for name, figures in (("bare", bare), ("ours", ours)):
                per_thousand = 1000 * figures["cpu_s"] / rows
                print(
                    f"round {number} {name}: {per_thousand:.2f} CPU s per 1,000 rows, "
                    f"{rows / figures['wall_s']:.0f} rows/s, {figures['peak_mb']:.0f} MB"
                )
            manifest = json.loads((folder / "out/run.json").read_text())
            print(f"        rows {manifest['rows']}")
    print(f"ours / bare, median of {rounds}: CPU {median(ratios['cpu_s']):.2f}, wall {median(ratios['wall_s']):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.rows, arguments.rounds)
