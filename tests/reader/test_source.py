import os
from pathlib import Path

import pytest

from pipeline.reader import source
from pipeline.reader.read import CHANGED, Unreadable


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "one.pdf"
    made.write_bytes(b"0123456789")
    return made


def test_all_bytes_are_taken(path):
    assert source.take(str(path), 10) == b"0123456789"


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda path: os.truncate(path, 30),
        lambda path: path.write_bytes(b"abcdefghij"),
        lambda path: os.truncate(path, 3),
        lambda path: path.with_suffix(".new").write_bytes(b"0123456789") and path.with_suffix(".new").replace(path),
        lambda path: os.utime(path, (1, 1)),
    ],
    ids=["grows", "is rewritten", "is cut", "is replaced", "is touched"],
)
def test_a_file_that_changes_while_it_is_read_is_refused(path, monkeypatch, meanwhile):
    real = source._all_of

    def slow(file, size):
        content = real(file, size)
        meanwhile(path)
        return content

    monkeypatch.setattr(source, "_all_of", slow)
    with pytest.raises(Unreadable) as error:
        source.take(str(path), 100)
    assert error.value.reason == CHANGED


def test_a_file_that_grows_for_ever_is_not_read_for_ever(path, monkeypatch):
    class Growing(source.FileIO):
        def read(self, size=-1):
            with path.open("ab") as file:
                file.write(b"x" * 100)
            return super().read(size)

    monkeypatch.setattr(source, "_opened", Growing)
    with pytest.raises(Unreadable) as error:
        source.take(str(path), 100)
    assert error.value.reason == CHANGED


def test_a_link_to_a_file_is_that_file(path, tmp_path):
    Path(tmp_path / "link.pdf").symlink_to(path)
    assert source.take(str(tmp_path / "link.pdf"), 10) == b"0123456789"
