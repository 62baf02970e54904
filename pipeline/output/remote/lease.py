"""One run per remote output: an object that says who writes here, renewed while the run lives.

The store decides who of two gets it (a write that succeeds only over the version that was read), and its clock says how
old a sign of life is, so that no two machines' clocks are compared. A store that ignores such conditions keeps nobody
out in the instant between reading and writing.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto

from msgspec import Struct
from msgspec.structs import asdict, replace

from pipeline.console import as_here, say
from pipeline.errors import LedgerError
from pipeline.ledger.lock import who
from pipeline.output.remote.objects import NEW, Lost, Objects, Read, Stamp, StoreFailed

NAME = "lease.json"
LEASE_S = 60.0  # without a sign of life for so long, a run counts as dead
RENEWALS_PER_LEASE = 4
GIVE_UP_SHARE = 0.75  # of the lease: a run that could not renew it by then stops before somebody else may begin
LOOKS_PER_LEASE = 20


class Holding(Struct, frozen=True):
    """What the object says. `holder` names a machine's mirror of this output, and outlives the process."""

    holder: str
    who: str
    verb: str
    since: str
    lease_s: float
    released: bool = False
    renewal: str = ""  # TERM-RANDOM: another at each write, so that no two versions are alike

    @property
    def term(self) -> int:
        """How many have had it so far, this one counted; 0 where an older program wrote it."""
        term, dash, _ = self.renewal.partition("-")
        return int(term) if dash and term.isdecimal() else 0

    def told(self) -> str:
        return f"pipeline {self.verb}, {self.who}, since {self.since}"


class Standing(Enum):
    """What a lease means for one who wants it."""

    FREE = auto()
    MINE = auto()  # of a process that died here, where only one can run at a time
    STALE = auto()
    HELD = auto()


def standing(found: Holding, holder: str, age_s: float) -> Standing:
    if found.released:
        return Standing.FREE
    if found.holder == holder:
        return Standing.MINE
    return Standing.STALE if age_s > found.lease_s else Standing.HELD


class Lease:
    """Taken, renewed in a thread of its own, released."""

    def __init__(self, objects: Objects, holder: str, verb: str, lease_s: float = LEASE_S) -> None:
        self._objects = objects
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._mine = Holding(holder, who(), verb, since, lease_s)
        self._stamp = NEW
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.term = 0  # of all who have had it, each has a higher one
        self.follows_own = False  # nobody else has had it since this machine's mirror had
        self.lost = ""  # why it is not ours any more

    def take(self) -> None:
        """Wait for as long as a holder may be dead, and no longer.

        Raises:
            LedgerError: a run that is alive has it. StoreFailed: the store cannot be written.
        """
        first: Stamp | None = None
        while True:
            found = self._objects.read(NAME)
            held = None if found is None else _holding(found.content)
            self.term = 1 if held is None else held.term + 1
            self.follows_own = held is not None and held.holder == self._mine.holder
            if found is None or held is None:
                took = self._write(NEW if found is None else found.stamp)
            elif self._may_take(held, found):
                took = self._write(found.stamp)
            elif first is not None and found.stamp != first:
                raise LedgerError(
                    f"{self._objects.url} is in use by another run: {held.told()}. Wait for it, stop it, or give "
                    "another output with --output"
                )
            else:
                if first is None:
                    say("notice", f"{self._objects.url}: waiting to see whether {held.told()}, is still alive")
                first, took = found.stamp, False
                time.sleep(held.lease_s / LOOKS_PER_LEASE)
            if took:
                return

    def _may_take(self, held: Holding, found: Read) -> bool:
        age_s = (self._objects.now() - found.written_at).total_seconds()
        state = standing(held, self._mine.holder, age_s)
        if state is Standing.STALE:
            say("notice", f"{self._objects.url}: taken over; no sign of life for {age_s:.0f} s of {held.told()}")
        return state is not Standing.HELD

    def _write(self, over: Stamp | None) -> bool:
        """Whether it was ours to write."""
        holding = replace(self._mine, renewal=f"{self.term}-{uuid.uuid4().hex}")
        try:
            self._stamp = self._objects.write(NAME, _encoded(holding), only_over=over)
        except Lost:
            return self._was_written_after_all(holding)
        return True

    def _was_written_after_all(self, holding: Holding) -> bool:
        """A write whose answer got lost is repeated by the client, and then meets its own first version."""
        found = self._objects.read(NAME)
        if found is None or found.content != _encoded(holding):
            return False
        self._stamp = found.stamp
        return True

    def keep(self, on_lost: Callable[[str], None]) -> None:
        """Renew it from now on; `on_lost` is called once, from another thread, when it is not ours any more."""
        self._thread = threading.Thread(target=as_here(self._renew_on), args=(on_lost,), name="lease", daemon=True)
        self._thread.start()

    def _renew_on(self, on_lost: Callable[[str], None]) -> None:
        renewed_s = time.monotonic()
        while not self._ended.wait(self._mine.lease_s / RENEWALS_PER_LEASE):
            try:
                if not self._write(self._stamp):
                    self.lost = f"{self._objects.url} was taken over by another run"
                renewed_s = time.monotonic()
            except StoreFailed as error:
                if time.monotonic() - renewed_s > GIVE_UP_SHARE * self._mine.lease_s:
                    self.lost = f"the output's store does not answer, and another run may begin there: {error}"
            if self.lost:
                on_lost(self.lost)
                return

    def outrank(self, term: int) -> None:
        """Have a higher term than this: somebody has deleted the lease, and with it the count of terms.

        Raises:
            StoreFailed: that could not be written.
        """
        if self.term <= term:
            self.term = term + 1
            if not self._write(self._stamp):
                raise StoreFailed(f"{self._objects.url} was taken over by another run")

    def holds(self) -> bool:
        """Whether it is still ours, by what the store says now.

        Raises:
            StoreFailed: it does not say.
        """
        found = None if self.lost else self._objects.read(NAME)
        held = None if found is None else _holding(found.content)
        return held is not None and (held.holder, held.term) == (self._mine.holder, self.term)

    def release(self) -> None:
        """Say that nobody is at work here; the name stays, as the last one who was."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self.lost:
            return
        self._mine = replace(self._mine, released=True)
        try:
            self._write(self._stamp)
        except StoreFailed as error:
            say("warning", f"the lease on {self._objects.url} could not be released: {error}")


def _encoded(holding: Holding) -> bytes:
    return json.dumps(asdict(holding)).encode()


def _holding(content: bytes) -> Holding | None:
    """What the object says; None for what is no lease, which keeps nobody out."""
    try:
        return Holding(**json.loads(content))
    except (ValueError, TypeError):
        return None
