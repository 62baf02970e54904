"""`pipeline tune` and `cancel`: a note in the output folder that the running session reads, carries out and takes away.

A note is a file of its own, written whole under a name that no other has; one that an earlier session left is not read.
"""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.job.folder import TUNE_PREFIX, TUNE_SUFFIX, read_text

LOOK_S = 0.05


class TuneRequest(Struct, frozen=True):
    """What is to change; None leaves it as it is."""

    concurrency: int | None
    max_usd: Decimal | None
    by: str
    at: str
    cancel: str | None = None  # a batch to be called off, by its id; "*": all

    def __str__(self) -> str:
        parts = [] if self.concurrency is None else [f"limits.concurrency = {self.concurrency}"]
        parts += [] if self.max_usd is None else [f"budget.max_usd = {self.max_usd}"]
        return " and ".join(parts)


class Inbox:
    """The session's side. Notes that were there before it began are not for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for note in self._notes():
            note.unlink(missing_ok=True)

    def take(self) -> Iterator[TuneRequest]:
        """Wishes in the order that they were made; each is taken away once the caller has gone on past it."""
        for note in self._notes():
            wish = _read(note)
            if wish is not None:
                yield wish
            note.unlink(missing_ok=True)

    def _notes(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as found:  # a few times a second: no object for every other file
                names = sorted(
                    one.name for one in found if one.name.startswith(TUNE_PREFIX) and one.name.endswith(TUNE_SUFFIX)
                )
        except OSError:
            return []
        return [self._folder / name for name in names]


def _read(note: Path) -> TuneRequest | None:
    """The wish in a note; None for what is none."""
    try:
        value: dict[str, Any] = json.loads(read_text(note))
        concurrency, usd = value["concurrency"], value["max_usd"]
        wish = TuneRequest(
            None if concurrency is None else int(concurrency),
            None if usd is None else Decimal(usd),
            str(value["by"]),
            str(value["at"]),
            None if value.get("cancel") is None else str(value["cancel"]),
        )
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None
    wrong = (wish.concurrency is not None and wish.concurrency < 1) or (
        wish.max_usd is not None and not (wish.max_usd.is_finite() and wish.max_usd >= 0)
    )
    return None if wrong else wish
