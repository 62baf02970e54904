"""The log of a ledger's commits: every statement that changed it, in files beside it that can be shipped and replayed.

Written where the output is remote, by all processes that write the ledger, each commit after it is durable and before
the next one can be made. A commit that could not be written down is a gap, and a gap is seen: commits are numbered.
"""

import os
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, msgpack

from pipeline.job.folder import COMMITS
from pipeline.ledger import queries
from pipeline.ledger.files import Connection, connect
from pipeline.ledger.log_chain import Position, position_of
from pipeline.platforms import CLOSED_ON_EXEC

KEY = "log"  # in `remembered`: the ledger's position
TERM = "term"
COMMITS_PER_FILE = 500
MAGIC = b"\x93commit\n"
FRAME = struct.Struct("!8sIQIQII")  # magic, after, upto, size and checksum of what follows
CHECKED = struct.Struct("!I")  # the checksum of all that
OVERHEAD = FRAME.size + CHECKED.size
READS = ("SELECT", "PRAGMA")

Statement = tuple[str, Sequence[Sequence[Any]]]  # its text, and the rows of values that it was executed with


class Frame(Struct, frozen=True):
    """One commit as it is written: where it stands, and its statements, packed."""

    after: Position
    upto: Position
    whole: bytes

    @property
    def statements(self) -> list[Statement]:
        found: list[Statement] = msgpack.decode(memoryview(self.whole)[OVERHEAD:])
        return found


def framed(after: Position, upto: Position, statements: Sequence[Statement]) -> bytes:
    packed = msgpack.encode(statements)
    head = FRAME.pack(MAGIC, *after, *upto, len(packed), zlib.crc32(packed))
    return head + CHECKED.pack(zlib.crc32(head)) + packed


def frames_in(data: bytes) -> tuple[list[Frame], int]:
    """The whole frames, and up to where they go: from there on one may still be being written.

    What is no frame is passed over: a process was killed while it wrote.
    """
    frames: list[Frame] = []
    at = 0
    while 0 <= at <= len(data) - OVERHEAD:
        head = data[at : at + FRAME.size]
        magic, *places, size, checksum = FRAME.unpack(head)
        if magic == MAGIC and CHECKED.unpack_from(data, at + FRAME.size) == (zlib.crc32(head),):
            end = at + OVERHEAD + size
            if end > len(data):
                break
            if zlib.crc32(memoryview(data)[at + OVERHEAD : end]) == checksum:
                frames.append(Frame(Position(*places[:2]), Position(*places[2:]), data[at:end]))
                at = end
                continue
        following = data.find(MAGIC, at + 1)
        at = following if following >= 0 else max(at, len(data) - len(MAGIC) + 1)
    return frames, min(at, len(data))


class CommitLog:
    """The end that writes, in each process that writes the ledger."""

    def __init__(self, folder: Path, term: int) -> None:
        self.term = term
        self._folder = folder
        self._number = -1
        self._file: int | None = None

    def add(self, after: Position, upto: Position, statements: Sequence[Statement]) -> None:
        """Write a commit down that is durable. Where that fails there is a gap."""
        with suppress(OSError):
            whole = framed(after, upto, statements)
            number = upto.commit // COMMITS_PER_FILE
            if number != self._number or self._file is None:
                self.close()
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | CLOSED_ON_EXEC
                self._file = os.open(_file(self._folder, self.term, number), flags, 0o644)
                self._number = number
            os.write(self._file, whole)

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def begin_log(folder: Path, term: int) -> Path:
    """From now on the ledger in this output folder is logged, for a session of this term."""
    log = folder / COMMITS
    end_log(folder)
    log.mkdir(exist_ok=True)
    (log / TERM).write_text(str(term))
    return log


def end_log(folder: Path) -> None:
    """Nothing is logged any more; a worker that outlives its run for a moment may still write in vain."""
    shutil.rmtree(folder / COMMITS, ignore_errors=True)


def _log_of(folder: Path) -> CommitLog | None:
    try:
        return CommitLog(folder / COMMITS, int((folder / COMMITS / TERM).read_text()))
    except (OSError, ValueError):
        return None


def _file(log: Path, term: int, number: int) -> Path:
    return log / f"{term:08d}-{number:08d}"


class LoggedConnection(sqlite3.Connection):
    """A ledger's writing connection: what it commits is in the log as well, however it came to be executed.

    All that is not a SELECT or a PRAGMA counts as a change; scripts (migrations) are not logged.
    """

    log: CommitLog | None = None
    _gathered: list[Statement] = []  # noqa: RUF012 (replaced, never changed, before the first transaction)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 (as SQLite has it)
        verb = sql.split(maxsplit=1)[0]
        if self.log is None or verb in READS:
            return super().execute(sql, parameters)
        match verb:
            case "BEGIN" | "ROLLBACK":
                self._gathered = []
            case "COMMIT":
                return self._commit()
            case _ if not self.in_transaction:
                return self._alone(sql, parameters)
            case _:
                done = super().execute(sql, parameters)
                self._gathered.append((sql, (parameters,)))
                return done
        return super().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        if self.log is None:
            return super().executemany(sql, rows)
        kept = rows if isinstance(rows, list) else list(rows)
        done = super().executemany(sql, kept)
        self._gathered.append((sql, kept))
        return done

    def close(self) -> None:
        if self.log is not None:
            self.log.close()
        super().close()

    def _alone(self, sql: str, parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 (as SQLite has it)
        """A change outside of a transaction gets one: each commit has a number."""
        self.execute("BEGIN IMMEDIATE")
        try:
            done = self.execute(sql, parameters)
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        return done

    def _commit(self) -> sqlite3.Cursor:
        assert self.log is not None  # noqa: S101 (only then)
        if not self._gathered:
            return super().execute("COMMIT")
        after = position_of(queries.remembered(self, KEY))
        upto = after.next(self.log.term)
        queries.remember(self, KEY, str(upto))
        done = super().execute("COMMIT")
        gathered, self._gathered = self._gathered, []
        self.log.add(after, upto, gathered)
        return done


def connect_logged(path: Path) -> Connection:
    """As `connect`, of a ledger that is to be written; logged where its output is."""
    log = _log_of(path.parent)
    if log is None:
        return connect(path)
    db = connect(path, factory=LoggedConnection)
    assert isinstance(db, LoggedConnection)  # noqa: S101 (tells mypy)
    db.log = log
    return db


# ── reading it ──────────────────────────────────────────────────────────────────────────────────────────────────────


class LogReader:
    """The end that reads, in the process that ships. Files that were read to their end are deleted."""

    def __init__(self, log: Path, term: int) -> None:
        self._log, self._term = log, term
        self._number, self._at = 0, 0

    def read(self, most_bytes: int) -> list[Frame]:
        """The next commits: as many as fit, at least one; none where all were read."""
        while True:
            path, following = self._path(self._number), self._path(self._number + 1)
            ended = following.exists()  # looked at first: nobody goes back to this file after that
            frames = self._frames(path, most_bytes)
            if frames or not ended:
                return frames
            path.unlink(missing_ok=True)
            self._number, self._at = self._number + 1, 0

    def waiting_bytes(self) -> int:
        """About how much there is to read."""
        sizes = [path.stat().st_size for number in (0, 1) if (path := self._path(self._number + number)).exists()]
        return max(0, sum(sizes) - self._at)

    def _path(self, number: int) -> Path:
        return _file(self._log, self._term, number)

    def _frames(self, path: Path, most_bytes: int) -> list[Frame]:
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._at)
            frames, used = frames_in(file.read(most_bytes))
            if not frames:  # one that is larger, or nothing
                file.seek(self._at)
                frames, used = frames_in(file.read())
        self._at += used
        return frames
