"""Rows that are files."""

import hashlib

import pytest
from pdf_makers import text_pages
from pyarrow import fs as pafs

from pipeline.catalog.file_limits import file_limits
from pipeline.documents.pages import Rules
from pipeline.documents.sources.filed import FiledRows
from pipeline.documents.sources.files import File
from pipeline.job.settings import Documents, Model
from pipeline.parts import FilePart

VERTEX = Model(provider="vertex", name="gemini-2.5-flash", max_output_tokens=500)


@pytest.fixture
def filed(tmp_path):
    """The reader of a bucket at Google, a PDF of three pages in it, and that file's parts by their pages."""
    (tmp_path / "a.pdf").write_bytes(text_pages(*(f"Page {number} of a letter." for number in (1, 2, 3))))
    rows = FiledRows(Rules(Documents(), VERTEX, file_limits(VERTEX, "json_schema")))
    there = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    copy = rows.spool.of_file(File(there, "a.pdf", "a.pdf", "gs://b/a.pdf", 5, 1, "document", None)).path
    digest = hashlib.sha256((tmp_path / "a.pdf").read_bytes()).hexdigest()
    yield rows, lambda first, last, px=0: FilePart("application/pdf", digest, "document", 1, 1, first, last, px, copy)
    rows.close()


def test_a_file_is_named_by_its_address_only_where_all_of_it_goes_as_it_is(filed):
    rows, pages = filed

    def address(part):
        return rows.address_of(part, rows.load(part))

    assert address(pages(1, 3)) == address(pages(0, 0)) == "gs://b/a.pdf"
    assert address(pages(2, 3)) == address(pages(1, 1, px=200)) == ""
