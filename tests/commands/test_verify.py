"""`pipeline verify`: whatever is changed in the files of a run, the check that is about it says so, and ends with 1."""

import json
import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_folder import JobFolder
from packed import Model, rows
from places import REPO
from scripted_server import Scripted, serving

from pipeline.commands.verify import CHECKS, verify


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Twelve rows: one failed, one repaired, one a duplicate, one that cannot be used."""
    job = JobFolder(tmp_path_factory.mktemp("whole"))
    with serving() as server:
        server.script = lambda document, nth, body: (
            Scripted(400, error={"message": "no", "code": "x"})
            if document == "document 3"
            else Scripted(text="no JSON")
            if document == "document 5" and len(body["messages"]) < 3
            else Scripted(text=json.dumps({"name": document[:40], "total": "1"}))
        )
        rows = [{"id": f"r{n}", "text": f"document {n}"} for n in range(10)]
        rows += [{"id": "twin", "text": "document 1"}, {"id": "bad"}]
        job.write(server.url, rows=rows, limits={"concurrency": 1}).run(code=1)
    assert all(check.problem is None for check in verify(job.out))
    return job.out


BILL = """
from decimal import Decimal
from pydantic import BaseModel


class Bill(BaseModel):
    invoice_number: str
    gross_total: Decimal
"""


@pytest.fixture(scope="module")
def of_files(tmp_path_factory):
    """A text, and three invoices that go as files: one of two pages in two calls, two whose XML says something else."""
    pytest.importorskip("pypdfium2_raw")
    job, samples = JobFolder(tmp_path_factory.mktemp("of_files")), REPO / "sample_data" / "invoices_pdf"
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "a.txt").write_text("a letter")
    for name in ("08-two-pages.pdf", "14-zugferd.pdf", "15-xml-differs.pdf"):
        shutil.copy(samples / name, job.folder / "inbox")
    (job.folder / "bill.py").write_text(BILL)
    with serving() as server:
        server.script = lambda document, nth, body: Scripted(
            text=json.dumps({"invoice_number": "1", "gross_total": "9"})
        )
        job.write(
            server.url,
            input={"path": "inbox", "id": ""},
            extract={"schema": "bill.py:Bill", "evidence": "align", "keep_text": True},
            documents={"read": "native", "pages_per_call": 1},
        ).run()
    assert all(check.problem is None for check in verify(job.out))
    results = {row["id"]: row for row in job.results()}
    assert [results[name]["calls"] for name in ("08-two-pages.pdf", "a.txt")] == [2, 1]
    assert results["15-xml-differs.pdf"]["xml_conflicts"]
    return job.out


@pytest.fixture(scope="module")
def of_chunks(tmp_path_factory):
    """Two documents of which two chunks each are asked about, and one that is short; a line for each chunk."""
    job = JobFolder(tmp_path_factory.mktemp("of_chunks"))
    text = (
        "A letter. {}\n\n" + "Nothing is said here of what was wanted. " * 40 + "\n\nThe name and the total: {} 5.00\n"
    )
    with serving() as server:
        rows = [{"id": "short", "text": "name and total"}]
        rows += [{"id": f"r{n}", "text": text.format(n, "ab"[n])} for n in range(2)]
        job.write(server.url, rows=rows, chunks={"max_tokens": 60, "select": 2}, extract={"merge": "none"}).run()
    assert all(check.problem is None for check in verify(job.out))
    assert [line["chunk"] > 1 for line in job.results()] == [False, False, True, False, True]
    return job.out


@pytest.fixture(scope="module")
def of_packs(tmp_path_factory):
    """Six rows in two calls, of which one fell apart."""
    job = JobFolder(tmp_path_factory.mktemp("of_packs"))
    with serving() as server:
        server.script = Model(several=lambda texts: Scripted(text="no") if "document 0" in texts else None)
        job.write(server.url, rows=rows(6), chunks={"pack": 3}).run()
    assert all(check.problem is None for check in verify(job.out))
    assert job.manifest()["packs"] == {"calls": 2, "rows": 6, "apart": 1}
    return job.out


@pytest.fixture
def folder_of_packs(of_packs, tmp_path):
    return Path(shutil.copytree(of_packs, tmp_path / "copy"))


@pytest.fixture
def folder_of_chunks(of_chunks, tmp_path):
    return Path(shutil.copytree(of_chunks, tmp_path / "copy"))


@pytest.fixture
def folder_of_files(of_files, tmp_path):
    return Path(shutil.copytree(of_files, tmp_path / "copy"))


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of it, to be tampered with."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def changed(folder, name, change):
    table = change(pq.read_table(folder / name))
    pq.write_table(table, folder / name)


def column(name, row, value):
    """A change of one value."""

    def change(table):
        values = table[name].to_pylist()
        values[row] = value(values[row]) if callable(value) else value
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return change


def manifest(folder, **changes):
    found = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**found, **changes}))


def sql(folder, statement):
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.execute(statement)
    db.close()


def moved(table):
    return pa.concat_tables([table.slice(1, 1), table.slice(0, 1), table.slice(2)])


SEND = "request_id, session, row, id, chunk, purpose, attempt, sent_us"
IN_FLIGHT = f"INSERT INTO sends SELECT {SEND}, 1, tenant, model FROM calls LIMIT 1"
BATCH = "INSERT INTO batches VALUES (1, 'n', 1, 1, 'x', 'a', 'm', 'collected', 1, 1, 1, 1, '', 'b', '', 1, 1, 1, 1, '')"
LINE = (
    "INSERT INTO batch_items SELECT request_id, 1, x'00', row, id, chunk, purpose, attempt, NULL, 0, '{}', NULL, NULL "
    "FROM calls LIMIT 1"
)
TAMPERED = {
    "every row is there once, in order, and counted": [
        lambda f: changed(f, "results.parquet", moved),
        lambda f: changed(f, "results.parquet", lambda table: table.slice(0, 11)),
        lambda f: manifest(f, rows={"total": 12, "ok": 11, "failed": 1, "pending": 0}),
    ],
    "every row ends in exactly one place": [
        lambda f: changed(f, "results.parquet", column("record", 0, None)),
        lambda f: changed(f, "results.parquet", column("error_code", 3, "bad luck")),
    ],
    "failures by code are counted right": [
        lambda f: manifest(f, failed_by_code={"invalid_request": 2}),
    ],
    "tokens and cost sum to run.json": [
        lambda f: changed(f, "results.parquet", column("input_tokens", 0, lambda n: n + 1)),
        lambda f: changed(f, "calls.parquet", column("cost_usd", 0, lambda usd: usd + Decimal("0.0000000001"))),
        lambda f: manifest(f, cost_usd="1.0000000000"),
    ],
    "every row's figures are the sum of its calls": [
        lambda f: changed(f, "results.parquet", column("calls", 0, 2)),
        lambda f: (
            changed(f, "results.parquet", column("input_tokens", 0, lambda n: n + 1)),
            changed(f, "results.parquet", column("input_tokens", 1, lambda n: n - 1)),
        ),
        lambda f: manifest(f, calls=99),
        lambda f: (
            changed(f, "results.parquet", column("output_tokens", 4, lambda n: n + 1)),
            changed(f, "results.parquet", column("output_tokens", 5, lambda n: n - 1)),
        ),
    ],
    "every call costs what its tokens cost": [
        lambda f: [
            changed(f, name, column("cost_usd", row, lambda usd, step=step: usd + step * Decimal("0.0000000001")))
            for row, step in ((0, 1), (1, -1))
            for name in ("results.parquet", "calls.parquet")
        ],
    ],
    "what rows have of a call adds up to it": [
        lambda f: sql(f, "UPDATE shares SET input_tokens = input_tokens + 1 WHERE row = 4"),
        lambda f: sql(f, "UPDATE shares SET cost_units = cost_units - 1 WHERE row = 5"),
        lambda f: sql(f, "UPDATE shares SET cost_units = NULL WHERE row = 5"),
        lambda f: sql(f, "DELETE FROM shares WHERE row = 2"),
        lambda f: sql(f, "UPDATE shares SET request_id = 'another' WHERE row = 2"),
        lambda f: changed(f, "calls.parquet", column("shares", 0, lambda told: [{**told[0], "id": "x"}, *told[1:]])),
        lambda f: changed(f, "calls.parquet", column("shares", 0, lambda told: [*told[1:], told[0]])),
    ],
    "every line of a batch is one call": [
        lambda f: (sql(f, BATCH), sql(f, LINE.format("out"))),
        lambda f: (sql(f, BATCH), sql(f, LINE.format("answered"))),
        lambda f: sql(f, "UPDATE calls SET batch = 1 WHERE rowid = 1"),
    ],
    "the ledger has all that was on record": [
        lambda f: sql(f, "DELETE FROM remembered WHERE key = 'head'"),
    ],
    "every record of the ledger is whole": [
        lambda f: sql(f, "UPDATE answers SET text = '{}' WHERE rowid = 1"),
        lambda f: sql(f, "UPDATE outcomes SET status = 'failed' WHERE rowid = 1"),
    ],
    "results.parquet says what the ledger says": [
        lambda f: changed(f, "results.parquet", column("id", 0, "another")),
        lambda f: sql(f, "DELETE FROM outcomes WHERE rowid = 1"),
    ],
    "every record is the ledger's": [
        lambda f: changed(f, "results.parquet", column("record", 0, lambda record: {**record, "name": "another"})),
    ],
    "calls.parquet says what the ledger says": [
        lambda f: changed(f, "calls.parquet", column("request_id", 0, "another")),
        lambda f: sql(f, "DELETE FROM calls WHERE rowid = 1"),
    ],
    "what is said of documents is the ledger's": [
        lambda f: changed(f, "results.parquet", column("document", 1, lambda told: {**told, "pages": 7})),
        lambda f: changed(f, "results.parquet", column("document", 1, lambda told: {**told, "digest": "0" * 64})),
        lambda f: changed(f, "results.parquet", column("document", 3, lambda told: {**told, "mode": "native"})),
        lambda f: changed(f, "results.parquet", column("document", 0, None)),
        lambda f: changed(f, "results.parquet", lambda table: table.drop_columns("document")),
        lambda f: changed(f, "results.parquet", column("xml_conflicts", 2, [])),
        lambda f: changed(f, "results.parquet", column("xml_conflicts", 0, ["supplier"])),
        lambda f: changed(f, "results.parquet", lambda table: table.drop_columns("xml_conflicts")),
        lambda f: sql(f, "UPDATE rows SET document = json_set(document, '$.media_type', 'image/png') WHERE row = 1"),
        lambda f: sql(f, "UPDATE rows SET document = NULL WHERE row = 3"),
        lambda f: sql(f, "UPDATE outcomes SET xml_conflicts = NULL WHERE xml_conflicts IS NOT NULL"),
    ],
    "the chunks that were asked about are the ledger's": [
        lambda f: changed(f, "results.parquet", column("chunks_skipped", 2, 0)),
        lambda f: changed(f, "results.parquet", column("chunks", 1, 3)),
        lambda f: changed(f, "results.parquet", column("chunk", 2, 1)),
        lambda f: sql(f, "UPDATE outcomes SET chunks_skipped = NULL WHERE row = 1"),
        lambda f: sql(f, "UPDATE outcomes SET chunk_numbers = '[0, 1]' WHERE row = 2"),
    ],
    "values stand where results.parquet says": [
        lambda f: changed(f, "results.parquet", column("evidence", 1, lambda told: [told[0] | {"end": 1}, told[1]])),
        lambda f: changed(f, "results.parquet", column("evidence", 1, lambda told: told[1:])),
        lambda f: changed(f, "results.parquet", column("grounded_share", 1, 0.25)),
        lambda f: changed(f, "results.parquet", column("grounded_share", 1, None)),
        lambda f: changed(f, "results.parquet", column("ungrounded", 1, ["supplier"])),
        lambda f: changed(f, "results.parquet", column("text", 1, "another")),
        lambda f: sql(f, "UPDATE outcomes SET evidence = NULL WHERE row = 1"),
        lambda f: sql(f, "UPDATE outcomes SET evidence = (SELECT evidence FROM outcomes WHERE row = 2) WHERE row = 1"),
    ],
    "every call's pages are of its row's file": [
        lambda f: sql(f, "UPDATE calls SET pages = '3' WHERE pages = '2'"),
        lambda f: sql(f, "UPDATE calls SET pages = '1-3' WHERE pages = '2'"),
        lambda f: sql(f, "UPDATE calls SET pages = '1, part 2: 4' WHERE pages = '2'"),
        lambda f: sql(f, "UPDATE calls SET pages = '0' WHERE pages = '2'"),
        lambda f: sql(f, "UPDATE calls SET pages = 'some' WHERE pages = '2'"),
        lambda f: sql(f, "UPDATE calls SET pages = '1' WHERE row = 3"),
        lambda f: sql(f, "UPDATE calls SET pages = 'image/png' WHERE row = 3"),
    ],
    "what rows cost in all runs is the ledger's": [
        lambda f: changed(f, "results.parquet", column("cost_total_usd", 0, lambda usd: usd + Decimal("0.0000000001"))),
        lambda f: changed(f, "results.parquet", column("cost_total_usd", 0, None)),
        lambda f: sql(f, "INSERT INTO spent SELECT doc, 1, 0 FROM rows LIMIT 1"),
    ],
    "run.json is of the ledger's last run": [
        lambda f: manifest(f, state="parked", reason="budget"),
        lambda f: manifest(f, input_fingerprint="another"),
        lambda f: sql(f, IN_FLIGHT),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, changes in TAMPERED.items() for number in range(len(changes))]
)
def test_what_was_tampered_with_is_named(request, name, number):
    """By its own check and by no other before it."""
    of_files = "documents" in name or "pages" in name or "values" in name
    of_packs = "what rows have of a call" in name or (name == "every row's figures are the sum of its calls" and number)
    of = "_of_files" if of_files else "_of_chunks" if "chunks" in name else "_of_packs" if of_packs else ""
    folder = request.getfixturevalue(f"folder{of}")
    TAMPERED[name][number](folder)
    (broken,) = [check for check in verify(folder) if check.problem is not None]
    assert broken.name == name, broken


def test_every_check_has_been_seen_to_fail():
    """None is in the list only to look good."""
    assert list(TAMPERED) == list(CHECKS)


def test_the_command_ends_with_1_and_names_the_first_that_fails(folder, job):
    """And with 0 when all hold."""
    job.pipeline("verify", folder, code=0)
    manifest(folder, cost_usd="1.0000000000")
    ended = job.pipeline("verify", folder, code=1)
    assert "BROKEN  tokens and cost sum to run.json" in ended.out
    assert not json.loads(job.pipeline("verify", folder, "--json", code=1).out)["ok"]
