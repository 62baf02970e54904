"""What the machine does not give ends a run in words, with all that was paid for kept, and the same command goes on.

Real processes under real limits where a limit can be set by anybody; a fault at the seam where only the machine has it.
"""

import json
import os
import resource
import shutil
import sys
import threading
from dataclasses import dataclass
from functools import partial

import pytest
from job_folder import JobFolder
from scripted_server import Scripted, Server

from pipeline.output import files, publish

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(16)]


def answer(document, nth, body):
    return Scripted(text=json.dumps({"name": document, "total": "1"}), delay_s=0.01)


@dataclass
class Bed:
    job: JobFolder
    server: Server

    def goes_on(self, most_again=0, rows=ROWS):
        """The same command, with the trouble gone, ends well; the server says how much was paid for again."""
        self.job.run("--yes")
        assert self.job.reconcile()["rows"]["ok"] == len(rows)
        assert sum(self.server.paid.values()) <= len(rows) + most_again
        self.job.pipeline("verify", self.job.out, code=0)

    def ended_clearly(self, ended, *words, codes=(2, 4)):
        assert ended.returncode in codes, ended.err
        assert "Traceback" not in ended.err
        for word in words:
            assert word in ended.err


@pytest.fixture
def bed(job, server):
    server.script = answer
    job.write(server.url, rows=ROWS, limits={"concurrency": 8})
    return Bed(job, server)


# ── publishing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def failing(monkeypatch, name, error, times=1000):
    """Let the writing of one of the published files fail so many times."""
    left = [times]
    real = files.settle

    def settle(temporary, path):
        if path.name == name and left[0]:
            left[0] -= 1
            raise error
        real(temporary, path)

    monkeypatch.setattr(files, "settle", settle)


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["results.parquet", "calls.parquet"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FULL, "disk_full"),
        (OSError(27, "File too large"), "disk_full"),
        (OSError(122, "Disk quota exceeded"), "disk_full"),
        (PermissionError(13, "Permission denied", "results.parquet"), "machine"),
        (OSError(30, "Read-only file system"), "machine"),
        (OSError(5, "Input/output error"), "machine"),
        (MemoryError(), "machine"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "strerror", None) or "memory",
)
def test_results_that_cannot_be_written_park_the_run(bed, monkeypatch, name, error, reason):
    """All answers are on the ledger; run.json says so, with the true counts; the next run sends nothing."""
    with monkeypatch.context() as patched:
        failing(patched, name, error)
        ended = bed.job.run(code=4)
    bed.ended_clearly(ended, "the results could not be written", "pipeline run", codes=(4,))
    manifest = bed.job.manifest()
    assert (manifest["state"], manifest["reason"]) == ("parked", reason)
    assert manifest["rows"] == {"total": len(ROWS), "ok": len(ROWS), "failed": 0, "pending": 0}
    assert manifest["calls"] == len(ROWS)
    assert not list(bed.job.out.glob("*.tmp"))
    status = bed.job.pipeline("status", bed.job.file, "--json", code=0)
    assert json.loads(status.out)["state"] == "parked"
    bed.goes_on()


def test_the_room_kept_for_answers_is_given_to_results(bed, monkeypatch):
    """Full at the first try, and 16 MB are free at the second."""
    failing(monkeypatch, "results.parquet", FULL, times=1)
    bed.job.run()
    assert bed.job.reconcile()["state"] == "finished"
    assert sum(bed.server.paid.values()) == len(ROWS)


# ── what lies where a file is to be written ─────────────────────────────────────────────────────────────────────────

NAMES = ["results.parquet", "calls.parquet", "run.json", ".lock", "ledger.sqlite", "ledger.sqlite-head", ".ballast"]
MAKE = {"folder": os.mkdir, "pipe": os.mkfifo}


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_no_file_is_told_before_anything_is_sent(bed, kind):
    """Each of them in turn; with the last one gone the same command ends well."""
    bed.job.out.mkdir()
    for name in (*NAMES, "results.parquet.tmp", ".turns"):
        path = bed.job.out / name
        MAKE[kind](path)
        ended = bed.job.run("--set", "limits.workers=1", code=2)
        bed.ended_clearly(ended, str(path))
        assert bed.server.sent == 0, name
        path.rmdir() if kind == "folder" else path.unlink()
    bed.goes_on()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", MAKE)
def test_no_verb_waits_for_a_pipe_or_breaks_on_a_folder(bed, name, kind):
    """After a run: each ends, in its own words."""
    bed.job.run()
    path = bed.job.out / name
    path.unlink(missing_ok=True)
    MAKE[kind](path)
    out, file = bed.job.out, bed.job.file
    for words in (
        ("status", file), ("show", file, "r1"), ("retry", file), ("verify", out), ("costs", out), ("estimate", file),
        ("report", out), ("export", out, "--format", "csv", "--to", bed.job.folder / "x.csv"), ("run", file),
    ):  # fmt: skip
        ended = bed.job.pipeline(*words)
        assert ended.returncode in {0, 1, 2}, (words, ended.err)
        assert ended.returncode == 0 or "error: " in ended.err or "BROKEN" in ended.out or words[0] == "verify"
    assert bed.server.sent == len(ROWS)


def test_results_that_nobody_may_write_to_are_replaced(bed):
    """A read-only file is no obstacle: it is another one that takes its place."""
    bed.job.run("--limit", "3")
    for name in ("results.parquet", "calls.parquet", "run.json"):
        (bed.job.out / name).chmod(0o444)
    bed.goes_on()


JUNK = [
    b"", b"junk", b"\xff\xfe\x00", b"null", b"[]", b"{}", b'{"rows": 3}', b'{"job": {}}', b'{"job": {"name": 3}}',
    b'{"job": {"name": "x", "limits": 3, "model": []}}', b'{"state": null}', b"[" * 100_000, b'{"job": {"name": "x"}}',
    b'{"rows": {"ok": -1}, "cost_usd": "lots"}', b'{"tokens": "many"}',
]  # fmt: skip


def test_a_run_json_that_is_none_is_told_and_written_anew(bed):
    """Whatever it is; and nothing is paid for again."""
    bed.job.run()
    for junk in JUNK:
        (bed.job.out / "run.json").write_bytes(junk)
        for words in (("status", bed.job.file), ("verify", bed.job.out), ("report", bed.job.out)):
            ended = bed.job.pipeline(*words)
            assert ended.returncode == 2, (junk[:50], words, ended.err)
            assert "run.json" in ended.err, (junk[:50], words)
            assert "no run here yet" not in ended.err, (junk[:50], words)
        bed.job.pipeline("retry", bed.job.file)
        bed.goes_on()


# ── threads, memory, room ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_thread_that_cannot_be_started_ends_a_run_in_words_whichever_it_is(bed, monkeypatch):
    """Each of them in turn, until all can be: nothing is paid for twice."""
    real = threading.Thread.start
    for allowed in range(12):
        started = [0]

        def start(thread, started=started, allowed=allowed):
            started[0] += 1
            if started[0] > allowed:
                raise RuntimeError("can't start new thread")
            return real(thread)

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            ended = bed.job.run("--yes", code=None)
        if ended.returncode == 0:
            break
        bed.ended_clearly(ended, "no thread can be started")
        assert sum(bed.server.paid.values()) <= len(ROWS)
    assert 1 < allowed < 11
    bed.goes_on()


@pytest.mark.parametrize("seam", ["pipeline.extraction.judge.check", "pipeline.extraction.cutting.chunk"])
def test_memory_that_runs_out_in_a_row_or_while_reading_parks_the_run(bed, monkeypatch, seam):
    """What is in flight is waited for, and nothing that was answered is asked again."""
    module, _, name = seam.rpartition(".")
    real = getattr(sys.modules[module], name)
    left = [10]

    def short(*arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise MemoryError
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(seam, short)
        ended = bed.job.run(code=4)
    bed.ended_clearly(ended, "no memory left", "pipeline run", codes=(4,))
    manifest = bed.job.manifest()
    assert (manifest["state"], manifest["reason"]) == ("parked", "machine")
    bed.goes_on()


def test_a_folder_that_takes_the_place_of_the_results_meanwhile_parks_the_run(bed):
    """Noticed only once all is paid for."""
    path = bed.job.out / "results.parquet"

    def script(document, nth, body):
        if document == "document 8":
            path.mkdir()
        return answer(document, nth, body)

    bed.server.script = script
    ended = bed.job.run(code=4)
    bed.ended_clearly(ended, str(path), "the results could not be written", codes=(4,))
    assert bed.job.manifest()["reason"] == "machine"
    path.rmdir()
    bed.goes_on()


def limited(kind, amount):
    def limit():
        resource.setrlimit(kind, (amount, amount))

    return limit


def process(job, *arguments, limit):
    running = job.start(*arguments, preexec_fn=limit)
    out, err = running.communicate(timeout=120)
    return type("Ended", (), {"returncode": running.returncode, "out": out, "err": err})


@pytest.mark.parametrize(("kilobytes", "workers"), [(2, 1), (120, 2)])
def test_a_file_that_may_not_grow_ends_a_run_in_words(bed, kilobytes, workers):
    """RLIMIT_FSIZE: the ledger, its log or the results hit it; what was in flight may be paid for again, no more.

    In flight are the calls, and the answers that were not on the disk yet as the next ones left.
    """
    big = "x" * 4000
    bed.server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": big, "total": "1"}))
    rows = [{"id": f"r{n}", "text": f"document {n}"} for n in range(40)]
    bed.job.write(bed.server.url, rows=rows, limits={"concurrency": 4, "workers": workers})
    ended = process(bed.job, "run", bed.job.file, limit=limited(resource.RLIMIT_FSIZE, kilobytes * 1024))
    bed.ended_clearly(ended)
    bed.goes_on(most_again=8 * workers, rows=rows)


def test_a_folder_that_is_deleted_under_a_run_is_written_anew(bed):
    """The ledger has no name any more, and still all answers."""
    gone = partial(shutil.rmtree, bed.job.out)

    def script(document, nth, body):
        if document == "document 8":
            gone()
        return answer(document, nth, body)

    bed.server.script = script
    bed.job.run()
    assert bed.job.reconcile()["rows"]["ok"] == len(ROWS)
    bed.goes_on()


def test_publish_is_where_the_results_are_written():
    """The seam that the tests above let fail."""
    assert publish.results.write_json is files.write_json
