"""One run at a time on one folder."""

import fcntl
import os
import threading

import pytest

from pipeline.errors import LedgerError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.lock import FolderLock, held


def test_the_second_run_on_a_folder_is_refused_with_who_and_since_when(tmp_path):
    """Promise 2."""
    with (
        Ledger(tmp_path, "run"),
        pytest.raises(LedgerError, match=rf"in use by another run: pipeline run, process {os.getpid()} on .*since 20"),
    ):
        Ledger(tmp_path, "retry").__enter__()
    with Ledger(tmp_path, "run"):
        pass  # free again


def test_somebody_who_looks_does_not_keep_a_run_out(tmp_path):
    """`status` shares the lock for the moment in which it looks."""
    descriptor = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    moment = threading.Timer(0.03, os.close, [descriptor])
    moment.start()
    with FolderLock(tmp_path, "run"):
        assert held(tmp_path) is not None
    moment.join()
