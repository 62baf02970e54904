"""Tokens of many documents at once: on all cores, in processes of our own, once there is enough to pay for them.

Threads do not do: tiktoken lets other threads run while it counts, and two of them still reach no more than three
quarters of what two processes do. The processes are this module as a program, so that no caller's `__main__` is ever
imported again; they speak frames of JSON over pipes.
"""

import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Self

import orjson
from msgspec import Struct
from msgspec.structs import asdict

from pipeline.documents.chunks import Counter, chunk
from pipeline.documents.select import Query, chosen
from pipeline.documents.tokens import counter_for
from pipeline.platforms import usable_cores
from pipeline.text import repaired

ALONE_CHARS = 6_000_000  # of text that is counted before other processes are started
HEAD_BYTES = 8

Texts = Sequence[tuple[str, str]]  # document, and what else its prompt holds
Counts = list[
    tuple[int, list[int], list[int]]
]  # tokens of the latter, and of each chunk: those asked about, the others


class Cutting(Struct, frozen=True):
    """How documents are counted and cut."""

    provider: str
    model: str
    chunk_tokens: int
    overlap_tokens: int
    select: int = 0  # as of `Plan`
    words_asked: Query = ()


def counted(cutting: Cutting, batches: Iterable[Texts]) -> Iterator[Counts]:
    """The counts of every batch, in order."""
    counter, left, chars = counter_for(cutting.provider, cutting.model), iter(batches), 0
    cores = usable_cores()
    for texts in left:
        yield _count(cutting, counter, texts)
        chars += sum(len(text) for text, _ in texts)
        if cores > 1 and chars > ALONE_CHARS:
            break
    else:
        return
    with _Workers(cutting, cores) as workers:
        waiting: deque[Future[Counts]] = deque()
        for texts in left:
            if not workers.ready and len(waiting) >= cores:
                waiting.append(_done(_count(cutting, counter, texts)))  # something to do until they are up
            else:
                waiting.append(workers.submit(texts))
            while waiting and (waiting[0].done() or len(waiting) > 4 * cores):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _count(cutting: Cutting, counter: Counter, texts: Texts) -> Counts:
    return [(counter.count(others) if others else 0, *_chunks(cutting, counter, text)) for text, others in texts]


def _chunks(cutting: Cutting, counter: Counter, text: str) -> tuple[list[int], list[int]]:
    """Tokens of the chunks that are asked about, and of the others."""
    pieces = chunk(text, counter, cutting.chunk_tokens, cutting.overlap_tokens, exact=True)
    if not 0 < cutting.select < len(pieces):
        return [piece.tokens for piece in pieces], []
    kept = {*chosen([piece.text for piece in pieces], cutting.select, cutting.words_asked)}
    asked = [piece.tokens for place, piece in enumerate(pieces) if place in kept]
    return asked, [piece.tokens for place, piece in enumerate(pieces) if place not in kept]


def _done(counts: Counts) -> "Future[Counts]":
    future: Future[Counts] = Future()
    future.set_result(counts)
    return future


class _Workers:
    """A process for each core, each fed by a thread that waits for it."""

    def __init__(self, cutting: Cutting, cores: int) -> None:
        command = [sys.executable, "-m", "pipeline.documents.token_pool", orjson.dumps(asdict(cutting)).decode()]
        path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
        env, pipe = {**os.environ, "PYTHONPATH": path}, subprocess.PIPE
        self._processes = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env)  # noqa: S603 (ourselves)
            for _ in range(cores)
        ]
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._up = False
        self._threads = ThreadPoolExecutor(cores)

    def __enter__(self) -> Self:
        for process in self._processes:
            self._free.put(process)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()
        self._threads.shutdown(cancel_futures=True)

    @property
    def ready(self) -> bool:
        """Whether one of them has answered."""
        return self._up

    def submit(self, texts: Texts) -> "Future[Counts]":
        return self._threads.submit(self._ask, texts)

    def _ask(self, texts: Texts) -> Counts:
        process = self._free.get()
        try:
            answer = _exchange(process, orjson.dumps([(repaired(text), repaired(others)) for text, others in texts]))
        finally:
            self._free.put(process)
        self._up = True
        return [(others, asked, skipped) for others, asked, skipped in orjson.loads(answer)]


def _exchange(process: "subprocess.Popen[bytes]", frame: bytes) -> bytes:
    answer = None
    with contextlib.suppress(OSError):
        if process.stdin is not None and process.stdout is not None:
            _write(process.stdin, frame)
            answer = _read(process.stdout)
    if answer is None:
        raise RuntimeError("a process that counts tokens died: was there enough memory?")
    return answer


def _write(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(len(frame).to_bytes(HEAD_BYTES, "big") + frame)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(HEAD_BYTES)
    return pipe.read(int.from_bytes(head, "big")) if len(head) == HEAD_BYTES else None


def _work(settings: str) -> None:
    """One of the processes: answers frames until its input ends."""
    cutting = Cutting(**orjson.loads(settings))
    counter = counter_for(cutting.provider, cutting.model)
    while (frame := _read(sys.stdin.buffer)) is not None:
        _write(sys.stdout.buffer, orjson.dumps(_count(cutting, counter, orjson.loads(frame))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the parent tells
        _work(sys.argv[1])
