"""An output folder's files by their names."""

import re

LEDGER = "ledger.sqlite"
LOGS = ("-wal", "-shm")  # what SQLite appends to the ledger's name for what it keeps beside it
KEPT_LEDGER = re.compile(r"ledger-[0-9T]+(-\d+)?\.sqlite")
RESULTS, CALLS, RUN = "results.parquet", "calls.parquet", "run.json"
REPORT = "report.html"

# While a run goes on.
LOCK = ".lock"
BALLAST = ".ballast"  # room on the disk for answers in flight
TURNS = ".turns"  # by which processes of one run take turns at writing
LIVE = ".live.json"  # how far it is
TUNE_PREFIX, TUNE_SUFFIX = ".tune-", ".json"  # notes to it
UNFINISHED = ".tmp"  # the end of a name that is replaced once the file is whole


def kept_ledger(stamp: str) -> str:
    """A ledger's name once it is set aside, by --fresh or because another machine went on."""
    return f"ledger-{stamp}.sqlite"
