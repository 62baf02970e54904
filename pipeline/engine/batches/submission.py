"""Batches submitted, each once; and the search for one whose submission had no clear answer.

Before each step that may cost there is a durable record, and after it another. What may be at the provider is looked
for before anything is submitted again.
"""

import time
from typing import Any

from pipeline.admission.gate import Gate
from pipeline.codes import AttemptCode, ParkReason
from pipeline.console import say
from pipeline.crash_points import crash_point
from pipeline.engine.batches.lane import Refused, Room
from pipeline.engine.batches.open_batches import PASSING, OpenBatches
from pipeline.engine.batches.remote import Artifact, Remote
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import Policy, decide
from pipeline.ledger.batches import OUT, SUBMITTING, UNKNOWN, UPLOADED, BatchRecord
from pipeline.providers.batches import RemoteBatch

ABSENT_GAP_S = 120.0  # between two listings that must both lack a batch before it is submitted again
ABSENT_GAP_NAMELESS_S = 600.0  # where a provider keeps no name of ours
TIMEOUT_S = 150.0  # within which a lost submission may have been taken
SKEW_S = 300.0
MOST_PAGES = 50  # of a listing
TOO_LARGE = 413
FILE_LOOKS, FILE_LOOK_S = 60, 2.0


class Submitter:
    """`full`: how often too much was waiting at the provider already."""

    def __init__(self, remote: Remote, batches: OpenBatches, gate: Gate[Any], room: Room, poll_s: float) -> None:
        self._remote = remote
        self._batches = batches
        self._gate = gate
        self._room = room
        self._poll_s = poll_s
        self.full = 0

    async def submit(self, batch: BatchRecord) -> None:
        """Upload and create, each asked for once; what is left in doubt is looked for later.

        Raises:
            Stopped: the provider refuses all that would follow.
        """
        self._batches.by_nonce[batch.nonce] = batch
        artifact = Artifact(self._batches.artifact(batch), batch.rows)
        try:
            if (upload := self._remote.wire.upload(batch.nonce)) is not None and not batch.file_ref:
                file_ref = self._remote.wire.uploaded(await self._remote.ask(upload, artifact))
                crash_point("batch-uploaded")
                batch = await self._batches.change(batch, state=UPLOADED, file_ref=file_ref)
            await self._until_usable(batch)
            batch = await self._batches.change(batch, state=SUBMITTING, submitted_us=_now_us())
            crash_point("batch-submitting")
            ask = self._remote.wire.create(batch.nonce, batch.file_ref)
            made = self._remote.wire.created(await self._remote.ask(ask, artifact))
        except CallFailed as failure:
            await self._not_submitted(batch, failure)
            return
        crash_point("batch-created")
        self._batches.up()
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
            await self.queue_full(batch, made.error)
            return
        batch = await self._batches.change(batch, state=OUT, remote_id=made.id, status=made.status, missed_us=None)
        crash_point("batch-submitted")
        say("notice", f"batch {made.id}: {batch.rows:,} requests submitted")

    async def _not_submitted(self, batch: BatchRecord, failure: CallFailed) -> None:
        """A definite no is no batch; anything else may be one."""
        if failure.status == TOO_LARGE:
            await self._too_large(batch, failure)
        elif batch.state != SUBMITTING or not failure.sent:  # nothing but a file can be there
            if batch.state == SUBMITTING:
                await self._batches.change(batch, state=UPLOADED)
            if failure.kind in PASSING:
                self._batches.down(failure)  # tried again when it is looked at
            else:
                await self._given_up(batch, failure)
        elif _in_doubt(failure):
            await self._batches.change(batch, state=UNKNOWN, error=str(failure))
            say("warning", f"batch {batch.nonce}: its submission had no clear answer ({failure}); it is looked for")
        elif failure.kind is Kind.THROTTLED:
            await self.queue_full(batch, str(failure))
        else:
            await self._given_up(batch, failure)

    async def _too_large(self, batch: BatchRecord, failure: CallFailed) -> None:
        """It goes again in two; a line that is too large by itself fails its row."""
        if batch.rows == 1:
            for item in (await self._batches.books.ledger.items_of(batch.nonce)).values():
                words = f"the batch API takes no line as large as this: {failure}"
                self._batches.books.refused[item.key] = Refused(AttemptCode.INVALID_REQUEST, words)
        self._room.rows = max(1, min(self._room.rows, batch.rows // 2))
        self._room.size_bytes = min(self._room.size_bytes, batch.size_bytes // 2)
        await self._batches.withdraw(batch, str(failure))
        say("notice", f"batch {batch.nonce}: {batch.size_bytes:,} bytes are too many for the provider; asked in parts")

    async def _given_up(self, batch: BatchRecord, failure: CallFailed) -> None:
        await self._batches.withdraw(batch, str(failure))
        decision = decide(failure, 1, Policy(max_attempts=1), 0.0)
        park = decision.park or ParkReason.REFUSED_BY_PROVIDER
        self._gate.stop(park, f"the batch API refuses a batch: {failure}")

    async def queue_full(self, batch: BatchRecord, words: str) -> None:
        """Nothing of it was taken: it goes again, in smaller pieces and not at once."""
        self.full += 1
        self._room.full = True
        await self._batches.withdraw(batch, words)
        say("notice", f"batch {batch.nonce}: too much is waiting at the provider already: {words}")

    async def search(self, batch: BatchRecord) -> None:
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
            await self._batches.change(batch, missed_us=_now_us())
        elif _now_us() - batch.missed_us >= gap_s * 1e6:
            say("notice", f"batch {batch.nonce} is not at the provider; it is submitted again")
            await self._batches.change(batch, state=UPLOADED, missed_us=None)

    async def _found(self, batch: BatchRecord) -> RemoteBatch | None:
        wire, page = self._remote.wire, ""
        since_s = (batch.submitted_us or batch.created_us) / 1e6 - SKEW_S
        known = {one.remote_id for one in self._batches.by_nonce.values() if one.remote_id}
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


def _in_doubt(failure: CallFailed) -> bool:
    """Whether a submission that failed so may have been taken all the same."""
    return failure.fate_unknown or failure.status is None or failure.status >= 500 or failure.status in {200, 408, 409}


def _now_us() -> int:
    return time.time_ns() // 1000
