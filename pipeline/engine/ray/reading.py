"""Rows whose files are read where the worker is: some at a time in threads, and none begun before the run says so."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec import Struct

from pipeline.documents.sources.file_refs import FileRef
from pipeline.engine.feed import keys_under
from pipeline.engine.ray.messages import RowDecided, RowGiven, RowRead
from pipeline.errors import JobError
from pipeline.extraction.hashes import content_key
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.types import Row

AT_ONCE = 4  # of one worker: files in a bucket are waited for, those of a disk are read by a process or two
ROWS = 4  # that are read together, so that the first of many need not wait for the last

Found = tuple[Row, RowRead]


class RowReader:
    """`earlier`: plans of earlier jobs; `send` takes what the run is told."""

    def __init__(self, prepared: Prepared, earlier: Sequence[Plan], send: Callable[[Struct], None]) -> None:
        self._prepared, self._earlier, self._send = prepared, earlier, send
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(AT_ONCE, "files")
        self._waiting: list[tuple[RowGiven, asyncio.Future[Found]]] = []
        self._told: dict[int, asyncio.Future[int | None]] = {}

    async def read(self, given: RowGiven) -> RowGiven | None:
        """The row as its file has it, to be given to `release` at its end; None: it is not to be done.

        Raises:
            JobError: no file can be read here.
        """
        if not self._waiting:
            self._loop.call_soon(self._begin)
        found: asyncio.Future[Found] = self._loop.create_future()
        told: asyncio.Future[int | None] = self._loop.create_future()
        self._waiting.append((given, found))
        self._told[given.row.index] = told
        try:
            row, word = await found
            stale_session = await told
        finally:
            del self._told[given.row.index]
        if stale_session is None or word.doc is None:
            self._prepared.source.release(row)
            return None
        return RowGiven(row, word.doc, stale_session)

    def told(self, decided: RowDecided) -> None:
        """What the run says of a row that was read."""
        if (waiting := self._told.get(decided.row)) is not None and not waiting.done():
            waiting.set_result(decided.stale_session)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._prepared.source.close()

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), ROWS):
            some = waiting[start : start + ROWS]
            reading = self._loop.run_in_executor(self._threads, self._found, [given for given, _ in some])
            reading.add_done_callback(partial(self._found_of, some))

    def _found(self, some: Sequence[RowGiven]) -> list[Found]:
        files = {given.row.index: given.file for given in some if given.file is not None}
        for file in files.values():
            _require_there(file)
        rows = self._prepared.source.read([given.row for given in some], files)
        return [(row, self._word_of(row)) for row in rows]

    def _word_of(self, row: Row) -> RowRead:
        if row.problem is not None:
            return RowRead(row.index, None, row.problem, row.document, 0)
        earlier = [keys_under(plan, [row]).get(row.index) for plan in self._earlier]
        doc = content_key(self._prepared.plan, row)
        return RowRead(row.index, doc, None, row.document, len(row.text), earlier)

    def _found_of(
        self, some: Sequence[tuple[RowGiven, "asyncio.Future[Found]"]], done: "asyncio.Future[list[Found]]"
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None or done.cancelled():
            for _, waiting in some:
                if not waiting.done():
                    waiting.set_exception(error) if error is not None else waiting.cancel()
            return
        for (_, waiting), (row, word) in zip(some, done.result(), strict=True):
            if waiting.done():  # cut off
                self._prepared.source.release(row)
                continue
            waiting.set_result((row, word))
            self._send(word)


def _require_there(file: FileRef) -> None:
    """A file whose folder is not on this node is no row's fault.

    Raises:
        JobError: it is not.
    """
    if file.path and not (folder := Path(file.path).parent).is_dir():
        raise JobError(f"{folder} is not there: documents lie in a bucket, or where all nodes find them")
