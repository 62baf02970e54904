"""Published files are on the disk before they take the place of the old ones, and so is their taking it."""

import os
from pathlib import Path

import pytest

from pipeline.output import files

NAMES = ("results.parquet", "calls.parquet", "run.json")


@pytest.fixture
def steps(monkeypatch):
    """What this process asks of the disk, in order: (synced or replaced, the file's name)."""
    found = []
    real_sync, real_replace = os.fsync, Path.replace

    def fsync(descriptor):
        found.append(("synced", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_sync(descriptor)

    def replace(path, target):
        found.append(("replaced", Path(target).name))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return found


def test_each_published_file_is_synced_replaced_and_its_folder_synced(job, server, steps):
    """In a whole run; run.json twice, when it begins and when it ends."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run()
    ours = [step for step in steps if step[1].removesuffix(".tmp") in {*NAMES, "out"}]
    assert ours == [
        step
        for name in ("run.json", "results.parquet", "calls.parquet", "run.json")
        for step in (("synced", f"{name}.tmp"), ("replaced", name), ("synced", "out"))
    ]


def test_what_was_written_is_whole_when_it_is_synced(tmp_path, monkeypatch):
    """Not a buffer's first half."""
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    files.write_json(tmp_path / "run.json", {"a": "x" * 100_000})
    assert sizes[0] == (tmp_path / "run.json").stat().st_size > 100_000


def test_a_file_that_cannot_take_its_place_leaves_the_old_one_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    files.write_json(path, {"old": True})
    monkeypatch.setattr(Path, "replace", lambda path, target: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"old": False})
    assert path.read_text() == '{\n  "old": true\n}\n'
    assert list(tmp_path.iterdir()) == [path]
