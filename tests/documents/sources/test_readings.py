"""What was read is kept where there is room, and read anew where there is none."""

import tempfile

from pipeline.documents.sources.readings import Readings
from pipeline.reader.read import EMPTY, Unreadable


def test_what_is_kept_is_found_until_the_file_changes(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"")
    readings = Readings()
    readings.put(str(path), Unreadable(EMPTY, "told"))
    assert readings.get(str(path)).reason == EMPTY
    path.write_bytes(b"more")
    assert readings.get(str(path)) is None
    readings.close()


def test_a_full_disk_is_no_error(tmp_path, monkeypatch):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "r+b", buffering=0))  # noqa: PTH123, SIM115
    readings = Readings()
    readings.put(str(path), Unreadable(EMPTY, "told"))
    assert readings.get(str(path)) is None
    readings.close()
