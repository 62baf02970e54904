"""The run's end of a worker's ledger: what it says is written in order, and acknowledged once it is durable."""

import asyncio
from collections.abc import Callable

from msgspec import Struct, field

from pipeline.errors import LedgerError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Send
from pipeline.ledger.remote import Durable, Intended, LedgerAsked, Looked, OnRecord, Recorded, Withdrawn
from pipeline.telemetry.tally import Tally

Act = Callable[[], None]


class ServedLedger:
    """Of one worker; `send` takes what it is told, `on_error` why nothing can be written any more.

    What happens in one turn of the loop becomes durable together: one word of it goes back.
    """

    def __init__(
        self, ledger: Ledger, tally: Tally, send: Callable[[Struct], None], on_error: Callable[[LedgerError], None]
    ) -> None:
        self._ledger = ledger
        self._tally = tally
        self._send = send
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._turn = _Turn()
        self._last: asyncio.Future[None] | None = None
        self.calls = 0

    def said(self, message: LedgerAsked) -> None:
        try:
            self._carry_out(message)
        except LedgerError as error:
            self._on_error(error)

    def _carry_out(self, message: LedgerAsked) -> None:
        match message:
            case Intended():
                self._wrote(message.number, self._ledger.intend(message.send))
            case Recorded():
                answer = message.answer
                key, reply = (None, None) if answer is None else (answer.key, answer.reply)
                self._wrote(message.number, self._ledger.record(message.call, key, reply))
                self._tally.called(message.call)
                self.calls += 1
            case Withdrawn():
                self._wrote(message.number, self._ledger.withdraw(message.send))
            case Looked():
                self._send(OnRecord(message.number, self._ledger.answer(message.key)))

    def name(self, send: Send, then: Act) -> None:
        """As of `CallNames`."""
        try:
            self._last = self._ledger.intend(send)
        except LedgerError as error:
            self._on_error(error)
        else:
            self._this_turn().named.append(then)

    def withdraw(self, send: Send) -> None:
        """As of `CallNames`."""
        try:
            self._last = self._ledger.withdraw(send)
        except LedgerError as error:
            self._on_error(error)
        else:
            self._this_turn().wrote = True

    def after(self, act: Act) -> None:
        """Have it done once all that was said up to the end of this turn of the loop is durable."""
        self._this_turn().acts.append(act)

    async def settled(self) -> None:
        """Everything that was said is durable, or cannot become so."""
        if self._last is not None:
            await asyncio.wait([self._last])

    def _wrote(self, number: int, done: "asyncio.Future[None]") -> None:
        self._this_turn().numbers.append(number)
        self._last = done  # the writer ends them in order

    def _this_turn(self) -> "_Turn":
        if not self._turn.begun:
            self._turn.begun = True
            self._loop.call_soon(self._turn_ends)
        return self._turn

    def _turn_ends(self) -> None:
        turn, self._turn = self._turn, _Turn()
        if self._last is not None and (turn.wrote or turn.numbers or turn.named):
            self._last.add_done_callback(lambda last: self._durable(last, turn))
        else:
            for act in turn.acts:
                act()

    def _durable(self, last: "asyncio.Future[None]", turn: "_Turn") -> None:
        error = None if last.cancelled() else last.exception()
        if isinstance(error, LedgerError):
            self._on_error(error)
        else:
            if turn.numbers:
                self._send(Durable(turn.numbers))
            for then in turn.named:
                then()
        for act in turn.acts:
            act()


class _Turn(Struct):
    """One of the loop. `numbers`: of what the worker wrote; `named`: to be called of what was named for it."""

    begun: bool = False
    wrote: bool = False
    numbers: list[int] = field(default_factory=list)
    named: list[Act] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
