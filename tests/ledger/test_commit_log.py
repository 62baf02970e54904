"""The log of commits: a copy that is brought on by it is the ledger itself, and what is missing or damaged is seen."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_writes import HASHES, call, outcome, send

from pipeline.errors import LedgerUnreadable
from pipeline.job.folder import COMMITS
from pipeline.job.folder import LEDGER as FILE
from pipeline.ledger.commit_log import (
    CommitLog,
    LogReader,
    begin_log,
    framed,
    frames_in,
)
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.log_chain import START, Position
from pipeline.ledger.records import RowEntry
from pipeline.ledger.replay import position, replay
from pipeline.types import Answer, Stop, Usage

REPLY = Answer('{"a":1}', Stop.DONE, "stop", Usage(100, 0, 0, 20, 0), "m-1")
FRAMES = [
    framed(Position(1, n), Position(1, n + 1), [("INSERT INTO t VALUES (?)", [(f"row {n} " + "x" * (n % 7),)])])
    for n in range(12)
]


def dumped(path):
    """All that is in a ledger."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


async def night(ledger, rows):
    """Calls that are named, answered, withdrawn and left in flight; outcomes; rows."""
    ledger.start_writing(lambda: None)
    for number in rows:
        ledger.enter_rows([RowEntry(number, f"id-{number}", bytes([number]) * 16, None, "acme")])
        await ledger.intend(send(number))
        if number % 5 == 4:
            continue
        if number % 5 == 3:
            await ledger.withdraw(send(number))
            continue
        await ledger.record(call(number), bytes([number]) * 16, REPLY)
        await ledger.conclude(outcome(bytes([number]) * 16, row=number), [bytes([number + 1]) * 16])
    ledger.remember("while it writes", "kept")
    ledger.end_rows(200)
    await ledger.stop_writing()


def nights(folder, base):
    """Two sessions, of two inputs; `base` is a copy of the ledger as the first began, and all their commits."""
    frames = []
    for term in (1, 2):
        log = begin_log(folder, term)
        with Ledger(folder, "run") as ledger:
            if term == 1:
                shutil.copy(ledger.path, base)
            ledger.begin(*HASHES[:2], f"input {term}")
            asyncio.run(night(ledger, range(40 * term, 40 * term + 37)))
            ledger.remember("after it wrote", str(term))
            ledger.end("finished", None)
        frames += LogReader(log, term).read(1 << 30)
    return frames


def test_a_copy_brought_on_by_the_log_is_the_ledger_itself(tmp_path):
    """Calls, answers, outcomes, rows, the end of a session, what is carried over to the next: to the last row."""
    folder, base = tmp_path / "out", tmp_path / "base.sqlite"
    folder.mkdir()
    frames = nights(folder, base)
    assert position(base) == START
    replay(base, frames[:10])
    replay(base, frames[5:])  # again, and on
    assert dumped(base) == dumped(folder / FILE)
    assert position(base) == position(folder / FILE) == frames[-1].upto
    assert frames[-1].upto.term == 2


def test_without_a_log_nothing_is_written_beside_the_ledger(tmp_path):
    with Ledger(tmp_path, "run") as ledger:
        ledger.begin(*HASHES)
        asyncio.run(night(ledger, range(3)))
        assert type(ledger._db) is sqlite3.Connection  # what costs nothing
    assert not (tmp_path / COMMITS).exists()
    assert position(tmp_path / FILE) == START


def test_a_gap_is_refused_and_changes_nothing(tmp_path):
    folder, base = tmp_path / "out", tmp_path / "base.sqlite"
    folder.mkdir()
    frames = nights(folder, base)
    before = dumped(base)
    with pytest.raises(LedgerUnreadable, match="does not go on from"):
        replay(base, [*frames[:4], *frames[5:]])
    assert dumped(base) == before


@pytest.mark.parametrize(
    "sql", ["ATTACH DATABASE 'x.sqlite' AS x", "PRAGMA user_version = 3", "DROP TABLE calls", "CREATE TABLE t (a)"]
)
def test_a_log_changes_rows_and_nothing_else(sql, tmp_path):
    """Whoever can write to the bucket can change what is in the ledger, and not what is on this machine."""
    with Ledger(tmp_path, "run"):
        pass
    frames, _ = frames_in(framed(START, Position(1, 1), [(sql, [()])]))
    with pytest.raises(LedgerUnreadable, match="not authorized"):
        replay(tmp_path / FILE, frames)


@given(st.integers(0, sum(map(len, FRAMES))))
def test_a_log_that_is_cut_gives_all_whole_commits_and_waits_for_the_rest(size):
    whole = b"".join(FRAMES)
    frames, used = frames_in(whole[:size])
    assert b"".join(frame.whole for frame in frames) == whole[:used]
    assert frames_in(whole[used:])[0] == frames_in(whole)[0][len(frames) :]


@given(st.integers(0, len(FRAMES) - 1), st.data())
def test_a_process_that_was_killed_as_it_wrote_costs_its_own_commit_and_no_other(which, data):
    """What it left is passed over; the number that is missing shows."""
    left = FRAMES[which][: data.draw(st.integers(0, len(FRAMES[which]) - 1))]
    frames, used = frames_in(b"".join([*FRAMES[:which], left, *FRAMES[which + 1 :], *FRAMES[-1:] * 9]))
    kept = [frame.whole for frame in frames]
    assert kept[: len(FRAMES) - 1] == [*FRAMES[:which], *FRAMES[which + 1 :]]
    assert used > 0


@given(st.integers(0, sum(map(len, FRAMES)) - 1), st.integers(1, 255))
def test_no_altered_byte_goes_unseen(at, change):
    whole = bytearray(b"".join(FRAMES))
    whole[at] ^= change
    frames, _ = frames_in(bytes(whole))
    assert {frame.whole for frame in frames} < set(FRAMES)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 2000))
def test_all_commits_are_read_in_order_over_files_that_are_deleted_behind(sizes, most):
    """Whatever was written between two readings, and however little is read at once."""
    with TemporaryDirectory() as scratch:
        log = begin_log(Path(scratch), 3)
        writer, reader, read, at = CommitLog(log, 3), LogReader(log, 3), [], START
        for size in sizes:
            for _ in range(size):
                writer.add(at, at.next(3), [("INSERT", [("x" * size,)])])
                at = at.next(3)
            read += reader.read(most)
        while frames := reader.read(most):
            read += frames
        writer.close()
        assert [frame.upto.commit for frame in read] == list(range(1, sum(sizes) + 1))
        assert len(list(log.iterdir())) <= 2
