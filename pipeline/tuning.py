"""`pipeline tune`: a note in the output folder that the running session reads, carries out and takes away.

A note is a file of its own, written whole under a name that no other has; one that an earlier session left is not read.
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec import Struct

from pipeline.errors import JobError
from pipeline.ledger.lock import held, who

PREFIX, SUFFIX = ".tune-", ".json"
LOOK_S = 0.05


class Wish(Struct, frozen=True):
    """What is to change; None leaves it as it is."""

    concurrency: int | None
    max_usd: Decimal | None
    by: str
    at: str

    def __str__(self) -> str:
        parts = [] if self.concurrency is None else [f"limits.concurrency = {self.concurrency}"]
        parts += [] if self.max_usd is None else [f"budget.max_usd = {self.max_usd}"]
        return " and ".join(parts)


def wish_of(concurrency: int | None, max_usd: str | None) -> Wish:
    """A checked wish of this process.

    Raises:
        JobError: there is nothing to change, or a value is wrong.
    """
    usd = None
    if max_usd is not None:
        try:
            usd = Decimal(max_usd)
        except InvalidOperation:
            usd = Decimal("NaN")
        if not usd.is_finite() or usd < 0:
            raise JobError(f"--max-usd {max_usd!r}: should be 0 or more USD, such as 2.50")
    if concurrency is None and usd is None:
        raise JobError("nothing to change: give --concurrency N, --max-usd X or both")
    return Wish(concurrency, usd, who(), datetime.now(UTC).isoformat(timespec="seconds"))


def ask(folder: Path, wish: Wish, patience_s: float = 10.0) -> bool:
    """Leave the note for the run in `folder`; whether it was carried out within `patience_s`.

    Raises:
        JobError: no run is going on there.
    """
    if held(folder) is None:
        raise JobError(
            f"{folder}: no run is going on here. Start one with the flag instead:  pipeline run JOB --max-usd X, "
            "or --set limits.concurrency=N"
        )
    note = folder / f"{PREFIX}{time.time_ns():020d}-{uuid4().hex[:8]}{SUFFIX}"
    temporary = note.with_suffix(".tmp")
    temporary.write_text(
        json.dumps(
            {
                "concurrency": wish.concurrency,
                "max_usd": None if wish.max_usd is None else str(wish.max_usd),
                "by": wish.by,
                "at": wish.at,
            }
        )
    )
    temporary.replace(note)
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        if not note.exists():
            return True
        if held(folder) is None:
            break
        time.sleep(LOOK_S)
    done = not note.exists()
    note.unlink(missing_ok=True)
    return done


class Inbox:
    """The session's side. Notes that were there before it began are not for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for note in self._notes():
            note.unlink(missing_ok=True)

    def take(self) -> Iterator[Wish]:
        """Wishes in the order that they were made; each is taken away once the caller has gone on past it."""
        for note in self._notes():
            wish = _read(note)
            if wish is not None:
                yield wish
            note.unlink(missing_ok=True)

    def _notes(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as found:  # a few times a second: no object for every other file
                names = sorted(one.name for one in found if one.name.startswith(PREFIX) and one.name.endswith(SUFFIX))
        except OSError:
            return []
        return [self._folder / name for name in names]


def _read(note: Path) -> Wish | None:
    """The wish in a note; None for what is none."""
    try:
        value: dict[str, Any] = json.loads(note.read_text())
        concurrency, usd = value["concurrency"], value["max_usd"]
        wish = Wish(
            None if concurrency is None else int(concurrency),
            None if usd is None else Decimal(usd),
            str(value["by"]),
            str(value["at"]),
        )
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None
    wrong = (wish.concurrency is not None and wish.concurrency < 1) or (
        wish.max_usd is not None and not (wish.max_usd.is_finite() and wish.max_usd >= 0)
    )
    return None if wrong else wish
