"""How much of the ledger has been durable: counted in it, and told in a small file beside it.

SQLite loses without a word what stood in a write-ahead file that is gone or cut. The file beside it is written after
each commit and not synced: after a power cut it may be behind the ledger, which is fine. Ahead of it, some is lost.
"""

import os
import stat
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from pipeline.errors import LedgerError
from pipeline.job.folder import HEAD
from pipeline.ledger import queries
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.records import Call
from pipeline.money import from_units
from pipeline.platforms import CLOSED_ON_EXEC, NOT_WAITING, read_from_start, write_at_start

KEY = "head"  # in `remembered`
BYTES = 128  # always as many: writing over them needs no room on the disk


class Head(Struct, frozen=True):
    """Sums over all commits; or what one of them adds, or what is missing of them."""

    commits: int = 0
    named: int = 0  # requests put on record before they left
    calls: int = 0  # of these, the ones whose end is on record
    answers: int = 0
    units: int = 0  # what the calls cost, or may have cost at the most, in 1e-10 USD

    @property
    def paid(self) -> bool:
        """Whether anything of it cost money, or may have."""
        return bool(self.named or self.calls or self.answers)


NOTHING = Head()
NAMED, WITHDRAWN = Head(named=1), Head(named=-1)


def gained(call: Call, *, answers: int = 0) -> Head:
    """What a call brings, and its answers."""
    return Head(calls=1, answers=answers, units=(call.cost_units or 0) + call.at_risk_units)


def total(parts: Iterable[Head]) -> Head:
    commits = named = calls = answers = units = 0
    for one in parts:  # some hundred a commit: by name, which is five times as fast as in general
        commits += one.commits
        named += one.named
        calls += one.calls
        answers += one.answers
        units += one.units
    return Head(commits, named, calls, answers, units)


def head_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + HEAD)


def head_in(db: Connection) -> Head:
    """As the ledger itself has it; nothing in one that is older than heads, or has lost even its tables."""
    if not queries.has_table(db, "remembered"):
        return NOTHING
    return _parsed(queries.remembered(db, KEY) or "") or NOTHING


def advance(db: Connection, gains: Iterable[Head]) -> Head:
    """Add what this transaction brings, within it; returns the head that is durable once it is committed."""
    head = total([head_in(db), Head(commits=1), *gains])
    queries.remember(db, KEY, _text(head))
    return head


def missing(ledger: Path) -> Head | None:
    """What was durable once and is not in the ledger any more; None: nothing is known to be missing.

    Raises:
        LedgerUnreadable: it is damaged, or out of reach.
    """
    told = _told(head_path(ledger))  # looked at first: a ledger that is being written is never behind it
    if told is None:
        return None
    kept = NOTHING
    if ledger.exists():
        with reading(ledger) as db:
            kept = head_in(db)
    if told.commits <= kept.commits:
        return None
    return Head(*(max(0, ours - theirs) for ours, theirs in zip(astuple(told), astuple(kept), strict=True)))


def require_whole(ledger: Path) -> None:
    """Raises LedgerError where something that was paid for is missing, or it cannot be read."""
    lost = missing(ledger)
    if lost is not None and lost.paid:
        raise LedgerError(
            f"{missing_text(ledger, lost)}. Nothing was sent. To agree to that:  "
            "pipeline run JOB --yes-rerun   (from Python: yes=True)"
        )


def missing_text(ledger: Path, lost: Head) -> str:
    """What is missing, and of what; the way out is the caller's to tell."""
    open_calls = lost.named - lost.calls
    unknown = f", and {open_calls:,} more that were in flight" if open_calls > 0 else ""
    return (
        f"{ledger} has lost its end: {lost.calls:,} calls with {lost.answers:,} answers were on record, for "
        f"${from_units(lost.units):.6f}{unknown}, and are not in it any more. Either {ledger.name}-wal was deleted or "
        "cut, or an older copy of the ledger was put in its place. Restore both from a copy if there is one; otherwise "
        "what is missing is paid for again"
    )


class HeadFile:
    """The file beside the ledger. One that cannot be written only falls behind."""

    def __init__(self, ledger: Path) -> None:
        """Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | CLOSED_ON_EXEC | NOT_WAITING
        self._descriptor = os.open(head_path(ledger), flags, 0o644)

    def write(self, head: Head) -> None:
        with suppress(OSError):
            write_at_start(self._descriptor, _text(head).ljust(BYTES - 1).encode() + b"\n")

    def close(self) -> None:
        os.close(self._descriptor)


def _told(path: Path) -> Head | None:
    """What the file says; None where there is none, or a power cut left less than all of it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | CLOSED_ON_EXEC | NOT_WAITING)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return _parsed(read_from_start(descriptor, BYTES).decode("ascii", "replace"))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _text(head: Head) -> str:
    numbers = " ".join(map(str, astuple(head)))
    return f"{numbers} {zlib.crc32(numbers.encode()):08x}"


def _parsed(text: str) -> Head | None:
    *numbers, _crc = text.split() or [""]
    values: list[Any] = [int(number) for number in numbers if number.isdecimal()]
    if len(values) != len(Head.__struct_fields__):
        return None
    head = Head(*values)
    return head if _text(head) == text.strip() else None
