"""A run within somebody's process: in a thread of its own, beside whatever goes on there, and stopped from outside."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from pipeline import console
from pipeline.engine.run import run_job
from pipeline.engine.session import Host, RunCommand
from pipeline.engine.signals import Interrupt
from pipeline.errors import JobError
from pipeline.output.publish import Ended
from pipeline.runtime import seldom_garbage, spare_pandas
from pipeline.telemetry.display import Progress

T = TypeVar("T")
ProgressTo = bool | Callable[[Progress], None]
THREAD = "pipeline"


class Hosting:
    """What one run may do to its host, and how the host stops it."""

    def __init__(self, progress: ProgressTo, *, signals: bool = False, own: bool = False) -> None:
        self.interrupt = Interrupt()
        self._progress = progress
        self._signals = signals
        self._own = own
        self._raised: Exception | None = None

    @property
    def host(self) -> Host:
        shown = self._told if callable(self._progress) else self._progress
        return Host(signals=self._signals, progress=shown, interrupt=self.interrupt, own=self._own)

    def ended(self, command: RunCommand) -> Ended:
        """The run to its end. What `progress` has raised ends it early, and is raised once its answers are kept."""
        if self._own:
            spare_pandas()
        garbage = contextlib.nullcontext() if self._own else seldom_garbage()
        with garbage, console.speaking("text" if self._progress is True else "off"):
            found = run_job(command)
        if self._raised is not None:
            raise self._raised
        return found

    def carried(self, work: Callable[[], T]) -> T:
        """`work` in a thread; in this one where it is to have the signals.

        Ctrl-C drains, and whatever else is raised here from outside, as by an orchestrator's; once more it cuts.

        Raises:
            JobError: the signals are asked for where Python has none to give.
        """
        if self._signals:
            if _in_a_loop():
                raise JobError("signals=True is for a program without an event loop. Leave it out, or use run_async")
            return work()
        stopped: BaseException | None = None  # a scheduler that stops a task raises what is its own
        with ThreadPoolExecutor(1, THREAD) as thread:
            future = thread.submit(copy_context().run, work)
            while not future.done():
                try:
                    wait([future])
                except BaseException as error:  # noqa: BLE001 (it is raised below)
                    stopped = error
                    self.interrupt()
        if stopped is not None:
            raise stopped
        return future.result()

    async def awaited(self, work: Callable[[], T]) -> T:
        """`work` in a thread, while the event loop goes on. A cancellation drains, and is raised at the end of that."""
        thread = ThreadPoolExecutor(1, THREAD)
        future = asyncio.get_running_loop().run_in_executor(thread, copy_context().run, work)
        cancelled: asyncio.CancelledError | None = None
        try:
            while not future.done():
                try:
                    await asyncio.wait([future])
                except asyncio.CancelledError as error:
                    cancelled = error
                    self.interrupt()
        finally:
            thread.shutdown(wait=False)
        if cancelled is not None:
            future.exception()  # it is known of, and the cancellation goes before
            raise cancelled
        return future.result()

    def _told(self, progress: Progress) -> None:
        if self._raised is not None or not callable(self._progress):
            return
        try:
            self._progress(progress)
        except Exception as error:  # noqa: BLE001 (the program's own, and handed back to it)
            self._raised = error
            self.interrupt()


def outside_a_loop(work: Callable[[], T]) -> T:
    """What has an event loop of its own: where one is running in this thread already, it gets a thread."""
    if not _in_a_loop():
        return work()
    with ThreadPoolExecutor(1, THREAD) as thread:
        return thread.submit(work).result()


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
