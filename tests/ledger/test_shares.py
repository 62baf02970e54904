"""Calls about several rows on the ledger: their shares are there from before they leave, and fold with them."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest
from ledger_writes import HASHES, call, send, use

from pipeline.job.folder import LEDGER
from pipeline.ledger import audit, queries, run_calls
from pipeline.ledger.files import connect, reading
from pipeline.ledger.fold import fold_in
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RowEntry, Share
from pipeline.ledger.shares import PackSums, by_row, pack_sums, shares_of_calls, unlike_calls
from pipeline.types import Answer, Stop, Usage

PARTS = (
    Share(0, "id-0", 0, Usage(60, 0, 0, 15, 0), 30, b"a" * 16),
    Share(1, "id-1", 0, Usage(40, 0, 0, 5, 0), 20, b"b" * 16),
)
NAMED = tuple(Share(one.row, one.id, one.chunk) for one in PARTS)
REPLY = Answer('{"n": 1}', Stop.DONE, "stop", Usage())


async def named(ledger):
    ledger.enter_rows(RowEntry(n, f"id-{n}", b"%016d" % n, None, None) for n in range(3))
    await ledger.intend(send(), NAMED)


async def answered(ledger):
    await named(ledger)
    await ledger.record_pack(call(), PARTS, [(one.answer, REPLY) for one in PARTS])


def test_an_answer_stands_under_the_key_of_each_row_and_its_figures_with_each(tmp_path):
    use(tmp_path, answered)
    with Ledger(tmp_path, "run") as ledger:
        assert ledger.answer(b"b" * 16).reply.text == REPLY.text
    with reading(tmp_path / LEDGER) as db:
        used = list(run_calls.used_by_chunks(db, 1))
        assert used == [(0, 0, 1, 1, 60, 0, 0, 15, 0, 30), (1, 0, 1, 0, 40, 0, 0, 5, 0, 20)]
        assert run_calls.call_sums(db, 1).calls == 1
        assert pack_sums(db, 1) == PackSums(1, 2, 0)
        assert list(unlike_calls(db)) == []
        assert list(audit.damaged(db)) == []


def test_a_call_that_died_in_flight_is_lost_with_all_its_rows(tmp_path):
    """Nobody knows what it cost: it is at risk on the call, and nothing on the rows."""
    use(tmp_path, named)
    with Ledger(tmp_path, "run") as ledger:
        assert len(ledger.begin(*HASHES)) == 1
    with reading(tmp_path / LEDGER) as db:
        assert [(row, cost) for row, *_, cost in run_calls.used_by_chunks(db, 1)] == [(0, 0), (1, 0)]
        assert queries.spent_units(db, 1) == 70
        assert list(unlike_calls(db)) == []
        assert [share[:2] for share in shares_of_calls(db, ["req-0"])["req-0"]] == [(0, "id-0"), (1, "id-1")]


def test_one_that_never_left_leaves_nothing(tmp_path):
    async def withdrawn(ledger):
        await named(ledger)
        await ledger.withdraw(send())

    use(tmp_path, withdrawn)
    with reading(tmp_path / LEDGER) as db:
        assert db.execute("SELECT COUNT(*) FROM shares").fetchone() == (0,)


def test_what_rows_that_are_gone_had_is_the_first_rows(tmp_path):
    """So that calls and rows add up, whatever of the input is left."""

    async def shorter(ledger):
        ledger.end_rows(1)

    use(tmp_path, answered)
    use(tmp_path, shorter)
    with reading(tmp_path / LEDGER) as db:
        assert list(run_calls.used_by_chunks(db, 1)) == [(0, 0, 2, 1, 100, 0, 0, 20, 0, 50)]
        assert [share[0] for share in shares_of_calls(db, ["req-0"])["req-0"]] == [0, 0]


@pytest.mark.parametrize("knew", ["nothing", "a call in flight", "a lost call"])
def test_an_answer_that_only_the_other_ledger_has_comes_with_its_shares(tmp_path, knew):
    """Also where this one named the call, or gave it up as lost."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    if knew != "nothing":
        use(ours, named)
        shutil.copytree(ours, theirs)
        finish = answered_only
    else:
        use(ours, nothing)
        shutil.copytree(ours, theirs)
        finish = answered
    in_flight(theirs, finish)
    if knew == "a lost call":
        use(ours, nothing)
    folded = fold_in(theirs / LEDGER, ours / LEDGER)
    assert (folded.answers, folded.calls) == (2, 1)
    with reading(ours / LEDGER) as db:
        assert list(unlike_calls(db)) == []
        assert [one[-1] for one in shares_of_calls(db, ["req-0"])["req-0"]] == [30, 20]


async def nothing(ledger):
    ledger.enter_rows(())


async def answered_only(ledger):
    await ledger.record_pack(call(), PARTS, [(one.answer, REPLY) for one in PARTS])


def in_flight(folder, script):
    """The rest of a session that has named its calls: without what a new session does with those of a dead one."""

    async def main(ledger):
        ledger.start_writing(lambda: None)
        await script(ledger)
        await ledger.stop_writing()

    with Ledger(folder, "run") as ledger:
        ledger.run, ledger.session = 1, 1
        asyncio.run(main(ledger))


def test_a_ledger_without_such_calls_is_asked_as_ever(tmp_path):
    """And one of a format that knows none of them, which nobody has written to since."""

    async def alone(ledger):
        await ledger.intend(send())
        await ledger.record(call(), b"k" * 16, REPLY)

    use(tmp_path, alone)
    with reading(tmp_path / LEDGER) as db:
        assert list(run_calls.used_by_chunks(db, 1)) == [(0, 0, 1, 1, 100, 0, 0, 20, 0, 50)]
    with closing(connect(tmp_path / LEDGER)) as db:
        db.executescript("DROP TABLE shares; PRAGMA user_version = 8;")
        assert by_row(db) == "(SELECT *, 1 AS counted FROM calls)"
        assert pack_sums(db, 1) == PackSums()
        assert list(unlike_calls(db)) == []
    with closing(sqlite3.connect(tmp_path / LEDGER)) as db:
        assert db.execute("SELECT COUNT(*) FROM calls").fetchone() == (1,)
