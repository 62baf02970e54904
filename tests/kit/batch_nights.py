"""Nights of the batch lane in virtual time: the real waves and desk over a provider, a ledger and rows of our making.

Batches are quick, slow, stuck, or have half of their lines expired; cancelling takes up to ten minutes.
"""

import asyncio
import math
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from msgspec import Struct, field
from virtual_time import run

from pipeline.admission.stop import StopSwitch
from pipeline.engine.batches import desk, open_batches, submission, waves
from pipeline.engine.batches.lane import Room
from pipeline.engine.executors import RunIssues
from pipeline.engine.feed import Selection
from pipeline.ledger.batches import LINE_OPEN, PLANNED, BatchRecord
from pipeline.providers.batches import BatchLimits, RemoteBatch, RemoteState
from pipeline.types import HttpAnswer

ASK_S = 0.5
ENDLESS = math.inf


class Night(Struct, frozen=True):
    """What is dealt. `lengths_s` of batches, in order, and whether half of their lines expire."""

    rows: int
    batch_rows: int
    span_s: float
    concurrency: int
    per_minute: int
    call_s: float
    cancel_s: float
    lengths_s: tuple[float, ...]
    expired: tuple[bool, ...]

    def live_s(self, rows):
        """How long so many rows take live."""
        by_limit_s = rows * 60 / self.per_minute if self.per_minute else 0.0
        return max(math.ceil(rows / self.concurrency) * self.call_s, by_limit_s)

    def fits(self):
        """Whether all could be asked live in the half that a batch leaves, with what is kept for cancelling."""
        plan = waves.deadline_plan(
            self.span_s, 0.0, self.rows, provider="openai", per_minute=self.per_minute, concurrency=self.concurrency
        )
        return plan.cancel_s > self.span_s / 2


def dealt(seed):
    chance = Random(seed)
    span_s = chance.choice([2, 4, 8, 12, 24]) * 3600.0
    batches = chance.randint(1, 8)
    kinds = [chance.choice(["quick", "quick", "slow", "stuck", "expired"]) for _ in range(batches)]
    lengths = {"quick": (0.02, 0.6), "expired": (0.1, 0.95), "slow": (0.6, 2.0), "stuck": (ENDLESS, ENDLESS)}
    batch_rows = chance.choice([50, 200, 500])
    return Night(
        rows=chance.randint(batch_rows * (batches - 1) + 1, batch_rows * batches),
        batch_rows=batch_rows,
        span_s=span_s,
        concurrency=chance.choice([5, 20, 100]),
        per_minute=chance.choice([0, 60, 500, 5000]),
        call_s=chance.uniform(1, 8),
        cancel_s=chance.uniform(10, 600),
        lengths_s=tuple(span_s * chance.uniform(*lengths[kind]) if kind != "stuck" else ENDLESS for kind in kinds),
        expired=tuple(kind == "expired" for kind in kinds),
    )


class Course:
    """One batch at the provider. Lines are run one after the other over its length; the even ones may expire."""

    def __init__(self, rows, begun_s, length_s, cancel_s, *, expired):
        self.rows, self._begun_s, self._length_s, self._cancel_s, self._expired = (
            rows, begun_s, length_s, cancel_s, expired,
        )  # fmt: skip
        self.cancelled_s = ENDLESS

    @property
    def ends_s(self):
        return min(self._begun_s + self._length_s, self.cancelled_s + self._cancel_s)

    def run_by(self, now_s):
        """Lines that have been answered, and billed."""
        share = min(1.0, max(0.0, (min(now_s, self.cancelled_s + self._cancel_s / 2) - self._begun_s) / self._length_s))
        run = self.rows[: math.floor(len(self.rows) * share)]
        return [row for row in run if row % 2] if self._expired else run


class Provider:
    """A `Remote`, its wire, and a `Collector`, in one."""

    limits = BatchLimits(rows=50_000, size_bytes=200_000_000)

    def __init__(self, night, now_s, *, full=False):
        self.night, self.now_s, self._full = night, now_s, full
        self.courses, self.lines = {}, {}
        self.answered, self.unanswered = set(), 0
        self.remote = self.wire = self

    async def ask(self, ask, artifact=None):  # noqa: ARG002 (there is none)
        await asyncio.sleep(ASK_S)
        return ask()

    def upload(self, nonce):  # noqa: ARG002 (no file step)
        return None

    def file_look(self, file_ref):  # noqa: ARG002 (as above)
        return None

    def create(self, nonce, file_ref):  # noqa: ARG002 (as above)
        def created():
            if self._full:
                return RemoteBatch("", RemoteState.FAILED, "", error="too much is waiting", full=True)
            number, night = len(self.courses), self.night
            first = number < len(night.lengths_s)  # what is asked again goes as long as the first did, and all of it
            length_s = night.lengths_s[number] if first else night.lengths_s[0]
            expired = first and night.expired[number]
            self.courses[nonce] = Course(self.lines[nonce], self.now_s(), length_s, night.cancel_s, expired=expired)
            return RemoteBatch(nonce, RemoteState.RUNNING, "in_progress")

        return created

    def created(self, answer):
        return answer

    async def look(self, batch_id):
        await asyncio.sleep(ASK_S)
        ended = self.now_s() >= self.courses[batch_id].ends_s
        return RemoteBatch(batch_id, RemoteState.ENDED if ended else RemoteState.RUNNING, "x", done=0)

    def cancel(self, batch_id):
        def cancelled():
            course = self.courses[batch_id]
            course.cancelled_s = min(course.cancelled_s, self.now_s())
            return HttpAnswer(200, {}, b"{}")

        return cancelled

    def removal(self, seen):  # noqa: ARG002 (none)
        return ()

    async def collect(self, batch, seen, age_s):  # noqa: ARG002 (at once)
        run = self.courses[batch.nonce].run_by(self.now_s())
        self.answered.update(run)
        self.unanswered += batch.rows - len(run)
        return 0


class Rows:
    """A `BatchLane` and the pass over it, in one: what has no answer goes where the lane says."""

    def __init__(self, night, provider, gate, now_s):
        self._night, self._provider, self._gate, self._now_s = night, provider, gate, now_s
        self.live_only = self.resting = False
        self.planned = self.rested = self.too_few = self.elsewhere = self.short_of_money = self.crowded = 0
        self.room = Room(night.batch_rows, 10**9)
        self.issues, self.tally = RunIssues(), SimpleNamespace(start_pass=lambda: None)
        self.live = self.batches = 0
        self.submit = None

    def start_pass(self):
        self.planned = self.crowded = 0
        self.room.full = False

    async def work(self, selection):  # noqa: ARG002 (all)
        left = [row for row in range(self._night.rows) if row not in self._provider.answered]
        if self.live_only:
            await self._gate.pause(self._night.live_s(len(left)))
            self._provider.answered.update(left)
            self.live = len(left)
            return
        self.planned = len(left)
        for first in range(0, len(left), self.room.rows):
            if self.room.full:
                self.crowded = len(left) - first
                break
            await self._submit(left[first : first + self.room.rows])

    async def _submit(self, rows):
        nonce, now_s = f"b{self.batches}", self._now_s()
        self.batches += 1
        self._provider.lines[nonce] = rows
        self.rows_of[nonce] = len(rows)
        deadline_us = round((1000.0 + self._night.span_s) * 1e6)
        record = BatchRecord(nonce, 1, 1, "openai", "", "m", PLANNED, len(rows), 0, round(now_s * 1e6), deadline_us)
        await self.submit(record)

    async def flush(self):
        pass

    def discard(self):
        pass


class Door(StopSwitch):
    """What of a `Gate` waves ask for."""

    @property
    def stopped(self):
        return self.reason

    def stop(self, reason, message):
        self.throw(reason, message)


class Ledger:
    """One that forgets. `batch_deadline_us` as of the night."""

    path = Path("/nowhere/ledger.sqlite")

    def __init__(self, night):
        self._night, self.rows = night, {}

    def open_batches(self):
        return []

    async def change_batch(self, nonce, **fields):
        pass

    async def items_of(self, nonce):
        return dict.fromkeys(range(self.rows[nonce]), SimpleNamespace(fate=LINE_OPEN))

    async def withdraw_batch(self, nonce, lines, words):
        pass

    def batch_deadline_us(self):
        return round((1000.0 + self._night.span_s) * 1e6)

    def called_off(self):
        return False


class Lived(Struct):
    """How a night went. `possible`: lines that who knows the future has at half price, and all rows in time."""

    back_s: float  # after the first submission
    answered: int
    batched: int
    possible: int


def lived(night, *, full=False):
    """The night, from the first submission to the last answer. `full`: the provider takes no batch at all."""

    async def through():
        loop = asyncio.get_running_loop()
        now_s, gate = loop.time, Door()
        clock = SimpleNamespace(time=now_s, monotonic=now_s, time_ns=lambda: round(now_s() * 1e9))
        provider = Provider(night, now_s, full=full)
        with ExitStack() as patched:
            for module in (desk, open_batches, submission, waves):
                patched.enter_context(patch.object(module, "time", clock))
                patched.enter_context(patch.object(module, "say", lambda *_: None))
            executor, rows = _executor(night, provider, gate, now_s)
            await executor.work(Selection())
        return loop.time() - 1000.0, provider, rows

    back_s, provider, rows = run(through())
    return Lived(back_s, len(provider.answered), len(provider.answered) - rows.live, possible(night))


def _executor(night, provider, gate, now_s):
    batch = SimpleNamespace(after_deadline="live", deadline_h=night.span_s / 3600)
    limits = SimpleNamespace(requests_per_minute=night.per_minute, concurrency=night.concurrency)
    job = SimpleNamespace(batch=batch, limits=limits, model=SimpleNamespace(provider="openai"))
    ledger, money = Ledger(night), SimpleNamespace(let_go=lambda *_: None)
    books = SimpleNamespace(ledger=ledger, money=money, refused={})
    rows = Rows(night, provider, gate, now_s)
    rows.rows_of = ledger.rows
    held = open_batches.OpenBatches(books, gate, 600.0)
    submitter = submission.Submitter(provider, held, gate, rows.room, 0.0)
    rows.submit = submitter.submit
    counter = desk.Desk(submitter, provider, held, gate, 0.0, keep=True)
    return waves.WaveExecutor(waves.Waves(job, ""), rows, counter, gate, lambda: rows), rows


def possible(night):
    """By the best moment to call all off, of those after which the rest still goes live in time."""
    courses, first = [], 0
    for length_s, expired in zip(night.lengths_s, night.expired, strict=True):
        lines = list(range(first, min(first + night.batch_rows, night.rows)))
        courses.append(Course(lines, 0.0, length_s, night.cancel_s, expired=expired))
        first += night.batch_rows
    best = 0
    for step in range(400):
        off_s = night.span_s * step / 400
        for course in courses:
            course.cancelled_s = off_s
        ends_s = max((course.ends_s for course in courses), default=0.0)
        had = sum(len(course.run_by(ends_s)) for course in courses)
        if max(ends_s, off_s) + night.live_s(night.rows - had) <= night.span_s:
            best = max(best, had)
    return best


class Told(Struct):
    """Over nights whose live calls fit. `late`: seeds of those with a row that was not back in time."""

    nights: int = 0
    late: list[int] = field(default_factory=list)
    batched: int = 0
    possible: int = 0


def kept_promises(seeds):
    """Of as many nights as there are seeds; one that does not fit is dealt again."""
    told = Told()
    for seed in seeds:
        night = next(night for night in map(dealt, count(seed, 1_000_000)) if night.fits())
        end = lived(night)
        told.nights += 1
        if end.back_s > night.span_s or end.answered < night.rows:
            told.late.append(seed)
        told.batched += min(end.batched, end.possible)
        told.possible += end.possible
    return told
