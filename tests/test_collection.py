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
MANY = 1000  # a session of as many collects everything by itself


def collected(seed, later_s):
    env = {**os.environ, "PYTHONHASHSEED": seed, "COLUMNS": "200"}
    words = [sys.executable, "-c", LATER, later_s]
    ended = subprocess.run(words, cwd=REPO, env=env, text=True, capture_output=True, check=False)
    return [line for line in ended.stdout.splitlines() if "::" in line]


def test_two_collections_have_the_same_ids(request):
    """Forty days apart, each with its own hash seed and its own random numbers."""
    here = [item.nodeid for item in request.session.items]
    first = here if len(here) > MANY else collected("1", "0")
    second = collected("2", "3456000")
    assert len(first) > MANY
    assert sorted(first) == sorted(second)
