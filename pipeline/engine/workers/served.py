"""The run's side of a worker's gate: what it asked for, what it was let in with, and what comes back."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.governor import Ticket
from pipeline.admission.queue import Admission, Turn
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT, Report
from pipeline.engine.diverting import DivertingGate
from pipeline.engine.workers.gate import portable
from pipeline.engine.workers.messages import Admit, Granted, Refused, StopRun
from pipeline.ledger.records import Send
from pipeline.money import to_units

Served = Admission | DivertingGate


class CallNames(Protocol):
    """Where calls are put on the ledger as they are let in."""

    def name(self, send: Send, then: Callable[[], None]) -> None:
        """`then` is called once it is durable; never, if it cannot become so."""
        ...

    def withdraw(self, send: Send) -> None:
        """It will not leave."""
        ...


class _Turn(Struct, frozen=True):
    """Who waits. `draft`: the call, if it is to be named here."""

    admission: Served
    turn: Turn
    draft: Send | None


class _LetIn(Struct, frozen=True):
    admission: Served
    ticket: Ticket
    named: Send | None


class ServedGate:
    """Of one worker. `admissions`: by NAME of the model, "" the job's [model]; `send` takes what the worker is told.

    `names`: for calls that come with a draft; of workers that keep the ledger themselves, none does.
    """

    def __init__(
        self, admissions: Mapping[str, Served], send: Callable[[Struct], None], names: CallNames | None = None
    ) -> None:
        self._admissions = admissions
        self._send = send
        self._names = names
        self._turns: dict[int, _Turn] = {}
        self._tickets: dict[int, _LetIn] = {}

    def admit(self, asked: Admit) -> None:
        admission = self._admissions[asked.model]
        try:
            turn = admission.enqueue(asked.asked, retry=asked.retry)
        except Exception as error:  # noqa: BLE001 (sent to who asked)
            self._send(Refused(asked.number, portable(error)))
            return
        self._turns[asked.number] = _Turn(admission, turn, asked.draft)
        turn.add_done_callback(partial(self._turned, asked.number))

    def _turned(self, number: int, turn: Turn) -> None:
        """Its turn has come, or never will."""
        waited = self._turns.pop(number, None)
        if waited is None or turn.cancelled():
            return
        error = turn.exception()
        if error is not None:
            self._send(Refused(number, portable(error)))
            return
        ticket, named = turn.result(), None
        if waited.draft is not None and self._names is not None:
            at_risk = to_units(ticket.need.usd)
            named = replace(waited.draft, sent_us=time.time_ns() // 1000, at_risk_units=at_risk)
            self._names.name(named, partial(self._on_ledger, number))
        self._tickets[number] = _LetIn(waited.admission, ticket, named)
        if named is None:
            self._send(Granted(number, ticket.need.usd))

    def _on_ledger(self, number: int) -> None:
        """The call may leave, if it is still wanted."""
        held = self._tickets.get(number)
        if held is None or held.named is None:
            return
        if held.admission.stopped is None:
            self._send(Granted(number, held.ticket.need.usd, held.named.sent_us))
        else:  # who asked has been told so
            self.leave(number)

    def leave(self, number: int) -> None:
        waited, held = self._turns.pop(number, None), self._tickets.pop(number, None)
        if waited is not None:
            waited.admission.leave(waited.turn)
        elif held is not None:
            if held.named is not None and self._names is not None:
                self._names.withdraw(held.named)
            held.admission.finish(held.ticket, NEVER_SENT)

    def finish(self, number: int, report: Report) -> None:
        held = self._tickets.pop(number)
        held.admission.finish(held.ticket, report)

    def stop(self, asked: StopRun) -> None:
        admission = self._admissions[asked.model]
        if asked.nowhere_else and isinstance(admission, DivertingGate):
            admission.park(asked.reason.value, asked.message)
        else:
            admission.stop(asked.reason, asked.message)

    def gone(self) -> None:
        """The worker is: whoever waits leaves, and of what was let in nobody knows what became."""
        self.leave_all()
        for held in self._tickets.values():
            held.admission.finish(held.ticket, FATE_UNKNOWN)
        self._tickets.clear()

    def lost(self, at_risk_units: Iterable[tuple[str, int]]) -> list[Callable[[], None]]:
        """The same of a worker whose calls may go on elsewhere: each of those that keep a slot, to be called once.

        `at_risk_units`: of the calls that were named, with their model. What was let in and not named has not left.
        """
        self.leave_all()
        named = Counter((self._admissions[model], units) for model, units in at_risk_units)
        held: list[Callable[[], None]] = []
        for one in self._tickets.values():
            call = one.admission, to_units(one.ticket.usd)
            if named[call] > 0:
                named[call] -= 1
                held.append(partial(one.admission.finish, one.ticket, FATE_UNKNOWN))
            else:
                one.admission.finish(one.ticket, NEVER_SENT)
        self._tickets.clear()
        return held

    def leave_all(self) -> None:
        """Whoever waits waits no more: nothing else is let in of what was asked for up to now."""
        for waited in list(self._turns.values()):
            waited.admission.leave(waited.turn)
        self._turns.clear()
