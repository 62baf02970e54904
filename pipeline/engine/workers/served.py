"""The run's side of a worker's gate: what it asked for, what it was let in with, and what comes back."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from msgspec import Struct

from pipeline.admission.governor import Ticket
from pipeline.admission.queue import Admission, Turn
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT, Report
from pipeline.engine.diverting import DivertingGate
from pipeline.engine.workers.gate import portable
from pipeline.engine.workers.messages import Admit, Granted, Refused, StopRun
from pipeline.money import to_units

Served = Admission | DivertingGate


class ServedGate:
    """Of one worker. `admissions`: by NAME of the model, "" the job's [model]; `send` takes what the worker is told."""

    def __init__(self, admissions: Mapping[str, Served], send: Callable[[Struct], None]) -> None:
        self._admissions = admissions
        self._send = send
        self._turns: dict[int, tuple[Served, Turn]] = {}
        self._tickets: dict[int, tuple[Served, Ticket]] = {}

    def admit(self, asked: Admit) -> None:
        admission = self._admissions[asked.model]
        try:
            turn = admission.enqueue(asked.asked, retry=asked.retry)
        except Exception as error:  # noqa: BLE001 (sent to who asked)
            self._send(Refused(asked.number, portable(error)))
            return
        self._turns[asked.number] = admission, turn
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
        ticket = turn.result()
        self._tickets[number] = waited[0], ticket
        self._send(Granted(number, ticket.need.usd))

    def leave(self, number: int) -> None:
        waited, held = self._turns.pop(number, None), self._tickets.pop(number, None)
        if waited is not None:
            waited[0].leave(waited[1])
        elif held is not None:  # granted, and the word had not yet come
            held[0].finish(held[1], NEVER_SENT)

    def finish(self, number: int, report: Report) -> None:
        admission, ticket = self._tickets.pop(number)
        admission.finish(ticket, report)

    def stop(self, asked: StopRun) -> None:
        admission = self._admissions[asked.model]
        if asked.nowhere_else and isinstance(admission, DivertingGate):
            admission.park(asked.reason.value, asked.message)
        else:
            admission.stop(asked.reason, asked.message)

    def gone(self) -> None:
        """The worker is: whoever waits leaves, and of what was let in nobody knows what became."""
        self._leave_all()
        for admission, ticket in self._tickets.values():
            admission.finish(ticket, FATE_UNKNOWN)
        self._tickets.clear()

    def lost(self, at_risk_units: Iterable[tuple[str, int]]) -> list[Callable[[], None]]:
        """The same of a worker whose calls may go on elsewhere: each of those that keep a slot, to be called once.

        `at_risk_units`: of the calls that were named, with their model. What was let in and not named has not left.
        """
        self._leave_all()
        named = Counter((self._admissions[model], units) for model, units in at_risk_units)
        held: list[Callable[[], None]] = []
        for admission, ticket in self._tickets.values():
            call = admission, to_units(ticket.usd)
            if named[call] > 0:
                named[call] -= 1
                held.append(partial(admission.finish, ticket, FATE_UNKNOWN))
            else:
                admission.finish(ticket, NEVER_SENT)
        self._tickets.clear()
        return held

    def _leave_all(self) -> None:
        for admission, turn in list(self._turns.values()):
            admission.leave(turn)
        self._turns.clear()
