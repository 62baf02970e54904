"""What the batch endpoints of all providers share: clock, faults, files, and lines that are run as they come due."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pipeline.sandbox.batches.clock import Clock
from pipeline.sandbox.batches.faults import Faults, Lines, Set
from pipeline.sandbox.batches.store import Batch, Plan, Store
from pipeline.sandbox.batches.work import Done, Task, Work
from pipeline.sandbox.counters import Counters

LOOK_S = 3.0  # real time: the longest that a look waits for lines that are due
R = TypeVar("R")


class Desk:
    """`length_s`, `lines`: of batches for which no fault was set."""

    def __init__(self, work: Work, counters: Counters, *, seed: int, length_s: float, lines: Lines) -> None:
        self._work, self._seed, self._lines = work, seed, lines
        self.length_s, self.counters = length_s, counters
        self.clock, self.store = Clock(), Store(seed)
        self.faults = Faults(seed, Set())
        self._tasks: dict[str, Task] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def set_faults(self, wanted: Set) -> None:
        self.faults = Faults(self._seed, wanted)

    def path(self) -> Path:
        """Of a new, empty file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sandbox-batches-")
        handle, path = tempfile.mkstemp(dir=self._folder.name)
        os.close(handle)
        return Path(path)

    async def in_thread(self, do: Callable[..., R], *args: object) -> R:
        """One thing after the other."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "sandbox-batches")
        return await asyncio.get_running_loop().run_in_executor(self._thread, do, *args)

    def opened(
        self, account: str, count: int, *, life_s: float, forfeits: bool = False, failed: bool | None = False
    ) -> Batch:
        """A new batch of `count` lines, as the faults are set. `failed`: None where none ever does as a whole."""
        now_s, course = self.clock.now_s(), self.faults.course()
        lines = self._lines if self.faults.set.lines == Lines() else self.faults.set.lines
        plan = Plan(
            now_s,
            count,
            self.length_s,
            life_s,
            forfeits=forfeits,
            failed=failed is not None and (failed or bool(course.fails)),
            stuck=course.stuck,
            never_cancelled=course.cancel == "never",
        )
        batch = Batch(self.store.new_id(now_s), self.store.batch_seed(), account, plan, course, lines, {})
        self.counters.batches.batches_created += 1
        self.counters.batches.batches_failed += plan.failed
        return batch

    def keep(self, task: Task) -> None:
        self.store.batches[task.batch.id] = task.batch
        self._tasks[task.batch.id] = task

    def task(self, batch: Batch) -> Task:
        return self._tasks[batch.id]

    def forget(self, batch: Batch) -> None:
        del self.store.batches[batch.id], self._tasks[batch.id]

    async def settle(self, batch: Batch) -> None:
        """Have all fates written down that are due; those of a large batch go on while nobody waits."""
        running = self._running.get(batch.id)
        if running is None:
            running = self._running[batch.id] = asyncio.create_task(self._settled(self._tasks[batch.id]))
            running.add_done_callback(lambda _: self._running.pop(batch.id, None))
        done, _ = await asyncio.wait({running}, timeout=LOOK_S)
        for one in done:
            one.result()

    async def settle_all(self) -> None:
        for batch in list(self.store.batches.values()):
            await self.settle(batch)

    async def _settled(self, task: Task) -> None:
        while task.batch.settled < (due := task.batch.plan.due(self.clock.now_s())):
            done = await self.in_thread(self._work.slice, task, due, self.clock.now_s())
            task.answers.append(line for one in done for line in one.answers)
            task.errors.append(line for one in done for line in one.errors)
            for one in done:
                self._count(task.batch, one)

    def _count(self, batch: Batch, done: Done) -> None:
        batch.settle(done.number, error=done.error)
        if done.bill is not None:
            answer = done.bill.answer
            batch.tokens[0] += answer.prompt_tokens
            batch.tokens[1] += answer.completion_tokens
            self.counters.billed(answer, done.bill.document, done.bill.content, "batch")

    def close(self) -> None:
        for running in self._running.values():
            running.cancel()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        if self._folder is not None:
            self._folder.cleanup()
