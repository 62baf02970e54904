"""The one writer: a thread that commits what has gathered, and tells the event loop when it is safe on disk.

Group commit: whatever arrives while one commit waits for the disk goes into the next. The loop never blocks on it.
A full disk is met by deleting the ballast, so that answers already paid for still land; then no more is accepted.
"""

import asyncio
import errno
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.crash_points import crash_point
from pipeline.errors import LedgerError
from pipeline.ledger.head import NOTHING, Head, HeadFile, advance
from pipeline.platforms import CLOSED_ON_EXEC, lock, unlock

LINGER_S = 0.003  # lets a burst share one fsync; an answer is durable well within the promised 50 ms
FULL_RETRY_S = 0.5
FULL_RETRIES = 20
AGAIN = ". What was committed is kept: mend that, and the same command goes on"

Statement = tuple[str, tuple[Any, ...]]
Item = tuple[tuple[Statement, ...], Head, asyncio.Future[None] | None]


class Writer:
    """Owns the writing connection. `put` from the event loop; `on_full` is called there once, when space ran out."""

    def __init__(
        self,
        db: sqlite3.Connection,
        head: HeadFile,
        ballast: Path,
        on_full: Callable[[], None],
        turns: Path | None = None,
    ) -> None:
        """`turns`: a file by which several processes take turns at committing; SQLite's own waiting is by sleeping."""
        self._db = db
        self._head = head
        self._turns = None if turns is None else os.open(turns, os.O_RDWR | os.O_CREAT | CLOSED_ON_EXEC, 0o644)
        self._ballast = ballast
        self._on_full = on_full
        self._loop = asyncio.get_running_loop()
        self._gathered: deque[Item] = deque()
        self._work = threading.Event()
        self._closing = False
        self._failed: LedgerError | None = None
        self._taken: list[Item] = []  # what is being committed
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def put(self, *statements: Statement) -> None:
        """Write these in one transaction, soon."""
        self._gather(statements, NOTHING, None)

    def put_durably(self, *statements: Statement, gain: Head = NOTHING) -> asyncio.Future[None]:
        """Write these in one transaction; the future is done once they would survive a power cut.

        `gain`: what they add to the ledger's head.
        """
        done = self._loop.create_future()
        self._gather(statements, gain, done)
        return done

    async def close(self) -> None:
        """Commit everything, then stop the thread."""
        self._closing = True
        self._work.set()
        await self._ended  # told by the thread: another one to wait for it may not be to be had
        self._thread.join()
        if self._turns is not None:
            os.close(self._turns)
        if self._failed is not None:
            raise self._failed

    def _gather(self, statements: tuple[Statement, ...], gain: Head, done: asyncio.Future[None] | None) -> None:
        if self._failed is not None:
            raise self._failed
        self._gathered.append((statements, gain, done))
        if not self._work.is_set():  # the thread clears it before it takes what has gathered
            self._work.set()

    def _run(self) -> None:
        try:
            self._commit_all()
        except BaseException as cause:  # noqa: BLE001 (no memory, say: nobody may wait for ever)
            self._failed = LedgerError(f"the ledger cannot be written: {cause!r}")
            waiting = [done for *_, done in (*self._taken, *self._gathered) if done is not None]
            self._loop.call_soon_threadsafe(_resolve, waiting, self._failed)
        self._loop.call_soon_threadsafe(_resolve, [self._ended], None)

    def _commit_all(self) -> None:
        while True:
            self._work.wait()
            if not self._closing:
                time.sleep(LINGER_S)
            self._work.clear()
            self._taken = [self._gathered.popleft() for _ in range(len(self._gathered))]
            if self._taken:
                self._commit_or_fail(self._taken)
            elif self._closing:
                return
            if self._closing:
                self._work.set()

    def _commit_or_fail(self, batch: list[Item]) -> None:
        error: LedgerError | None = None
        try:
            self._commit(batch)
        except Exception as cause:  # noqa: BLE001 (whatever it is, those who wait are to be told)
            if _is_full(cause):
                error = self._after_full(batch)
            elif len(batch) > 1:  # a record that cannot be written does not take the others along
                for item in batch:
                    self._commit_or_fail([item])
                return
            else:
                error = LedgerError(f"the ledger cannot be written: {cause}{AGAIN}")
        if error is not None:
            self._failed = error
        waiting = [done for *_, done in batch if done is not None]
        if waiting:
            self._loop.call_soon_threadsafe(_resolve, waiting, error)

    def _commit(self, batch: list[Item]) -> None:
        grouped: dict[str, list[tuple[Any, ...]]] = {}
        for statements, *_ in batch:
            for sql, values in statements:
                grouped.setdefault(sql, []).append(values)
        if self._turns is not None:
            lock(self._turns, wait=True)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql in sorted(grouped, key=_is_delete):  # a name is entered before it is taken away
                self._db.executemany(sql, grouped[sql])
            head = advance(self._db, (gain for _, gain, _ in batch))
            crash_point("committing")
            self._db.execute("COMMIT")
            self._head.write(head)
            crash_point("committed")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            if self._turns is not None:
                unlock(self._turns)

    def _after_full(self, batch: list[Item]) -> LedgerError | None:
        """Make room by deleting the ballast and try again for a while; None when the batch landed after all."""
        self._loop.call_soon_threadsafe(self._on_full)
        self._ballast.unlink(missing_ok=True)
        for _ in range(FULL_RETRIES):
            try:
                self._commit(batch)
            except (sqlite3.Error, OSError) as cause:
                if not _is_full(cause):
                    return LedgerError(f"the ledger cannot be written: {cause}{AGAIN}")
                time.sleep(FULL_RETRY_S)
            else:
                return None
        told = f"no space left on the disk of {self._ballast.parent}, or a file may not grow any more (ulimit -f)"
        return LedgerError(f"{told}; answers in flight could not be kept{AGAIN}")


def _is_delete(sql: str) -> bool:
    return sql.startswith("DELETE")


def _is_full(cause: Exception) -> bool:
    code = getattr(cause, "sqlite_errorcode", None)
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE} or getattr(cause, "errno", None) == errno.ENOSPC


def _resolve(waiting: list[asyncio.Future[None]], error: LedgerError | None) -> None:
    for done in waiting:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            done.exception()  # looked at: nobody may be waiting for it, and the writer tells of it at its end
