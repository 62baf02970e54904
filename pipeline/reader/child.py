"""A reader: a process that reads files, one after the other, and answers over a pipe.

It ends when its input does, in the middle of a file too: a thread watches. Nothing that it or a library prints goes
anywhere.
"""

import hashlib
import math
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue

from pipeline.errors import JobError
from pipeline.reader.kinds import read_bytes
from pipeline.reader.load import load
from pipeline.reader.messages import (
    HEAD_BYTES,
    Answer,
    Ask,
    Bounds,
    Loaded,
    Missing,
    NotRead,
    OcrAsk,
    ReadAsk,
    Ready,
    WasRead,
    WasSeen,
    ask_of,
    frame,
    start_of,
)
from pipeline.reader.ocr import page_seen
from pipeline.reader.progress import listen, write_place
from pipeline.reader.read import CRASHED, ReadOptions, Unreadable
from pipeline.reader.source import take


def main(place: int) -> None:
    """Answer until the input ends. `place` is the open file that tells which page this is at."""
    asked: SimpleQueue[bytes] = SimpleQueue()
    asks, answers = os.dup(0), os.dup(1)
    threading.Thread(target=_hear, args=(asks, asked), daemon=True).start()
    start = start_of(asked.get())
    _limit(start.bounds)
    _send(answers, Ready())
    _mute()
    while True:
        for answer in _answers(ask_of(asked.get()), start.options, _Allowance(start.bounds, place)):
            _send(answers, answer)


def _hear(descriptor: int, asked: "SimpleQueue[bytes]") -> None:
    """Frames, until the other side is gone: then nobody needs this process."""
    try:
        with open(descriptor, "rb") as pipe:
            while len(head := pipe.read(HEAD_BYTES)) == HEAD_BYTES:
                asked.put(pipe.read(int.from_bytes(head, "big")))
    finally:
        os._exit(0)


def _mute() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)


def _send(descriptor: int, answer: Answer) -> None:
    content = memoryview(frame(answer))
    while content:
        content = content[os.write(descriptor, content) :]


def _limit(bounds: Bounds) -> None:
    for kind, amount in ((resource.RLIMIT_AS, bounds.memory_bytes), (resource.RLIMIT_CORE, 0)):
        _set_limit(kind, amount)


def _set_limit(kind: int, amount: int) -> None:
    most = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (amount if most == resource.RLIM_INFINITY else min(amount, most), most))
    except (OSError, ValueError):
        return  # a system that has no such limit


class _Allowance:
    """CPU time for the file at hand: more, once its pages are known."""

    def __init__(self, bounds: Bounds, place: int) -> None:
        self._bounds = bounds
        self._place = place

    def begin(self, *, ocr: bool = False) -> None:
        self._used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        if ocr:
            self._used += self._bounds.ocr_s
            _set_limit(resource.RLIMIT_AS, self._bounds.ocr_memory_bytes)  # for good: its models stay
        self._pages = 0
        self._allow()
        write_place(self._place, 0, 0)

    def at_page(self, page: int, pages: int) -> None:
        write_place(self._place, page, pages)
        if pages != self._pages:
            self._pages = pages
            self._allow()

    def _allow(self) -> None:
        most = self._used + self._bounds.cpu_s + self._bounds.page_s * self._pages
        _set_limit(resource.RLIMIT_CPU, math.ceil(most))


def _answers(ask: Ask, options: ReadOptions, allowance: _Allowance) -> Iterator[Answer]:
    listen(allowance.at_page)
    if isinstance(ask, ReadAsk):
        for path, name in ask.files:
            allowance.begin()
            yield _answer(partial(_read, os.fsdecode(path), name, options))
    elif isinstance(ask, OcrAsk):
        allowance.begin(ocr=True)
        yield _answer(lambda: WasSeen(page_seen(load(os.fsdecode(ask.path), ask.part, options, with_text=False))))
    else:
        allowance.begin()
        yield _answer(lambda: Loaded(load(os.fsdecode(ask.path), ask.part, options, with_text=ask.with_text)))


def _answer(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except Unreadable as error:
        return NotRead.of(error)
    except JobError as error:
        return Missing(str(error))
    except MemoryError:
        return _crash("it takes more memory than a reader is given")
    except Exception as error:  # noqa: BLE001 (a bug over one file costs that file)
        return _crash(f"{type(error).__name__} in {_where(error)}")


def _crash(told: str) -> NotRead:
    return NotRead(CRASHED, told, "", "", 0)


def _where(error: Exception) -> str:
    """Where in the program; the message may have the document's words."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "the reader" if trace is None else f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"  # noqa: PTH119


def _read(path: str, name: str, options: ReadOptions) -> WasRead:
    data = take(path, options.max_bytes)
    try:
        return WasRead(read_bytes(data, name or os.path.basename(path), options))  # noqa: PTH119 (fast)
    except Unreadable as error:
        error.digest = error.digest or hashlib.sha256(data).hexdigest()
        raise


if __name__ == "__main__":
    main(int(sys.argv[1]))
