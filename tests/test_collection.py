"""Test ids are the same on every machine, at any time and by any hash seed: `pytest -n` and reruns go by them."""

import os
import subprocess
import sys

from places import REPO

LATER = """
import sys, time, uuid, random
now = time.time
time.time = lambda: now() + float(sys.argv[1])
time.time_ns = lambda: int(time.time() * 1e9)
random.seed(sys.argv[1])
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]))
"""


def test_two_collections_have_the_same_ids(tmp_path):
    """Forty days apart, each with its own hash seed and its own random numbers."""
    processes = []
    for seed, later_s in (("1", "0"), ("2", "3456000")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "COLUMNS": "200"}
        words = [sys.executable, "-c", LATER, later_s]
        processes.append(subprocess.Popen(words, cwd=REPO, env=env, text=True, stdout=subprocess.PIPE))
    first, second = ([line for line in process.communicate()[0].splitlines() if "::" in line] for process in processes)
    assert len(first) > 1000
    assert first == second
