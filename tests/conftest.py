"""Shared fixtures: a job in a temporary folder, a server that answers it, and no way out to the internet."""

import os
import socket

import pytest
from hypothesis import settings
from job_folder import JobFolder
from scripted_server import serving

# A slow machine is no failure, and what landed yesterday does not fail today by another draw. To look for more:
#   HYPOTHESIS_PROFILE=explore make test
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


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


@pytest.fixture
def job(tmp_path):
    return JobFolder(tmp_path)


@pytest.fixture
def server():
    with serving() as running:
        yield running
