"""Batches at the provider: submitted once, looked at, called off in time, and collected line by line.

Before each step that may cost there is a durable record, and after it another. A submission whose answer was lost is
looked for before anything is submitted again; a batch that is there is taken up, whoever submitted it.
"""

import contextlib
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pipeline.admission.gate import Gate
from pipeline.console import say
from pipeline.crash_points import crash_point
from pipeline.engine.batches.collect import Collector
from pipeline.engine.batches.lane import BATCHES, Refused
from pipeline.engine.batches.remote import Remote
from pipeline.engine.batches.schedule import look_after_s
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import Policy, decide
from pipeline.ledger.batches import (
    CANCELLING,
    COLLECTED,
    LINE_OPEN,
    OUT,
    PLANNED,
    SUBMITTING,
    UNKNOWN,
    UPLOADED,
    WITHDRAWN,
    BatchRecord,
)
from pipeline.providers.batches import RemoteBatch, RemoteState
from pipeline.types import AttemptCode, ParkReason

ABSENT_GAP_S = 120.0  # between two listings that must both lack a batch before it is submitted again
ABSENT_GAP_NAMELESS_S = 600.0  # where a provider keeps no name of ours
TIMEOUT_S = 150.0  # within which a lost submission may have been taken
SKEW_S = 300.0
GRACE_S = 600.0  # a batch that is not found so soon after its submission is not there yet
MOST_PAGES = 50  # of a listing
PASSING = {Kind.CONNECTION, Kind.TIMEOUT, Kind.OVERLOADED, Kind.NO_ANSWER, Kind.THROTTLED, Kind.DAMAGED}
FILE_LOOKS, FILE_LOOK_S = 60, 2.0
FULL_S, FULL_MOST_S = 30.0, 600.0
SANDBOX = "sandbox"
BATCHES_FAILED = 3  # in a row, after which the lane is given up


class Desk:
    """All batches of a ledger that are open, over one provider."""

    def __init__(
        self, remote: Remote, collector: Collector, gate: Gate[Any], *, poll_s: float, outage_s: float, keep: bool
    ) -> None:
        """`keep`: files stay at the provider once all is collected."""
        self._remote = remote
        self._collector = collector
        self._books = books = collector.books
        self._gate = gate
        self._outage_s = outage_s
        self._down_since_s: float | None = None
        self._poll_s = poll_s
        self._keep = keep
        self._folder = books.ledger.path.parent / BATCHES
        self.open: dict[str, BatchRecord] = {}
        self.failed_in_a_row = 0
        self.full = 0  # times that too much was waiting there already
        self._ended_s: dict[str, float] = {}  # by nonce: when a batch was first seen to have ended

    # ── submitting ──────────────────────────────────────────────────────────────────────────────────────────────

    async def submit(self, batch: BatchRecord) -> None:
        """Upload and create, each asked for once; what is left in doubt is looked for later.

        Raises:
            Stopped: the provider refuses all that would follow.
        """
        self.open[batch.nonce] = batch
        artifact = self._folder / f"{batch.nonce}.jsonl"
        try:
            if (upload := self._remote.wire.upload(batch.nonce)) is not None and not batch.file_ref:
                file_ref = self._remote.wire.uploaded(await self._remote.ask(upload, artifact))
                crash_point("batch-uploaded")
                batch = await self._changed(batch, state=UPLOADED, file_ref=file_ref)
            await self._until_usable(batch)
            batch = await self._changed(batch, state=SUBMITTING, submitted_us=_now_us())
            crash_point("batch-submitting")
            ask = self._remote.wire.create(batch.nonce, batch.file_ref)
            made = self._remote.wire.created(await self._remote.ask(ask, artifact))
        except CallFailed as failure:
            await self._not_submitted(batch, failure)
            return
        crash_point("batch-created")
        self._down_since_s = None
        await self._taken(batch, made)

    async def _until_usable(self, batch: BatchRecord) -> None:
        """Some providers look at a file before it can be used.

        Raises:
            CallFailed: it never can, or not for a while.
        """
        for _ in range(FILE_LOOKS):
            ask = self._remote.wire.file_look(batch.file_ref)
            if ask is None or self._remote.wire.file_ready(await self._remote.ask(ask)):
                return
            await self._gate.pause(min(FILE_LOOK_S, self._poll_s or FILE_LOOK_S))
        raise CallFailed(Kind.NO_ANSWER, f"its file is not ready after {FILE_LOOKS} looks")

    async def _taken(self, batch: BatchRecord, made: RemoteBatch) -> None:
        if made.full:
            await self._queue_full(batch, made.error)
            return
        batch = await self._changed(batch, state=OUT, remote_id=made.id, status=made.status)
        crash_point("batch-submitted")
        say("notice", f"batch {made.id}: {batch.rows:,} requests submitted")

    async def _not_submitted(self, batch: BatchRecord, failure: CallFailed) -> None:
        """A definite no is no batch; anything else may be one."""
        if batch.state != SUBMITTING or not failure.sent:  # nothing but a file can be there
            if batch.state == SUBMITTING:
                await self._changed(batch, state=UPLOADED)
            if failure.kind in PASSING:
                self._down(failure)  # tried again when it is looked at
            else:
                await self._given_up(batch, failure)
        elif _in_doubt(failure):
            await self._changed(batch, state=UNKNOWN, error=str(failure))
            say("warning", f"batch {batch.nonce}: its submission had no clear answer ({failure}); it is looked for")
        elif failure.kind is Kind.THROTTLED:
            await self._queue_full(batch, str(failure))
        else:
            await self._given_up(batch, failure)

    def _down(self, failure: CallFailed) -> None:
        now_s = time.monotonic()
        if self._down_since_s is None:
            self._down_since_s = now_s
            say("notice", f"the batch API does not answer: {failure}; asked again")
        elif now_s - self._down_since_s >= self._outage_s:
            self._gate.stop(ParkReason.OUTAGE, f"the batch API has been down for {self._outage_s:g} s: {failure}")

    async def _given_up(self, batch: BatchRecord, failure: CallFailed) -> None:
        await self._withdraw(batch, str(failure))
        decision = decide(failure, 1, Policy(max_attempts=1), 0.0)
        park = decision.park or ParkReason.REFUSED_BY_PROVIDER
        self._gate.stop(park, f"the batch API refuses a batch: {failure}")

    async def _queue_full(self, batch: BatchRecord, words: str) -> None:
        self.full += 1
        await self._withdraw(batch, words)
        say("notice", f"batch {batch.nonce}: too much is waiting at the provider already: {words}")

    async def _withdraw(self, batch: BatchRecord, words: str) -> None:
        """None of its lines was billed, and each may be asked again."""
        items = self._books.ledger.items_of(batch.nonce).values()
        still = [item for item in items if item.fate == LINE_OPEN]
        await self._books.ledger.withdraw_batch(batch.nonce, len(still), words)
        for item in still:
            self._books.money.let_go(item, Decimal(0), batch.run)
        self._forget(batch)

    # ── what was left open before ───────────────────────────────────────────────────────────────────────────────

    async def take_up(self, account: str, *, gone: bool = False) -> None:
        """What earlier sessions have left: taken up where it stands. Nothing that may be out is submitted again.

        `gone`: the sandbox ends with its run: what it had is gone, and was billed to nobody. No other provider does.
        """
        open_before = self._books.ledger.open_batches()
        self._sweep({batch.nonce for batch in open_before})
        for batch in open_before:
            if gone and batch.provider == SANDBOX:
                await self._withdraw(batch, "the sandbox that had it has ended")
                continue
            if batch.account != account:
                told = f"batch {batch.remote_id or batch.nonce} was submitted with another key or at another place"
                say("warning", f"{told}: it is left alone here, and the job as it was collects it")
                continue
            self.open[batch.nonce] = batch
            if batch.state == SUBMITTING:
                self.open[batch.nonce] = await self._changed(batch, state=UNKNOWN)
            elif batch.state in {PLANNED, UPLOADED} and not self._artifact(batch).exists():
                await self._withdraw(batch, "its file is gone")
        await self.look()

    def _sweep(self, kept: set[str]) -> None:
        """Files of batches that were never on record, or are done with: a session that died has left them."""
        for path in self._folder.glob("*"):
            if path.stem not in kept or path.suffix != ".jsonl":
                path.unlink(missing_ok=True)

    def late(self) -> bool:
        """Whether the deadline of the run has passed, or batches are being called off for it."""
        deadline_us = self._books.ledger.batch_deadline_us()
        passed = deadline_us is not None and _now_us() >= deadline_us
        return passed or self._books.ledger.called_off()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def look(self) -> None:
        """One look at each open batch, and whatever follows from it."""
        for batch in list(self.open.values()):
            match batch.state:
                case "planned" | "uploaded":
                    await self.submit(batch)
                case "unknown":
                    await self._searched(batch)
                case _:
                    await self._looked(batch)

    def look_after_s(self) -> float:
        """Until the next look that is due."""
        now_s = time.time()
        ages = [now_s - (batch.submitted_us or batch.created_us) / 1e6 for batch in self.open.values()]
        return min((look_after_s(age_s, self._poll_s) for age_s in ages), default=0.0)

    async def _looked(self, batch: BatchRecord) -> None:
        try:
            seen = await self._remote.look(batch.remote_id)
        except CallFailed as failure:
            await self._unseen(batch, failure)
            return
        self._down_since_s = None
        if (seen.status, seen.done) != (batch.status, batch.done):
            batch = await self._changed(batch, status=seen.status, done=seen.done)
        if seen.state is RemoteState.FAILED:
            await self._failed(batch, seen)
        elif seen.state is RemoteState.ENDED:
            await self._collect(batch, seen)
        elif batch.state == CANCELLING and seen.state is RemoteState.RUNNING:  # it was not told
            await self._tell_off(batch)

    async def _unseen(self, batch: BatchRecord, failure: CallFailed) -> None:
        """A batch that is out is never submitted again because nobody sees it."""
        if failure.kind in {Kind.AUTH, Kind.QUOTA}:
            self._gate.stop(ParkReason.AUTH, f"batch {batch.remote_id} cannot be looked at: {failure}")
        elif failure.kind in PASSING:
            self._down(failure)
        elif failure.status == 404 and time.time() - (batch.submitted_us or 0) / 1e6 > GRACE_S:
            say("warning", f"batch {batch.remote_id} is not found at the provider: {failure}")

    async def _failed(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        if seen.full:
            await self._queue_full(batch, seen.error)
            return
        self._tell_wrong_lines(batch, seen)
        self.failed_in_a_row += 1
        await self._withdraw(batch, seen.error or seen.status)
        say("warning", f"batch {batch.remote_id} failed as a whole, and nothing of it is billed: {seen.error}")
        if self.failed_in_a_row >= BATCHES_FAILED:
            told = f"{BATCHES_FAILED} batches in a row failed as a whole, the last for: {seen.error or seen.status}"
            self._gate.stop(ParkReason.REFUSED_BY_PROVIDER, told)

    def _tell_wrong_lines(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        """What the provider names as wrong fails its rows; the others are asked again."""
        items = self._books.ledger.items_of(batch.nonce) if seen.wrong_lines else {}
        for number in seen.wrong_lines:
            if (item := items.get(f"{batch.nonce}-{number - 1}")) is not None:
                words = f"the batch API refuses this line: {seen.error}"
                self._collector.on_refused(item.key, Refused(AttemptCode.INVALID_REQUEST, words))

    async def _searched(self, batch: BatchRecord) -> None:
        """A submission without an answer: is it there? Only two whole listings that lack it say that it is not."""
        try:
            found = await self._found(batch)
        except CallFailed as failure:
            say("notice", f"batch {batch.nonce}: the listing of batches did not answer ({failure}); asked again later")
            return
        if found is not None:
            await self._taken(batch, found)
            return
        gap_s = ABSENT_GAP_S if self._remote.wire.limits.keeps_nonce else ABSENT_GAP_NAMELESS_S
        if batch.missed_us is None:
            await self._changed(batch, missed_us=_now_us())
        elif _now_us() - batch.missed_us >= gap_s * 1e6:
            say("notice", f"batch {batch.nonce} is not at the provider; it is submitted again")
            await self._changed(batch, state=UPLOADED, missed_us=None)

    async def _found(self, batch: BatchRecord) -> RemoteBatch | None:
        wire, page = self._remote.wire, ""
        since_s = (batch.submitted_us or batch.created_us) / 1e6 - SKEW_S
        known = {one.remote_id for one in self.open.values() if one.remote_id}
        for _ in range(MOST_PAGES):
            batches, page = wire.listed(await self._remote.ask(wire.listing(page)))
            for one in batches:
                if one.id not in known and self._is_it(batch, one, since_s):
                    return one
            if not page or all(one.created_s is not None and one.created_s < since_s for one in batches):
                return None
        raise CallFailed(Kind.NO_ANSWER, f"the listing has more than {MOST_PAGES} pages")

    def _is_it(self, batch: BatchRecord, one: RemoteBatch, since_s: float) -> bool:
        if one.nonce:
            return one.nonce == batch.nonce
        if one.file_ref and batch.file_ref:
            return one.file_ref == batch.file_ref
        if self._remote.wire.limits.keeps_nonce or one.created_s is None:
            return False
        last_s = (batch.submitted_us or 0) / 1e6 + TIMEOUT_S + SKEW_S
        return since_s <= one.created_s <= last_s and one.rows == batch.rows

    # ── calling off ─────────────────────────────────────────────────────────────────────────────────────────────

    async def cancel(self, only: str = "", *, why: str | None = None) -> None:
        """Call off all that is out, or `only` one; what was answered by then is billed, and collected."""
        wanted = [one for one in self.open.values() if only in {"", one.remote_id, one.nonce}]
        for batch in [one for one in wanted if one.state in {PLANNED, UPLOADED}]:
            await self._withdraw(batch, "it was called off before it was submitted")
        for batch in [one for one in wanted if one.state == OUT]:
            changed = await self._changed(batch, state=CANCELLING, cancel_us=_now_us(), error=why)
            crash_point("batch-cancelling")
            await self._tell_off(changed)

    async def _tell_off(self, batch: BatchRecord) -> None:
        with contextlib.suppress(CallFailed):  # it may have ended meanwhile: the next look tells
            await self._remote.ask(self._remote.wire.cancel(batch.remote_id))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _collect(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        now_s = time.monotonic()
        age_s = now_s - self._ended_s.setdefault(batch.nonce, now_s)
        try:
            lost = await self._collector.collect(batch, seen, age_s)
        except CallFailed as failure:
            say("notice", f"batch {batch.remote_id}: its results did not come whole ({failure}); asked again later")
            return
        if lost is None:
            say("notice", f"batch {batch.remote_id} has ended, and some of its results are not there yet")
            return
        if lost:
            say("warning", f"batch {batch.remote_id}: {lost:,} lines have no result; they may have been billed")
        crash_point("batch-collected")
        await self._changed(batch, state=COLLECTED, done=batch.rows)
        self.failed_in_a_row = 0
        if not self._keep:
            for ask in self._remote.wire.removal(seen):
                with contextlib.suppress(CallFailed):
                    await self._remote.ask(ask)
        self._forget(batch)

    # ── small things ────────────────────────────────────────────────────────────────────────────────────────────

    async def _changed(self, batch: BatchRecord, **fields: Any) -> BatchRecord:  # noqa: ANN401
        await self._books.ledger.change_batch(batch.nonce, **fields)
        changed = replace(batch, **fields)
        if changed.state in {COLLECTED, WITHDRAWN}:
            self.open.pop(batch.nonce, None)
        else:
            self.open[batch.nonce] = changed
        return changed

    def _forget(self, batch: BatchRecord) -> None:
        self.open.pop(batch.nonce, None)
        self._artifact(batch).unlink(missing_ok=True)

    def _artifact(self, batch: BatchRecord) -> Path:
        return self._folder / f"{batch.nonce}.jsonl"


def _in_doubt(failure: CallFailed) -> bool:
    """Whether a submission that failed so may have been taken all the same."""
    return failure.fate_unknown or failure.status is None or failure.status >= 500 or failure.status in {200, 408, 409}


def _now_us() -> int:
    return time.time_ns() // 1000
