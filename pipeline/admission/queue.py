"""The one place where calls wait: first come, first served, retries before new rows, no polling.

Every change that matters (a settlement, a hint, the passing of time) wakes the pump once; it admits from the head of
the queue as long as the governor says go. Waiting outside of it (back-off) goes through `pause`, so that a stop reaches
everybody. Who waits for a tenant's own budget stands aside and holds up nobody else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from pipeline.admission.borrowed import Asked, Borrowed
from pipeline.admission.budget import ZERO
from pipeline.admission.gate import NeverFits, TenantOverBudget
from pipeline.admission.governor import FOR_SLOTS, BudgetRoom, Governor, Need, Snapshot, Ticket, Wait
from pipeline.admission.lender import Lender, Turn
from pipeline.admission.needs import Needs
from pipeline.admission.report import NEVER_SENT, CallEnd, Report
from pipeline.admission.stop import StopSwitch
from pipeline.admission.tenants import TenantQueues
from pipeline.admission.tickets import FOR_BUDGET, FOR_FIRST, FOR_MARK
from pipeline.admission.timer import Timer
from pipeline.admission.token_scale import Sized
from pipeline.codes import ParkReason

__all__ = ["Admission", "Turn"]

Queue = OrderedDict[Turn, Sized]  # in order of arrival; one who gives up leaves at once


class Admission:
    """Admission in this process: a `Gate`. `clock` is the event loop's: timers are set on it."""

    def __init__(self, governor: Governor, needs: Needs, clock: Callable[[], float], outage_s: float = 600.0) -> None:
        self._governor = governor
        self._needs = needs
        self._clock = clock
        self._outage_s = outage_s
        self._retries: Queue = OrderedDict()
        self._new: Queue = OrderedDict()
        self._aside: TenantQueues[Turn, Sized] = TenantQueues()
        self._alongside: list[Admission] = []
        self._borrowed = Borrowed(governor.give_back)
        self._switch = StopSwitch()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer = Timer(self._pump)
        self._firm = False  # nothing but time lets the head of the queue go
        self._held_since_s = 0.0
        self._short_usd = ZERO  # that those who wait need of the watermark
        self.on_stop: Callable[[ParkReason, str], None] | None = None  # who else is to be told
        self.on_spending: Callable[[Decimal], None] | None = None  # told after each admission, with what is short
        self.on_untold: Callable[[], None] | None = None  # told once, when a provider did not tell what a call used
        self.why_waiting = ""

    @property
    def stopped(self) -> ParkReason | None:
        return self._switch.reason

    @property
    def stop_message(self) -> str:
        return self._switch.message

    @property
    def in_flight(self) -> int:
        return self._governor.in_flight - len(self._borrowed)

    @property
    def waiting(self) -> int:
        return len(self._retries) + len(self._new) + len(self._aside) + len(self._borrowed)

    def snapshot(self) -> Snapshot:
        self._held(self.why_waiting, book=True)
        snapshot = self._governor.snapshot(self._clock())
        return self._borrowed.shown(replace(snapshot, in_flight=self.in_flight))

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def admit(self, request: Sized, *, retry: bool = False) -> Ticket:
        """Wait for one's turn. What the request may use is worked out when it has come, by what answers have taught.

        The ticket is to be given back exactly once, by `finish`.

        Raises:
            Stopped: the run ends early. NeverFits: no waiting would help. TenantOverBudget.
        """
        turn = self.enqueue(request, retry=retry)
        try:
            return await turn
        except asyncio.CancelledError:
            self.leave(turn)
            raise

    def enqueue(self, request: Sized, *, retry: bool = False) -> Turn:
        """Get in line; the future brings the ticket, or what `admit` raises.

        Raises:
            Stopped: the run ends early.
        """
        self._switch.check()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # asked once: until Python 3.12 each asking is a system call
        turn: Turn = self._loop.create_future()
        queue = self._retries if retry else self._new
        first = not self._retries if retry else not (self._retries or self._new)
        queue[turn] = request
        if first:
            self._pump()  # behind somebody, nothing has changed
        return turn

    def leave(self, turn: Turn) -> None:
        """Give up one's place in the line, or the ticket where it has come."""
        self._retries.pop(turn, None)
        self._new.pop(turn, None)
        self._aside.leave(turn)
        self._borrowed.leave(turn)
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self.finish(turn.result(), NEVER_SENT)
        else:
            self._pump()  # the next may be smaller

    async def pause(self, seconds: float) -> None:
        """Sleep outside any slot; a stop cuts it short with `Stopped`."""
        await self._switch.pause(seconds)

    # ── what happened ───────────────────────────────────────────────────────────────────────────────────────────

    def finish(self, ticket: Ticket, report: Report) -> None:
        """The end of a call that was admitted; to be said once of each ticket.

        Raises:
            ValueError: it was said before; nothing has changed.
        """
        now_s = self._clock()
        self._governor.finish(ticket, report, now_s)
        if report.counted is not None:
            self._needs.observe(ticket.need, *report.counted)
        if report.service is not None:
            self._needs.served_at(report.service)
        if report.untold and (say_so := self.on_untold) is not None:
            self.on_untold = None  # once
            say_so()
        if report.end is CallEnd.OVERLOADED and (opened_s := self._governor.open_since_s) is not None:
            down_s = now_s - opened_s
            if down_s >= self._outage_s:
                self.stop(ParkReason.OUTAGE, f"the provider has been down for {down_s:.0f} s")
        if (told := self._governor.refused_alike) is not None:
            self.stop(ParkReason.REFUSED_BY_PROVIDER, told)
        self._borrowed.finished(ticket, report)
        self._aside.call_back(ticket.need.tenant)
        if not self._timer.armed or not self._firm:  # else only time can tell
            self._pump()

    # ── the run's side ──────────────────────────────────────────────────────────────────────────────────────────

    def set_concurrency(self, calls: int) -> None:
        self._governor.set_concurrency(calls)
        self._borrowed.widened(calls)
        self._pump()

    def look(self, tenant: str | None) -> None:
        """A call of this tenant has ended in another scope that spends from the same budget."""
        self._aside.call_back(tenant)
        if self.why_waiting == FOR_BUDGET.why or tenant is not None:
            self._pump()

    def alongside(self, other: "Admission") -> None:
        """Another one, that spends from the same budget."""
        other.on_spending = self.on_spending
        self._alongside.append(other)

    def marked(self) -> None:
        """The watermark was raised."""
        for one in (self, *self._alongside):
            if one.why_waiting == FOR_MARK.why:
                one._pump()  # noqa: SLF001 (our own kind)

    def set_max_usd(self, usd: Decimal | None) -> None:
        """A run that has parked by its budget stays parked."""
        self._governor.set_max_usd(usd)
        self._pump()

    def stop(self, reason: ParkReason, message: str) -> None:
        """End the run early: the first cause counts; all who wait are told, those in flight go on."""
        if not self._switch.throw(reason, message):
            return
        self._held("")
        for turn in (*self._retries, *self._new, *self._aside, *self._borrowed):
            if not turn.done():
                turn.set_exception(self._switch.error())
        self._borrowed.leave_all()
        self._retries.clear()
        self._new.clear()
        self._aside.clear()
        self._timer.disarm()
        if self.on_stop is not None:
            self.on_stop(reason, message)

    # ── limits that are shared with other runs ──────────────────────────────────────────────────────────────────

    def share(self, lender: Lender | None) -> None:
        """Ask there for limits from now on; None: they are kept here. What was asked for is asked for again."""
        for asked in reversed(self._borrowed.leave_all()):
            queue = self._retries if asked.retry else self._new
            queue[asked.turn] = asked.request
            queue.move_to_end(asked.turn, last=False)
        self._borrowed.lender = lender
        self._governor.asks = lender is not None
        self._pump()

    def granted(self, turn: Turn, given: Ticket) -> bool:
        """The lender has limits for it: with `given.held`, or as `given.place` there. False: nobody wants them now."""
        if (ticket := self._borrowed.granted(turn, given)) is None:
            return False
        self._governor.granted(self._clock())
        turn.set_result(ticket)
        if self.why_waiting == FOR_FIRST.why:
            asyncio.get_running_loop().call_soon(self._pump)  # now it is known how long
        return True

    # ── the pump ────────────────────────────────────────────────────────────────────────────────────────────────

    def _pump(self) -> None:
        """Admit from the head of the queue while the governor says go; then wait for time or a settlement."""
        self._timer.disarm()
        self._short_usd = ZERO
        self._admit_all()
        if self.on_spending is not None:
            self.on_spending(self._short_usd)

    def _admit_all(self) -> None:
        while self._switch.reason is None and (queue := self._retries or self._new):
            if self._governor.full:  # whatever the head needs; there is nothing to work out
                self._held(self._borrowed.why or FOR_SLOTS.why)
                self._firm = False
                return
            turn = next(iter(queue))
            if turn.done():  # cancelled, and not yet told
                del queue[turn]
            elif not self._offer(turn, queue):
                return
            else:
                queue.pop(turn, None)
        self._held(self._borrowed.why)

    def _offer(self, turn: Turn, queue: Queue) -> bool:
        """Whether the head of the queue is served, one way or another."""
        try:
            need = self._needs.of(queue[turn])
        except Exception as error:  # noqa: BLE001 (the boundary of one waiter: its own error goes to itself)
            turn.set_exception(error)
            return True
        if (refusal := self._governor.refusal(need)) is not None:
            turn.set_exception(NeverFits(refusal))
            return True
        if need.tenant is not None and self._stands_aside(turn, queue, need, need.tenant):
            return True
        now_s = self._clock()
        found = self._governor.offer(need, now_s)
        if isinstance(found, Wait):
            self._wait(found, need, queue[turn], now_s)
            return False
        self._aside.served(turn)
        if (lender := self._borrowed.lender) is None:
            turn.set_result(found)
        else:
            self._borrowed.ask(Asked(turn, queue.pop(turn), found, queue is self._retries), need, lender)
        return True

    def _wait(self, wait: Wait, need: Need, request: Sized, now_s: float) -> None:
        self._held(wait.why)
        self._firm = wait.firm
        if wait.seconds is not None:
            self._timer.set(now_s, wait.seconds)
        elif wait is FOR_MARK:
            self._short_usd = need.usd * max(1, min(self.waiting, self._governor.slots - self.in_flight))
        elif self._governor.budget_spent(need):
            self.stop(ParkReason.BUDGET, self._governor.out_of_budget(need, self._needs.least_usd(request)))

    def _stands_aside(self, turn: Turn, queue: Queue, need: Need, tenant: str) -> bool:
        """Whether its tenant's budget keeps it: for good, or until a call of this tenant has ended."""
        behind = self._aside.ahead_of(turn, tenant)
        room = BudgetRoom.LATER if behind else self._governor.tenant_room(need)
        if room is BudgetRoom.LATER:
            self._aside.add(turn, tenant, queue)
        elif room is BudgetRoom.NEVER:
            turn.set_exception(TenantOverBudget(tenant, self._governor.tenant_told(need)))
            self._aside.served(turn)
        return room is not BudgetRoom.NOW

    def _held(self, why: str, *, book: bool = False) -> None:
        """Book the time that the head of the queue was held, by its cause."""
        if why == self.why_waiting and not book:
            return
        now_s = self._clock()
        if self.why_waiting:
            self._governor.waited(self.why_waiting, now_s - self._held_since_s)
        self.why_waiting, self._held_since_s = why, now_s
