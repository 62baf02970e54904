"""One reader, from outside: started, asked, given up."""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGXCPU, Signals
from typing import IO

from pipeline.errors import JobError
from pipeline.platforms import POSIX, WAY_OUT
from pipeline.reader.messages import HEAD_BYTES, Answer, Ask, Bounds, Missing, OcrAsk, ReadAsk, Start, answer_of, frame
from pipeline.reader.progress import read_place
from pipeline.reader.read import ReadOptions
from pipeline.text import duration

PROGRAM = (sys.executable, "-P", "-m", "pipeline.reader.child")
_PASSED_ON = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_ROOT = str(Path(__file__).parents[2])


class Lost(Exception):
    """A reader died, or was taken for lost, over a file. The message says of what, and on which page."""


class NotStarted(Lost):
    """It was lost before it was at any file."""


class Process:
    """A reader: a process that is asked one thing at a time. `files` counts what it has answered."""

    def __init__(self, program: Sequence[str], options: ReadOptions, bounds: Bounds) -> None:
        if not POSIX:
            raise JobError(f"files as rows cannot be read on this system: their readers need POSIX. {WAY_OUT}")
        self.files = 0
        self._bounds = bounds
        self._ready = False
        self._place, self._said = _unnamed_file(), _unnamed_file()
        self._process = subprocess.Popen(  # noqa: S603 (ourselves)
            [*program, str(self._place.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
            env=_clean(os.environ),
            pass_fds=(self._place.fileno(),),
            start_new_session=True,  # a terminal's Ctrl-C is for us
        )
        self._send(Start(options, bounds))

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, question: Ask) -> Iterator[Answer]:
        """The answers, one for each file, as they come.

        Raises Lost at the file that it dies over, NotStarted before any, JobError where something is not installed.
        """
        if not self._ready:
            self._begin()
        self._send(question)
        wall_s = self._bounds.wall_s + (self._bounds.ocr_s if isinstance(question, OcrAsk) else 0)
        for _ in range(len(question.files) if isinstance(question, ReadAsk) else 1):
            answer = self._answer(wall_s)
            self.files += 1
            if isinstance(answer, Missing):
                raise JobError(answer.told)
            yield answer

    def kill(self) -> None:
        """End it, whatever it is at: who waits for its answer hears that it is lost."""
        self._process.kill()

    def end(self) -> None:
        """The same, and give back what it held: only who has it for itself may."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._place, self._said):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def _begin(self) -> None:
        try:
            self._answer(self._bounds.start_s)
        except Lost as lost:
            raise NotStarted(self._last_words() or str(lost)) from lost
        self._ready = True

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _send(self, message: object) -> None:
        """What does not arrive is not answered, and told there."""
        content, pipe = memoryview(frame(message)), self._process.stdin
        with contextlib.suppress(OSError):
            while content and pipe is not None:
                content = content[pipe.write(content) :]

    def _answer(self, wall_s: float) -> Answer:
        began = time.monotonic()
        head = self._take(HEAD_BYTES, began, wall_s)
        return answer_of(self._take(int.from_bytes(head, "big"), began, wall_s))

    def _take(self, size: int, began: float, wall_s: float) -> bytes:
        """The next `size` bytes. A file of many pages may take longer, which is known once it is at them."""
        taken, pipe = bytearray(), self._process.stdout
        if pipe is None:
            raise Lost("it has ended")
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while len(taken) < size:
            pages = read_place(self._place.fileno())[1] if self._ready else 0
            left = began + wall_s + self._bounds.page_s * pages - time.monotonic()
            if left <= 0:
                raise Lost(f"took longer than {duration(wall_s + self._bounds.page_s * pages)}{self._where()}")
            if waiting.poll(left * 1000):
                piece = os.read(pipe.fileno(), min(size - len(taken), 1 << 20))
                if not piece:
                    raise Lost(self._death())
                taken += piece
        return bytes(taken)

    def _death(self) -> str:
        code = self._process.wait()
        if code == -SIGXCPU:
            return f"took more CPU time than a file is given{self._where()}"
        return f"signal {-code} ({_signal_name(-code)}){self._where()}" if code < 0 else f"it ended with code {code}"

    def _where(self) -> str:
        page, pages = read_place(self._place.fileno())
        return f" on page {page} of {pages}" if page else ""


def _unnamed_file() -> IO[bytes]:
    """A file for two processes, in memory where the system has such: a full disk stops no reader."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("reader"), "w+b", buffering=0)  # noqa: PTH123 (closed by `end`)
    return tempfile.TemporaryFile()


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return "unknown"


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without keys: a reader has the files of strangers in its hands."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or name.startswith(("LC_", "PYTHON")) or name == "VIRTUAL_ENV"
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, environment.get("PYTHONPATH"))))}
