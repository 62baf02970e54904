"""A ledger that has lost its end: noticed, told with what was in it, and never paid for again without a yes."""

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_writes import HASHES, call, send, use
from scripted_server import Scripted

import pipeline
from pipeline.errors import LedgerError
from pipeline.job.folder import HEAD
from pipeline.job.folder import LEDGER as FILE
from pipeline.ledger.files import reading
from pipeline.ledger.head import BYTES, Head, HeadFile, head_in, head_path, missing
from pipeline.ledger.ledger import Ledger
from pipeline.types import Answer, Stop, Usage

REPLY = Answer('{"a":1}', Stop.DONE, "stop", Usage(100, 0, 0, 20, 0), "m-1")
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(24)]
CALL_UNITS = 100 * 1500 + 20 * 6000


async def two_calls(ledger):
    for number in range(2):
        await ledger.intend(send(number))
        await ledger.record(call(number), bytes([number]) * 16, REPLY)


# ── what the head says ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_named_called_answered_and_paid_is_counted_in_the_ledger_and_beside_it(tmp_path):
    async def script(ledger):
        await two_calls(ledger)
        await ledger.intend(send(2, at_risk=70))
        await ledger.intend(send(3))
        await ledger.withdraw(send(3))

    use(tmp_path, script)
    with reading(tmp_path / FILE) as db:
        head = head_in(db)
    assert (head.named, head.calls, head.answers, head.units) == (3, 2, 2, 100)
    assert missing(tmp_path / FILE) is None
    (tmp_path / FILE).unlink()
    assert missing(tmp_path / FILE) == head


def test_a_call_of_unknown_fate_counts_with_what_it_may_have_cost(tmp_path):
    async def flying(ledger):
        await ledger.intend(send(7, at_risk=70))

    use(tmp_path, flying)
    use(tmp_path, two_calls)
    with reading(tmp_path / FILE) as db:
        assert (head_in(db).calls, head_in(db).units) == (3, 170)


@given(st.builds(Head, *[st.integers(0, 2**62)] * 5), st.binary(max_size=2 * BYTES), st.integers(0, BYTES))
def test_a_torn_or_foreign_head_says_nothing(tmp_path_factory, head, junk, kept):
    """After a power cut the file may hold anything: it is whole, or it is none."""
    ledger = tmp_path_factory.mktemp("torn") / FILE
    file = HeadFile(ledger)
    file.write(head)
    file.close()
    whole = head_path(ledger).read_bytes()
    assert len(whole) == BYTES
    assert missing(ledger) == (head if head.commits else None)
    for content in (junk, whole[:kept] + junk[: BYTES - kept]):
        head_path(ledger).write_bytes(content)
        assert missing(ledger) in {None, head}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_a_head_that_is_no_file_says_nothing_to_who_reads_it(tmp_path, make):
    make(head_path(tmp_path / FILE))
    assert missing(tmp_path / FILE) is None


# ── what is allowed ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ledger_from_before_heads_goes_on_without_a_word(tmp_path):
    use(tmp_path, two_calls)
    head_path(tmp_path / FILE).unlink()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("DELETE FROM remembered WHERE key = 'head'")
    use(tmp_path, two_calls_more)
    assert missing(tmp_path / FILE) is None


async def two_calls_more(ledger):
    assert ledger.answer(b"\x00" * 16) is not None
    await ledger.intend(send(8))
    await ledger.record(call(8), b"8" * 16, REPLY)


@pytest.mark.parametrize("left", [FILE, f"{FILE}*"], ids=["the ledger alone", "with its head"])
def test_a_copy_elsewhere_and_a_backup_that_is_put_back_are_whole(tmp_path, left):
    """Older ledger and older head together, or a ledger alone in a new place: nothing is missing."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    use(first, two_calls)
    for path in first.glob(left):
        shutil.copy(path, second)
    use(first, two_calls_more)
    assert missing(second / FILE) is None
    for path in second.glob(f"{FILE}*"):
        shutil.copy(path, first)
    if left != FILE:
        assert missing(first / FILE) is None
        use(first, two_calls_more)
    use(second, two_calls_more)
    assert missing(second / FILE) is None


def test_an_older_ledger_in_the_place_of_a_newer_one_is_noticed(tmp_path):
    use(tmp_path, two_calls)
    shutil.copy(tmp_path / FILE, tmp_path / "older")
    use(tmp_path, two_calls_more)
    shutil.copy(tmp_path / "older", tmp_path / FILE)
    lost = missing(tmp_path / FILE)
    assert (lost.calls, lost.answers, lost.units) == (1, 1, 50)
    with pytest.raises(LedgerError, match=r"lost its end: 1 calls with 1 answers .* \$0\.000000.* --yes-rerun"):
        Ledger(tmp_path, "run").__enter__()
    assert missing(tmp_path / FILE) == lost  # looking changes nothing


def test_a_fresh_start_has_nothing_to_miss(tmp_path):
    """The old head goes aside with the old ledger."""
    use(tmp_path, two_calls)
    with Ledger(tmp_path, "run", fresh=True) as ledger:
        ledger.begin(*HASHES)
    assert missing(tmp_path / FILE) is None
    (old,) = tmp_path.glob("ledger-*.sqlite")
    assert old.with_name(old.name + HEAD).exists()
    assert missing(old) is None


# ── whole runs ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Died:
    """A run that was killed with all its answers on record, most of them only in the write-ahead file."""

    job: object
    server: object

    @property
    def wal(self):
        return self.job.out / f"{FILE}-wal"

    def runs_again(self, *flags, code=0):
        before = self.server.sent
        ended = self.job.run(*flags, code=code)
        return ended, self.server.sent - before


@pytest.fixture
def died(request, job, server):
    server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": document, "total": "1"}))
    job.write(server.url, rows=ROWS, limits={"workers": getattr(request, "param", 1)})
    job.env["PIPELINE_CRASH_AT"] = "publishing"
    job.process("run", job.file, code=-signal.SIGKILL)
    del job.env["PIPELINE_CRASH_AT"]
    assert server.sent == len(ROWS)
    return Died(job, server)


@pytest.mark.parametrize("verb", ["run", "retry"])
def test_a_retry_of_what_was_lost_does_not_say_that_nothing_ran(died, verb):
    """Not even where the ledger knows of no run any more."""
    deleted(died.wal)
    ended = died.job.pipeline(verb, died.job.file, code=2)
    assert "has lost its end" in ended.err
    assert "no run here" not in ended.err


def deleted(wal):
    wal.unlink()


def cut(wal):
    os.truncate(wal, wal.stat().st_size // 3)


def gone_with_the_ledger(wal):
    for path in (wal, wal.with_name(FILE)):
        path.unlink()


@pytest.mark.parametrize(
    ("died", "lose"), [(1, deleted), (1, cut), (1, gone_with_the_ledger), (2, cut)], indirect=["died"]
)
def test_what_the_log_has_lost_is_told_and_asked_for_only_after_a_yes(died, lose):
    """The server's books: nothing leaves before it, and what is left on record is not paid for again after it."""
    lose(died.wal)
    ended, sent = died.runs_again(code=2)
    assert sent == 0
    assert "has lost its end" in ended.err
    assert "Nothing was sent" in ended.err
    assert "--yes-rerun" in ended.err
    assert died.runs_again("--yes", code=2)[1] == sent  # agrees to no more than what is new
    lost = missing(died.job.out / FILE)
    assert f"{lost.calls} calls with {lost.answers} answers" in ended.err
    assert f"${lost.units / 1e10:.6f}" in ended.err
    assert lost.units == lost.answers * CALL_UNITS
    ended, sent = died.runs_again("--yes-rerun")
    assert sent == lost.answers
    assert "has lost its end" in ended.err
    assert died.job.reconcile()["rows"]["ok"] == len(ROWS)
    ended, sent = died.runs_again()
    assert (sent, "lost its end" in ended.err) == (0, False)


def test_nothing_is_said_where_the_log_is_there(died):
    ended, sent = died.runs_again()
    assert (sent, "lost its end" in ended.err) == (0, False)
    died.job.pipeline("verify", died.job.out, code=0)


def test_fresh_starts_over_without_a_question(died):
    deleted(died.wal)
    _, sent = died.runs_again("--fresh", "--yes")
    assert sent == len(ROWS)


def test_verify_retry_and_python_see_it_too(died, monkeypatch):
    job = died.job
    died.runs_again()
    shutil.copy(job.out / FILE, job.folder / "older")
    died.server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": "new", "total": "1"}))
    job.write(died.server.url, rows=[*ROWS, {"id": "one more", "text": "more"}]).run()
    shutil.copy(job.folder / "older", job.out / FILE)
    assert "BROKEN  the ledger has all that was on record" in job.pipeline("verify", job.out, code=1).out
    assert "lost its end: 1 calls with 1 answers" in job.pipeline("retry", job.file, code=2).err
    monkeypatch.setenv("OPENAI_API_KEY", job.env["OPENAI_API_KEY"])
    with pytest.raises(pipeline.LedgerError, match="lost its end: 1 calls with 1 answers"):
        pipeline.run(pipeline.Job.load(job.file))
    assert pipeline.run(pipeline.Job.load(job.file), yes=True).rows.ok == len(ROWS) + 1


def test_a_ledger_that_is_gone_and_has_left_its_log_is_not_begun_anew(died):
    """SQLite would delete the log, with all answers in it."""
    (died.job.out / FILE).unlink()
    ended, sent = died.runs_again("--yes-rerun", code=2)
    assert sent == 0
    assert "it is gone, and ledger.sqlite-wal is still there" in ended.err
    assert died.wal.stat().st_size > 0
    died.runs_again("--fresh", "--yes")
    assert list(died.job.out.glob("ledger-*.sqlite-wal"))
