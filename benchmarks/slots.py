"""Many slots and a slow provider: wall time of a run against the bare loop's, and of that against the ideal.

The server answers after a second, 500 calls are out at once. Start-up is counted, for users wait for it too; the ideal
is rows / slots rounds of the latency and nothing else. A run that knows no limits learns them from its first answers,
and has 16 slots until then; one whose job gives them has only its first half second alone.

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

LIMITS = ("--set", "limits.requests_per_minute=1000000", "--set", "limits.input_tokens_per_minute=1000000000")


def main(rows, slots, latency_s, rounds):
    ideal_s = math.ceil(rows / slots) * latency_s
    found = []
    with tempfile.TemporaryDirectory() as scratch, replay_server(latency_s) as url:
        data = Path(scratch) / "rows.jsonl"
        write_short_invoices(data, rows)
        bare_loop = [sys.executable, str(REPO / "benchmarks/bare_loop.py"), f"{url}/v1", str(data)]
        run = [sys.executable, "-m", "pipeline", "run"]
        for number in range(rounds):
            walls_s = []
            for name, flags in (("bare", None), ("ours", ()), ("given", LIMITS)):
                folder = Path(scratch) / f"{name}{number}"
                folder.mkdir()
                job = str(job_file(folder, url, data, concurrency=str(slots)))
                command = [*bare_loop, "--concurrency", str(slots)] if flags is None else [*run, job, *flags]
                ended = measured(command, REPO)
                if ended["code"]:
                    sys.exit(ended["err"])
                walls_s.append(ended["wall_s"])
            found.append(walls_s)
            bare_s, ours_s, given_s = walls_s
            print(f"round {number}: bare {bare_s:.1f} s, ours {ours_s:.1f} s, with limits given {given_s:.1f} s")
    print(f"ideal {ideal_s:.1f} s; bare / ideal {median(bare_s / ideal_s for bare_s, _, _ in found):.2f}")
    print(f"ours / bare {median(ours_s / bare_s for bare_s, ours_s, _ in found):.2f}")
    print(f"with limits given / bare {median(given_s / bare_s for bare_s, _, given_s in found):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=500)
    parser.add_argument("--latency-s", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    main(**vars(parser.parse_args()))
