"""Outputs in a bucket: the run works in a local mirror, and uploads it whole, object by object, now and then.

The ledger is copied out of SQLite as one consistent file at every snapshot; what it commits after that follows as
segments of its log, each second. Results come before run.json, which speaks of them. A run on another machine takes up
from the last snapshot and the log. What was committed after the last segment is known only to the machine that died: it
is paid for again, or comes back when that machine runs again, whose ledger is then folded in.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from pipeline.console import as_here, say
from pipeline.errors import JobError, LedgerError, LedgerUnreadable
from pipeline.job.folder import COMMITS, LEDGER, LOGS
from pipeline.job.settings import Job, Output
from pipeline.ledger.commit_log import begin_log, end_log
from pipeline.ledger.files import copied
from pipeline.ledger.lock import FolderLock, held
from pipeline.ledger.replay import position
from pipeline.money import from_units, to_units
from pipeline.output.remote.lease import GIVE_UP_SHARE, LEASE_S, Lease
from pipeline.output.remote.mirror import NO_TERMS, Known, Mirror, is_remote, known_of
from pipeline.output.remote.objects import Objects, StoreFailed
from pipeline.output.remote.segments import PREFIX, name_of, stretches_in
from pipeline.output.remote.shipper import SHIP_S, Shipper
from pipeline.output.remote.take_up import take_up
from pipeline.output.remote.watermark import Watermark

SNAPSHOT_S = 60.0
SNAPSHOT_VARIABLE, LEASE_VARIABLE, SHIP_VARIABLE = "PIPELINE_SNAPSHOT_S", "PIPELINE_LEASE_S", "PIPELINE_SHIP_S"


def localized(job: Job, environ: Mapping[str, str]) -> Job:
    """A job whose output is a local folder: the mirror of its URL, brought up to date. Others stay as they are.

    Raises:
        JobError: the store, or a folder to work in, cannot be used.
    """
    url = job.output.path
    if not is_remote(url):
        return job
    return replace(job, output=Output(path=str(mirrored(url, environ))), output_url=url.rstrip("/"))


def mirrored(url: str, environ: Mapping[str, str]) -> Path:
    """The local folder of a remote output, as fresh as the store unless a run of this machine is at work there.

    Raises:
        JobError: as `localized`.
    """
    try:
        mirror, objects = Mirror(url, environ), Objects(url, environ)
        mirror.make()
        if held(mirror.home) is None:
            with FolderLock(mirror.home, "looking"):
                take_up(mirror, objects)
    except (StoreFailed, LedgerError) as error:
        raise JobError(f"{url}: {error}") from None
    return mirror.folder


class RemoteOutput:
    """One session's hold on a remote output. Use as `with RemoteOutput(url, verb, environ) as output`.

    Raises:
        LedgerError: another run has it. JobError: it cannot be used.
    """

    def __init__(self, url: str, verb: str, environ: Mapping[str, str]) -> None:
        self._mirror = Mirror(url, environ)
        self._objects = Objects(url, environ)
        self._lock = FolderLock(self._mirror.home, verb)
        lease_s = float(environ.get(LEASE_VARIABLE) or LEASE_S)
        self._lease = Lease(self._objects, self._mirror.holder, verb, lease_s)
        self._every_s = float(environ.get(SNAPSHOT_VARIABLE) or SNAPSHOT_S)
        self._ship_s = float(environ.get(SHIP_VARIABLE) or SHIP_S)
        self._watermark = Watermark(self._objects)
        self._whole_terms = NO_TERMS  # of sessions whose ledger is here to the last
        self._settled: tuple[str, Decimal] | None = None
        self.patience_s = GIVE_UP_SHARE * lease_s  # with a store that fails
        self._shipper: Shipper | None = None
        self._due = threading.Event()  # a snapshot, or the end
        self._ended = False
        self._thread: threading.Thread | None = None
        self.problem: str | None = None  # why the store has not all that is here

    def __enter__(self) -> Self:
        self._mirror.make()
        self._lock.__enter__()
        try:
            self._lease.take()
            self._watermark.begin(self._lease.term)  # first: from here on the last one's mark stands
            self._lease.outrank(take_up(self._mirror, self._objects).term)
            self._whole_terms = self._mirror.own_terms
            begin_log(self._mirror.folder, self._lease.term)
        except (StoreFailed, LedgerUnreadable, OSError) as error:
            self._lock.__exit__(None, None, None)
            raise JobError(f"{self._mirror.url}: {error}") from None
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def keep(self, on_lost: Callable[[str], None]) -> None:
        """Renew the hold, and upload snapshots and log from now on; the ledger is open, and nothing in it is new yet.

        `on_lost` is called from another thread when the hold is gone.

        Raises:
            JobError: what is here and not in the bucket could not be uploaded.
        """
        mirror = self._mirror
        self._lease.keep(on_lost)
        try:
            self._upload(LEDGER)  # only where it is newer than what is there: what the log goes on from
            self._objects.delete([name_of(one) for one in stretches_in(self._objects.names(PREFIX))])
        except (StoreFailed, LedgerUnreadable, OSError) as error:
            raise JobError(f"{mirror.url}: {error}") from None
        mirror.ours(self._lease.term, following=self._lease.follows_own)
        log, at = mirror.folder / COMMITS, position(mirror.folder / LEDGER)
        self._shipper = Shipper(self._objects, log, at, self._lease.term, self._ship_s)
        self._shipper.keep(lambda: not self._lease.lost, self._due.set)
        self._thread = threading.Thread(target=as_here(self._snapshots), name="snapshots", daemon=True)
        self._thread.start()

    # ── money ───────────────────────────────────────────────────────────────────────────────────────────────────

    def marked_usd(self, run: str) -> Decimal:
        """How far a run may be spent by what is on record in the bucket."""
        mark = self._watermark.of(run)
        return Decimal(0) if mark is None else from_units(mark.upto_units)

    def whole(self, run: str) -> bool:
        """Whether the ledger here has all that was written under this run's mark."""
        mark, (first, last) = self._watermark.of(run), self._whole_terms
        return mark is None or first <= mark.term <= last

    def mark(self, run: str, upto_usd: Decimal) -> None:
        """Put that on record. Blocks.

        Raises:
            StoreFailed: it is not; `Lost` where another run has the output.
        """
        self._watermark.set(run, to_units(upto_usd))

    def settle(self, run: str, usd: Decimal) -> None:
        """What it comes to, once the bucket has the ledger that says so."""
        self._settled = (run, usd)

    # ── its end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        if self._shipper is not None:
            self._shipper.stop()
        try:
            self._leave()
        except (StoreFailed, LedgerUnreadable, OSError) as failed:
            self.problem = str(failed)
        if not self._lease.lost:
            self._lease.release()
        end_log(self._mirror.folder)
        self._lock.__exit__(kind, error, trace)

    def _leave(self) -> None:
        """Everything to the bucket: first what is quickly there."""
        if not self._lease.lost and self._shipper is not None:
            with suppress(StoreFailed):
                self._shipper.ship()
        self._upload()
        if self._settled is not None:
            self.mark(*self._settled)

    def _snapshots(self) -> None:
        while True:
            self._due.wait(self._every_s)
            if self._ended or self._lease.lost:
                return
            self._due.clear()
            try:
                self._upload()
            except (StoreFailed, LedgerUnreadable, OSError) as error:
                say("warning", f"no snapshot of this run could be uploaded; it goes on: {error}")

    def _upload(self, *names: str) -> None:
        """Everything that has changed since it was uploaded last, or these files of it."""
        mirror = self._mirror
        if not self._lease.holds():
            raise StoreFailed(self._lease.lost or f"{mirror.url} was taken over by another run")
        for name in names or mirror.files():
            path = mirror.folder / name
            known = mirror.known.get(name)
            if known is not None and known.is_of(path) and not _has_log(path):
                continue
            if name == LEDGER:
                self._upload_ledger(path)
            else:
                mirror.keep_known(name, known_of(self._objects.write(name, path), path))

    def _upload_ledger(self, path: Path) -> None:
        mirror = self._mirror
        copy = mirror.home / ".snapshot.sqlite"
        before = path.stat()  # what is written while it is copied is not in the copy
        copied(path, copy)
        at = position(copy)
        stamp = self._objects.write(LEDGER, copy)
        mirror.keep_known(LEDGER, Known(stamp, before.st_size, before.st_mtime_ns))
        if self._shipper is not None:
            self._shipper.snapshot_has(at)
        for beside in ("", *LOGS):
            copy.with_name(copy.name + beside).unlink(missing_ok=True)


def _has_log(path: Path) -> bool:
    """Whether what was written last may be beside the file and not yet in it."""
    log = path.with_name(path.name + LOGS[0])
    return path.name == LEDGER and log.exists() and log.stat().st_size > 0
