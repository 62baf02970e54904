"""A folder of documents, from the command line to typed rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from places import REPO
from scripted_server import Scripted


def named(document, nth, body):
    """The record's name is the document's first line."""
    return Scripted(text=json.dumps({"name": document.strip().partition("\n")[0], "total": "1.00"}))


@pytest.fixture
def inbox(job, server):
    server.script = named
    folder = job.folder / "inbox"
    (folder / "march").mkdir(parents=True)
    (folder / "b.txt").write_text("a letter\nfrom Beta")
    (folder / "march" / "a.md").write_text("# Gamma")
    (folder / "empty.txt").write_text("")
    (folder / "_notes.txt").write_text("not for us")
    return folder


def test_each_file_is_a_row_named_by_its_path(job, server, inbox):
    keep = ["name", "size", "pages", "media_type"]
    job.write(
        server.url,
        input={"path": inbox.name, "id": "", "keep": keep},
        extract={"prompt": "{name}, {pages}: <<{text}>>"},
    )
    job.run(code=1)  # one file of three is empty
    rows = {line["id"]: line for line in job.results()}
    assert list(rows) == ["b.txt", "empty.txt", "march/a.md"]
    assert rows["b.txt"]["record"]["name"] == "a letter"
    assert [rows["march/a.md"][name] for name in keep] == ["a.md", 7, 1, "text/markdown"]
    assert rows["b.txt"]["document"].keys() == {"media_type", "pages", "mode", "digest"}
    assert (rows["b.txt"]["document"]["mode"], len(rows["b.txt"]["document"]["digest"])) == ("text", 64)
    bad = rows["empty.txt"]
    assert (bad["status"], bad["error_code"], bad["record"]) == ("failed", "bad_row", None)
    assert bad["error"].startswith("empty file")
    assert sorted(body["messages"][-1]["content"][:8] for _, body, _ in server.requests) == ["a.md, 1:", "b.txt, 1"]
    types = job.table().schema
    assert [types.field(name).type for name in keep] == [pa.string(), pa.int64(), pa.int32(), pa.string()]
    job.reconcile()


def test_a_second_night_pays_for_what_is_new(job, server, inbox):
    job.write(server.url, input={"path": inbox.name, "id": ""})
    job.run(code=1)
    assert server.sent == 2
    job.run(code=1)
    assert server.sent == 2
    (inbox / "empty.txt").write_text("now there is something")
    (inbox / "b.txt").rename(inbox / "renamed.txt")
    job.run()
    assert server.sent == 3
    assert [line["id"] for line in job.results()] == ["empty.txt", "march/a.md", "renamed.txt"]
    assert job.reconcile()["rows"]["ok"] == 3


def test_a_text_in_a_file_is_the_same_question_as_in_a_table(job, server, inbox):
    """An answer that was paid for is found again."""
    job.write(server.url, rows=[{"id": "1", "text": "a letter\nfrom Beta"}, {"id": "2", "text": "# Gamma"}])
    job.run()
    job.write(server.url, input={"path": inbox.name, "id": ""})
    job.run("--yes-rerun", code=1)
    assert server.sent == 2


def test_check_counts_the_ways_of_files_and_says_what_is_bad(job, server, inbox):
    job.write(server.url, input={"path": inbox.name, "id": ""})
    told = job.pipeline("check", job.file).out
    assert "3 files: 2 text, 1 bad (1 empty file)" in told
    assert "1 as empty file" in told
    assert server.sent == 0
    job.write(server.url, input={"path": inbox.name, "id": "", "keep": ["pags"]})
    assert "Did you mean 'pages'?" in job.pipeline("check", job.file, code=2).out


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("files/a.txt", ""),
        (b"in the table", ""),
        ("files/none.txt", "no such file: 'files/none.txt'"),
        ("../secret.txt", "not allowed: '../secret.txt'"),
        ("/etc/hostname", "not allowed: '/etc/hostname'"),
        ("files/link.txt", "not allowed: 'files/link.txt' is a link that leads out"),
        ("http://127.0.0.1:1/a.pdf", "not allowed: 'http://127.0.0.1:1/a.pdf'"),
        ("file:///etc/hostname", "not allowed"),
        (None, "no file: the column is empty"),
        ("  ", "no file"),
        (b"", "empty file"),
        ("files", "unsupported kind: it is a folder"),
    ],
    ids=[
        "path", "bytes", "missing", "above", "absolute", "link", "web", "file-url", "null", "blank", "no bytes",
        "folder",
    ],
)  # fmt: skip
def test_a_table_names_or_holds_its_documents_and_nothing_above_it(job, server, cell, told):
    server.script = named
    (job.folder / "in" / "files").mkdir(parents=True)
    (job.folder / "secret.txt").write_text("secret")
    (job.folder / "in" / "files" / "a.txt").write_text("a file")
    (job.folder / "in" / "files" / "link.txt").symlink_to(job.folder / "secret.txt")
    kind = pa.binary() if isinstance(cell, bytes) else pa.string()
    table = pa.table({"id": ["r1"], "doc": pa.array([cell], kind), "customer": ["c"]})
    (job.folder / "in").mkdir(exist_ok=True)
    pq.write_table(table, job.folder / "in" / "rows.parquet")
    job.write(server.url, input={"path": "in", "document": "doc", "keep": ["customer"]})
    job.run(code=1 if told else 0)
    (row,) = job.results()
    assert row["customer"] == "c"
    if told:
        assert (row["status"], row["error_code"], server.sent) == ("failed", "bad_row", 0)
        assert row["error"].startswith(told)
    else:
        assert row["record"]["name"] in {"a file", "in the table"}
        assert row["document"]["mode"] == "text"


def test_a_table_in_json_lines_names_documents_beside_it(job, server, inbox):
    job.write(server.url, rows=[{"id": "x", "file": "inbox/b.txt"}], input={"document": "file"})
    job.run()
    assert [line["record"]["name"] for line in job.results()] == ["a letter"]
    job.run()
    assert server.sent == 1
    (inbox / "b.txt").write_text("another letter")  # the table is as it was
    job.run()
    assert (server.sent, job.results()[0]["record"]["name"]) == (2, "another letter")


def test_a_link_out_of_the_folder_is_no_document(job, server, inbox):
    (job.folder / "secret.txt").write_text("secret")
    (inbox / "link.txt").symlink_to(job.folder / "secret.txt")
    job.write(server.url, input={"path": inbox.name, "id": ""})
    job.run(code=1)
    bad = next(line for line in job.results() if line["id"] == "link.txt")
    assert bad["error"].startswith("not allowed: it is a link that leads out of the folder")
    assert server.sent == 2


def test_words_beside_tables_are_no_rows(job, server, inbox):
    """As it was before files could be rows: a README in a folder of tables is not paid for."""
    (inbox / "rows.jsonl").write_text('{"id": "r1", "text": "a row"}\n')
    job.write(server.url, input={"path": inbox.name})
    job.run()
    assert [line["id"] for line in job.results()] == ["r1"]
    assert "document" not in job.table().schema.names


@pytest.fixture
def scan(job, server):
    server.script = named
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "16-scan.pdf").write_bytes((REPO / "sample_data/invoices_pdf/16-scan.pdf").read_bytes())
    return job.write(server.url, input={"path": "inbox", "id": ""}, documents={"read": "text"})


def test_a_scan_goes_by_ocr_where_text_is_asked_for(scan, server):
    """In a process of its own, as it is in a user's shell: what is read, and counted, once."""
    pytest.importorskip("rapidocr")
    scan.process("run", scan.file, code=0)
    (row,) = scan.results()
    ((_, body, _),) = server.requests
    assert (row["document"]["mode"], row["document"]["pages"], row["record"]["name"]) == (
        "text", 1, body["messages"][-1]["content"].partition("<<")[2].partition("\n")[0],
    )  # fmt: skip
    assert "250.80" in body["messages"][-1]["content"]


def test_without_the_extra_a_scan_says_how_to_have_it_read(scan, server, monkeypatch):
    for module in ("filed", "seen"):
        monkeypatch.setattr(f"pipeline.documents.sources.{module}.installed", lambda: False)
    scan.run(code=1)
    (row,) = scan.results()
    assert (row["error_code"], server.sent) == ("bad_row", 0)
    assert row["error"].startswith("only scans, and no way to read them: page 1 of 1 is without text")
    assert "pip install 'ledger-pipeline[ocr]'" in row["error"]
