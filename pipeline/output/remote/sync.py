"""Outputs in a bucket: the run works in a local mirror, and uploads it whole, object by object, now and then.

The ledger is copied out of SQLite as one consistent file at every snapshot; results come before run.json, which speaks
of them. A run on another machine takes up from the last snapshot. What was answered after it is known only to the
machine that died: it is paid for again, or comes back when that machine runs again, whose ledger is then folded in.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from pipeline.console import as_here, say
from pipeline.errors import JobError, LedgerError, LedgerUnreadable
from pipeline.job.folder import CALLS, HEAD, LEDGER, LOGS, RESULTS, RUN, kept_ledger
from pipeline.job.settings import Job, Output
from pipeline.ledger.files import copied, damage, fold_log
from pipeline.ledger.fold import fold_in
from pipeline.ledger.lock import FolderLock, held
from pipeline.money import money
from pipeline.output.remote.lease import LEASE_S, Lease
from pipeline.output.remote.mirror import Mirror, is_remote
from pipeline.output.remote.objects import Objects, StoreFailed

SNAPSHOT_S = 60.0
SNAPSHOT_VARIABLE, LEASE_VARIABLE = "PIPELINE_SNAPSHOT_S", "PIPELINE_LEASE_S"
TAKEN_UP = (LEDGER, RESULTS, CALLS, RUN)


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
                _take_up(mirror, objects)
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
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem: str | None = None  # why the store has not all that is here

    def __enter__(self) -> Self:
        self._mirror.make()
        self._lock.__enter__()
        try:
            self._lease.take()
            _take_up(self._mirror, self._objects)
        except (StoreFailed, LedgerUnreadable) as error:
            self._lock.__exit__(None, None, None)
            raise JobError(f"{self._mirror.url}: {error}") from None
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def keep(self, on_lost: Callable[[str], None]) -> None:
        """Renew the hold and upload snapshots from now on; `on_lost` is called from another thread when it is gone."""
        self._lease.keep(on_lost)
        self._thread = threading.Thread(target=as_here(self._snapshots), name="snapshots", daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._lease.lost:
            self.problem = self._lease.lost
        else:
            try:
                self._upload()
            except (StoreFailed, LedgerUnreadable, OSError) as failed:
                self.problem = str(failed)
            self._lease.release()
        self._lock.__exit__(kind, error, trace)

    def _snapshots(self) -> None:
        while not self._ended.wait(self._every_s):
            if self._lease.lost:
                return
            try:
                self._upload()
            except (StoreFailed, LedgerUnreadable, OSError) as error:
                say("warning", f"no snapshot of this run could be uploaded; it goes on: {error}")

    def _upload(self) -> None:
        """Everything that has changed since it was uploaded last."""
        mirror = self._mirror
        for name in mirror.files():
            path = mirror.folder / name
            known = mirror.known.get(name)
            if known is not None and known.is_of(path) and not _has_log(path):
                continue
            if name != LEDGER:
                mirror.knows(name, self._objects.write(name, path))
                continue
            copy = mirror.home / ".snapshot.sqlite"
            copied(path, copy)
            mirror.knows(name, self._objects.write(name, copy))
            copy.unlink()


def _has_log(path: Path) -> bool:
    """Whether what was written last may be beside the file and not yet in it."""
    log = path.with_name(path.name + LOGS[0])
    return path.name == LEDGER and log.exists() and log.stat().st_size > 0


def _take_up(mirror: Mirror, objects: Objects) -> None:
    """Fetch what is newer there. A ledger of ours that another machine has overtaken is folded into its own."""
    for name in TAKEN_UP:
        found = objects.written(name)
        known = mirror.known.get(name)
        if found is None or (known is not None and known.stamp == found[0] and (mirror.folder / name).exists()):
            continue
        fetched = mirror.home / f".fetched-{name}"
        stamp = objects.fetch(name, fetched)
        if stamp is None:
            continue
        if name == LEDGER:
            if (told := damage(fetched)) is not None:
                way_out = "Restore an older version of it, or run with --fresh"
                raise StoreFailed(f"{mirror.url}/{LEDGER} is damaged ({told}). {way_out}")
            _replace_ledger(mirror, fetched)
        else:
            fetched.replace(mirror.folder / name)
        mirror.knows(name, stamp)


def _replace_ledger(mirror: Mirror, fetched: Path) -> None:
    ours = mirror.folder / LEDGER
    if ours.exists():
        kept = ours.with_name(kept_ledger(f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
        fold_log(ours)
        ours.rename(kept)
        folded = fold_in(kept, fetched)
        if folded.answers or folded.calls:
            say(
                "notice",
                f"another machine went on with {mirror.url}; {folded.answers:,} answers that only this one had are "
                f"kept, with {folded.calls:,} calls that cost {money(folded.units)}",
            )
        else:
            kept.unlink()
    for beside in (*LOGS, HEAD):  # a head of ours says nothing of their ledger
        ours.with_name(ours.name + beside).unlink(missing_ok=True)
    fetched.replace(ours)
    for beside in LOGS:
        fetched.with_name(fetched.name + beside).unlink(missing_ok=True)
