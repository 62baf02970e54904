"""The ledger's log on its way to the bucket: each second or 4 MB, whichever comes first, one segment after another."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.console import as_here, say
from pipeline.ledger.commit_log import Frame, LogReader
from pipeline.ledger.log_chain import Position, Stretch
from pipeline.output.remote.objects import NEW, Lost, Objects, StoreFailed
from pipeline.output.remote.segments import name_of, packed, stretch

SHIP_S = 1.0
SEGMENT_BYTES = 4 << 20  # of log, before it is compressed
LOOKS_PER_SHIPMENT = 5


class Shipper:
    """Ships from a thread of its own. A segment that could not be shipped is the next one as well, until it is there.

    `gap`: commits are missing in the log here, so that only a snapshot can bring the bucket on.
    """

    def __init__(self, objects: Objects, log: Path, at: Position, term: int, every_s: float) -> None:
        """`at`: where the ledger in the bucket stands."""
        self._objects = objects
        self._reader = LogReader(log, term)
        self._at = at
        self._every_s = every_s
        self._unshipped: list[Frame] = []  # read, and not there yet
        self._segments: list[Stretch] = []  # that are there, and no snapshot has them yet
        self._lock = threading.Lock()  # one ships; who takes a snapshot looks at what was shipped
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._told = False  # that it does not get there
        self.gap = False

    def keep(self, held: Callable[[], bool], on_gap: Callable[[], None]) -> None:
        """Ship from now on, while the output is `held`."""
        self._thread = threading.Thread(target=as_here(self._ship_on), args=(held, on_gap), name="log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing more is shipped."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def ship(self) -> None:
        """Everything that is in the log by now.

        Raises:
            StoreFailed: not all of it is there.
        """
        with self._lock:
            while not self.gap and self._shipped_next():
                pass

    def snapshot_has(self, at: Position) -> None:
        """A snapshot is in the bucket that stands there: what it has needs no segments any more."""
        with self._lock:
            self._at, self.gap = max(self._at, at), False
            had = [one for one in self._segments if one.upto <= at]
            with suppress(StoreFailed):  # they lead nowhere, and are deleted with the next ones
                self._objects.delete([name_of(one) for one in had])
                self._segments = self._segments[len(had) :]

    def _ship_on(self, held: Callable[[], bool], on_gap: Callable[[], None]) -> None:
        last_s = time.monotonic()
        while not self._ended.wait(self._every_s / LOOKS_PER_SHIPMENT):
            now_s, whole = time.monotonic(), not self.gap
            try:
                if now_s - last_s < self._every_s and self._reader.waiting_bytes() < SEGMENT_BYTES:
                    continue
                if not held():
                    return
                last_s = now_s
                self.ship()
                self._told = False
            except (StoreFailed, OSError) as error:
                if not self._told:
                    say("warning", f"the log of this run could not be shipped; that is tried again: {error}")
                self._told = True
            if self.gap and whole:
                on_gap()

    def _shipped_next(self) -> bool:
        """Whether there was anything."""
        frames = [one for one in self._unshipped or self._reader.read(SEGMENT_BYTES) if one.upto > self._at]
        if not frames:
            again, self._unshipped = bool(self._unshipped), []
            return again
        self._unshipped = frames
        at = self._at
        for frame in frames:
            if frame.after != at:
                self.gap = True
                return False
            at = frame.upto
        one = stretch(frames)
        self._put(one, packed(frames))
        self._segments.append(one)
        self._at, self._unshipped = one.upto, []
        return True

    def _put(self, one: Stretch, content: bytes) -> None:
        """Never over another: the name is this very stretch's. A write whose answer got lost meets itself."""
        try:
            self._objects.write(name_of(one), content, only_over=NEW)
        except Lost:
            found = self._objects.read(name_of(one))
            if found is None or found.content != content:
                raise
