"""What goes without POSIX: tables, in one process. And what does not says so before anything is sent."""

import json
import os
import subprocess
import sys

import pytest
from places import REPO

from pipeline import JobError, platforms
from pipeline.job.file import load

WHOLE = """
import json, sys
import pipeline
from pipeline.cli import main

job = pipeline.Job.load(sys.argv[1])
levels = [finding.level for finding in pipeline.check(job)]
estimate = pipeline.estimate(job)
try:
    main(["run", sys.argv[1]])
except SystemExit as ended:
    code = ended.code
again = pipeline.run(job, signals=True)
held = pipeline.platforms.CLOSED_ON_EXEC, pipeline.platforms.POSIX
print(json.dumps([levels, estimate.requests, code, again.exit_code, again.rows.ok, again.manifest.calls, *held]))
"""


def test_a_table_runs_where_nothing_of_posix_is(job, tmp_path):
    """Check, estimate, run and run again, through the sandbox, with all hidden that Windows' Python lacks."""
    job.write("", rows=[{"id": "a", "text": "name: kettle, total: 3"}], model={"provider": "sandbox"})
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").symlink_to(REPO / "tests" / "kit" / "without_posix.py")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(REPO)]), "PYTHONUTF8": "1"}
    words = [sys.executable, "-W", "error", "-c", WHOLE, str(job.file)]
    ended = subprocess.run(words, env=env, text=True, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    levels, requests, code, again, ok, calls, flags, posix = json.loads(ended.stdout.splitlines()[-1])
    assert "problem" not in levels
    assert (requests, code, again, ok, calls) == (1, 0, 0, 1, 1)  # one call in both
    assert (flags, posix) == (0, False)


def test_workers_are_refused_where_they_cannot_be(job, monkeypatch):
    """Before anything is sent, with what to do."""
    monkeypatch.setattr(platforms, "POSIX", False)
    job.write("http://127.0.0.1:9", rows=[{"id": "a", "text": "t"}], limits={"workers": 2})
    with pytest.raises(JobError, match=r"limits\.workers = 2 should be 1: this system has no workers\. Run it on"):
        load(job.file)


def test_a_lock_holds_in_both_spellings(tmp_path):
    """The second has to wait, until the first lets go."""
    path = tmp_path / "lock"
    one, other = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    platforms.lock(one)
    with pytest.raises(BlockingIOError):
        platforms.lock(other)
    platforms.unlock(one)
    platforms.lock(other)
    os.close(one)
    os.close(other)
