"""Batches and files by id, and what becomes of a batch's lines as time passes. Pure: the time is an argument.

Lines are run in their order, one after the other over the length of the batch. What was run when it ends has an answer;
what was not is expired or cancelled. So a line's fate follows from the clock, whenever somebody looks.
"""

import math
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from hashlib import blake2b
from random import Random
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.sandbox.batches.faults import Course, Lines, falls
from pipeline.sandbox.batches.lines import LineFile

VALIDATING, RUNNING_UNTIL = 0.1, 0.9  # of a batch's length
CANCEL_SHARE = 0.25  # of a batch's length, from the cancel to its end; half of it lines are still run
DAY_S = 86_400.0


class Fate(StrEnum):
    ANSWERED = "answered"  # run; the answer may be an error
    REFUSED = "refused"  # not run, with an error of its own
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    VALIDATING = "validating"
    RUNNING = "running"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDS = frozenset({Phase.COMPLETED, Phase.EXPIRED, Phase.CANCELLED, Phase.FAILED})


class Plan(Struct, frozen=True):
    """A batch on the clock. `forfeits`: one that does not complete has run nothing."""

    created_s: float
    count: int
    length_s: float
    life_s: float
    forfeits: bool = False
    failed: bool = False
    stuck: bool = False
    never_cancelled: bool = False
    cancelled_s: float = math.inf  # when it was asked
    rushed_s: float = math.inf  # when all was done at once

    @property
    def validated_s(self) -> float:
        return self.created_s + VALIDATING * self.length_s

    @property
    def done_s(self) -> float:
        return min(self.rushed_s, math.inf if self.stuck else self.created_s + self.length_s)

    @property
    def expires_s(self) -> float:
        return self.created_s + self.life_s

    @property
    def stops_s(self) -> float:
        """No line is run after it."""
        return min(self.expires_s, self.cancelled_s + CANCEL_SHARE / 2 * self.length_s)

    def end(self) -> tuple[Phase, float]:
        """How it ends, and when."""
        if self.failed:
            return Phase.FAILED, self.validated_s
        if self.done_s <= self.stops_s:
            return Phase.COMPLETED, self.done_s
        cancelled_s = self.cancelled_s + CANCEL_SHARE * self.length_s
        if cancelled_s < self.expires_s and not self.never_cancelled:
            return Phase.CANCELLED, cancelled_s
        return Phase.EXPIRED, self.expires_s

    def phase(self, now_s: float) -> Phase:
        end, end_s = self.end()
        if now_s >= end_s:
            return end
        if now_s >= self.cancelled_s:
            return Phase.CANCELLING
        if now_s < self.validated_s:
            return Phase.VALIDATING
        if self.stuck or now_s < self.created_s + RUNNING_UNTIL * self.length_s:
            return Phase.RUNNING
        return Phase.FINALIZING

    def reached(self, now_s: float) -> int:
        """How many lines, the first ones, it has come to."""
        at_s = min(now_s, self.stops_s)
        if self.failed:
            return 0
        if at_s >= self.done_s:
            return self.count
        if self.stuck or at_s < self.validated_s:
            return 0
        span_s = (RUNNING_UNTIL - VALIDATING) * self.length_s
        return min(self.count, math.floor(self.count * (at_s - self.validated_s) / span_s))

    def run(self, now_s: float) -> int:
        """How many of them count as run."""
        end, end_s = self.end()
        if self.forfeits and (end is not Phase.COMPLETED or now_s < end_s):
            return 0
        return self.reached(now_s)

    def due(self, now_s: float) -> int:
        """How many lines, the first ones, have a fate."""
        end, end_s = self.end()
        if now_s < end_s:
            return self.run(now_s)
        return 0 if end is Phase.FAILED else self.count


class Batch(Struct):
    """`told`: what its dialect keeps of it."""

    id: str
    seed: str
    account: str
    plan: Plan
    course: Course
    lines: Lines
    told: dict[str, Any]
    problems: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=lambda: [0, 0])  # billed: of prompts, of answers
    fates: Counter[Fate] = field(default_factory=Counter)
    errors: int = 0  # of lines that were run
    settled: int = 0  # lines, the first ones, whose fate is written down
    looks: int = 0
    looks_after_end: int = 0

    def fate(self, line: int) -> Fate:
        """Of a line that is due."""
        end, end_s = self.plan.end()
        if line < self.plan.run(end_s):
            if falls(self.seed, "expired", line, self.lines.expired):
                return Fate.EXPIRED
            return Fate.REFUSED if falls(self.seed, "refused", line, self.lines.refused) else Fate.ANSWERED
        return Fate.CANCELLED if end is Phase.CANCELLED else Fate.EXPIRED

    def phase(self, now_s: float) -> Phase:
        """It has not ended before all of it is written down."""
        phase = self.plan.phase(now_s)
        if phase in ENDS and phase is not Phase.FAILED and self.settled < self.plan.count:
            return Phase.CANCELLING if phase is Phase.CANCELLED else Phase.FINALIZING
        return Phase.EXPIRED if phase is Phase.COMPLETED and self.fates[Fate.EXPIRED] else phase

    def settle(self, line: int, *, error: bool = False) -> Fate:
        """Write down the fate of the next line."""
        if line != self.settled:
            raise ValueError(f"line {line} is settled after {self.settled - 1}")
        fate = self.fate(line)
        self.settled += 1
        self.fates[fate] += 1
        self.errors += error
        return fate

    def delivered(self, lines: LineFile) -> Iterator[bytes]:
        """A result file's lines, in the order that the batch has them in."""
        order = list(range(len(lines)))
        if self.lines.shuffled:
            Random(self.seed).shuffle(order)
        return lines.read(order)

    def cancel(self, now_s: float) -> bool:
        """Whether it can still be cancelled; asked twice is asked once."""
        if self.plan.phase(now_s) in ENDS:
            return False
        if self.course.cancel == "race":
            self.plan = replace(self.plan, rushed_s=now_s)
            return False
        if now_s < self.plan.cancelled_s:
            self.plan = replace(self.plan, cancelled_s=now_s)
        return True


class StoredFile(Struct):
    """A file by id. `lines`: its text on disk, by line; None while it is being written."""

    id: str
    account: str
    name: str
    purpose: str
    created_s: float
    expires_s: float
    size_bytes: int
    lines: LineFile


class Store:
    """By id, in the order of creation. Another account's are not there."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self.files: dict[str, StoredFile] = {}
        self.batches: dict[str, Batch] = {}

    def new_id(self, now_s: float) -> str:
        """36 letters and digits; another start of the sandbox gives others."""
        self._made += 1
        return blake2b(f"{self._seed} {self._made} {now_s}".encode(), digest_size=18).hexdigest()

    def batch_seed(self) -> str:
        """What the chances of the next batch hang on."""
        return f"{self._seed} {len(self.batches)}"

    def latest(self, account: str, now_s: float) -> Iterator[Batch]:
        """Those that a listing knows, the latest first."""
        for batch in reversed(self.batches.values()):
            if batch.account == account and now_s >= batch.plan.created_s + batch.course.listed_after_s:
                yield batch
