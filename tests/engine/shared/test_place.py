"""Where runs of one account meet: a folder of this user's alone, a lock and a socket with a short path."""

import os
import stat

import pytest

from pipeline.engine.shared import place
from pipeline.engine.shared.place import given_up, listening, place_of, taken


@pytest.fixture
def environ(tmp_path_factory):
    """With a short path, and no other folder that would do."""
    return {"XDG_RUNTIME_DIR": str(tmp_path_factory.mktemp("r"))}


def test_the_folder_is_this_users_alone(environ):
    found = place_of("a" * 32, environ)
    assert stat.S_IMODE(found.lock.parent.stat().st_mode) == 0o700
    assert str(found.socket).startswith(environ["XDG_RUNTIME_DIR"])
    assert place_of("a" * 32, environ) == found


def test_cron_meets_a_login(tmp_path_factory, monkeypatch):
    """It is not told of the user's run folder, and finds it."""
    runs = tmp_path_factory.mktemp("r")
    (runs / str(os.getuid())).mkdir()
    monkeypatch.setattr(place, "RUN_FOLDERS", str(runs))
    assert place_of("a", {}) == place_of("a", {"XDG_RUNTIME_DIR": f"{runs}/{os.getuid()}"})


def test_without_a_run_folder_it_is_in_the_temporary_one(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(place, "RUN_FOLDERS", str(folder / "none"))
    assert place_of("a", {"TMPDIR": str(folder)}).lock.parent == folder / f"pipeline-{os.getuid()}"


@pytest.mark.parametrize("wrong", ["open to others", "a file", "a link"])
def test_a_folder_that_somebody_else_may_have_made_is_not_used(environ, tmp_path, wrong):
    """The next one is."""
    folder = tmp_path.__class__(environ["XDG_RUNTIME_DIR"]) / "pipeline"
    if wrong == "a file":
        folder.touch()
    elif wrong == "a link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir()
        folder.chmod(0o755)
    environ["TMPDIR"] = environ["XDG_RUNTIME_DIR"]
    assert place_of("a", environ).lock.parent.name == f"pipeline-{os.getuid()}"


def test_a_path_that_is_too_long_for_a_socket_is_not_used(tmp_path, environ):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    found = place_of("a", {"XDG_RUNTIME_DIR": str(long), "TMPDIR": environ["XDG_RUNTIME_DIR"]})
    assert str(found.lock).startswith(environ["XDG_RUNTIME_DIR"])


def test_a_lock_is_one_runs_and_free_when_it_is_given_up(environ):
    found = place_of("a", environ)
    first = taken(found.lock)
    assert taken(found.lock) is None
    listening(found.socket).close()
    given_up(found, first)
    assert list(found.lock.parent.iterdir()) == []
    second = taken(found.lock)
    given_up(found, second)


def test_a_lock_that_was_removed_as_it_was_taken_is_taken_anew(environ, monkeypatch):
    """Else two runs would each have one."""
    found = place_of("a", environ)
    opened = os.open
    removed = []

    def as_another_ends(path, *how):
        descriptor = opened(path, *how)
        if not removed:
            removed.append(found.lock.unlink())
        return descriptor

    monkeypatch.setattr(os, "open", as_another_ends)
    held = taken(found.lock)
    assert os.path.samestat(os.fstat(held), found.lock.stat())
    given_up(found, held)
