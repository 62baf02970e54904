"""An output folder's files by their names."""

import errno
import os
import re
import stat
from pathlib import Path

from msgspec import Struct

from pipeline.platforms import CLOSED_ON_EXEC, NOT_WAITING

LEDGER = "ledger.sqlite"
LOGS = ("-wal", "-shm")  # what SQLite appends to the ledger's name for what it keeps beside it
LEDGER_LOG = "ledger.log"  # beside it in a bucket: what was committed after it was copied there
HEAD = "-head"  # appended to it as well: how much of it was durable
KEPT_LEDGER = re.compile(r"ledger-[0-9T]+(-\d+)?\.sqlite")
RESULTS, CALLS, RUN = "results.parquet", "calls.parquet", "run.json"
REPORT = "report.html"
GIVEN_ROWS, GIVEN_TABLE, GIVEN_PATHS = "documents.jsonl", "documents.parquet", "documents.paths"  # by a program
GIVEN = (GIVEN_ROWS, GIVEN_TABLE, GIVEN_PATHS)

# While a run goes on.
LOCK = ".lock"
GIVEN_LOCK = ".documents.lock"  # while a program's documents lie in the folder and are read
BALLAST = ".ballast"  # room on the disk for answers in flight
TURNS = ".turns"  # by which processes of one run take turns at writing
COMMITS = ".commits"  # the log of what the ledger commits, until it is shipped to a remote output
LIVE = ".live.json"  # how far it is
TUNE_PREFIX, TUNE_SUFFIX = ".tune-", ".json"  # notes to it
UNFINISHED = ".tmp"  # the end of a name that is replaced once the file is whole


def kept_ledger(stamp: str) -> str:
    """A ledger's name once it is set aside, by --fresh or because another machine went on."""
    return f"ledger-{stamp}.sqlite"


def read_text(path: Path) -> str:
    """A small file of ours. Anything but a plain file is an error: a pipe would be waited for without end.

    Raises:
        OSError: it cannot be read, or is no plain file. ValueError: it is no text.
    """
    descriptor = os.open(path, os.O_RDONLY | CLOSED_ON_EXEC | NOT_WAITING)
    with os.fdopen(descriptor, encoding="utf-8") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        return file.read()


class OutputPlace(Struct, frozen=True):
    """An output folder, and what people call it: of one in a bucket its URL, not the mirror that is looked into."""

    path: Path
    url: str = ""

    def __str__(self) -> str:
        return self.url or str(self.path)
