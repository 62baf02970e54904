"""A ledger that is damaged, or no file at all: every verb says what, where and how to mend it, and sends nothing."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import pytest
from job_folder import JobFolder
from ledger_writes import HASHES
from places import REPO
from scripted_server import Scripted, serving

import pipeline
from pipeline.job.folder import LEDGER
from pipeline.ledger.ledger import Ledger

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(8)]


def refuse_the_third(document, nth, body):
    if document == "document 3":
        return Scripted(400, error={"message": "no", "code": "x"})
    return Scripted(text=json.dumps({"name": document, "total": "1"}))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A finished run with one failed row, and the server that answered it."""
    job = JobFolder(tmp_path_factory.mktemp("ran"))
    with serving(refuse_the_third) as server:
        job.write(server.url, rows=ROWS).run(code=1)
        yield job, server


@pytest.fixture
def damaged(ran, tmp_path):
    """A copy of it, to be damaged: (job, server, the ledger's path)."""
    first, server = ran
    job = JobFolder(tmp_path)
    shutil.copytree(first.folder, tmp_path, dirs_exist_ok=True)
    return job, server, job.out / LEDGER


def half(path):
    os.truncate(path, path.stat().st_size // 2)


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def unreadable(path):
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads all")


DAMAGES = {
    "junk": lambda path: path.write_bytes(b"junk" * 5000),
    "half": half,
    "empty": lambda path: path.write_bytes(b""),
    "a few bytes": lambda path: path.write_bytes(b"SQLite format 3\0"),
    "a folder": folder,
    "a pipe": pipe,
    "out of reach": unreadable,
}
VERBS = {
    "run": lambda job: ("run", job.file, "--yes"),
    "another run": lambda job: ("run", job.file, "--yes", "--set", "model.temperature=1"),
    "a capped run": lambda job: ("run", job.file, "--max-usd", "1"),
    "retry": lambda job: ("retry", job.file),
    "status": lambda job: ("status", job.file),
    "show": lambda job: ("show", job.file, "r1"),
    "estimate": lambda job: ("estimate", job.file),
    "verify": lambda job: ("verify", job.out),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_verb_says_what_is_wrong_with_it(damaged, damage, verb):
    job, server, path = damaged
    DAMAGES[damage](path)
    before = server.sent
    ended = job.pipeline(*VERBS[verb](job), code=1 if verb == "verify" else 2)
    told = ended.out + ended.err
    assert str(path) in told
    assert ("Restore it from a copy, or start over with --fresh" in told) or "Let this user read and write it" in told
    assert "no run here yet" not in told
    assert server.sent == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_fresh_gets_by_without_it_and_keeps_it(damaged, damage):
    job, _, path = damaged
    DAMAGES[damage](path)
    job.run("--fresh", "--yes", code=1)
    assert job.reconcile()["rows"]["ok"] == len(ROWS) - 1
    (old,) = job.out.glob("ledger-*.sqlite")
    assert (old.is_dir(), old.is_fifo()) == (damage == "a folder", damage == "a pipe")


@pytest.mark.parametrize("call", [pipeline.run, pipeline.retry])
def test_from_python_it_is_a_ledger_error(damaged, monkeypatch, call):
    job, _, path = damaged
    half(path)
    monkeypatch.setenv("OPENAI_API_KEY", job.env["OPENAI_API_KEY"])
    with pytest.raises(pipeline.LedgerError, match="Restore it from a copy"):
        call(pipeline.Job.load(job.file))


def test_a_ledger_that_is_gone_is_not_taken_for_a_run_that_never_was(damaged):
    job, _, path = damaged
    path.unlink()
    for verb in ("status", "retry", "run"):
        told = job.pipeline(verb, job.file, code=2).err
        assert str(path) in told
        assert "no run here yet" not in told


# ── what survives a power cut ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("leads", [True, False], ids=["the run", "a worker"])
def test_the_connection_that_writes_syncs_every_commit(tmp_path, leads):
    """FULL and not NORMAL, which leaves the last commits to the next checkpoint: asked of the connection in use."""

    async def script(ledger):
        ledger.start_writing(lambda: None, shared=True)
        writing = ledger._w._db
        found = [
            writing.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "fullfsync")
        ]
        await ledger.stop_writing()
        assert found == [2, "wal", 1]

    with Ledger(tmp_path, "run") as first:
        first.begin(*HASHES)
        if leads:
            asyncio.run(script(first))
        else:
            with Ledger.joined(tmp_path, first.run, first.session) as joined:
                asyncio.run(script(joined))


SYNCED = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, {kit!r})
from ledger_writes import HASHES, call, send
from pipeline.ledger.ledger import Ledger

async def main(ledger):
    ledger.start_writing(lambda: None)
    for number in range({commits}):
        await ledger.intend(send(number))
        os.write(2, b"told")  # a mark in the trace
    await ledger.stop_writing()

with Ledger(Path({folder!r}), "run") as ledger:
    ledger.begin(*HASHES)
    asyncio.run(main(ledger))
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_nothing_is_acknowledged_before_the_system_was_asked_to_sync_the_log(tmp_path):
    """By the system calls that are made: between two acknowledgements the write-ahead file is synced."""
    program = SYNCED.format(kit=str(REPO / "tests" / "kit"), folder=str(tmp_path), commits=10)
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", program]
    if subprocess.run(words, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("this machine lets nobody trace")
    told = re.findall(rf'sync\(\d+<\S+/{LEDGER}-wal>|write\(2<[^>]*>, "told"', trace.read_text())
    told = ["told" if step.startswith("write") else "log" for step in told]
    assert told.count("told") == 10
    first = told.index("told")
    assert "log" in told[:first]
    for earlier, later in pairwise(place for place, what in enumerate(told) if what == "told"):
        assert "log" in told[earlier:later]
