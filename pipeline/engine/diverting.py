"""A gate to a model whose rows have another to go to: what would park the run sends them there instead."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from pipeline.admission.gate import Diverted
from pipeline.admission.governor import Governor, Ticket
from pipeline.admission.health import Health
from pipeline.admission.queue import Admission, Turn
from pipeline.admission.report import NEVER_SENT, CallEnd, Report
from pipeline.admission.token_scale import Sized
from pipeline.codes import ParkReason
from pipeline.extraction.routing import OUTAGE
from pipeline.types import Request


class Group:
    """The gates of a job's models: they spend from one budget, and the run ends for all of them or for none."""

    def __init__(self, stop: Callable[[ParkReason, str], None]) -> None:
        self.stop = stop
        self.gates: list[DivertingGate] = []

    def ended(self, ended: "DivertingGate", tenant: str | None) -> None:
        """A call has: what it gives back of the budget others may wait for."""
        for gate in self.gates:
            if gate is not ended:
                gate.admission.look(tenant)

    def stopped(self, reason: ParkReason, message: str) -> None:
        """The run ends early."""
        for gate in self.gates:
            gate.admission.stop(reason, message)


class Ends(Struct, frozen=True):
    """`causes`: for which of them rows go on elsewhere. `on_change`: told what there is to say to people."""

    causes: frozenset[str]
    on_change: Callable[[str], None]


class DivertingGate:
    """A `Gate` over an admission. Those who wait, or sleep, when the model goes down hear of it at once."""

    def __init__(self, name: str, admission: Admission, governor: Governor, group: Group, ends: Ends) -> None:
        self.name = name
        self.admission = admission
        self.governor = governor
        self.health = Health()
        self.calls = 0  # that have ended
        self.on_health: Callable[[str, str], None] | None = None  # told the cause, "" for none, and what it is in words
        self._group = group
        self._ends = ends
        self._turns: set[Turn] = set()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._probing: Turn | None = None
        self._probe: Ticket | None = None  # of that turn, once it has come
        group.gates.append(self)

    @property
    def stopped(self) -> ParkReason | None:
        return self.admission.stopped

    @property
    def waiting(self) -> int:
        return self.admission.waiting

    async def admit(self, request: Request, *, retry: bool) -> Ticket:
        """As `Gate.admit`.

        Raises:
            Diverted: the model is down, and this is no probe.
        """
        turn = self.enqueue(request, retry=retry)
        try:
            return await turn
        except (asyncio.CancelledError, Diverted):
            self.leave(turn)
            raise

    def enqueue(self, request: Sized, *, retry: bool = False) -> Turn:
        """As `Admission.enqueue`.

        Raises:
            Diverted: the model is down, and this is no probe.
        """
        health, now_s = self.health, _now_s()
        asked_to_wait = health.cause and now_s < self.governor.gate_until_s  # a probe would sit that out
        if asked_to_wait or not health.lets_in(now_s):
            raise Diverted(health.cause, health.told)
        turn = self.admission.enqueue(request, retry=retry)
        if health.taken():
            self._probing = turn
            turn.add_done_callback(self._probe_turned)
        else:
            self._turns.add(turn)
            turn.add_done_callback(self._turns.discard)
        return turn

    def leave(self, turn: Turn) -> None:
        """As `Admission.leave`."""
        self._turns.discard(turn)
        self.admission.leave(turn)
        if turn is self._probing:
            self._probing = self._probe = None
            self.health.given_back()

    def _probe_turned(self, turn: Turn) -> None:
        if turn is not self._probing:
            return
        if turn.cancelled() or turn.exception() is not None:
            self._probing = None
            self.health.given_back()
        else:
            self._probe = turn.result()

    def finish(self, ticket: Ticket, report: Report) -> None:
        self.admission.finish(ticket, report)
        self.calls += report is not NEVER_SENT
        self._group.ended(self, ticket.need.tenant)
        now_s, probed = _now_s(), ticket is self._probe
        if probed:
            self._probe = self._probing = None
        opened = probed or self.governor.open_since_s is not None
        if report.end is CallEnd.OVERLOADED and opened and OUTAGE in self._ends.causes:
            self._down(OUTAGE, "the provider is down", now_s)
        elif probed and self.health.probing:  # else `stop` was said of it: a bad key, a quota
            self._probed(report, now_s)

    def _probed(self, report: Report, now_s: float) -> None:
        if report.used is None or not report.used.sent or report.end is CallEnd.OVERLOADED:
            self.health.given_back()
        elif self.health.answered(now_s):
            self._ends.on_change(f"{self.name} is well again: rows go to it")
            if self.on_health is not None:
                self.on_health("", "")

    async def pause(self, seconds: float) -> None:
        """As `Gate.pause`. Raises Diverted."""
        if self.health.cause and not self.health.lets_in(_now_s()):
            raise Diverted(self.health.cause, self.health.told)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleep = asyncio.ensure_future(self.admission.pause(seconds))
        self._sleepers.add(woken)
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
            if woken.done():
                raise Diverted(self.health.cause, self.health.told)
            sleep.result()
        finally:
            self._sleepers.discard(woken)
            sleep.cancel()
            woken.cancel()

    def stop(self, reason: ParkReason, message: str) -> None:
        """The end of the run, unless rows go on elsewhere for this."""
        if reason.value in self._ends.causes:
            self._down(reason.value, message, _now_s())
        else:
            self._group.stop(reason, message)

    def park(self, cause: str, message: str) -> None:
        """The end of the run, as a row of this model has nowhere else to go for this."""
        self._group.stop(ParkReason(cause), message)

    def _down(self, cause: str, told: str, now_s: float) -> None:
        if self.health.failed(cause, told, now_s):
            self._ends.on_change(f"{self.name}: {told}; rows go on elsewhere, and it is looked at again")
        if self.on_health is not None:
            self.on_health(cause, told)
        for turn in list(self._turns):
            if not turn.done():
                turn.set_exception(Diverted(cause, told))
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
