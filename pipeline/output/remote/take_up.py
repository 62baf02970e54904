"""Taking up an output from its bucket: what is newer there comes here, the ledger's snapshot with the log after it.

The log is followed as far as it goes without a gap. What is missing of it is told: it is paid for again, and counts as
spent under `budget.max_usd` (watermark.py).
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from pipeline.console import say
from pipeline.errors import LedgerUnreadable
from pipeline.job.folder import CALLS, HEAD, LEDGER, LOGS, RESULTS, RUN, kept_ledger
from pipeline.ledger.files import damage, fold_log
from pipeline.ledger.fold import fold_in
from pipeline.ledger.log_chain import START, Position, Stretch, chain
from pipeline.ledger.replay import position, replay
from pipeline.money import money
from pipeline.output.remote.mirror import Known, Mirror, known_of
from pipeline.output.remote.objects import Objects, StoreFailed
from pipeline.output.remote.segments import PREFIX, SegmentDamaged, name_of, stretches_in, unpacked

BESIDE_THE_LEDGER = (RESULTS, CALLS, RUN)
TRIES = (False, False, True)  # whether it is the last: a run that goes on there deletes what its next snapshot has


class TakenUp(Struct, frozen=True):
    """What was found. `log`: all segments; `term`: the highest that is named in them or in the ledger."""

    log: tuple[Stretch, ...]
    term: int


def take_up(mirror: Mirror, objects: Objects) -> TakenUp:
    """Bring the mirror up to date. A ledger of ours that another machine has overtaken is folded into its own.

    Raises:
        StoreFailed: the store does not answer, or its ledger is damaged. LedgerUnreadable: the one here is.
    """
    log: list[Stretch] = []
    for last in TRIES:
        if objects.written(LEDGER) is not None:  # nothing is logged before there is a snapshot
            log = stretches_in(objects.names(PREFIX))  # listed first: what is deleted after that, a newer one has
        if _ledger(mirror, objects, log, last=last):
            break
    for name in BESIDE_THE_LEDGER:
        fetched = mirror.home / f".fetched-{name}"
        if (known := _fetched(mirror, objects, name, fetched)) is not None:
            fetched.replace(mirror.folder / name)
            mirror.keep_known(name, known)
    ledger = mirror.folder / LEDGER
    return TakenUp(tuple(log), max([_position(ledger).term, *(one.upto.term for one in log)]))


def _fetched(mirror: Mirror, objects: Objects, name: str, target: Path) -> Known | None:
    """What was copied to `target`, where the bucket has a newer one."""
    found = objects.written(name)
    known = mirror.known.get(name)
    if found is None or (known is not None and known.stamp == found[0] and (mirror.folder / name).exists()):
        return None
    stamp = objects.fetch(name, target)
    return None if stamp is None else known_of(stamp, target)


def _ledger(mirror: Mirror, objects: Objects, log: list[Stretch], *, last: bool) -> bool:
    """Whether it is as the bucket has it; not so where a segment was deleted meanwhile, and this was not the `last`."""
    fetched = mirror.home / f".fetched-{LEDGER}"
    for beside in LOGS:  # of one that was being brought on when its process was killed
        fetched.with_name(fetched.name + beside).unlink(missing_ok=True)
    known = _fetched(mirror, objects, LEDGER, fetched)
    if known is not None and (told := damage(fetched)) is not None:
        raise StoreFailed(
            f"{mirror.url}/{LEDGER} is damaged ({told}). Restore an older version of it, or run with --fresh"
        )
    ledger = mirror.folder / LEDGER if known is None else fetched
    missing = _followed(objects, ledger, log)
    if known is not None:
        mirror.not_ours()
        _replace_ledger(mirror, fetched)
        mirror.keep_known(LEDGER, known)
    if missing and last:
        say(
            "warning",
            f"{mirror.url}: the log of the run before ends early: {missing}. The run goes on from there; answers that "
            "came after it are paid for again. Under budget.max_usd they count as spent",
        )
    return not missing


def _position(ledger: Path) -> Position:
    """Where it stands. Of one that is missing or damaged the start: that is told when it is opened."""
    with suppress(LedgerUnreadable):
        if ledger.exists():
            return position(ledger)
    return START


def _followed(objects: Objects, ledger: Path, log: list[Stretch]) -> str:
    """Replay the log after the ledger, as far as it goes; what was in the way, or ""."""
    way = chain(_position(ledger), log)
    if not ledger.exists():
        return ""
    for one in way.stretches:
        found = objects.read(name_of(one))
        if found is None:
            return f"{name_of(one)} is not there"
        try:
            replay(ledger, unpacked(found.content, one))
        except (SegmentDamaged, LedgerUnreadable) as error:
            return f"{name_of(one)} is damaged: {error}"
    return f"what comes before {name_of(way.beyond[0])} is not there" if way.beyond else ""


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
    fold_log(fetched)
    for beside in (*LOGS, HEAD):  # a head of ours says nothing of their ledger
        ours.with_name(ours.name + beside).unlink(missing_ok=True)
    fetched.replace(ours)
    for beside in LOGS:
        fetched.with_name(fetched.name + beside).unlink(missing_ok=True)
