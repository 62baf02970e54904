"""What a signal does to a run: the first drains, the second cuts; results that are being written are written.

A program that runs us in one of its threads says the same by an `Interrupt`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from threading import Lock
from types import TracebackType
from typing import Self

from pipeline.admission.queue import Admission
from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.platforms import STOPPING, on_signal

DRAIN_VARIABLE = "PIPELINE_DRAIN_S"  # for containers that are killed soon after they were told to stop


class Interrupt:
    """Called from any thread, and as often as one likes, it does to a run what a signal does."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls = 0
        self._act: Callable[[], None] | None = None

    def __call__(self) -> None:
        with self._lock:
            self._calls += 1
            if self._act is not None:
                self._act()

    def bind(self, act: Callable[[], None]) -> None:
        """From now on it is `act` that is done; at once, if it was called before there was anybody to hear it."""
        with self._lock:
            self._act = act
            if self._calls:
                act()


class Signals:
    """Ours while the block runs, on the loop and in the task that enters it; what is cut is cancelled.

    `ours` false: they stay whose they are.
    `worked`: no row is worked on any more. From then on, the second signal does what it does to any program.
    """

    def __init__(
        self,
        admission: Admission,
        environ: Mapping[str, str],
        *,
        ours: bool = True,
        going_on: Callable[[], str] | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        """`going_on`: what goes on elsewhere although the run stops, in words; "": nothing does."""
        self.worked = False
        self._admission = admission
        self._numbers = STOPPING if ours else ()
        self._undo: list[Callable[[], object]] = []
        self._going_on = going_on
        self._interrupt = interrupt
        self._drain_s = environ.get(DRAIN_VARIABLE)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        self._undo = [on_signal(self._loop, number, self._on_signal) for number in self._numbers]
        if self._interrupt is not None:
            self._interrupt.bind(self._from_outside)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_them()

    def _from_outside(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the run has ended
            self._loop.call_soon_threadsafe(self._on_signal, "stopped by the program that runs it")

    def _on_signal(self, why: str = "stopped by a signal") -> None:
        if self.worked:
            say("notice", "the results are being written; the run ends then (once more to cut it off)")
            self._leave_them()
        elif self._admission.stopped is None:
            say("notice", "stopping: waiting for answers in flight (once more to cut them off)")
            if self._going_on is not None and (told := self._going_on()):
                say("notice", told)
            self._admission.stop(ParkReason.INTERRUPTED, why)
            if self._drain_s:
                self._loop.call_later(float(self._drain_s), self._cut)
        else:
            self._cut()

    def _cut(self) -> None:
        if self._task is not None and not self.worked:
            self._task.cancel()

    def _leave_them(self) -> None:
        for undo in self._undo:
            undo()
        self._undo.clear()
