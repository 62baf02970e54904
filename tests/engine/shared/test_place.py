"""Where runs of one account meet: a folder of this user's alone, a lock and a socket with a short path."""

import os
import stat

import pytest

from pipeline.engine.shared.place import given_up, listening, place_of, taken


@pytest.fixture
def environ(tmp_path_factory):
    """With a short path, and no other folder that would do."""
    return {"XDG_RUNTIME_DIR": str(tmp_path_factory.mktemp("r"))}


def test_the_folder_is_this_users_alone(environ):
    place = place_of("a" * 32, environ)
    assert stat.S_IMODE(place.lock.parent.stat().st_mode) == 0o700
    assert str(place.socket).startswith(environ["XDG_RUNTIME_DIR"])
    assert place_of("a" * 32, environ) == place


def test_without_a_run_folder_it_is_in_the_temporary_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
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
    place = place_of("a", environ)
    first = taken(place.lock)
    assert taken(place.lock) is None
    listening(place.socket).close()
    given_up(place, first)
    assert list(place.lock.parent.iterdir()) == []
    second = taken(place.lock)
    given_up(place, second)


def test_a_lock_that_was_removed_as_it_was_taken_is_taken_anew(environ, monkeypatch):
    """Else two runs would each have one."""
    place = place_of("a", environ)
    opened = os.open
    removed = []

    def as_another_ends(path, *how):
        descriptor = opened(path, *how)
        if not removed:
            removed.append(place.lock.unlink())
        return descriptor

    monkeypatch.setattr(os, "open", as_another_ends)
    held = taken(place.lock)
    assert os.path.samestat(os.fstat(held), place.lock.stat())
    given_up(place, held)
