"""A process that is forked is to its test what one that was started is (tests/kit/warm_start.py)."""

import signal
import subprocess
import sys

import pytest
from warm_start import Warm, launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all are started")


@pytest.mark.parametrize("words", [["--version"], ["check", "nothing.toml"], ["nonsense"]], ids=" ".join)
def test_it_says_the_same_and_ends_alike(job, words):
    """Exit code, standard output and standard error."""
    started, forked = job.start(*words, fresh=True), job.start(*words)
    assert isinstance(forked, Warm)
    assert not isinstance(started, Warm)
    assert started.communicate() == forked.communicate()
    assert started.returncode == forked.returncode


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_gets_signals_and_ends_by_them(job, number):
    """As one that was started does, which is a sandbox that waits."""
    codes = []
    for fresh in (True, False):
        process = job.start("sandbox", "--port", "0", fresh=fresh)
        assert "url" in process.stdout.readline()
        assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=30)
        codes.append(process.returncode)
    assert codes[0] == codes[1]


def test_it_dies_with_who_stands_for_it(job):
    """What the command starts is killed by the id that it has of it."""
    words = [launcher(), "-P", "-m", "pipeline", "sandbox", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=job.env)
    assert "url" in process.stdout.readline()
    process.kill()
    assert process.stdout.read() == ""  # nobody has its other end any more
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_what_only_an_interpreter_that_starts_looks_at_has_one(job):
    job.env["PYTHONUTF8"] = "0"
    process = job.start("--version")
    assert isinstance(process, subprocess.Popen)
    process.communicate()
    words = [launcher(), "-P", "-m", "pipeline", "--version"]
    assert subprocess.run(words, env=job.env, capture_output=True, check=True).stdout.startswith(b"pipeline, version")
