"""Copies of documents: no room for one is nobody's row, and is told with what mends it."""

import errno

import pytest
from pyarrow import fs as pafs

from pipeline.documents.sources.files import File
from pipeline.documents.sources.spool import Spool
from pipeline.errors import machine_words

FULL = "/dev/full"
TABLE = File(pafs.LocalFileSystem(), "/in/rows.parquet", "rows.parquet", "/in/rows.parquet", 1, 1, "parquet", None)


@pytest.fixture
def spool(monkeypatch):
    """A spool whose disk is full."""
    made = Spool(1000)
    monkeypatch.setattr(made, "_new", lambda: FULL)
    yield made
    made.close()


def test_no_room_for_a_copy_names_the_folder_and_the_variable(spool):
    with pytest.raises(OSError, match="TMPDIR") as told:
        spool.of_cell(b"bytes", TABLE)
    assert told.value.errno == errno.ENOSPC
    assert machine_words(told.value).endswith(
        "No space left on device for a copy of a document. Set TMPDIR to a folder with more"
    )


def test_no_room_for_what_is_fetched_is_no_missing_file(spool, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"bytes")
    remote = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    with pytest.raises(OSError, match="TMPDIR"):
        spool.of_file(File(remote, "a.pdf", "a.pdf", "s3://b/a.pdf", 5, 1, "document", None))
