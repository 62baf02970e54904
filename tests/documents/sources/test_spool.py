"""Copies of documents: no room for one is nobody's row, and is told with what mends it."""

import contextlib
import errno
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyarrow import fs as pafs

from pipeline.documents.sources.files import File
from pipeline.documents.sources.spool import Spool
from pipeline.errors import machine_words
from pipeline.reader.read import Unreadable

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


@pytest.fixture
def bucket(tmp_path):
    """A bucket at Google with one file, and a spool that has a copy of it: both, and the copy's path."""
    (tmp_path / "a.pdf").write_bytes(b"bytes")
    fs = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    made = Spool(1000)
    yield tmp_path, made, made.of_file(File(fs, "a.pdf", "a.pdf", "gs://b/a.pdf", 5, 1, "document", None)).path
    made.close()


def test_a_copy_of_what_lies_at_google_knows_its_address_for_as_long_as_it_is_needed(bucket):
    _, spool, copy = bucket
    assert spool.address_of(copy) == "gs://b/a.pdf"
    spool.release(copy)
    assert spool.address_of(copy) == ""


@pytest.mark.parametrize("change", ["longer", "gone", "written again"])
def test_what_has_changed_at_google_is_not_sent_by_its_address(bucket, change):
    folder, spool, copy = bucket
    if change == "gone":
        (folder / "a.pdf").unlink()
    elif change == "longer":
        (folder / "a.pdf").write_bytes(b"more bytes")
    else:
        os.utime(folder / "a.pdf", ns=(7, 7))
    with pytest.raises(Unreadable, match="changed while it was read"):
        spool.address_of(copy)


def test_what_lies_elsewhere_has_no_address(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"bytes")
    fs = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    spool = Spool(1000)
    copy = spool.of_file(File(fs, "a.pdf", "a.pdf", "s3://b/a.pdf", 5, 1, "document", None)).path
    assert spool.address_of(copy) == ""
    spool.close()


def test_threads_that_begin_at_once_share_a_folder(monkeypatch):
    """With a folder each, the first one's copies would go with it."""
    spool, begun = Spool(1000), threading.Barrier(4)
    made = tempfile.TemporaryDirectory

    def slowly(**options):
        with contextlib.suppress(threading.BrokenBarrierError):
            begun.wait(0.2)  # as long as another may take to find that there is none yet
        return made(**options)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", slowly)
    with ThreadPoolExecutor(4) as threads:
        copies = list(threads.map(lambda number: spool.of_cell(b"%d" % number, TABLE).path, range(4)))
    assert [Path(copy).read_bytes() for copy in copies] == [b"0", b"1", b"2", b"3"]
    spool.close()
