"""A ledger that is damaged, or no file at all: every verb says what, where and how to mend it, and sends nothing."""

import json
import os
import shutil

import pytest
from job_folder import JobFolder
from scripted_server import Scripted, serving

import pipeline
from pipeline.job.folder import LEDGER

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
