"""Folders as strangers fill them: each file that cannot be used costs its own row, and the others go on."""

import json
import os
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_server import Scripted
from small_pdfs import pdf, text

SHAPES = "0 0 500 500 re f " * 20
WRITTEN = text(50, 700, "Invoice 1 of a firm with a long name")


def named(document, nth, body):
    return Scripted(text=json.dumps({"name": "n", "total": "1.00"}))


@pytest.fixture
def inbox(job, server):
    server.script = named
    folder = job.folder / "inbox"
    folder.mkdir()
    (folder / "good.txt").write_text("a letter")
    job.write(server.url, input={"path": "inbox", "id": ""})
    return folder


def by_id(job):
    return {line["id"]: line for line in job.results()}


def test_names_that_are_no_utf_8_are_rows_of_their_own(job, server, inbox):
    for name, content in (
        (b"a\xff.txt", b"one"),
        (b"a\xfe.txt", b"two"),
        (b"s\xff.pdf", pdf(SHAPES)),  # it goes as it is, and is read again when it does
        (b"t\xff.pdf", pdf(WRITTEN)),
    ):
        (inbox / os.fsdecode(name)).write_bytes(content)
    assert "5 files: 4 text, 1 native" in job.pipeline("check", job.file).out
    job.write(server.url, input={"path": "inbox", "id": "", "keep": ["name"]})
    job.run()
    rows = by_id(job)
    assert sorted(rows) == [r"a\xfe.txt", r"a\xff.txt", "good.txt", r"s\xff.pdf", r"t\xff.pdf"]
    assert {name: row["name"] for name, row in rows.items()} == {name: name for name in rows}
    assert rows[r"s\xff.pdf"]["document"]["mode"] == "native"
    job.reconcile()
    assert job.pipeline("verify", job.out, code=0)
    job.run()
    assert server.sent == 5


def test_a_table_whose_name_is_no_utf_8_is_named(job, inbox):
    (inbox / os.fsdecode(b"a\xff.jsonl")).write_bytes(b'{"text": "t"}\n')
    assert r"a\xff.jsonl: the name of a table has to be UTF-8: rename it" in job.run(code=2).err


def test_what_is_no_file_costs_its_row(job, server, inbox):
    """Nobody waits for a pipe's other end, and nothing that is called like a document goes unsaid."""
    os.mkfifo(inbox / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(inbox / "socket.pdf"))
        (inbox / "circle.pdf").symlink_to("circle.pdf")
        (inbox / "gone.pdf").symlink_to("nowhere.pdf")
        (inbox / "folder.pdf").mkdir()
        (inbox / "folder.pdf" / "inner.txt").write_text("a letter within")
        job.run(code=1)
    errors = {name: line["error"] for name, line in by_id(job).items()}
    assert errors == {
        "circle.pdf": "out of reach: too many levels of symbolic links",
        "folder.pdf/inner.txt": None,
        "gone.pdf": "out of reach: no such file or directory",
        "good.txt": None,
        "pipe.pdf": "unsupported kind: it is a pipe, and no file",
        "socket.pdf": "unsupported kind: it is a socket, and no file",
    }
    assert server.sent == 2
    job.reconcile()


def test_rows_of_tables_beside_documents_are_texts(job, server, inbox):
    """They lack a file's columns, or have others of these names."""
    (inbox / "good.txt").rename(inbox / "good.md")
    (inbox / "a.pdf").write_bytes(pdf(WRITTEN))
    lines = [{"id": "j1", "text": "a row"}, {"id": "j2", "text": "another", "size": "big", "pages": "twelve"}]
    (inbox / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pq.write_table(pa.table({"id": ["p1"], "text": ["a third"]}), inbox / "rows.parquet")
    job.write(server.url, input={"path": "inbox", "id": "id", "keep": ["name", "size", "pages", "media_type"]})
    job.run()
    kept = {name: (line["size"], line["pages"], line["media_type"]) for name, line in by_id(job).items()}
    size = str((inbox / "a.pdf").stat().st_size)
    assert kept == {
        "a.pdf": (size, "1", "application/pdf"),
        "j1": (None, None, None),
        "j2": ("big", "twelve", None),
        "p1": (None, None, None),
    }
    assert by_id(job)["j1"]["document"] is None
    job.reconcile()


def test_a_tables_own_column_stays_beside_the_document_that_it_names(job, server, inbox):
    rows = [{"id": "a", "file": "inbox/good.txt", "pages": "four"}, {"id": "b", "file": "inbox/good.txt"}]
    job.write(server.url, rows=rows, input={"path": "in.jsonl", "document": "file", "keep": ["pages"]})
    job.run()
    assert [line["pages"] for line in job.results()] == ["four", "1"]


def test_check_names_a_file_for_each_reason_and_says_that_there_are_more(job, inbox):
    (inbox / "none.pdf").write_bytes(b"")
    assert "1 as empty file: it has 0 bytes ('none.pdf')" in job.pipeline("check", job.file).out
    for length in range(9):
        (inbox / f"{length}.docx").write_bytes(b"{\\rtf1 hello}" if length else b"II*\0garbage")
    told = job.pipeline("check", job.file).out
    assert "8 as unsupported kind: RTF; save it as DOCX or PDF (as '1.docx')" in told


def test_check_names_what_of_a_folder_is_no_row(job, inbox):
    for name in ("b.zip", "a.doc", "_note.zip"):
        (inbox / name).write_bytes(b"x")
    told = job.pipeline("check", job.file).out
    assert "2 files are left out, as their names end like no document's" in told
    assert "tables: 'a.doc', 'b.zip'\n" in told
    (inbox / "rows.jsonl").write_text('{"text": "t"}\n')
    (inbox / "a.png").write_bytes(b"x")
    assert "tables: 'a.doc', 'b.zip', 'good.txt'\n" in job.pipeline("check", job.file).out


def test_a_broken_picture_is_told_alike_each_time(job, inbox):
    pytest.importorskip("PIL")
    (inbox / "a.tiff").write_bytes(b"II*\0garbage")
    job.run(code=1)
    assert by_id(job)["a.tiff"]["error"] == "damaged: it cannot be decoded: cannot identify image file it"


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ({"image_px": 999999}, "documents.image_px = 999999 should be at most 10000"),
        ({"overlap_pages": 11}, "at most half of documents.pages_per_call = 0, which is 20 at the most"),
        ({"password_env": "EMPTY"}, "documents.password_env = 'EMPTY': this variable is empty. Set it, or leave"),
        ({"password_env": "UNSET"}, "documents.password_env = 'UNSET': this variable is not set. Set it, or leave"),
    ],
    ids=["pixels", "overlap", "empty password", "no password"],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_told_before_anything_is_read(job, server, inbox, documents, told):
    job.env["EMPTY"] = ""
    job.write(server.url, input={"path": "inbox", "id": ""}, documents=documents)
    assert told in job.run(code=2).err


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("http://127.0.0.1/a.pdf", "nothing is read from the web. Fetch it, and name the file"),
        ("inbox/pipe.pdf", "it is a pipe, a socket or a device, and no file\n"),
        ("inbox/gone.pdf", "it is a link to nothing\n"),
    ],
    ids=["web", "pipe", "link"],
)
def test_an_input_that_is_no_file_is_told(job, server, inbox, path, told):
    os.mkfifo(inbox / "pipe.pdf")
    (inbox / "gone.pdf").symlink_to("nowhere.pdf")
    assert told in job.run("--input", path, code=2).err


def test_documents_that_no_table_names_are_told(job, server, inbox):
    job.write(server.url, input={"path": "inbox", "id": "", "document": "file"})
    assert "Leave input.document out: each file is a row" in job.run(code=2).err


def test_reasons_that_are_not_told_are_counted(job, inbox):
    """Eight are told; a folder of strangers has more."""
    for ending, content in {
        "zip.docx": b"PK\x05\x06" + bytes(18), "rtf.docx": b"{\\rtf1 a}", "none.pdf": b"", "html.pdf": b"<html>",
        "nul.pdf": bytes(50), "text.pdf": b"plain words", "cut.png": b"\x89PNG\r\n\x1a\n", "blank.txt": b" ",
        "odd.txt": bytes(range(256)), "cut.pdf": b"%PDF-1.4\n",
    }.items():  # fmt: skip
        (inbox / ending).write_bytes(content)
    (inbox / "gone.pdf").symlink_to("nowhere.pdf")
    told = job.run(code=1).err
    failed = job.manifest()["rows"]["failed"]
    shown = sum(" bad_row, as " in line for line in told.splitlines())
    assert shown == 8 < failed == 11
    assert "3 for other reasons, which results.parquet has" in told
    assert "3 for other reasons" in job.pipeline("status", job.file).out
    assert "3 more for other reasons, as results will say" in job.pipeline("check", job.file).out


def test_what_is_not_known_of_a_file_is_null_and_what_mends_it_fits_its_kind(job, inbox):
    (inbox / "cut.docx").write_bytes(b"PK\x03\x04" + bytes(40))
    (inbox / "odd.md").write_bytes("\ue000 \ue001 \ufffd\ufffd a".encode())
    job.run(code=1)
    rows = by_id(job)
    assert rows["cut.docx"]["document"].keys() == {"media_type", "pages", "mode", "digest"}
    assert (rows["cut.docx"]["document"]["media_type"], rows["cut.docx"]["document"]["pages"]) == (None, None)
    assert rows["odd.md"]["error"].startswith("unreadable text layer: page 1 of 1: ")
    assert rows["odd.md"]["error"].endswith("Save it anew as UTF-8, or as PDF")
