"""Many slots and a slow provider: wall time of a run against the bare loop's, and of that against the ideal.

The server answers after a second, 500 calls are out at once. Start-up is counted, for users wait for it too; the ideal
is rows / slots rounds of the latency and nothing else.

    python benchmarks/slots.py [--rows 5000] [--slots 500] [--latency-s 1.0] [--rounds 3]
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import REPO, job_file, measured, replay_server
from scale import write_short_invoices


def main(rows, slots, latency_s, rounds):
    ideal_s = math.ceil(rows / slots) * latency_s
    ratios = []
    with tempfile.TemporaryDirectory() as scratch, replay_server(latency_s) as url:
        data = Path(scratch) / "rows.jsonl"
        write_short_invoices(data, rows)
        bare_loop = [sys.executable, str(REPO / "benchmarks/bare_loop.py"), f"{url}/v1", str(data)]
        for number in range(rounds):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            job = job_file(folder, url, data, concurrency=str(slots))
            bare = measured([*bare_loop, "--concurrency", str(slots)], REPO)
            ours = measured([sys.executable, "-m", "pipeline", "run", str(job)], REPO)
            if bare["code"] or ours["code"]:
                sys.exit(bare["err"] + ours["err"])
            ratios.append((ours["wall_s"] / bare["wall_s"], bare["wall_s"] / ideal_s, ours["wall_s"] / ideal_s))
            print(f"round {number}: bare {bare['wall_s']:.1f} s, ours {ours['wall_s']:.1f} s, ideal {ideal_s:.1f} s")
    ours_bare, bare_ideal, ours_ideal = map(median, zip(*ratios, strict=True))
    print(f"ours / bare {ours_bare:.2f}, bare / ideal {bare_ideal:.2f}, ours / ideal {ours_ideal:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=500)
    parser.add_argument("--latency-s", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    main(**vars(parser.parse_args()))
