"""Large files in flight, in a process of its own: their bytes go when they have left, not when the answer is in."""

import json
import subprocess
import sys

from places import REPO


def test_many_large_files_take_no_more_memory_than_fits():
    """Unbounded they would take 640 MB, and as much again where a body is joined. `benchmarks/files.py` sends more."""
    asked = [sys.executable, str(REPO / "benchmarks/files.py"), "--calls", "48", "--mb", "10"]
    ended = subprocess.run(asked, cwd=REPO, capture_output=True, text=True, timeout=110, check=True)
    figures = json.loads(ended.stdout)
    assert figures["answered"] == 48
    assert figures["peak_mb"] <= 350
