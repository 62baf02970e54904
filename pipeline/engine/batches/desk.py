"""Batches that are at the provider: taken up, looked at, called off in time, and collected line by line.

A batch that is there is taken up, whoever submitted it, and is never submitted again because nobody sees it.
"""

import contextlib
import math
import time
from typing import Any

from pipeline.admission.gate import Gate
from pipeline.codes import AttemptCode, ParkReason
from pipeline.console import say
from pipeline.crash_points import crash_point
from pipeline.engine.batches.collect import Collector
from pipeline.engine.batches.lane import Refused
from pipeline.engine.batches.open_batches import PASSING, OpenBatches
from pipeline.engine.batches.schedule import look_after_s
from pipeline.engine.batches.submission import Submitter
from pipeline.errors import CallFailed, Kind
from pipeline.ledger.batches import (
    CANCELLING,
    COLLECTED,
    OUT,
    PLANNED,
    SUBMITTING,
    UNKNOWN,
    UPLOADED,
    BatchRecord,
)
from pipeline.providers.batches import RemoteBatch, RemoteState

GRACE_S = 600.0  # a batch that is not found so soon after its submission is not there yet
SANDBOX = "sandbox"
REFUSED = 400
BATCHES_FAILED = 3  # in a row, after which the lane is given up


class Desk:
    """All batches of a ledger that are open, over one provider."""

    def __init__(
        self,
        submitter: Submitter,
        collector: Collector,
        batches: OpenBatches,
        gate: Gate[Any],
        poll_s: float,
        *,
        keep: bool,
    ) -> None:
        """`keep`: files stay at the provider once all is collected."""
        self._submitter = submitter
        self._collector = collector
        self._remote = collector.remote
        self._batches = batches
        self._gate = gate
        self._poll_s = poll_s
        self._keep = keep
        self.failed_in_a_row = 0

    @property
    def open(self) -> dict[str, BatchRecord]:
        """By nonce."""
        return self._batches.by_nonce

    @property
    def full(self) -> int:
        """Times that too much was waiting at the provider already."""
        return self._submitter.full

    @property
    def returned(self) -> int:
        """Lines of this session that are to be asked again."""
        return self._collector.unanswered + self._batches.withdrawn

    async def take_up(self, account: str, *, gone: bool = False) -> None:
        """What earlier sessions have left: taken up where it stands. Nothing that may be out is submitted again.

        `gone`: the sandbox ends with its run: what it had is gone, and was billed to nobody. No other provider does.
        """
        open_before = self._batches.books.ledger.open_batches()
        self._batches.sweep({batch.nonce for batch in open_before})
        for batch in open_before:
            if gone and batch.provider == SANDBOX:
                await self._batches.withdraw(batch, "the sandbox that had it has ended")
                continue
            if batch.account != account:
                told = f"batch {batch.remote_id or batch.nonce} was submitted with another key or at another place"
                say("warning", f"{told}: it is left alone here, and the job as it was collects it")
                continue
            self.open[batch.nonce] = batch
            if batch.state == SUBMITTING:
                self.open[batch.nonce] = await self._batches.change(batch, state=UNKNOWN)
            elif batch.state in {PLANNED, UPLOADED} and not self._batches.artifact(batch).exists():
                await self._batches.withdraw(batch, "its file is gone")
        await self.look()

    def late(self) -> bool:
        """Whether the deadline of the run has passed, or batches are being called off for it."""
        deadline_us = self._batches.books.ledger.batch_deadline_us()
        passed = deadline_us is not None and _now_us() >= deadline_us
        return passed or self._batches.books.ledger.called_off()

    def deadline_s(self) -> float:
        """Of the run, or of what is out of earlier ones, whichever is first; endless before there is one."""
        of_run = self._batches.books.ledger.batch_deadline_us()
        told = [batch.deadline_us for batch in self.open.values()] + ([] if of_run is None else [of_run])
        return min(told) / 1e6 if told else math.inf

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def look(self) -> None:
        """One look at each open batch, and whatever follows from it."""
        for batch in list(self.open.values()):
            match batch.state:
                case "planned" | "uploaded":
                    await self._submitter.submit(batch)
                case "unknown":
                    await self._submitter.search(batch)
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
        self._batches.up()
        if (seen.status, seen.done) != (batch.status, batch.done):
            batch = await self._batches.change(batch, status=seen.status, done=seen.done)
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
            self._batches.down(failure)
        elif failure.status == 404 and time.time() - (batch.submitted_us or 0) / 1e6 > GRACE_S:
            say("warning", f"batch {batch.remote_id} is not found at the provider: {failure}")

    async def _failed(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        if seen.full:
            await self._submitter.queue_full(batch, seen.error)
            return
        await self._tell_wrong_lines(batch, seen)
        self.failed_in_a_row += 1
        await self._batches.withdraw(batch, seen.error or seen.status)
        say("warning", f"batch {batch.remote_id} failed as a whole, and nothing of it is billed: {seen.error}")
        if self.failed_in_a_row >= BATCHES_FAILED:
            told = f"{BATCHES_FAILED} batches in a row failed as a whole, the last for: {seen.error or seen.status}"
            self._gate.stop(ParkReason.REFUSED_BY_PROVIDER, told)

    async def _tell_wrong_lines(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        """What the provider names as wrong fails its rows; the others are asked again."""
        items = await self._batches.books.ledger.items_of(batch.nonce) if seen.wrong_lines else {}
        for number in seen.wrong_lines:
            if (item := items.get(f"{batch.nonce}-{number - 1}")) is not None:
                words = f"the batch API refuses this line: {seen.error}"
                self._batches.books.refused[item.key] = Refused(AttemptCode.INVALID_REQUEST, words)

    # ── calling off ─────────────────────────────────────────────────────────────────────────────────────────────

    async def cancel(self, only: str = "", *, why: str | None = None) -> None:
        """Call off all that is out, or `only` one; what was answered by then is billed, and collected."""
        wanted = [one for one in self.open.values() if only in {"", one.remote_id, one.nonce}]
        for batch in [one for one in wanted if one.state in {PLANNED, UPLOADED}]:
            await self._batches.withdraw(batch, "it was called off before it was submitted")
        for batch in [one for one in wanted if one.state == OUT]:
            changed = await self._batches.change(batch, state=CANCELLING, cancel_us=_now_us(), error=why)
            crash_point("batch-cancelling")
            await self._tell_off(changed)

    async def _tell_off(self, batch: BatchRecord) -> None:
        """Where that fails, it may have ended meanwhile: the next look tells, and asks again where it has not."""
        try:
            answer = await self._remote.ask(self._remote.wire.cancel(batch.remote_id))
            why = f"HTTP {answer.status}" if answer.status >= REFUSED else ""
        except CallFailed as failure:
            why = str(failure)
        if why:
            say("notice", f"batch {batch.remote_id} was not called off ({why}); it is looked at, and asked again")

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _collect(self, batch: BatchRecord, seen: RemoteBatch) -> None:
        age_s = 0.0 if batch.missed_us is None else (_now_us() - batch.missed_us) / 1e6
        try:
            lost = await self._collector.collect(batch, seen, age_s)
        except CallFailed as failure:
            if failure.kind is Kind.AUTH:
                self._gate.stop(ParkReason.AUTH, f"results of batch {batch.remote_id} cannot be fetched: {failure}")
            say("notice", f"batch {batch.remote_id}: its results did not come whole ({failure}); asked again later")
            await self._missed(batch)
            return
        if lost is None:
            say("notice", f"batch {batch.remote_id} has ended, and some of its results are not there yet")
            await self._missed(batch)
            return
        if lost:
            say("warning", f"batch {batch.remote_id}: {lost:,} lines have no result; they may have been billed")
        crash_point("batch-collected")
        await self._batches.change(batch, state=COLLECTED, done=batch.rows)
        self.failed_in_a_row = 0
        if not self._keep:
            for ask in self._remote.wire.removal(seen):
                with contextlib.suppress(CallFailed):
                    await self._remote.ask(ask)
        self._batches.forget(batch)

    async def _missed(self, batch: BatchRecord) -> None:
        """From now on its results are waited for, by this command or the next: on record, or each would begin anew."""
        if batch.missed_us is None:
            await self._batches.change(batch, missed_us=_now_us())


def _now_us() -> int:
    return time.time_ns() // 1000
