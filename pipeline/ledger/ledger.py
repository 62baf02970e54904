"""The durable record that everything else is a view of: what was asked, what came back, what it cost, where rows ended.

Writes go through one thread in group commits; reads of single answers happen on the event loop, from their own
connection. What was answered is journalled before it is looked at. Only the edges call this; it decides nothing.
"""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.crash_points import crash_point
from pipeline.errors import LedgerError, LedgerUnreadable
from pipeline.job.folder import BALLAST, LEDGER, TURNS
from pipeline.ledger import nights, queries, records, schema, statements
from pipeline.ledger.answer_keys import AnswerKeys
from pipeline.ledger.batch_books import BatchBooks
from pipeline.ledger.commit_log import connect_logged
from pipeline.ledger.files import connect, keep_beside, preallocate, rescue, unreadable, unusable
from pipeline.ledger.head import NAMED, WITHDRAWN, HeadFile, advance, gained, require_whole
from pipeline.ledger.key_filter import Keys
from pipeline.ledger.lock import FolderLock, require_local, who
from pipeline.ledger.queries import ContentEnd, ends, last_hashes
from pipeline.ledger.records import Call, RowEntry, RunFacts, Send, Share, StoredAnswer, lost_call
from pipeline.ledger.writer import Writer
from pipeline.types import Answer, Outcome

ANSWERS_PER_ROW = 4  # on record for each row of the input: with more, looking some up is cheaper than reading all
__all__ = ["ContentEnd", "Ledger", "connect", "ends", "last_hashes"]


class Ledger(BatchBooks):
    """An output folder's ledger, open for one session. Use as `with Ledger(folder, verb) as ledger`.

    Raises:
        LedgerError: another run holds the folder, the file is newer than this program or damaged, or cannot be written.
    """

    def __init__(self, folder: Path, verb: str, *, fresh: bool = False, accept_loss: bool = False) -> None:
        """`accept_loss`: it was agreed to pay again for what the ledger has lost, if it has."""
        self._fresh = fresh
        self._accept_loss = accept_loss
        self._leads = True  # it has the lock
        self.path = folder / LEDGER
        self._folder = folder
        self._verb = verb
        self._lock = FolderLock(folder, verb)
        self._ballast = folder / BALLAST
        self._writer: Writer | None = None
        self._keys = AnswerKeys()
        self.run = 0
        self.session = 0
        self.entered = 0  # rows of this very input that were there when the session began

    @classmethod
    def joined(cls, folder: Path, run: int, session: int) -> Self:
        """The ledger of a session that another process has begun and keeps locked: to read and to write answers."""
        ledger = cls(folder, "")
        ledger._leads, ledger.run, ledger.session = False, run, session
        return ledger

    def __enter__(self) -> Self:
        if not self._leads:
            with unreadable(self.path):
                self._db, self._reader = connect_logged(self.path), connect(self.path)
                self._head = HeadFile(self.path)
            return self
        require_local(self._folder)
        self._lock.__enter__()
        try:
            if self._fresh:
                keep_beside(self.path)
            elif not self._accept_loss:
                require_whole(self.path)
            self._db = connect_logged(self.path)
            schema.migrate(self._db, str(self.path))
            self._reader = connect(self.path)
            self._head = HeadFile(self.path)
            preallocate(self._ballast)
            crash_point("ledger-opened")
        except (sqlite3.Error, OSError) as error:
            self._lock.__exit__(None, None, None)
            raise LedgerError(unusable(self.path, error)) from error
        except LedgerError:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._db.close()
        self._head.close()
        if self._leads:
            with contextlib.suppress(OSError):  # a folder that nothing can be taken out of any more
                self._ballast.unlink(missing_ok=True)
                (self._folder / TURNS).unlink(missing_ok=True)
            self._lock.__exit__(kind, error, trace)
            if isinstance(error, sqlite3.DatabaseError):
                raise LedgerUnreadable(unusable(self.path, error)) from error

    # ── sessions, before and after the writer runs ──────────────────────────────────────────────────────────────

    def begin(
        self, request_hash: bytes, doc_hash: bytes, input_fingerprint: str, facts: RunFacts | None = None
    ) -> list[Send]:
        """Start a session of the run for this job and input, of a new run if either changed; returns the calls lost.

        A lost call stays on the books as an attempt of unknown fate, with what it may have cost at the most.
        """
        db, now_us = self._db, _now_us()
        last = queries.last_run(db)
        db.execute("BEGIN IMMEDIATE")
        lost = self._book_lost(last[0] if last else 0)
        if last is not None and last[1:] == (request_hash, doc_hash, input_fingerprint):
            self.run, self.entered = last[0], queries.rows_entered(db)
        else:
            facts = facts or RunFacts()
            if last is not None:
                nights.carry_over(db, last[0], facts.id_column)
            kept = (facts.provider, facts.model, json.dumps(facts.columns), facts.id_column)
            self.run = (
                db.execute(statements.RUN, (request_hash, doc_hash, input_fingerprint, now_us, *kept)).lastrowid or 0
            )
            db.execute("DELETE FROM rows")
        sql = "INSERT INTO sessions (run, verb, who, started_us, state) VALUES (?, ?, ?, ?, 'running')"
        self.session = db.execute(sql, (self.run, self._verb, who(), now_us)).lastrowid or 0
        head = advance(db, [gained(lost_call(send)) for send in lost])
        crash_point("session-beginning")
        db.execute("COMMIT")
        self._head.write(head)
        crash_point("session-begun")
        return lost

    def end(self, state: str, reason: str | None) -> None:
        """Close the session; the writer has stopped."""
        sql = "UPDATE sessions SET ended_us = ?, state = ?, reason = ? WHERE session = ?"
        with unreadable(self.path):
            self._db.execute(sql, (_now_us(), state, reason, self.session))

    def make_room(self) -> None:
        """Give the room that was kept for answers in flight to whatever is written now."""
        self._ballast.unlink(missing_ok=True)

    def land(self) -> None:
        """Write it anew where its folder was deleted under it; until this process ends, nobody else has what is in it.

        Raises:
            LedgerError: it cannot be written there either. OSError: nor can its folder be made.
        """
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with unreadable(self.path):
            rescue(self._db, self.path)
            self._reader.close()
            self._db.close()
            self._head.close()
            self._db, self._reader = connect_logged(self.path), connect(self.path)
            self._head = HeadFile(self.path)

    def _book_lost(self, run: int) -> list[Send]:
        lost = []
        for session, send in queries.in_flight(self._reader):
            self._db.execute(
                statements.CALL, (*records.call_values(lost_call(send), run, session), *records.link_values(send, None))
            )
            lost.append(send)
        self._db.execute("DELETE FROM sends")
        return lost

    # ── writing, from the event loop ────────────────────────────────────────────────────────────────────────────

    def start_writing(self, on_full: Callable[[], None], *, shared: bool = False) -> None:
        """`shared`: other processes write as well, in turn."""
        turns = self._folder / TURNS if shared else None
        self._writer = Writer(self._db, self._head, self._ballast, on_full, turns)

    @property
    def lock_descriptor(self) -> int:
        """Of the folder's lock, for processes that are to hold it as well."""
        return self._lock.descriptor

    async def lose(self, prefix: str) -> list[Send]:
        """Book the calls in flight of a process that has died, whose request ids begin so; returns them."""
        lost = [send for _, send in queries.in_flight(self._reader, prefix)]
        for send in lost:
            await self.record(lost_call(send))
        return lost

    def learn_keys(self, rows: int) -> None:
        """Know which answers are on record, where that saves more looking up than it costs. No other process writes."""
        if queries.most_answers(self._reader) <= ANSWERS_PER_ROW * rows:
            self._keys.learn(self.path)

    async def known_keys(self) -> Keys | None:
        """Of all answers that are on record by now, those of this session too; None: not known."""
        return await self._keys.whole()

    async def stop_writing(self) -> None:
        """Everything handed over is on disk when this returns."""
        await self._keys.whole()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.close()

    def intend(self, send: Send, shares: Sequence[Share] = ()) -> "asyncio.Future[None]":
        """Put a request on record before it leaves; done when the record would survive a power cut.

        `shares`: of one about several rows, these, with nothing spent yet.
        """
        return self._w.put_durably(*statements.named(send, self.run, self.session, shares), gain=NAMED)

    def withdraw(self, send: Send) -> "asyncio.Future[None]":
        """Take back a name that was put on record and never left."""
        return self._w.put_durably(*statements.withdrawn(send.request_id), gain=WITHDRAWN)

    def record(self, call: Call, key: bytes | None = None, reply: Answer | None = None) -> "asyncio.Future[None]":
        """Journal an attempt and its answer, if any; the future is done once it would survive a power cut."""
        answers = () if key is None or reply is None else ((key, reply),)
        self._keys.add(answers)
        made = statements.ended(call, self.run, self.session, answers, link=key)
        return self._w.put_durably(*made, gain=gained(call, answers=len(answers)))

    def record_pack(
        self, call: Call, shares: Sequence[Share], answers: Sequence[tuple[bytes, Answer]]
    ) -> "asyncio.Future[None]":
        """The same of a call about several rows: with what each has of it, and the answers by their keys."""
        self._keys.add(answers)
        made = statements.ended(call, self.run, self.session, answers, shares=shares)
        return self._w.put_durably(*made, gain=gained(call, answers=len(answers)))

    def conclude(self, outcome: Outcome, paid_as: Sequence[bytes] = ()) -> "asyncio.Future[None]":
        """Record where a row's content ended; done when that would survive a power cut.

        `paid_as`: the content under other jobs, whose answers the outcome was made of.
        """
        return self._w.put_durably(*statements.concluded(outcome, self.run, self.session, paid_as))

    def enter_rows(self, entries: Iterable[RowEntry]) -> None:
        for entry in entries:
            self._w.put((statements.ROW, records.row_values(entry)))

    def enter_unread(self, entries: Iterable[RowEntry]) -> None:
        """Rows whose files this run has not come to: what is on record of their place stands, if of the same row."""
        for entry in entries:
            self._w.put((statements.UNREAD, records.row_values(entry)))

    def end_rows(self, total: int) -> None:
        """The input has this many rows: forget those that an earlier, longer reading entered."""
        self._w.put(("DELETE FROM rows WHERE row >= ?", (total,)))

    @property
    def _w(self) -> Writer:
        if self._writer is None:
            raise LedgerError("the ledger is not open for writing")
        return self._writer

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, key: bytes) -> StoredAnswer | None:
        """The answer to this very request, if one is on record and whole."""
        if not self._keys.may_have(key):
            return None
        values = queries.answer_record(self._reader, key)
        if values is None or records.crc(values[:-1]) != values[-1]:
            return None  # a damaged answer is asked for again
        return records.answer_from(values[:-1])

    def is_last(self, request_hash: bytes, doc_hash: bytes, input_fingerprint: str) -> bool:
        """Whether the last run was of this job and input."""
        last = queries.last_run(self._reader)
        return last is not None and last[1:] == (request_hash, doc_hash, input_fingerprint)

    def salts_of(self, runs: Sequence[int]) -> list[bytes]:
        """The outcome salts of these runs, each once."""
        return nights.salts_of(self._reader, runs)

    def salts(self) -> dict[int, bytes]:
        """Run → its outcome salt, of all that are on record."""
        return nights.salts(self._reader)

    def spent_units(self) -> int:
        """What this run has cost so far, in 1e-10 USD, with what calls of unknown fate may have cost at the most."""
        return queries.spent_units(self._reader, self.run)

    def committed_units(self) -> int:
        """The same, with what is in flight, which the next session books as lost."""
        return self.spent_units() + queries.in_flight_units(self._reader)

    def spent_today_units(self) -> dict[str, int]:
        """What each tenant has cost since midnight (UTC), over all runs of this ledger, with what is at risk."""
        return queries.spent_units_by_tenant(self._reader, _midnight_us())

    def remembered(self, key: str) -> str | None:
        return queries.remembered(self._reader, key)

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact for later runs."""
        if self._writer is not None:
            self._writer.put((queries.REMEMBER, (key, value)))
            return
        with unreadable(self.path):
            queries.remember(self._db, key, value)


def _midnight_us() -> int:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp() * 1e6)


def _now_us() -> int:
    return time.time_ns() // 1000
