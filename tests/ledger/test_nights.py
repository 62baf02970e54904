"""What is carried over from run to run: names, contents, costs."""

import sqlite3
from contextlib import closing

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from ledger_writes import call, make_older, outcome

from pipeline.codes import ErrorCode, Status
from pipeline.job.folder import LEDGER
from pipeline.ledger import night_figures, nights, records
from pipeline.ledger.files import reading
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunFacts

DOCS = [bytes([number]) * 16 for number in range(6)]


def night(folder, number, entries, *, job=b"j", id_column="id", good=True, provider="openai"):
    """A run of rows (id, content), each asked once for 50 units; returns its figures."""
    with Ledger(folder, "run") as ledger:
        ledger.begin(b"q", job, f"input {number}", RunFacts(provider, "m", (), id_column))
        with ledger._db as db:
            db.execute("BEGIN")
            for row, (row_id, doc) in enumerate(entries):
                db.execute("INSERT INTO rows (row, id, doc) VALUES (?, ?, ?)", (row, row_id, doc))
                ended = (
                    outcome(doc, row=row)
                    if good
                    else outcome(doc, Status.FAILED, row=row, error_code=ErrorCode.TIMEOUT)
                )
                _insert(
                    db, "outcomes", records.OUTCOME_COLUMNS, records.outcome_values(ended, ledger.run, ledger.session)
                )
                values = records.call_values(call(row), ledger.run, ledger.session)
                _insert(db, "calls", records.CALL_COLUMNS, values)
            db.execute("COMMIT")
        with reading(folder / LEDGER) as db:
            return night_figures.night_rows(db, ledger.session, ledger.entered, whole=True)


def _insert(db, table, columns, values):
    marks = ", ".join("?" * (len(columns) + 1))
    db.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}, crc) VALUES ({marks})", values)


def seen(folder):
    with closing(sqlite3.connect(folder / LEDGER)) as db:
        return {name: (doc, good) for name, doc, good in db.execute("SELECT * FROM seen")}


def test_the_last_good_content_of_an_id_outlives_worse_ones(tmp_path):
    night(tmp_path, 1, [("a", DOCS[0]), ("b", DOCS[1])])
    night(tmp_path, 2, [("a", DOCS[2])], good=False)
    night(tmp_path, 3, [("c", DOCS[3])])
    assert seen(tmp_path) == {"a": (DOCS[2], DOCS[0]), "b": (DOCS[1], DOCS[1])}


def test_what_a_rehearsal_made_takes_no_answers_place(tmp_path):
    """Where there is nothing better it is kept, and good only for rehearsals."""
    night(tmp_path, 1, [("a", DOCS[0])])
    night(tmp_path, 2, [("a", DOCS[1]), ("b", DOCS[2])], job=b"k", provider="sandbox")
    night(tmp_path, 3, [("c", DOCS[3])])
    assert seen(tmp_path) == {"a": (DOCS[1], DOCS[0]), "b": (DOCS[2], DOCS[2])}
    with reading(tmp_path / LEDGER) as db:
        assert nights.good_outcome(db, DOCS[0])[0] == DOCS[0]
        assert nights.good_outcome(db, DOCS[2]) is None
        assert nights.rehearsed_jobs(db) == {b"k"}
    night(tmp_path, 4, [("c", DOCS[3])], provider="sandbox")
    with reading(tmp_path / LEDGER) as db:
        assert nights.good_outcome(db, DOCS[2])[0] == DOCS[2]


@pytest.mark.parametrize(
    ("before", "after", "known"), [("id", "id", 2), ("id", "", 2), ("", "", 2), ("id", "other", 0)]
)
def test_names_are_those_of_one_column(tmp_path, before, after, known):
    """Without one, contents are."""
    night(tmp_path, 1, [("a", DOCS[0]), ("b", DOCS[1])], id_column=before)
    night(tmp_path, 2, [("x", DOCS[4])], id_column=after)
    assert len(seen(tmp_path)) == known


@examples(30)
@given(st.lists(st.lists(st.sampled_from(DOCS), unique=True, max_size=6), min_size=1, max_size=5))
def test_every_row_is_one_of_three_and_no_cost_is_lost(tmp_path_factory, inputs):
    """Whatever comes and goes: new, changed and known are all rows; what contents cost is what was paid for them."""
    folder = tmp_path_factory.mktemp("nights")
    paid = dict.fromkeys(DOCS, 0)
    for number, docs in enumerate(inputs):
        found = night(folder, number, [(f"r{row}", doc) for row, doc in enumerate(docs)])
        assert found.new + found.changed + found.known == len(docs)
        for doc in docs:
            paid[doc] += 50
    with reading(folder / LEDGER) as db:
        totals = [units for _, units, _ in nights.row_totals(db, len(inputs))]
    assert totals == [paid[doc] for doc in inputs[-1]]


@pytest.mark.parametrize("version", [2, 3])
def test_a_ledger_from_before_nights_were_remembered_is_known_as_one(tmp_path, version):
    """By its format; the next run gives it its memory."""
    night(tmp_path, 1, [("a", DOCS[0])])
    with closing(sqlite3.connect(tmp_path / LEDGER)) as db:
        make_older(db, version)
    with reading(tmp_path / LEDGER) as db:
        assert not nights.remembers(db)
        assert list(night_figures.models_by_run(db, "m").values()) == ["m"]
    night(tmp_path, 2, [("a", DOCS[0])])
    with reading(tmp_path / LEDGER) as db:
        assert nights.remembers(db)
