"""The clock of the batches: real time, times a factor, and as far ahead as it was turned."""

import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sandbox/clock` takes."""

    advance_s: Annotated[float, Meta(ge=0)] = 0.0
    factor: Annotated[float, Meta(ge=0)] | None = None  # seconds of the clock per real one; None: as before


class Clock:
    """It never goes back. `real_s`: Unix time."""

    def __init__(self, real_s: Callable[[], float] = time.time) -> None:
        self._real_s = real_s
        self._at_s = self._base_s = real_s()
        self.factor = 1.0

    def now_s(self) -> float:
        """Unix time, in seconds of this clock."""
        return self._base_s + max(0.0, self._real_s() - self._at_s) * self.factor

    def turn(self, turn: Turn) -> None:
        self._base_s, self._at_s = self.now_s() + turn.advance_s, self._real_s()
        self.factor = self.factor if turn.factor is None else turn.factor
