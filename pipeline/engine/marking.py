"""What a run with a remote output may spend, put on record there ahead of it, and never by the event loop itself."""

import asyncio
from contextlib import suppress
from decimal import Decimal

from pipeline.admission.budget import ZERO, Account
from pipeline.admission.queue import Admission
from pipeline.admission.stop import Stopped
from pipeline.admission.watermark import AHEAD, assumed_usd, raised_usd
from pipeline.codes import ParkReason
from pipeline.console import as_here, say
from pipeline.money import dollars
from pipeline.output.remote.objects import Lost, StoreFailed
from pipeline.output.remote.sync import RemoteOutput

RATE_OVER_S = 1.0  # at the least: what is spent a second is not known sooner
RETRY_S = 1.0


class RemoteSpending:
    """Of one session: what it has to assume as spent, and the watermark that it raises as it goes on."""

    def __init__(self, remote: RemoteOutput, run: str, account: Account, admission: Admission) -> None:
        """`run`: its name there. Watches over `account` and what `admission` lets through from now on."""
        self._remote, self._run = remote, run
        self._account, self._admission = account, admission
        self._loop = asyncio.get_running_loop()
        self._raising: asyncio.Task[None] | None = None
        self._since_s, self._spent_usd = self._loop.time(), account.spent_usd
        self._due_usd = ZERO  # committed: from there on the mark is looked at

    def begin(self, *, fresh: bool, with_loss: bool) -> None:
        """Take over the mark of the session before. `fresh`: nothing that it stands for is of this ledger.

        `with_loss`: the ledger here is known to lack something.
        """
        account, marked = self._account, ZERO if fresh else self._remote.marked_usd(self._run)
        whole = self._remote.whole(self._run) and not with_loss
        account.marked_usd = marked
        account.assumed_usd = assumed_usd(marked, account.spent_usd, whole=whole)
        if account.assumed_usd:
            say(
                "warning",
                f"{dollars(account.assumed_usd)} are assumed spent: the machine that ran this before was lost, and may "
                f"have spent up to {dollars(marked)}, of which its ledger in the bucket tells "
                f"{dollars(account.spent_usd)}. They count under budget.max_usd",
            )
        self._admission.on_spending = self.look

    @property
    def assumed_usd(self) -> Decimal:
        return self._account.assumed_usd

    def look(self, need_usd: Decimal) -> None:
        """Raise the mark where that is due; `need_usd`: of a call that waits for it, or 0."""
        if self._raising is not None or (not need_usd and self._account.committed_usd < self._due_usd):
            return
        if (upto_usd := raised_usd(self._account, need_usd, self._per_s())) is not None:
            self._raising = self._loop.create_task(self._raise(upto_usd))

    async def settle(self, committed_usd: Decimal) -> None:
        """The session has ended, with so much spent by its ledger: that is where the mark is to stand."""
        if self._raising is not None:
            await asyncio.gather(self._raising, return_exceptions=True)
        if self._account.watched:
            self._remote.settle(self._run, committed_usd + self._account.assumed_usd)

    def _per_s(self) -> Decimal:
        """What was spent a second since the mark was raised last."""
        seconds = max(RATE_OVER_S, self._loop.time() - self._since_s)
        return (self._account.spent_usd - self._spent_usd) / Decimal(seconds)

    async def _raise(self, upto_usd: Decimal) -> None:
        until_s = self._loop.time() + self._remote.patience_s
        while self._admission.stopped is None:
            try:
                await asyncio.to_thread(as_here(self._remote.mark), self._run, upto_usd)
            except Lost:
                self._stop("the output was taken over by another run")
            except (StoreFailed, OSError, RuntimeError) as error:  # the last: no thread is to be had
                self._not_yet(str(error), last=self._loop.time() > until_s)
            else:
                self._raised(upto_usd)
                return
            with suppress(Stopped):
                await self._admission.pause(RETRY_S)

    def _raised(self, upto_usd: Decimal) -> None:
        self._account.marked_usd = upto_usd
        self._due_usd = upto_usd - AHEAD * (upto_usd - self._account.committed_usd)
        self._since_s, self._spent_usd = self._loop.time(), self._account.spent_usd
        self._raising = None
        self._admission.marked()

    def _not_yet(self, why: str, *, last: bool) -> None:
        told = f"what is spent cannot be put on record in the output's store: {why}"
        if last:
            self._stop(f"{told}. Without that budget.max_usd would not hold if this machine were lost")
        else:
            say("warning", f"{told}. That is tried again; calls wait for it")

    def _stop(self, message: str) -> None:
        self._admission.stop(ParkReason.INTERRUPTED, message)
