"""A run that asks another one of its account for limits, call by call: all of one turn of the event loop in one go."""

import asyncio
from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from pipeline.admission.charges import Need
from pipeline.admission.governor import Governor
from pipeline.admission.lender import Turn
from pipeline.admission.queue import Admission
from pipeline.admission.report import NEVER_SENT, Report
from pipeline.admission.tickets import Snapshot, Ticket
from pipeline.engine.shared.messages import (
    Ask,
    Bye,
    Down,
    Finish,
    Granted,
    Hello,
    Line,
    State,
    Unlike,
    Welcome,
    Widen,
    Withdraw,
    bare,
)
from pipeline.types import Dimension


class Asking:
    """A `Lender` at the end of a line. It outlives the line: who keeps the limits next is asked for the same.

    `on_lost` is called when the other end is gone.
    """

    def __init__(self, admission: Admission, governor: Governor, version: str, on_lost: Callable[[], None]) -> None:
        self.state: State | None = None
        self.runs = 0
        self.parted = False  # the other one has ended in good order
        self.heard_s = 0.0
        self._admission = admission
        self._governor = governor
        self._version = version
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._line: Line[Down] | None = None
        self._answer: asyncio.Future[Welcome | Unlike | None] | None = None
        self._numbers = count(1)
        self._turns: dict[int, tuple[Turn, Ask]] = {}
        self._asked: dict[Turn, int] = {}
        self._out: dict[int, Ticket] = {}

    @property
    def connected(self) -> bool:
        return self._line is not None

    @property
    def left_in_flight(self) -> int:
        """Calls of the run that kept the limits, if it has died."""
        return 0 if self.state is None or self.parted else self.state.in_flight

    # ── the line ────────────────────────────────────────────────────────────────────────────────────────────────

    async def joined(self, path: str) -> Welcome | Unlike | None:
        """Whether there is somebody to ask; None: nobody.

        Raises:
            OSError: nobody listens there.
        """
        answer: asyncio.Future[Welcome | Unlike | None] = self._loop.create_future()
        line: Line[Down] = Line(Down, self._heard, lambda: self._closed(line))
        self._answer = answer
        await self._loop.create_unix_connection(lambda: line, path)
        line.send(self._hello())
        try:
            found = await answer
        except asyncio.CancelledError:
            line.close()
            raise
        finally:
            self._answer = None
        if isinstance(found, Welcome):
            self._line, self.parted, self.runs = line, False, found.runs
            for _, ask in self._turns.values():
                line.send(ask)
        else:
            line.close()
        return found

    def close(self) -> None:
        """Nothing more is asked for."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def taken_over(self, now_s: float) -> None:
        """This run keeps the limits from now on: as they were told last, and with the calls that are out."""
        if self.state is not None:
            self._governor.take_over(self.state.handover, now_s)
        for ticket in self._out.values():
            ticket.held, ticket.place = self._governor.limits.adopt(bare(ticket.need), now_s).held, 0
        self._out.clear()

    def _hello(self) -> Hello:
        rules = self._governor.rules
        given = {
            Dimension.REQUESTS: rules.requests_per_minute,
            Dimension.INPUT_TOKENS: rules.input_tokens_per_minute,
            Dimension.OUTPUT_TOKENS: rules.output_tokens_per_minute,
        }
        return Hello(
            self._version,
            self._governor.concurrency,
            {dimension: float(limit) for dimension, limit in given.items() if limit},
            [(number, bare(ticket.need)) for number, ticket in self._out.items()],
        )

    def _heard(self, message: Down) -> None:
        self.heard_s = self._loop.time()
        match message:
            case Granted(number=number):
                self._granted(number)
            case State():
                self.state, self.runs = message, message.runs
                self._governor.limits.mirror(message.handover, self.heard_s)
            case Bye():
                self.parted = True
            case Welcome() | Unlike() if self._answer is not None and not self._answer.done():
                self._answer.set_result(message)

    def _granted(self, number: int) -> None:
        if (found := self._turns.pop(number, None)) is None:
            return  # withdrawn meanwhile, and told so
        turn, ask = found
        del self._asked[turn]
        if self._admission.granted(turn, Ticket(ask.need, place=number)):
            self._out[number] = turn.result()
        else:
            self._send_finish(number, NEVER_SENT)

    def _closed(self, line: "Line[Down]") -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        if line is self._line:
            self._line = None
            self._on_lost()

    # ── a lender ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def why(self) -> str:
        return "" if self.state is None else self.state.why

    def ask(self, turn: Turn, need: Need, *, retry: bool) -> None:
        number = next(self._numbers)
        ask = Ask(number, bare(need), retry)
        self._turns[number], self._asked[turn] = (turn, ask), number
        if self._line is not None:
            self._line.send(ask)

    def withdraw(self, turn: Turn) -> None:
        number = self._asked.pop(turn, None)
        if number is None:
            return
        del self._turns[number]
        if self._line is not None:
            self._line.send(Withdraw(number))

    def finished(self, ticket: Ticket, report: Report) -> None:
        if self._out.pop(ticket.place, None) is not None:
            self._send_finish(ticket.place, report)

    def widened(self, calls: int) -> None:
        if self._line is not None:
            self._line.send(Widen(calls))

    def shown(self, snapshot: Snapshot) -> Snapshot:
        return snapshot if self.state is None else replace(snapshot, dimensions=self.state.views)

    def _send_finish(self, number: int, report: Report) -> None:
        if self._line is not None:
            limits_only = replace(report, counted=None, untold=False, refusal=None, service=None)
            self._line.send(Finish(number, limits_only))
