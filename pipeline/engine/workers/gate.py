"""The gate of a worker: every admission is asked of the run's own process, which has the only governor."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.gate import Diverted, NeverFits, TenantOverBudget
from pipeline.admission.report import NEVER_SENT, Report
from pipeline.admission.stop import Stopped, StopSwitch, wake
from pipeline.codes import ParkReason
from pipeline.engine.workers.messages import (
    Admit,
    Finish,
    Granted,
    Leave,
    ModelHealth,
    Refused,
    RunStopped,
    SizedRequest,
    StopRun,
)
from pipeline.ledger.records import Send
from pipeline.money import to_units
from pipeline.types import Request


class RemoteTicket(Struct, frozen=True):
    """An admission that the run's process has given; `number` is its name there.

    `named`: the call as it is on the ledger, where the run has put it there.
    """

    usd: Decimal
    number: int
    named: Send | None = None


class RemoteGate:
    """A `Gate` of one model: `model` is its NAME, "" the job's [model].

    `beside`: the gate to the first of several models, which hears what the run says for all of them.
    """

    def __init__(self, send: Callable[[Struct], None], model: str = "", beside: "RemoteGate | None" = None) -> None:
        self._send = send
        self._model = model
        self._numbers: Iterator[int] = count() if beside is None else beside._numbers  # noqa: SLF001 (one line of those who wait)
        self._waiting: dict[int, asyncio.Future[Granted]] = {} if beside is None else beside._waiting  # noqa: SLF001
        self._switch: StopSwitch = StopSwitch() if beside is None else beside._switch  # noqa: SLF001

    @property
    def stopped(self) -> ParkReason | None:
        return self._switch.reason

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def admit(self, request: Request, *, retry: bool, draft: Send | None = None) -> RemoteTicket:
        """As `Admission.admit`. `draft`: the call, for the ledger, where the run is to put it there."""
        self._switch.check()
        number = next(self._numbers)
        granted: asyncio.Future[Granted] = asyncio.get_running_loop().create_future()
        self._waiting[number] = granted
        asked = SizedRequest(
            request.input_tokens, request.input_tokens_ceiling, request.max_output_tokens, request.tenant,
            request.standard_tier, request.file_tokens,
        )  # fmt: skip
        self._send(Admit(number, asked, retry, self._model, draft))
        try:
            told = await granted
        except asyncio.CancelledError:
            self._send(Leave(number))
            raise
        finally:
            self._waiting.pop(number, None)
        if draft is not None:
            draft = replace(draft, sent_us=told.sent_us, at_risk_units=to_units(told.usd))
        return RemoteTicket(told.usd, number, draft)

    def finish(self, ticket: RemoteTicket, report: Report) -> None:
        """As `Admission.finish`."""
        self._send(Leave(ticket.number) if report is NEVER_SENT else Finish(ticket.number, report))

    async def pause(self, seconds: float) -> None:
        """As `Admission.pause`."""
        await self._switch.pause(seconds)

    def stop(self, reason: ParkReason, message: str) -> None:
        """Here at once, for the whole run as soon as it hears of it."""
        self._send(StopRun(reason, message, self._model))
        self.stopped_by_run(reason, message)

    # ── what the run says ───────────────────────────────────────────────────────────────────────────────────────

    def granted(self, told: Granted) -> None:
        waiting = self._waiting.get(told.number)
        if waiting is None or waiting.done():  # the run, or this worker, has stopped meanwhile
            self._send(Leave(told.number))
        else:
            waiting.set_result(told)

    def refused(self, number: int, error: Exception) -> None:
        """With what `Admission.admit` raises; one of these ends the whole wait."""
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def stopped_by_run(self, reason: ParkReason, message: str) -> None:
        if not self._switch.throw(reason, message):
            return
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._switch.error())


class RemoteModelGate(RemoteGate):
    """A gate to a model whose rows have another to go to: as `engine.diverting.DivertingGate`, which the run has.

    `causes`: for which of them rows go on elsewhere.
    """

    def __init__(
        self, send: Callable[[Struct], None], model: str, beside: RemoteGate | None, causes: frozenset[str]
    ) -> None:
        super().__init__(send, model, beside)
        self._causes = causes
        self._down: tuple[str, str] | None = None  # what is wrong with it, and in words
        self._sleepers: set[asyncio.Future[None]] = set()

    async def pause(self, seconds: float) -> None:
        """As `RemoteGate.pause`. Raises Diverted: the model is down, or goes down meanwhile."""
        if self._down is not None:
            raise Diverted(*self._down)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleep = asyncio.ensure_future(super().pause(seconds))
        self._sleepers.add(woken)
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
            if self._down is not None:
                raise Diverted(*self._down)
            await sleep
        finally:
            self._sleepers.discard(woken)
            sleep.cancel()
            woken.cancel()

    def stop(self, reason: ParkReason, message: str) -> None:
        """The end of the run, unless rows go on elsewhere for this."""
        if reason.value not in self._causes:
            super().stop(reason, message)
            return
        self._send(StopRun(reason, message, self._model))
        self.down(reason.value, message)

    def park(self, cause: str, message: str) -> None:
        """The end of the run, as a row of this model has nowhere else to go for this."""
        reason = ParkReason(cause)
        self._send(StopRun(reason, message, self._model, nowhere_else=True))
        self.stopped_by_run(reason, message)

    def down(self, cause: str, told: str) -> None:
        """It is, as this worker or the run has found; cause "": it is well again."""
        self._down = (cause, told) if cause else None
        if cause:
            for sleeper in self._sleepers:
                wake(sleeper)


def hear(told: Granted | Refused | RunStopped | ModelHealth, main: RemoteGate, gates: Mapping[str, RemoteGate]) -> None:
    """What the run says of admissions. `main`: the gate of the job's [model]; `gates`: of all its models, by NAME."""
    match told:
        case Granted():
            main.granted(told)
        case Refused():
            main.refused(told.number, raised(told.why))
        case RunStopped():
            main.stopped_by_run(told.reason, told.message)
        case ModelHealth() if isinstance(gate := gates.get(told.model), RemoteModelGate):
            gate.down(told.cause, told.told)


def portable(error: BaseException) -> tuple[str, ...]:
    """An error of admission, in parts that can be sent."""
    match error:
        case TenantOverBudget():
            return ("tenant", error.tenant, str(error))
        case Diverted():
            return ("diverted", error.cause, str(error))
        case Stopped():
            return ("stopped", str(error.reason), str(error))
        case _:
            return ("never", str(error))


def raised(parts: tuple[str, ...]) -> Exception:
    """The error that `portable` took apart."""
    match parts:
        case ("tenant", tenant, text):
            return TenantOverBudget(tenant, text)
        case ("diverted", cause, text):
            return Diverted(cause, text)
        case ("stopped", reason, text):
            return Stopped(ParkReason(reason), text)
        case _:
            return NeverFits(parts[-1])
