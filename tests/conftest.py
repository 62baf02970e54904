"""Shared fixtures: a job in a temporary folder, a server that answers it, and no way out to the internet."""

import gc
import socket

import examples  # noqa: F401 (loads the profile)
import pytest
import s3_server
from job_folder import JobFolder
from scripted_server import serving

from pipeline import console


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch):
    """No test can reach a real provider, or spend money."""
    connect = socket.socket.connect

    def guarded(self, address, *rest):
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address, *rest)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _silent_console():
    """Each test starts as a program that imports us: a command line run in this process by another test said more."""
    with console.speaking("off"):
        yield


@pytest.fixture
def job(tmp_path):
    return JobFolder(tmp_path)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def s3():
    """The URL of a server of buckets."""
    yield from s3_server.serving()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What collection makes stays to the end: no collection of garbage need look at it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Tests on a cluster come first: all in one process, which starts it once, while the others do the rest."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
