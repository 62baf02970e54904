"""Readers of documents: a few processes that files are read in, started when first needed, replaced when they die.

A file that kills its reader, or holds it too long, is tried once more alone in a fresh one, and then given up; other
files of the same message lose nothing.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import Final, Self

from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.parts import FilePart
from pipeline.reader.messages import Answer, Ask, Bounds, LoadAsk, Loaded, NotRead, OcrAsk, ReadAsk, WasRead, WasSeen
from pipeline.reader.process import PROGRAM, Lost, NotStarted, Process
from pipeline.reader.read import CRASHED, Page, Read, ReadOptions, Unreadable
from pipeline.text import repaired

MESSAGE_FILES: Final = 16  # the most in one message,
MESSAGE_BYTES: Final = 2_000_000  # and what they may have together

File = tuple[str, str]  # path, and name


class Readers:
    """Processes that read files. Any thread may ask; as many as there are processes are served at a time."""

    def __init__(
        self,
        options: ReadOptions,
        *,
        processes: int = 2,
        bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Nothing is started yet. `program` is for tests."""
        self._options, self._bounds, self._program = options, bounds, program
        self._most = processes
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._alive: set[Process] = set()
        self._closed = False
        self._free: LifoQueue[Process | None] = LifoQueue()  # the one used last first: a few files need one process
        for _ in range(processes):
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, path: str, name: str = "") -> Read:
        """The file at `path`, read. Raises Unreadable; JobError where no file can be read."""
        found = self._read_message([(path, name)])[0]
        if isinstance(found, Unreadable):
            raise found
        return found

    def read_many(self, files: Sequence[File]) -> list[Read | Unreadable]:
        """Each of `files` (path, name), in order, over all processes; what `read` would raise for one is its item."""
        messages = list(_messages(files))
        if len(messages) < 2:
            return [found for message in messages for found in self._read_message(message)]
        return [found for part in self._side_by_side().map(self._read_message, messages) for found in part]

    def load(self, part: FilePart, *, with_text: bool = False) -> bytes:
        """What the model gets of `part.path`: a PDF, its pages cut out, one drawn as a PNG, or the file as it is.

        With `with_text` a drawn page's text layer goes along in the PNG (iTXt, keyword `text`). Raises Unreadable:
        CHANGED where the source is not the file of `part.digest` any more.
        """
        bare = replace(part, path="")  # which may be no UTF-8, and goes as bytes
        answer = self._answer(LoadAsk(_path(part.path), bare, with_text))
        if isinstance(answer, Loaded):
            return answer.content
        raise _unreadable(answer)

    def see_many(self, parts: Sequence[FilePart]) -> list[Page | Unreadable]:
        """Each of `parts`, a page that is drawn, read by OCR: in order, over all processes; "" where it has no text."""
        if len(parts) < 2:
            return [self._seen(part) for part in parts]
        return list(self._side_by_side().map(self._seen, parts))

    def _seen(self, part: FilePart) -> Page | Unreadable:
        answer = self._answer(OcrAsk(_path(part.path), part))
        return answer.page if isinstance(answer, WasSeen) else _unreadable(answer)

    def close(self) -> None:
        """End the processes, whatever they are at: who waits for one gets a RuntimeError."""
        with self._lock:
            self._closed, threads, self._threads = True, self._threads, None
            busy = list(self._alive)
        for process in busy:
            process.kill()
        for _ in range(self._most):
            process_or_none = self._free.get()  # who has one gives it back: it is dead
            if process_or_none is not None:
                self._end(process_or_none)
        for _ in range(self._most):
            self._free.put(None)
        if threads is not None:
            threads.shutdown(cancel_futures=True)

    def _side_by_side(self) -> ThreadPoolExecutor:
        with self._lock:
            self._check_open()
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._most, "reader")
            return self._threads

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the readers are closed")

    def _read_message(self, files: Sequence[File]) -> list[Read | Unreadable]:
        found: list[Read | Unreadable] = []
        waiting = deque((_path(path), repaired(name) or _base_name(path)) for path, name in files)
        while waiting:
            try:
                with self._process() as process:
                    for answer in process.ask(ReadAsk(tuple(waiting))):
                        found.append(_outcome(answer))
                        waiting.popleft()
            except Lost:
                found.append(_outcome(self._again(ReadAsk((waiting.popleft(),)))))
        return found

    def _answer(self, ask: Ask) -> Answer:
        try:
            with self._process() as process:
                return next(process.ask(ask))
        except Lost:
            return self._again(ask)

    def _again(self, ask: Ask) -> Answer:
        """The answer to a question about one file, over which a process was lost: from a fresh one, or none.

        Raises:
            JobError: the fresh one does not even start.
        """
        try:
            with self._process(fresh=True) as process:
                return next(process.ask(ask))
        except NotStarted as lost:
            raise JobError(f"no process to read documents in can be started: {lost}; it was tried twice") from lost
        except Lost as lost:
            return NotRead(CRASHED, f"{lost}; it was tried twice", "", "", 0)

    @contextlib.contextmanager
    def _process(self, *, fresh: bool = False) -> Iterator[Process]:
        """One for the caller alone. It does not come back when the caller fails, or when it has done its share."""
        process, done = self._free.get(), False
        try:
            self._check_open()
            if process is not None and fresh:
                self._end(process)
                process = None
            process = process or self._started()
            yield process
            done = process.files < self._bounds.files
        finally:
            if not done and process is not None:
                self._end(process)
            self._free.put(process if done else None)

    def _started(self) -> Process:
        process = Process(self._program, self._options, self._bounds)
        with self._lock:
            self._alive.add(process)
            if self._closed:
                process.kill()
        return process

    def _end(self, process: Process) -> None:
        with self._lock:
            self._alive.discard(process)
        process.end()


def _messages(files: Sequence[File]) -> Iterator[list[File]]:
    """Files that go to a process together: small ones, so that none waits long behind another."""
    message: list[File] = []
    total = 0
    for path, name in files:
        size = _size(path)
        if message and (len(message) == MESSAGE_FILES or total + size > MESSAGE_BYTES):
            yield message
            message, total = [], 0
        message.append((path, name))
        total += size
    if message:
        yield message


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 (four times as fast, once for each file)
    except (OSError, ValueError):
        return 0


def _path(path: str) -> bytes:
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (a name need not be UTF-8)


def _base_name(path: str) -> str:
    return repaired(os.path.basename(path))  # noqa: PTH119 (same)


def _outcome(answer: Answer) -> Read | Unreadable:
    return answer.read if isinstance(answer, WasRead) else _unreadable(answer)


def _unreadable(answer: Answer) -> Unreadable:
    if isinstance(answer, NotRead):
        return answer.error()
    raise TypeError(f"a reader answered {type(answer).__name__}")
