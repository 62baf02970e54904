"""Which answer came by which call, also where two machines' ledgers are made one."""

import sqlite3
from contextlib import closing

import pytest
from ledger_writes import call, use

from pipeline.job.folder import LEDGER
from pipeline.ledger.files import reading
from pipeline.ledger.fold import fold_in
from pipeline.ledger.records import RowEntry
from pipeline.ledger.said import answers_of, failed_rows
from pipeline.types import Answer, Stop, Usage


def written(folder, numbers):
    folder.mkdir()

    async def script(ledger):
        ledger.enter_rows([RowEntry(n, f"id-{n}", bytes([n]) * 16, None, None) for n in range(3)])
        for number in numbers:
            reply = Answer(f"text {number}", Stop.DONE, "stop", Usage())
            await ledger.record(call(number), bytes([number]) * 16, reply)

    use(folder, script)
    return folder / LEDGER


def told(path):
    with reading(path) as db:
        return {said.request_id: said.text for said in answers_of(db, [0, 1, 2])}


@pytest.mark.parametrize("before", [False, True], ids=["linked", "from before"])
def test_a_folded_ledger_brings_its_answers_by_their_calls(tmp_path, before):
    """Of a ledger from before, only the answers: nobody knows which call they came by."""
    other, ours = written(tmp_path / "a", [0, 1]), written(tmp_path / "b", [2])
    if before:
        with closing(sqlite3.connect(other, isolation_level=None)) as db:
            db.execute("ALTER TABLE calls DROP COLUMN answer")
            db.execute("PRAGMA user_version = 2")
    assert fold_in(other, ours).calls == 2
    all_three = {f"req-{number}": f"text {number}" for number in range(3)}
    assert told(ours) == ({"req-2": "text 2"} if before else all_three)


def test_rows_that_cannot_be_used_are_among_those_that_failed(tmp_path):
    """With their problem as the error."""

    async def script(ledger):
        ledger.enter_rows([RowEntry(0, "a", b"x" * 16, None, None), RowEntry(1, "b", None, "no text", None)])

    use(tmp_path, script)
    with reading(tmp_path / LEDGER) as db:
        assert [(row.id, row.error_code, row.error) for row in failed_rows(db)] == [("b", "bad_row", "no text")]
