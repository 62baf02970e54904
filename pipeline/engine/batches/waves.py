"""Rows in waves: a pass over all of them, the batches that it planned, and when these are back the next pass.

A pass takes answers from the ledger, plans what has none, and leaves those rows; repairs, raised caps and smaller
chunks are further waves by themselves. In time before the deadline what is out is called off, and asked live.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pipeline.admission.gate import Gate
from pipeline.admission.stop import Stopped
from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.batches.desk import Desk
from pipeline.engine.batches.lane import BatchLane
from pipeline.engine.batches.schedule import DeadlinePlan, deadline_plan
from pipeline.engine.executors import RunIssues
from pipeline.engine.executors.local import LocalExecutor
from pipeline.engine.feed import Selection
from pipeline.job.settings import Job
from pipeline.ledger.batches import FOR_DEADLINE
from pipeline.telemetry.batches import counted
from pipeline.telemetry.snapshot import ModelNow
from pipeline.telemetry.tally import Tally

SHORTEST_S = 0.02
FULL_S, FULL_MOST_S = 30.0, 600.0  # that a full queue is left alone
MOST_DOUBLINGS = 10
PENDING = "the deadline has passed, and {n:,} requests stay pending. Set batch.after_deadline = 'live' to ask them live"
TOO_FEW = "{n:,} requests are fewer than the {least:,} that a batch of {provider} takes: they "
ELSEWHERE = "{n:,} requests are in batches of another key or place: the job as it was collects them"


class Waves(Struct, frozen=True):
    """What a run in waves goes by. `wait` false: it ends once everything is submitted."""

    job: Job
    account: str
    wait: bool = True
    passing: bool = False  # the provider ends with the run: a sandbox of its own


class WaveExecutor:
    """An `Executor`. `one_pass` makes who carries the rows of a pass."""

    def __init__(
        self, waves: Waves, lane: BatchLane, desk: Desk, gate: Gate[Any], one_pass: Callable[[], LocalExecutor]
    ) -> None:
        self._waves = waves
        self._lane = lane
        self._desk = desk
        self._gate = gate
        self._one_pass = one_pass
        self._looking = asyncio.Lock()
        self._returned_before = 0  # of lines, when this wave began
        self._pass = one_pass()
        self._tally: Tally = self._pass.tally
        self.issues: RunIssues = self._pass.issues
        self.models: Callable[[], tuple[ModelNow, ...]] = tuple  # how those of a job with several do

    def widen(self, calls: int) -> None:
        self._pass.widen(calls)

    async def work(self, selection: Selection) -> None:
        """As `Executor.work`."""
        try:
            await self._desk.take_up(self._waves.account, gone=self._waves.passing)
            if self._desk.late():
                self._take_no_more()
            if not self._waves.wait:
                await self._keep_deadline()
            while await self._wave(selection):
                self._pass = self._one_pass()
                self._pass.issues = self.issues
        except Stopped:
            pass
        finally:
            self._lane.discard()

    async def _keep_deadline(self) -> None:
        """A run that does not wait keeps the deadline of what earlier ones have left."""
        if self._desk.open and time.time() >= self._deadline().cancel_s:
            self._take_no_more()
            await self._desk.cancel(why=FOR_DEADLINE)
            await self._desk.look()

    async def _wave(self, selection: Selection) -> bool:
        """One pass, and the wait for what it planned; whether another one is due."""
        full_before, self._returned_before = self._desk.full, self._desk.returned
        self._lane.start_pass()
        self._tally.start_pass()
        await self._pass.work(selection)
        if self._gate.stopped is not None or self.issues.input is not None or self.issues.bug is not None:
            return False
        await self._lane.flush()
        if not self._desk.open:
            return await self._next_without_batches(full_before)
        if not self._waves.wait:
            self._gate.stop(ParkReason.WAITING, _told(self._desk))
            return False
        await self._until_back()
        if self._desk.full > full_before:
            await self._after_full()
        return True

    async def _next_without_batches(self, full_before: int) -> bool:
        """Nothing is out: what is left had no room there, is too much or too little for a batch, or is done."""
        if self._lane.too_few:
            return self._few_left()
        if self._lane.rested:
            self._gate.stop(ParkReason.WAITING, PENDING.format(n=self._lane.rested))
        elif not self._lane.planned and self._lane.elsewhere:
            self._gate.stop(ParkReason.WAITING, ELSEWHERE.format(n=self._lane.elsewhere))
        if not self._lane.planned or self._gate.stopped is not None:
            return False
        if self._desk.full > full_before:
            await self._after_full()
        return True

    def _few_left(self) -> bool:
        terms = self._lane.terms
        told = TOO_FEW.format(n=self._lane.too_few, least=self._lane.limits.least_rows, provider=terms.provider)
        if terms.few_go_live:
            say("notice", f"{told}go live, at the live price")
            return True
        self._gate.stop(ParkReason.WAITING, f"{told}stay pending. Set batch.after_deadline = 'live' to ask them live")
        return False

    async def _after_full(self) -> None:
        """What was refused as too much goes in smaller pieces, and not at once; by batch while there is time for it."""
        left_s = self._deadline().cancel_s - time.time()
        if left_s <= 0 or self._desk.late():
            self._take_no_more()
            return
        self._lane.room.rows = max(1, self._lane.room.rows // 2)
        await self._gate.pause(min(left_s, FULL_MOST_S, FULL_S * 2 ** min(self._desk.full - 1, MOST_DOUBLINGS)))

    async def _until_back(self) -> None:
        """Until no batch is out, or the deadline has passed."""
        called_off = False
        while self._desk.open:
            plan = self._deadline()
            now_s = time.time()
            if not called_off and now_s >= plan.cancel_s:
                called_off = True
                self._take_no_more()
            if called_off:
                await self._desk.cancel(why=FOR_DEADLINE)  # also what has only now been found
            if not self._desk.open:
                return
            if now_s >= plan.deadline_s:
                self._gate.stop(ParkReason.WAITING, f"the deadline has passed, and {_told(self._desk)}")
            await self._gate.pause(max(SHORTEST_S, min(self._desk.look_after_s(), _until(plan, now_s, called_off))))
            async with self._looking:
                await self._desk.look()

    async def call_off(self, only: str) -> None:
        """From outside. Where all is meant ("") the run ends: what is not answered would be asked again at once."""
        async with self._looking:
            await self._desk.cancel(only)
        if not only:
            self._gate.stop(ParkReason.INTERRUPTED, "its batches were called off; the same command collects them")

    def _take_no_more(self) -> None:
        """No batch from here on."""
        if self._lane.live_only or self._lane.resting:
            return
        live = self._waves.job.batch.after_deadline == "live"
        rest = "what is left is asked live" if live else "what is left stays pending"
        say("notice", f"the deadline is near: batches that are out are called off, and {rest}")
        self._lane.live_only, self._lane.resting = live, not live

    def _deadline(self) -> DeadlinePlan:
        """For what is out, what has come back of this wave to be asked again, and what has not left yet."""
        job, batches = self._waves.job, self._desk.open.values()
        deadline_s, waiting = self._desk.deadline_s(), self._lane.crowded + self._lane.short_of_money
        return deadline_plan(
            deadline_s,
            deadline_s - job.batch.deadline_h * 3600.0,
            sum(batch.rows for batch in batches) + self._desk.returned - self._returned_before + waiting,
            provider=job.model.provider,
            per_minute=job.limits.requests_per_minute,
            concurrency=job.limits.concurrency,
        )


def _until(plan: DeadlinePlan, now_s: float, called_off: bool) -> float:  # noqa: FBT001 (a fact)
    return max(0.0, (plan.deadline_s if called_off else plan.cancel_s) - now_s)


def _told(desk: Desk) -> str:
    rows = sum(batch.rows for batch in desk.open.values())
    return f"{counted(len(desk.open))} with {rows:,} requests at the provider: the same command collects them"
