"""The ledger keeps what was paid for, through kills, full disks, damage and a second run."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import zlib
from contextlib import closing

import pytest
from ledger_writes import HASHES, call, make_older, outcome, send, use
from places import REPO

from pipeline.codes import ErrorCode, Status
from pipeline.errors import LedgerError
from pipeline.job.folder import LEDGER as FILE
from pipeline.ledger.audit import CHECKED, damaged
from pipeline.ledger.ledger import Ledger, connect, ends
from pipeline.ledger.records import RowEntry
from pipeline.types import Answer, Stop, Usage


def test_an_answer_is_found_by_the_hash_of_its_request(tmp_path):
    """What was answered once is never asked again."""
    reply = Answer('{"total": "1.10"}', Stop.DONE, "stop", Usage(100, 0, 0, 20, 0), "m-1")

    async def script(ledger):
        await ledger.intend(send())
        await ledger.record(call(), b"k" * 16, reply)
        found = ledger.answer(b"k" * 16)
        assert (found.reply.text, found.reply.stop, found.reply.model_version) == (reply.text, Stop.DONE, "m-1")
        assert ledger.answer(b"other" + b"k" * 11) is None

    use(tmp_path, script)


def test_a_call_in_flight_at_a_crash_is_named_by_the_next_session_with_what_it_may_have_cost(tmp_path):
    """Promise 1: no call disappears from the books."""

    async def crash(ledger):
        await ledger.intend(send(7, at_risk=70))

    use(tmp_path, crash)

    async def nothing(ledger):
        assert ledger.spent_units() == 70

    lost, run, _ = use(tmp_path, nothing)
    assert [(one.request_id, one.at_risk_units) for one in lost] == [("req-7", 70)]
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT run, error_code, cost_units, at_risk_units FROM calls").fetchall() == [
            (run, "lost", None, 70)
        ]
        assert db.execute("SELECT COUNT(*) FROM sends").fetchone() == (0,)
    db.close()


def test_a_success_is_never_overwritten(tmp_path):
    """A failure after a success, of whatever cause, changes nothing; a success after a failure takes its place."""

    async def script(ledger):
        await ledger.conclude(outcome())
        await ledger.conclude(outcome(status=Status.FAILED, error_code=ErrorCode.TIMEOUT))
        await ledger.conclude(outcome(b"y" * 16, Status.FAILED, error_code=ErrorCode.TIMEOUT))
        await ledger.conclude(outcome(b"y" * 16))

    use(tmp_path, script)
    db = connect(tmp_path / FILE, read_only=True)
    found = ends(db, [b"x" * 16, b"y" * 16, b"z" * 16])
    assert {doc: end.status for doc, end in found.items()} == {b"x" * 16: "ok", b"y" * 16: "ok"}
    db.close()


def test_a_damaged_answer_is_not_believed(tmp_path):
    """One flipped character in the file is noticed by the record's checksum."""

    async def script(ledger):
        await ledger.record(call(), b"k" * 16, Answer('{"total": 11}', Stop.DONE, "stop", Usage()))

    use(tmp_path, script)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("""UPDATE answers SET text = '{"total": 71}'""")
    db.close()

    async def look(ledger):
        assert ledger.answer(b"k" * 16) is None

    use(tmp_path, look)


def test_an_older_ledger_is_brought_up_to_date_and_what_is_damaged_in_it_stays_so(tmp_path):
    """Version 1 took its checksums of Python's `repr`; both versions can be verified."""

    async def script(ledger):
        for number in range(3):
            reply = Answer(f"text {number}", Stop.DONE, "stop", Usage())
            await ledger.record(call(number), bytes([number]) * 16, reply)
        await ledger.conclude(outcome())

    use(tmp_path, script)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        assert list(damaged(db)) == []
        db.create_function("crc_repr", -1, lambda *values: zlib.crc32(repr(values).encode()))
        for table, columns in CHECKED.items():
            db.execute(f"UPDATE {table} SET crc = crc_repr({', '.join(columns)})")
        db.execute("UPDATE answers SET text = 'text 7' WHERE text = 'text 1'")
        make_older(db, version=1)
        assert list(damaged(db)) == [("answers", b"\x01" * 16)]

    async def look(ledger):
        found = [ledger.answer(bytes([number]) * 16) for number in range(3)]
        assert [answer and answer.reply.text for answer in found] == ["text 0", None, "text 2"]

    use(tmp_path, look)
    with closing(connect(tmp_path / FILE, read_only=True)) as db:
        assert list(damaged(db)) == [("answers", b"\x01" * 16)]


def test_a_newer_ledger_is_refused(tmp_path):
    """An old program does not touch what it does not understand."""
    with Ledger(tmp_path, "run"):
        pass
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LedgerError, match="newer version"):
        Ledger(tmp_path, "run").__enter__()


def test_a_file_that_is_no_ledger_is_refused_with_the_way_out(tmp_path):
    """Damage is said, not repaired in silence."""
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at " * 100)
    with pytest.raises(LedgerError, match="--fresh"):
        Ledger(tmp_path, "run").__enter__()


def test_fresh_keeps_the_old_ledger_beside_the_new_one(tmp_path):
    """--fresh never deletes what was paid for."""

    async def script(ledger):
        await ledger.conclude(outcome())

    use(tmp_path, script)
    use(tmp_path, lambda _: asyncio.sleep(0), fresh=True)
    (old,) = tmp_path.glob("ledger-*.sqlite")
    db = connect(old, read_only=True)
    assert len(ends(db, [b"x" * 16])) == 1
    db.close()


def test_a_changed_input_is_a_new_run_and_the_same_input_is_not(tmp_path):
    """The same command goes on with its run; a new night begins another."""
    with Ledger(tmp_path, "run") as ledger:
        ledger.begin(*HASHES)
        first = ledger.run
        ledger.begin(*HASHES)
        assert ledger.run == first
        ledger.begin(HASHES[0], HASHES[1], "another night")
        assert ledger.run == first + 1


def test_text_that_sqlite_cannot_hold_is_kept_as_near_as_can_be(tmp_path):
    """A lone surrogate in a paid answer does not lose the answer."""

    async def script(ledger):
        await ledger.record(call(), b"k" * 16, Answer("a\ud83d b 😀", Stop.DONE, "stop", Usage()))
        assert ledger.answer(b"k" * 16).reply.text == "a\ufffd b 😀"

    use(tmp_path, script)


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {kit!r})
from ledger_writes import HASHES, call, outcome, send
from pipeline.ledger.ledger import Ledger
from pipeline.types import Answer, Stop, Usage

async def main(ledger):
    ledger.start_writing(lambda: None)

    async def one(number):
        await ledger.intend(send(number))
        durable = ledger.record(call(number), number.to_bytes(16, "big"), Answer("{{}}", Stop.DONE, "stop", Usage()))
        await durable
        print(number, flush=True)

    for start in range(0, 1_000_000, 20):
        await asyncio.gather(*(one(number) for number in range(start, start + 20)))

with Ledger(Path({folder!r}), "run") as ledger:
    ledger.begin(*HASHES)
    asyncio.run(main(ledger))
"""


@pytest.mark.parametrize("lines_before_kill", [1, 57, 240])
def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path, lines_before_kill):
    """What the writer acknowledged before SIGKILL is in the file, and each call is either settled or named as lost."""
    program = KILLED.format(kit=str(REPO / "tests" / "kit"), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(process.stdout.readline()) for _ in range(lines_before_kill)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    process.stdout.close()
    with Ledger(tmp_path, "run") as ledger:
        lost = {one.row for one in ledger.begin(*HASHES)}
        kept = {row for (row,) in ledger._reader.execute("SELECT row FROM calls WHERE error_code IS NULL")}
        assert set(acknowledged) <= kept
        assert all(ledger.answer(number.to_bytes(16, "big")) is not None for number in kept)
        assert not (lost & kept)


def test_a_full_disk_lands_what_is_in_flight_and_says_so(tmp_path):
    """With the ballast gone there is room for answers that were already paid for; `on_full` is called once at least."""
    mount = tmp_path / "small"
    mount.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", mount], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        told = []

        async def main(ledger):
            ledger.start_writing(lambda: told.append(True))
            text, number = "x" * 100_000, 0
            while not told:
                number += 1
                await ledger.record(call(number), number.to_bytes(16, "big"), Answer(text, Stop.DONE, "stop", Usage()))
                assert number < 1000
            await ledger.stop_writing()
            return number

        with Ledger(mount, "run") as ledger:
            ledger.begin(*HASHES)
            count = asyncio.run(main(ledger))
            assert all(ledger.answer(number.to_bytes(16, "big")) for number in range(1, count + 1))
    finally:
        subprocess.run(["umount", mount], check=True)


def test_rows_are_entered_in_order_and_a_shorter_reading_forgets_the_rest(tmp_path):
    """The current run's view of its input has exactly the rows of the last reading."""

    async def script(ledger):
        ledger.enter_rows(RowEntry(n, f"id-{n}", None, "bad", None) for n in range(10))
        ledger.end_rows(4)

    use(tmp_path, script)
    with sqlite3.connect(tmp_path / FILE) as db:
        assert [row for (row,) in db.execute("SELECT row FROM rows ORDER BY row")] == [0, 1, 2, 3]
    db.close()


def test_an_answer_is_durable_within_50_ms(tmp_path):
    """Promise 1's figure, on a disk that is not busy: the median of single writes."""

    async def script(ledger):
        times = []
        for number in range(20):
            began = time.perf_counter()
            await ledger.record(call(number), number.to_bytes(16, "big"), Answer("{}", Stop.DONE, "stop", Usage()))
            times.append(time.perf_counter() - began)
        assert sorted(times)[10] < 0.05, json.dumps(times)

    use(tmp_path, script)


def test_a_record_that_cannot_be_written_takes_no_other_along(tmp_path):
    """All of one commit land but the one that SQLite refuses, and who waits for that one is told."""

    async def script(ledger):
        good = [asyncio.ensure_future(ledger.conclude(outcome(doc=bytes([n]) * 16))) for n in range(3)]
        await asyncio.sleep(0)
        bad = ledger._w.put_durably(("INSERT INTO remembered VALUES (?, ?)", ("key", 2**70)))
        found = await asyncio.gather(*good, bad, return_exceptions=True)
        assert found[:3] == [None, None, None]
        assert isinstance(found[3], LedgerError)

    with pytest.raises(LedgerError, match="cannot be written"):
        use(tmp_path, script)
    with closing(connect(tmp_path / FILE, read_only=True)) as db:
        assert len(ends(db, [bytes([n]) * 16 for n in range(3)])) == 3
