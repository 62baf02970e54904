"""How fast an estimate goes through its input, against a bare pass of the tokenizer on all cores.

    python benchmarks/estimate_speed.py [--mb 200]

Bare: the texts in memory, as many processes as there are cores, nothing done but `encode_ordinary` and `len`; their
start is not counted. The estimate: the whole program from its start to its end, reading, hashing and looking for
duplicates included.
"""

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from common import job_file, measured

from pipeline.documents.tokens import vocabulary

BATCH = 64


def write(path: Path, mb: float) -> list[str]:
    """Made-up prose with amounts: words by Zipf's law, 400 of them or so in a document."""
    chance, texts, size = random.Random(3), [], 0
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randrange(2, 11))) for _ in range(30_000)]
    weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(len(words))))
    with path.open("w") as file:
        while size < mb * 1e6:
            some = chance.choices(words, cum_weights=weights, k=int(chance.lognormvariate(6, 0.6)))
            some[::12] = [word.capitalize() for word in some[::12]]
            some[5::9] = [f"{chance.random() * 5000:.2f}" for _ in some[5::9]]
            texts.append(" ".join(some))
            size += len(texts[-1])
            file.write(json.dumps({"id": str(len(texts)), "text": texts[-1], "customer": "c"}) + "\n")
    return texts


def count(texts: list[str]) -> int:
    encode = vocabulary("o200k_base").encoding.encode_ordinary
    return sum(len(encode(text)) for text in texts)


def bare(texts: list[str], cores: int) -> float:
    """Seconds."""
    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(count, batches[: 4 * cores]))
        began_s = time.perf_counter()
        sum(pool.map(count, batches))
        return time.perf_counter() - began_s


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mb", type=float, default=200)
    options.add_argument("--times", type=int, default=3)
    given = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = write(folder / "rows.jsonl", given.mb)
        mb = sum(map(len, texts)) / 1e6
        job = job_file(folder, "http://127.0.0.1:1", folder / "rows.jsonl")
        for _ in range(given.times):
            bare_s = bare(texts, cores)
            found = measured([sys.executable, "-m", "pipeline", "estimate", str(job), "--json"], folder)
            assert found["code"] == 0, found["err"]
            share = bare_s / found["wall_s"]
            print(
                f"{mb:.0f} MB, {len(texts):,} rows, {cores} cores: bare {mb / bare_s:.1f} MB/s, estimate "
                f"{mb / found['wall_s']:.1f} MB/s ({share:.2f} of it)"
            )


if __name__ == "__main__":
    main()
