"""Where files of rows lie, told without a fetch; and rows that are made whole elsewhere, which are the same rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import msgpack
from msgspec.structs import replace
from pdf_makers import text_pages
from pyarrow import fs as pafs

from pipeline.catalog.file_limits import file_limits
from pipeline.documents.pages import Rules
from pipeline.documents.sources import file_refs
from pipeline.documents.sources.file_refs import FileRef
from pipeline.documents.sources.files import File
from pipeline.documents.sources.source import Source
from pipeline.job.settings import Documents, Input, Model
from pipeline.parts import FilePart
from pipeline.reader.read import Unreadable

MODEL = Model(provider="vertex", name="gemini-2.5-flash", max_output_tokens=500)
LOCAL = pafs.LocalFileSystem()


def far(tmp_path):
    return pafs.SubTreeFileSystem(str(tmp_path), LOCAL)


def table(fs, path, url):
    return File(fs, path, "rows.jsonl", url, 1, 1, "jsonl", None)


def test_what_lies_in_a_bucket_is_named_by_its_address(tmp_path):
    """A file of the input with its size, and those that a table names beside it or anywhere."""
    remote = far(tmp_path)
    file = File(remote, "in/a.pdf", "a.pdf", "s3://b/in/a.pdf", 5, 1, "document", None)
    assert file_refs.of_file(file) == FileRef("a.pdf", url="s3://b/in/a.pdf", size=5)
    named = table(remote, "in/rows.jsonl", "s3://b/in/rows.jsonl")
    assert file_refs.of_cell("x/b.pdf", named) == FileRef("b.pdf", url="s3://b/in/x/b.pdf")
    assert file_refs.of_cell("gs://c/d.pdf", named) == FileRef("d.pdf", url="gs://c/d.pdf")


def test_what_a_table_holds_goes_along(tmp_path):
    assert file_refs.of_cell(memoryview(b"bytes"), table(LOCAL, "/in/rows.parquet", "")) == FileRef(
        "", size=5, data=b"bytes"
    )


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "no file"),
        (7, "no file"),
        ("../a.pdf", "not allowed"),
        ("ftp://a/b.pdf", "not allowed"),
        ("b.pdf", "no such file"),
    ],
)
def test_what_no_machine_may_read_is_told_before_it_is_tried(tmp_path, cell, reason):
    with pytest.raises(Unreadable, match=reason):
        file_refs.of_cell(cell, table(LOCAL, str(tmp_path / "rows.jsonl"), ""))


@pytest.fixture
def inbox(tmp_path):
    """A folder with two PDFs of the same pages, a broken one, a letter, and a link that leads out of it."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("a.pdf", "b.pdf"):
        (folder / name).write_bytes(text_pages("A page of an invoice.", "And another."))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    (folder / "letter.txt").write_text("Dear Ms. Moss")
    (tmp_path / "outside.txt").write_text("nobody's business")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return folder


@pytest.fixture(params=["folder", "names", "bytes"])
def spec(request, inbox):
    """An input over those files: the folder, a table that names them, or one that holds them."""
    if request.param == "folder":
        return Input(path=str(inbox), id="")
    names = sorted(path.name for path in inbox.iterdir())
    if request.param == "names":
        ids = [{"id": name, "file": name} for name in [*names, "a.pdf", "missing.pdf"]]
        rows = [*ids, {"id": "a.pdf", "file": "a.pdf"}, {"id": "none"}]
        (inbox / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Input(path=str(inbox / "rows.jsonl"), id="id", document="file")
    held = pa.table({"id": names, "file": [(inbox / name).read_bytes() for name in names]})
    pq.write_table(held, inbox / "rows.parquet")
    return Input(path=str(inbox / "rows.parquet"), id="id", document="file")


def source(spec):
    return Source(
        spec, ("pages",), None, optional=("pages",), rules=Rules(Documents(), MODEL, file_limits(MODEL, "json_schema"))
    )


def bare(row):
    """But for where its file lies on this machine."""
    parts = tuple(replace(part, path="") if isinstance(part, FilePart) else part for part in row.parts)
    return replace(row, parts=parts)


def test_rows_that_are_read_elsewhere_are_the_same_rows(spec):
    """Their files, their problems, their values and their texts; what is told of them goes over a wire."""
    here, there = source(spec), source(spec)
    wanted = [bare(row) for batch in here.batches(4) for row in batch]
    found = []
    for rows, files in source(spec).listed(4):
        sent = msgpack.decode(msgpack.encode(files), type=dict[int, FileRef])
        read = iter(there.read([row for row in rows if row.index in sent], sent))
        found += [bare(next(read)) if row.index in sent else bare(row) for row in rows]
    assert found == wanted
    assert any(row.problem for row in wanted)
    assert any(row.document is not None and not row.problem for row in wanted)
    here.close()
    there.close()


def test_listing_reads_no_file(spec, monkeypatch):
    """Not one byte: there may be a million of them, in a bucket."""
    monkeypatch.setattr(
        "pipeline.reader.pool.Readers.read_many", lambda _, files: [] if not files else pytest.fail("one was")
    )
    monkeypatch.setattr("pipeline.documents.sources.spool.Spool.of", lambda *_: pytest.fail("one was"))
    assert sum(len(files) for _, files in source(spec).listed(4)) >= 4


def test_what_is_fetched_for_a_row_is_there_until_the_row_has_ended(inbox):
    spec = Input(path=str(inbox / "rows.parquet"), id="id", document="file")
    pq.write_table(pa.table({"id": ["a"], "file": [(inbox / "a.pdf").read_bytes()]}), inbox / "rows.parquet")
    there = Source(
        spec, (), None, rules=Rules(Documents(read="native"), MODEL, file_limits(MODEL, "json_schema"))
    )  # fmt: skip
    ((rows, files),) = there.listed()
    (row,) = there.read(rows, files)
    part = next(part for part in row.parts if isinstance(part, FilePart))
    assert there.load(part)
    there.release(row)
    with pytest.raises(Unreadable):
        there.load(part)
    there.close()
