"""Jobs whose values are looked for, from the command line to the published files."""

import json
import sqlite3

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pdf_makers import text_pages
from scripted_server import Scripted

EVIDENCE = ["evidence", "grounded_share", "ungrounded", "needs_review"]
TEXT = "Bill of the Blue Mill\ntotal due: 1 234,50 EUR\n"
GOOD, WRONG = {"name": "Blue Mill", "total": "1234.50"}, {"name": "Red Mill", "total": "99.25"}


def answering(*answers):
    """The nth answer to each document."""

    def script(document, nth, body):
        return Scripted(text=json.dumps(answers[min(nth, len(answers) - 1)]))

    return script


@pytest.fixture
def bill(job, server):
    """Runs a job over one bill, that is answered so."""

    def run(*answers, code=0, rows=1, **extract):
        server.script = answering(*answers)
        rows = [{"id": f"r{number}", "text": TEXT + f"no. {number}"} for number in range(rows)]
        job.write(server.url, rows=rows, extract=extract)
        job.run(code=code)
        return job.results()[0]

    return run


def test_each_value_is_told_with_where_it_stands(bill, job):
    row = bill(GOOD, evidence="align", keep_text=True)
    name, total = row["evidence"]
    assert (name["path"], name["status"], name["quote"], name["chunk"], name["page"]) == (
        *("name", "exact", "Blue Mill", 0, None),
    )
    assert row["text"][total["start"] : total["end"]] == total["quote"] == "1 234,50"
    assert (row["grounded_share"], row["ungrounded"], row["needs_review"]) == (1.0, [], False)
    schema = job.table().schema
    assert schema.names[-5:] == [*EVIDENCE, "text"]
    assert schema.field("evidence").type == pa.list_(
        pa.struct(
            [
                *(("path", pa.string()), ("status", pa.string()), ("quote", pa.string())),
                *(("start", pa.int32()), ("end", pa.int32()), ("page", pa.int16())),
                *(("chunk", pa.int16()), ("places", pa.int16()), ("source", pa.string())),
            ]
        )
    )
    assert schema.field("grounded_share").type == pa.float32()
    job.pipeline("verify", job.out, code=0)
    shown = job.pipeline("show", job.file, "r0").out
    assert 'name = "Blue Mill"  ← "Blue Mill"\ntotal = "1234.50"  ← "1 234,50" (normalised)' in shown
    exported = job.pipeline("export", job.out, "--format", "jsonl").out
    assert json.loads(exported)["evidence"][0]["quote"] == "Blue Mill"


def test_a_job_that_asks_for_none_has_none(bill, job):
    assert not {*bill(GOOD), "x"} & {*EVIDENCE, "text"}


def test_what_is_nowhere_is_told_and_is_to_be_looked_at(bill):
    row = bill(WRONG | {"total": "1234.50"}, evidence="align")
    assert (row["status"], row["grounded_share"], row["ungrounded"]) == ("ok", 0.5, ["name"])
    assert row["needs_review"]


def test_a_row_below_the_share_is_repaired_once_and_then_fails_and_a_retry_asks_anew(bill, job, server):
    row = bill(WRONG, WRONG, code=1, min_grounded=0.8)
    assert (row["status"], row["error_code"], row["record"], server.sent) == ("failed", "ungrounded", None, 2)
    assert "name" in row["error"]
    assert job.manifest()["failed_by_code"] == {"ungrounded": 1}
    assert [call["purpose"] for call in job.calls()] == ["extract", "repair"]
    job.pipeline("verify", job.out, code=0)
    server.script = answering(GOOD)
    job.pipeline("retry", job.file, code=0)
    assert (job.results()[0]["status"], job.results()[0]["record"]["name"]) == ("ok", "Blue Mill")
    job.reconcile()


def test_looking_is_free_once_answers_are_on_record(bill, job, server):
    bill(GOOD)
    row = bill(GOOD, evidence="align")
    assert (server.sent, row["answer_from"], row["grounded_share"]) == (1, "ledger", 1.0)


def test_a_resume_and_a_second_night_say_the_same(bill, job, server):
    before = bill(GOOD, evidence="align", keep_text=True, rows=3)
    with sqlite3.connect(job.out / "ledger.sqlite") as db:
        db.execute("DELETE FROM outcomes")
    job.pipeline("run", job.file)
    assert server.sent == 3
    again = job.results()[0]
    assert [again[name] for name in (*EVIDENCE, "text")] == [before[name] for name in (*EVIDENCE, "text")]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda row: row["evidence"][0] | {"start": 3}, "evidence of row 0 is not what the ledger says"),
        (None, "grounded_share of row 0 is 0.25"),
    ],
)
def test_evidence_that_was_changed_is_found_out(bill, job, damage, told):
    row = bill(GOOD, evidence="align")
    table, path = job.table(), job.out / "results.parquet"
    name = "evidence" if damage else "grounded_share"
    value = [[damage(row), *row["evidence"][1:]]] if damage else [0.25]
    place = table.schema.get_field_index(name)
    pq.write_table(
        table.set_column(place, table.schema.field(name), pa.array(value, table.schema.field(name).type)), path
    )
    assert told in job.pipeline("verify", job.out, code=1).out


def test_a_document_that_goes_as_text_and_one_that_goes_as_it_is_tell_their_pages(job, server):
    server.script = answering(GOOD)
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "a.pdf").write_bytes(
        text_pages("A letter with the bill.", "Bill of the Blue Mill, 1 234,50 EUR")
    )
    for read in ("text", "native"):
        job.write(
            server.url, input={"path": "inbox", "id": ""}, extract={"evidence": "align"}, documents={"read": read}
        )
        job.run()
        row = job.results()[0]
        assert row["document"]["mode"] == read
        assert [(one["page"], one["chunk"], one["quote"]) for one in row["evidence"]] == [
            *((2, 0, "Blue Mill"), (2, 0, "1 234,50")),
        ]
        job.pipeline("verify", job.out, code=0)
