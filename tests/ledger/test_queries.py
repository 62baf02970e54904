"""Questions to a ledger: what each counts, that what is many comes one by one, and that no SQL stands elsewhere."""

import re
import sqlite3
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import LedgerUnreadable
from pipeline.job.folder import LEDGER
from pipeline.ledger import audit, queries, records, run_calls
from pipeline.ledger.files import reading
from pipeline.ledger.ledger import Ledger
from pipeline.types import Usage

PACKAGE = Path(pipeline.__file__).parent
TEMPORARY = {
    "documents/sources/rows.py",
    "commands/estimate/pilot.py",
    "commands/aside.py",
}  # tables of their own


def call(run, number, **changes):
    values = dict.fromkeys(records.CALL_COLUMNS, 0) | {"run": run, "session": run, "row": number, "chunk": 0}
    values |= {"request_id": f"q{run}-{number}", "id": f"r{number}", "purpose": "extract", "attempt": 1, "tenant": None}
    values |= {"http_status": 200, "error_code": None, "input_tokens": 100, "output_tokens": 20, "cost_units": 7}
    return tuple((values | changes).values())


def outcome(doc, status, code=None):
    values = dict.fromkeys(records.OUTCOME_COLUMNS) | {"doc": doc, "run": 1, "session": 1, "row": 0, "status": status}
    return tuple((values | {"error_code": code, "repaired": 0, "conflicts": "[]", "chunks": 1}).values())


@pytest.fixture
def ledger(tmp_path):
    """Two runs; of the second an ok, two failed, a pending and a bad row. Calls of rows 0 to 4, a repair, two 429s."""
    with Ledger(tmp_path, "run") as opened:
        opened.begin(b"q", b"old", "input")
        opened.begin(b"q", b"new", "input")
    rows = [(0, "a", b"0", None), (1, "b", b"1", None), (2, "c", b"1", None), (3, "d", b"3", None), (4, "e", None, "x")]
    calls = [call(1, 9), *(call(2, row) for row in range(4)), call(2, 1, request_id="r", purpose="repair")]
    calls += [call(2, 0, request_id="l", http_status=429, error_code="rate_limited", at_risk_units=5)]
    calls += [
        call(2, 2, request_id="b", error_code="blocked"),
        call(2, 77),
        call(2, 77, request_id="e", output_tokens=0, purpose="repair", attempt=2, http_status=429, error_code="quota"),
    ]
    with sqlite3.connect(tmp_path / LEDGER) as db:
        db.executemany("INSERT INTO rows (row, id, doc, problem) VALUES (?, ?, ?, ?)", rows)
        for table, names, values in (
            ("outcomes", records.OUTCOME_COLUMNS, [outcome(b"0", "ok"), outcome(b"1", "failed", "refused")]),
            ("calls", records.CALL_COLUMNS, calls),
        ):
            marks = ", ".join("?" * (len(names) + 1))
            sql = f"INSERT INTO {table} ({', '.join(names)}, crc) VALUES ({marks})"
            db.executemany(sql, map(records.with_crc, values))
    with reading(tmp_path / LEDGER) as db:
        yield db


def test_rows_are_counted_by_their_end_and_pending_ones_by_none(ledger):
    assert queries.rows_by_end(ledger) == queries.RowsByEnd(1, {"refused": 2, "bad_row": 1})
    assert list(audit.row_ends(ledger))[2:] == [
        ("c", 0, "failed", "refused"), ("d", 0, None, None), ("e", 1, None, None)
    ]  # fmt: skip


def test_the_last_answers_to_a_question_are_those_of_its_form_in_order(ledger):
    """All runs of the form; a 429 is no answer, and one that failed in the end counts where it is wanted."""
    found = queries.last_answered(ledger, b"q", 100)
    assert [(one.run, one.row, one.doc) for one in found] == [
        (1, 9, None), (2, 0, b"0"), (2, 1, b"1"), (2, 2, b"1"), (2, 3, b"3"), (2, 1, b"1"), (2, 2, b"1"), (2, 77, None)
    ]  # fmt: skip
    assert found[0].usage == Usage(100, 0, 0, 20, 0)
    assert [one.row for one in queries.last_answered(ledger, b"q", 3, well=True)] == [3, 1, 77]
    assert queries.last_answered(ledger, b"another", 100) == []


def test_calls_are_summed_over_the_run_and_by_chunk(ledger):
    found = run_calls.call_sums(ledger, 2)
    assert found == run_calls.CallSums(9, 2, 1, 63, Usage(900, 0, 0, 160, 0))
    assert run_calls.call_sums(ledger, 5) == run_calls.CallSums(0, 0, 0, 0, Usage())
    assert next(run_calls.used_by_chunks(ledger, 2)) == (0, 0, 2, 2, 200, 0, 0, 40, 0, 14)
    assert run_calls.calls_at_risk(ledger) == (1, 5)
    assert queries.spent_units(ledger, 2) == 68


def test_calls_come_in_batches_without_those_of_rows_that_are_gone(ledger):
    batches = list(run_calls.calls_of_run(ledger, 2, 3))
    place = records.CALL_COLUMNS.index("request_id")
    assert [len(batch) for batch in batches] == [3, 3, 1]
    found = [one[place] for batch in batches for one in batch]
    assert found == ["q2-0", "q2-1", "q2-2", "q2-3", "r", "l", "b"]
    assert [one for one, _ in audit.last_calls(ledger, ["request_id"])] == found


def test_jobs_of_the_past_come_the_latest_first(ledger):
    assert queries.last_doc_hashes(ledger, 8) == [b"new", b"old"]
    assert queries.last_doc_hashes(ledger, 1) == [b"new"]
    assert queries.several_jobs(ledger)
    assert queries.last_run(ledger)[:3] == (2, b"q", b"new")


def test_a_file_that_is_no_ledger_says_what_where_and_how_to_mend_it(tmp_path):
    (tmp_path / LEDGER).write_bytes(b"no ledger" * 1000)
    with (
        pytest.raises(
            LedgerUnreadable, match=r"ledger.sqlite is damaged or not a ledger \(file is not a database\).*--fresh"
        ),
        reading(tmp_path / LEDGER) as db,
    ):
        queries.last_run(db)
    assert not queries.readable(tmp_path / LEDGER)
    with pytest.raises(LedgerUnreadable):
        queries.last_hashes(tmp_path / LEDGER)


def test_a_session_that_sqlite_fails_ends_as_unreadable(tmp_path):
    def session():
        with Ledger(tmp_path, "run") as ledger:
            ledger._db.execute("DROP TABLE calls")
            ledger.spent_units()

    with pytest.raises(LedgerUnreadable, match="no such table: calls"):
        session()


def test_no_sql_stands_outside_the_ledger():
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "ledger" not in path.relative_to(PACKAGE).parts[:1]
        and re.search(r"\.execute(many|script)?\((?!\))|\bSELECT\b|\bINSERT INTO\b", path.read_text())
    }
    assert found == TEMPORARY


def test_what_a_tenant_has_spent_is_its_costs_and_what_its_lost_calls_may_have_cost(ledger, tmp_path):
    """Over all runs, from a moment on; as of a run, of all tenants."""
    with sqlite3.connect(tmp_path / LEDGER) as db:
        for number, (tenant, cost, risk, sent_us) in enumerate(
            [("a", 10, 0, 100), ("a", None, 300, 100), ("a", 20, 5, 50), ("b", None, 7, 100), (None, 1000, 1000, 100)]
        ):
            values = call(3, number, tenant=tenant, cost_units=cost, at_risk_units=risk, sent_us=sent_us)
            marks = ", ".join("?" * (len(values) + 1))
            sql = f"INSERT INTO calls ({', '.join(records.CALL_COLUMNS)}, crc) VALUES ({marks})"
            db.execute(sql, records.with_crc(values))
    db.close()
    assert queries.spent_units_by_tenant(ledger, 100) == {"a": 310, "b": 7}
    assert queries.spent_units_by_tenant(ledger, 50) == {"a": 335, "b": 7}
    assert queries.spent_units(ledger, 3) == 10 + 300 + 25 + 7 + 2000
